"""Apps that Meta has restricted, or may have."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db
from host.sdk.migrations import create_table_if_missing, drop_table_if_present

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    create_table_if_missing(
        op,
        "instagram_restrictions",
        sa.Column("app", sa.String(length=64), nullable=False),
        sa.Column("refusals", db.JsonDict, nullable=False),
        sa.Column("refused_at", db.UTCDateTime(), nullable=True),
        sa.Column("worked_at", db.UTCDateTime(), nullable=True),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("restricted_since", db.UTCDateTime(), nullable=True),
        sa.Column("me_refused", sa.Boolean(), nullable=False),
        sa.Column("probe_at", db.UTCDateTime(), nullable=True),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("lifted_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("app", name="pk_instagram_restrictions"),
        **TABLE,
    )


def downgrade() -> None:
    """Drop the table; messages waiting for an app are retried within half an hour."""
    drop_table_if_present(op, "instagram_restrictions")
