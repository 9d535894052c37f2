"""The record of what happens. It takes the place of the live events, which only browsers read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import clock, db

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    bind = op.get_bind()
    op.create_table(
        "domain_events",
        sa.Column("id", db.Id, nullable=False),
        sa.Column(
            "place",
            sa.BigInteger(),
            nullable=True,
            server_default=sa.text("NULL" if bind.dialect.name in {"mysql", "mariadb"} else "0"),
        ),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("kind", db.Ascii64, nullable=True),
        sa.Column("topic", sa.String(length=32), nullable=True),
        sa.Column("account_id", db.Id, nullable=True),
        sa.Column("conversation_id", db.Id, nullable=True),
        sa.Column("message_id", db.Id, nullable=True),
        sa.Column("actor_kind", sa.String(length=16), nullable=True),
        sa.Column("actor_id", db.Id, nullable=True),
        sa.Column("cause_id", db.Id, nullable=True),
        sa.Column("root_id", db.Id, nullable=True),
        sa.Column("depth", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("occurred_at", db.UTCDateTime(), nullable=True),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("data", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_domain_events"),
        **TABLE,
        sqlite_autoincrement=True,
    )
    op.create_index("ix_domain_events_workspace_id_id", "domain_events", ["workspace_id", "id"])
    op.create_index("ix_domain_events_place_id", "domain_events", ["place", "id"])
    op.create_table(
        "consumers",
        sa.Column("name", db.Ascii64, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("event_id", db.Id, nullable=False),
        sa.Column("moved_at", db.UTCDateTime(), nullable=False),
        sa.Column("owner", db.Ascii64, nullable=True),
        sa.Column("lease_until", db.UTCDateTime(), nullable=True),
        sa.Column("failing_since", db.UTCDateTime(), nullable=True),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_consumers"),
        **TABLE,
    )
    # Browsers that are open name the last live event they had. Ids go on above it, so that none of theirs is
    # taken for one of the record: they load their page again.
    last = bind.scalar(sa.text("SELECT MAX(id) FROM live_events"))
    if last is not None:
        columns = sa.column("id"), sa.column("workspace_id"), sa.column("at", db.UTCDateTime())
        marker = sa.table("domain_events", *columns)
        bind.execute(sa.insert(marker).values(id=last + 1, workspace_id=0, at=clock.now()))
        if bind.dialect.name == "postgresql":
            follow = "SELECT setval(pg_get_serial_sequence('domain_events', 'id'), :last)"
            bind.execute(sa.text(follow), {"last": last + 1})
    # live_events stays, for processes of the release before: a release that need not run beside it drops it.
