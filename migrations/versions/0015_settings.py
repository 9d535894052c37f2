"""Settings of workspaces and of the desk, invitations by mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    for column in (
        sa.Column("picture_key", db.Ascii64, nullable=True),
        sa.Column("timezone", sa.String(64), nullable=True),
        sa.Column("language", sa.String(16), nullable=True),
        sa.Column("retention_days", sa.Integer(), nullable=True),
        sa.Column("archived_at", db.UTCDateTime(), nullable=True),
        sa.Column("deleting_at", db.UTCDateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("workspaces", column)
    op.add_column("invitations", sa.Column("mail_due_at", db.UTCDateTime(), nullable=True))
    op.add_column("invitations", sa.Column("mailed_at", db.UTCDateTime(), nullable=True))
    op.create_index("ix_invitations_mail_due_at", "invitations", ["mail_due_at"])
    op.create_table(
        "desk_settings",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("value", db.LongText, nullable=False),
        sa.Column("picture_key", db.Ascii64, nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_desk_settings"),
        **TABLE,
    )
