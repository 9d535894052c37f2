"""Canned replies with their files, and macros."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0022"
down_revision = "0021"
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
        "canned_replies",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("team_id", db.Id, nullable=True),
        sa.Column("owner_id", db.Id, nullable=True),
        sa.Column("shortcut", sa.String(length=64), nullable=False),
        sa.Column("shortcut_key", db.Ascii64, nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("texts", db.JsonDict, nullable=False),
        sa.Column("uses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("used_at", db.UTCDateTime(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("changed_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_canned_replies_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_canned_replies_team_id_teams", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_canned_replies_owner_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_canned_replies"),
        **TABLE,
    )
    op.create_index("ix_canned_replies_workspace_id", "canned_replies", ["workspace_id", "shortcut_key"])
    op.create_index("ix_canned_replies_team_id", "canned_replies", ["team_id"])
    op.create_index("ix_canned_replies_owner_id", "canned_replies", ["owner_id"])
    op.create_table(
        "canned_files",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("canned_id", db.Id, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("storage_key", db.Ascii64, nullable=False),
        sa.ForeignKeyConstraint(
            ["canned_id"],
            ["canned_replies.id"],
            name="fk_canned_files_canned_id_canned_replies",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_canned_files"),
        **TABLE,
    )
    op.create_index("ix_canned_files_canned_id", "canned_files", ["canned_id"])
    op.create_index("ix_canned_files_storage_key", "canned_files", ["storage_key"])
    op.create_table(
        "macros",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("owner_id", db.Id, nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("steps", db.JsonDict, nullable=False),
        sa.Column("uses", sa.Integer(), server_default="0", nullable=False),
        sa.Column("used_at", db.UTCDateTime(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("changed_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_macros_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_macros_owner_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_macros"),
        **TABLE,
    )
    op.create_index("ix_macros_workspace_id", "macros", ["workspace_id", "owner_id"])
    op.create_index("ix_macros_owner_id", "macros", ["owner_id"])
