"""Keys of desks that exist: who made one answers for it, and keys of people who left have ended."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from host.core import clock, migrations
from host.core.db import Base

AFTER = {
    "api_keys": {"holder_id", "ended_because"},
    "users": {"timezone", "picture_key", "seen_at", "deleted_at", "new_password"},
    "memberships": {"limited"},
}
"""Columns that came with that migration or a later one."""


def as_it_was(name: str) -> sa.TableClause:
    columns = Base.metadata.tables[name].c
    return sa.table(name, *[sa.column(c.name, c.type) for c in columns if c.name not in AFTER[name]])


def upgrade(url: str, revision: str) -> None:
    with migrations.locked(url) as engine:
        migrations.upgrade(engine, migrations.host_directory(), migrations.HOST_VERSION_TABLE, revision)


@pytest.mark.slow
def test_keys_of_people_who_left_end_with_the_migration(empty_url: str) -> None:
    upgrade(empty_url, "0006")
    tables, now = Base.metadata.tables, clock.now()
    engine = sa.create_engine(empty_url, poolclass=sa.pool.NullPool)
    people = {1: "owner", 2: "agent", 3: None, 4: "owner"}
    with engine.begin() as connection:
        connection.execute(tables["workspaces"].insert().values(id=1, name="Pottery", created_at=now))
        for person, role in people.items():
            connection.execute(
                as_it_was("users")
                .insert()
                .values(
                    id=person,
                    email=f"p{person}@example.com",
                    name="P",
                    password_hash="x",
                    is_admin=False,
                    theme="auto",
                    created_at=now,
                    disabled_at=now if person == 4 else None,
                )
            )
            if role is not None:
                membership = {"user_id": person, "workspace_id": 1, "role": role}
                connection.execute(as_it_was("memberships").insert().values(membership))
        old = as_it_was("api_keys")
        for key, made_by, revoked_at in ((1, 1, None), (2, 2, None), (3, 3, None), (4, 4, None), (5, 1, now)):
            connection.execute(
                old.insert().values(
                    id=key,
                    workspace_id=1,
                    name="K",
                    token_hash=f"{key:064d}",
                    hint="lobby_",
                    scopes="read",
                    created_by=made_by,
                    created_at=now,
                    revoked_at=revoked_at,
                )
            )
    upgrade(empty_url, "head")
    with engine.connect() as connection:
        keys = tables["api_keys"].c
        query = sa.select(keys.id, keys.holder_id, keys.ended_because, keys.revoked_at.is_not(None))
        found = [tuple(row) for row in connection.execute(query.order_by(keys.id))]
    engine.dispose()
    assert found == [
        (1, 1, None, False),
        (2, 2, "demoted", True),
        (3, 3, "left", True),
        (4, 4, "locked_out", True),
        (5, 1, "revoked", True),
    ]
