"""What each process counted of the addons' code."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "addon_calls",
        sa.Column("process", db.Ascii64, nullable=False),
        sa.Column("written_at", db.UTCDateTime(), nullable=False),
        sa.Column("counted", db.LongText, nullable=False),
        sa.PrimaryKeyConstraint("process", name="pk_addon_calls"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
