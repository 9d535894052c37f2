"""Lanes whose older events still wait in the spool of a process, so that newer ones wait for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "spooled_lanes",
        sa.Column("lane", db.Ascii64, nullable=False),
        sa.Column("spool", db.Ascii64, nullable=False),
        sa.Column("until", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lane", "spool", name="pk_spooled_lanes"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
