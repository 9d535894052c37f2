"""A backup outlasts the limits that a role or a server sets for everyday transactions."""

from __future__ import annotations

import time

import pytest
import sqlalchemy as sa

from host.backup import making
from host.core import db, migrations
from host.models.users import Workspace
from tests.delivery.desk import Desk

pytestmark = [
    pytest.mark.services,
    pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True),
]


def limited(url: str) -> sa.Engine:
    """Return the engine of a backup, for a role whose transactions may stand still for a second."""
    engine = migration_engine(url)
    name = "idle_transaction_timeout = 1"
    if engine.dialect.name == "postgresql":
        name = "idle_in_transaction_session_timeout = '1s'"

    @sa.event.listens_for(engine, "connect")
    def _limit(connection: sa.PoolProxiedConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET SESSION {name}")
        connection.commit()
        cursor.close()

    return engine


migration_engine = migrations.migration_engine


def test_it_stands_still_for_longer_than_an_everyday_transaction(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    Desk()
    monkeypatch.setattr(migrations, "migration_engine", limited)
    url = any_database.url.render_as_string(hide_password=False)
    postgresql = any_database.dialect == "postgresql"
    count = sa.select(sa.func.count()).select_from(Workspace)
    number = sa.text("SELECT pg_backend_pid()" if postgresql else "SELECT CONNECTION_ID()")
    here = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE pid = :number"
        if postgresql
        else "SELECT COUNT(*) FROM information_schema.processlist WHERE id = :number"
    )
    with making.snapshot(url) as backup, limited(url).connect() as everyday:
        assert backup.scalar(count) == 1
        values = {"number": everyday.scalar(number)}
        everyday.execute(count)
        deadline = time.monotonic() + 60
        ended = False
        while not ended:
            assert time.monotonic() < deadline
            with db.read() as session:
                ended = not session.scalar(here, values)
        everyday.invalidate()
        assert backup.scalar(count) == 1
