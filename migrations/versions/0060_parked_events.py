"""Events that an addon's listener could not handle, set aside so that it goes on with others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "parked_events",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("listener", db.Ascii64, nullable=False),
        sa.Column("event_id", db.Id, nullable=False),
        sa.Column("kind", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("behind", db.Ascii64, nullable=False),
        sa.Column("parked_at", db.UTCDateTime(), nullable=False),
        sa.Column("retry_at", db.UTCDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failing_since", db.UTCDateTime(), nullable=True),
        sa.Column("problem", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_parked_events"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
        sqlite_autoincrement=True,
    )
    op.create_index("ix_parked_events_behind_listener_id", "parked_events", ["behind", "listener", "id"])
    op.create_index("ix_parked_events_listener_retry_at_id", "parked_events", ["listener", "retry_at", "id"])
    op.create_index("ix_parked_events_workspace_id", "parked_events", ["workspace_id"])
