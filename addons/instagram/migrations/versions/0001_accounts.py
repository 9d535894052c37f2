"""Instagram accounts and the admin's checklist; conversations may be of any channel."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db
from host.sdk.migrations import (
    create_index_if_missing,
    create_table_if_missing,
    drop_table_if_present,
    enum_to_varchar,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
INDEXES = (
    *("workspace_id", "page_id", "ig_user_id", "secret_fingerprint"),
    *("person_id", "leave_due_at"),
)


def upgrade() -> None:
    enum_to_varchar(op, "conversations", "channel")
    create_table_if_missing(
        op,
        "instagram_accounts",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("flavour", sa.String(length=16), nullable=False),
        sa.Column("page_id", db.ExternalId, nullable=True),
        sa.Column("page_name", sa.String(length=255), nullable=False),
        sa.Column("ig_user_id", db.ExternalId, nullable=False),
        sa.Column("ig_username", sa.String(length=255), nullable=False),
        sa.Column("app_id", sa.String(length=32), nullable=False),
        sa.Column("token", db.LongText, nullable=False),
        sa.Column("app_secret", db.LongText, nullable=False),
        sa.Column("verify_token", db.LongText, nullable=False),
        sa.Column("secret_fingerprint", db.Ascii64, nullable=False),
        sa.Column("token_expires_at", db.UTCDateTime(), nullable=True),
        sa.Column("renewal_failed_at", db.UTCDateTime(), nullable=True),
        sa.Column("renewal_error", sa.String(length=500), nullable=True),
        sa.Column("scopes", db.JsonDict, nullable=False),
        sa.Column("subscribed_fields", db.JsonDict, nullable=False),
        sa.Column("token_set_at", db.UTCDateTime(), nullable=False),
        sa.Column("app_secret_set_at", db.UTCDateTime(), nullable=False),
        sa.Column("verify_token_set_at", db.UTCDateTime(), nullable=False),
        sa.Column("checked_at", db.UTCDateTime(), nullable=True),
        sa.Column("person_id", db.ExternalId, nullable=True),
        sa.Column("leave_due_at", db.UTCDateTime(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instagram_accounts"),
        sa.UniqueConstraint("uuid", name="uq_instagram_accounts_uuid"),
        sa.UniqueConstraint("account_id", name="uq_instagram_accounts_account_id"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_instagram_accounts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    for column in INDEXES:
        create_index_if_missing(op, f"ix_instagram_accounts_{column}", "instagram_accounts", [column])
    create_table_if_missing(
        op,
        "instagram_apps",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("flavour", sa.String(length=16), nullable=False),
        sa.Column("app_id", sa.String(length=32), nullable=False),
        sa.Column("app_secret", db.LongText, nullable=False),
        sa.Column("app_secret_set_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_instagram_apps"),
        sa.UniqueConstraint("uuid", name="uq_instagram_apps_uuid"),
        sa.UniqueConstraint("workspace_id", "flavour", name="uq_instagram_apps_workspace_id_flavour"),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_instagram_apps_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    create_table_if_missing(
        op,
        "instagram_deletions",
        sa.Column("code", db.Ascii64, nullable=False),
        sa.Column("accounts", sa.Integer(), nullable=False),
        sa.Column("asked_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("code", name="pk_instagram_deletions"),
        **TABLE,
    )
    create_table_if_missing(
        op,
        "instagram_checklist",
        sa.Column("item", sa.String(length=32), nullable=False),
        sa.Column("done_by", sa.String(length=255), nullable=False),
        sa.Column("done_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("item", name="pk_instagram_checklist"),
        **TABLE,
    )


def downgrade() -> None:
    """Drop the addon's tables; conversations stay, and may still be of any channel."""
    for table in ("instagram_checklist", "instagram_deletions", "instagram_apps", "instagram_accounts"):
        drop_table_if_present(op, table)
