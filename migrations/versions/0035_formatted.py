"""The formatted form of a message, senders whose pictures from elsewhere are shown, and participants."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.add_column("attachments", sa.Column("role", sa.String(16), nullable=True))
    op.add_column("attachments", sa.Column("content_id", sa.String(255), nullable=True))
    op.add_column("messages", sa.Column("writer_id", db.Id, nullable=True))
    theirs = sa.text("writer_id IS NOT NULL")
    op.create_index(
        "ix_messages_writer", "messages", ["writer_id"], postgresql_where=theirs, sqlite_where=theirs
    )
    op.create_table(
        "picture_senders",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("sender", db.ExternalId, nullable=False),
        sa.Column("user_id", db.Id, nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_picture_senders_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_picture_senders_user_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_picture_senders"),
        sa.UniqueConstraint("workspace_id", "sender", name="uq_picture_senders_workspace_id_sender"),
        **TABLE,
    )
    op.create_index("ix_picture_senders_user_id", "picture_senders", ["user_id"])
