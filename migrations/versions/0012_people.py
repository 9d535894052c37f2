"""People: the accounts each may see, their own account, links to choose a password, filters of the audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
NO = {"nullable": False, "server_default": sa.false()}


def upgrade() -> None:
    for column in (
        sa.Column("timezone", sa.String(64), nullable=True),
        sa.Column("picture_key", db.Ascii64, nullable=True),
        sa.Column("seen_at", db.UTCDateTime(), nullable=True),
        sa.Column("deleted_at", db.UTCDateTime(), nullable=True),
        sa.Column("new_password", sa.Boolean(), **NO),
    ):
        op.add_column("users", column)
    op.add_column(
        "login_sessions", sa.Column("user_agent", sa.String(255), nullable=False, server_default="")
    )
    op.add_column("memberships", sa.Column("limited", sa.Boolean(), **NO))
    op.add_column("invitations", sa.Column("accounts", sa.JSON(), nullable=True))
    op.add_column("notifications", sa.Column("account_id", db.Id, nullable=True))
    op.create_table(
        "password_links",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("token_hash", db.Ascii64, nullable=False),
        sa.Column("user_id", db.Id, nullable=True),
        sa.Column("asked_by", sa.String(254), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        sa.Column("mail_due_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_password_links_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_password_links"),
        sa.UniqueConstraint("token_hash", name="uq_password_links_token_hash"),
        **TABLE,
    )
    op.create_index("ix_password_links_user_id", "password_links", ["user_id"])
    op.create_index("ix_password_links_mail_due_at", "password_links", ["mail_due_at"])
    op.create_table(
        "member_accounts",
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id", "workspace_id"],
            ["memberships.user_id", "memberships.workspace_id"],
            name="fk_member_accounts_membership",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_member_accounts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "workspace_id", "account_id", name="pk_member_accounts"),
        **TABLE,
    )
    op.create_index("ix_member_accounts_account_id", "member_accounts", ["account_id"])
    op.create_index("ix_audit_entries_user_id_id", "audit_entries", ["user_id", "id"])
    op.create_index("ix_audit_entries_at", "audit_entries", ["at"])
