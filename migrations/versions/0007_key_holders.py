"""Who answers for an API key, and why it ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import clock, db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("holder_id", db.Id, nullable=True))
    op.add_column("api_keys", sa.Column("ended_because", sa.String(length=16), nullable=True))
    op.create_index("ix_api_keys_holder_id", "api_keys", ["holder_id"], unique=False)
    keys = sa.table(
        "api_keys",
        sa.column("workspace_id", db.Id),
        sa.column("created_by", db.Id),
        sa.column("holder_id", db.Id),
        sa.column("revoked_at", db.UTCDateTime()),
        sa.column("ended_because", sa.String),
    )
    users = sa.table("users", sa.column("id", db.Id), sa.column("disabled_at", db.UTCDateTime()))
    memberships = sa.table(
        "memberships",
        sa.column("user_id", db.Id),
        sa.column("workspace_id", db.Id),
        sa.column("role", sa.String),
    )
    op.execute(sa.update(keys).values(holder_id=keys.c.created_by))
    op.execute(sa.update(keys).where(keys.c.revoked_at.is_not(None)).values(ended_because="revoked"))
    # Keys of people who left before: they end now, each with its reason.
    membership = sa.select(memberships.c.role).where(
        memberships.c.user_id == keys.c.holder_id, memberships.c.workspace_id == keys.c.workspace_id
    )
    locked_out = sa.exists().where(users.c.id == keys.c.holder_id, users.c.disabled_at.is_not(None))
    for because, where in (
        ("locked_out", locked_out),
        ("left", ~sa.exists(membership)),
        ("demoted", ~sa.exists(membership.where(memberships.c.role == "owner"))),
    ):
        op.execute(
            sa.update(keys)
            .where(keys.c.revoked_at.is_(None), where)
            .values(revoked_at=clock.now(), ended_because=because)
        )
