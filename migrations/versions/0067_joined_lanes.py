"""One queue for the events of one person, whatever id of theirs an event names."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0067"
down_revision = "0066"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "joined_lanes",
        sa.Column("lane", db.Ascii64, nullable=False),
        sa.Column("main", db.Ascii64, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.PrimaryKeyConstraint("lane", name="pk_joined_lanes"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
    op.create_index("ix_joined_lanes_main", "joined_lanes", ["main"])
