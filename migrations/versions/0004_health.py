"""Counts by the minute, the processes alive, and when an event was last replayed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_table(
        "health_minutes",
        sa.Column("metric", db.Ascii64, nullable=False),
        sa.Column("minute", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("channel", db.Ascii64, nullable=False),
        sa.Column("label", db.Ascii64, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("metric", "minute", "channel", "label", name="pk_health_minutes"),
        **TABLE,
    )
    op.create_table(
        "processes",
        sa.Column("id", db.Ascii64, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("machine", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("workers", sa.Integer(), nullable=False),
        sa.Column("started_at", db.UTCDateTime(), nullable=False),
        sa.Column("seen_at", db.UTCDateTime(), nullable=False),
        sa.Column("spooled", sa.Integer(), nullable=False),
        sa.Column("spooled_bytes", sa.BigInteger(), nullable=False),
        sa.Column("spooled_since", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_processes"),
        **TABLE,
    )
    op.add_column("inbound_events", sa.Column("replayed_at", db.UTCDateTime(), nullable=True))
