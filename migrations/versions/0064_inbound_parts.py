"""Further parts of events' bodies that are larger than one row holds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inbound_parts",
        sa.Column("event_id", db.Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("body", db.LongBlob, nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["inbound_events.id"],
            name="fk_inbound_parts_event_id_inbound_events",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("event_id", "number", name="pk_inbound_parts"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
