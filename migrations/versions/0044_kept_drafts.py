"""Drafts of people on the desk, and whether colleagues read them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0044"
down_revision = "0043"
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
        "kept_drafts",
        sa.Column("user_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("conversation_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("content", db.LongText, nullable=False),
        sa.Column("saved_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_kept_drafts_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_kept_drafts_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_kept_drafts_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", name="pk_kept_drafts"),
        **TABLE,
    )
    op.create_index("ix_kept_drafts_conversation_id", "kept_drafts", ["conversation_id"])
    op.create_index("ix_kept_drafts_workspace_id", "kept_drafts", ["workspace_id"])
    op.create_index("ix_kept_drafts_saved_at", "kept_drafts", ["saved_at"])
    op.create_table(
        "kept_draft_files",
        sa.Column("user_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("conversation_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("upload_id", db.Id, nullable=False, autoincrement=False),
        sa.ForeignKeyConstraint(
            ["user_id", "conversation_id"],
            ["kept_drafts.user_id", "kept_drafts.conversation_id"],
            name="fk_kept_draft_files_user_id_kept_drafts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["uploads.id"], name="fk_kept_draft_files_upload_id_uploads", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", "upload_id", name="pk_kept_draft_files"),
        **TABLE,
    )
    op.create_index("ix_kept_draft_files_upload_id", "kept_draft_files", ["upload_id"])
    op.add_column(
        "workspaces", sa.Column("shows_drafts", sa.Boolean(), nullable=False, server_default=sa.false())
    )
