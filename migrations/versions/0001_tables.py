"""The host's tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

CHANNELS = ("email",)
TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:  # noqa: PLR0915 - one statement per table and index
    # An ENUM of the host's own channels: a real one on MariaDB, a type on PostgreSQL, a CHECK on SQLite.
    # Activating the first addon that brings a channel turns the column into VARCHAR.
    channel = sa.Enum(*CHANNELS, name="conversation_channel", create_constraint=True, validate_strings=True)
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_counters"),
        **TABLE,
    )
    op.create_table(
        "inbound_events",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("request_id", db.Id, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("account_id", db.Id, nullable=True),
        sa.Column("account_key", db.Ascii64, nullable=False),
        sa.Column("lane", db.Ascii64, nullable=False),
        sa.Column("dedupe_key", db.Ascii64, nullable=False),
        sa.Column("kind", sa.String(length=48), nullable=False),
        sa.Column("occurred_at", db.UTCDateTime(), nullable=True),
        sa.Column("received_at", db.UTCDateTime(), nullable=False),
        sa.Column("body", db.LongBlob, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", db.UTCDateTime(), nullable=True),
        sa.Column("applied_at", db.UTCDateTime(), nullable=True),
        sa.Column("repeats", db.LongText, nullable=True),
        sa.Column("forgotten_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inbound_events"),
        sa.UniqueConstraint(
            "channel", "account_key", "dedupe_key", name="uq_inbound_events_channel_account_key_dedupe_key"
        ),
        **TABLE,
    )
    op.create_index(
        "ix_inbound_events_lane",
        "inbound_events",
        ["lane", "state", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending'"),
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index(
        "ix_inbound_events_state",
        "inbound_events",
        ["state", "id"],
        unique=False,
        sqlite_where=sa.text("state IN ('dead', 'ignored')"),
        postgresql_where=sa.text("state IN ('dead', 'ignored')"),
    )
    op.create_table(
        "inbound_requests",
        sa.Column("id", db.Id, nullable=False, autoincrement=False),
        sa.Column("source", sa.String(length=48), nullable=False),
        sa.Column("received_at", db.UTCDateTime(), nullable=False),
        sa.Column("remote", sa.String(length=64), nullable=False),
        sa.Column("body", db.LongBlob, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_inbound_requests"),
        **TABLE,
    )
    op.create_table(
        "installation_values",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_installation_values"),
        **TABLE,
    )
    op.create_table(
        "lanes",
        sa.Column("key", db.Ascii64, nullable=False),
        sa.Column("direction", sa.String(length=8), nullable=False),
        sa.Column("account_id", db.Id, nullable=True),
        sa.Column("next_at", db.UTCDateTime(), nullable=True),
        sa.Column("lease_until", db.UTCDateTime(), nullable=True),
        sa.Column("owner", db.Ascii64, nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_lanes"),
        **TABLE,
    )
    op.create_index("ix_lanes_due", "lanes", ["direction", "next_at"], unique=False)
    op.create_index("ix_lanes_turn", "lanes", ["direction", "account_id", "next_at"], unique=False)
    op.create_table(
        "live_events",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_live_events"),
        **TABLE,
        sqlite_autoincrement=True,
    )
    op.create_index("ix_live_events_created_at", "live_events", ["created_at"], unique=False)
    op.create_index("ix_live_events_workspace_id_id", "live_events", ["workspace_id", "id"], unique=False)
    op.create_table(
        "refused_deliveries",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("account_key", db.Ascii64, nullable=False),
        sa.Column("reason", sa.String(length=48), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", db.UTCDateTime(), nullable=False),
        sa.Column("last_remote", sa.String(length=64), nullable=False),
        sa.Column("last_hint", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("channel", "account_key", "reason", "day", name="pk_refused_deliveries"),
        **TABLE,
    )
    op.create_table(
        "users",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("theme", sa.String(length=8), nullable=False),
        sa.Column("locale", sa.String(length=16), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("disabled_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        **TABLE,
    )
    op.create_table(
        "parked_requests",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("slug", sa.String(length=48), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("account", sa.String(length=128), nullable=True),
        sa.Column("about", db.LongText, nullable=False),
        sa.Column("body", db.LongBlob, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("remote", sa.String(length=64), nullable=False),
        sa.Column("received_at", db.UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("retry_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_parked_requests"),
        **TABLE,
    )
    op.create_index("ix_parked_requests_slug", "parked_requests", ["slug"], unique=False)
    op.create_table(
        "workspaces",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        **TABLE,
    )
    op.create_table(
        "addon_publishers",
        sa.Column("slug", sa.String(length=48), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("public_key", db.Ascii64, nullable=False),
        sa.Column("highest_version", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("slug", name="pk_addon_publishers"),
        **TABLE,
    )
    op.create_table(
        "addon_releases",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("slug", sa.String(length=48), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("sha256", db.Ascii64, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("public_key", db.Ascii64, nullable=False),
        sa.Column("signature_problem", sa.String(length=500), nullable=False),
        sa.Column("uploaded_by", db.Id, nullable=True),
        sa.Column("uploaded_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["uploaded_by"], ["users.id"], name="fk_addon_releases_uploaded_by_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_addon_releases"),
        sa.UniqueConstraint("slug", "sha256", name="uq_addon_releases_slug_sha256"),
        **TABLE,
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("user_id", db.Id, nullable=True),
        sa.Column("workspace_id", db.Id, nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("remote", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_audit_entries_user_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_audit_entries_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        **TABLE,
    )
    op.create_index("ix_audit_entries_workspace_id_id", "audit_entries", ["workspace_id", "id"], unique=False)
    op.create_table(
        "channel_accounts",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("claim", db.ExternalId, nullable=True),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("handle", sa.String(length=255), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("state_reason", sa.String(length=500), nullable=True),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("connected_at", db.UTCDateTime(), nullable=False),
        sa.Column("disconnected_at", db.UTCDateTime(), nullable=True),
        sa.Column("last_event_at", db.UTCDateTime(), nullable=True),
        sa.Column("blocked_until", db.UTCDateTime(), nullable=True),
        sa.Column("blocked_reason", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_channel_accounts_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_channel_accounts"),
        sa.UniqueConstraint("claim", name="uq_channel_accounts_claim"),
        sa.UniqueConstraint("uuid", name="uq_channel_accounts_uuid"),
        **TABLE,
    )
    op.create_index(
        "ix_channel_accounts_channel_external_id",
        "channel_accounts",
        ["channel", "external_id"],
        unique=False,
    )
    op.create_index("ix_channel_accounts_workspace_id", "channel_accounts", ["workspace_id"], unique=False)
    op.create_table(
        "sign_ins",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("login_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("account_id", db.Id, nullable=True),
        sa.Column("abilities", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("candidates", db.LongText, nullable=True),
        sa.Column("outcome", sa.JSON(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_sign_ins_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_sign_ins_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_sign_ins_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
        sa.UniqueConstraint("uuid", name="uq_sign_ins_uuid"),
        **TABLE,
    )
    op.create_index("ix_sign_ins_created_at", "sign_ins", ["created_at"], unique=False)
    op.create_table(
        "contacts",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_contacts_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_contacts"),
        **TABLE,
    )
    op.create_index("ix_contacts_workspace_id", "contacts", ["workspace_id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("token_hash", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("invited_by", db.Id, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        sa.Column("used_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], name="fk_invitations_invited_by_users"),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_invitations_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("token_hash", name="uq_invitations_token_hash"),
        **TABLE,
    )
    op.create_index("ix_invitations_workspace_id", "invitations", ["workspace_id"], unique=False)
    op.create_table(
        "login_sessions",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("token_hash", db.Ascii64, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("seen_at", db.UTCDateTime(), nullable=False),
        sa.Column("confirmed_at", db.UTCDateTime(), nullable=False),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        sa.Column("remote", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_login_sessions_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_login_sessions"),
        sa.UniqueConstraint("token_hash", name="uq_login_sessions_token_hash"),
        **TABLE,
    )
    op.create_index("ix_login_sessions_user_id", "login_sessions", ["user_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_memberships_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_memberships_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "workspace_id", name="pk_memberships"),
        **TABLE,
    )
    op.create_index("ix_memberships_workspace_id", "memberships", ["workspace_id"], unique=False)
    op.create_table(
        "api_keys",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("token_hash", db.Ascii64, nullable=False),
        sa.Column("hint", sa.String(length=16), nullable=False),
        sa.Column("scopes", sa.String(length=64), nullable=False),
        sa.Column("created_by", db.Id, nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("last_used_at", db.UTCDateTime(), nullable=True),
        sa.Column("revoked_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_api_keys_created_by_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_api_keys_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("token_hash", name="uq_api_keys_token_hash"),
        **TABLE,
    )
    op.create_index("ix_api_keys_workspace_id", "api_keys", ["workspace_id"], unique=False)
    op.create_table(
        "api_idempotent_requests",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("key_id", db.Id, nullable=False),
        sa.Column("name_hash", db.Ascii64, nullable=False),
        sa.Column("fingerprint", db.Ascii64, nullable=False),
        sa.Column("claim", db.Ascii64, nullable=True),
        sa.Column("claimed_until", db.UTCDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", db.LongText, nullable=True),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"],
            ["api_keys.id"],
            name="fk_api_idempotent_requests_key_id_api_keys",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_api_idempotent_requests"),
        sa.UniqueConstraint("key_id", "name_hash", name="uq_api_idempotent_requests_key_id_name_hash"),
        **TABLE,
    )
    op.create_index(
        "ix_api_idempotent_requests_expires_at", "api_idempotent_requests", ["expires_at"], unique=False
    )
    op.create_table(
        "addon_archive_parts",
        sa.Column("release_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", db.LongBlob, nullable=False),
        sa.ForeignKeyConstraint(
            ["release_id"],
            ["addon_releases.id"],
            name="fk_addon_archive_parts_release_id_addon_releases",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("release_id", "position", name="pk_addon_archive_parts"),
        **TABLE,
    )
    op.create_table(
        "addons",
        sa.Column("slug", sa.String(length=48), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("release_id", db.Id, nullable=False),
        sa.Column("previous_release_id", db.Id, nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("webhooks", sa.JSON(), nullable=False),
        sa.Column("operation", sa.String(length=16), nullable=True),
        sa.Column("operation_until", db.UTCDateTime(), nullable=True),
        sa.Column("activated_at", db.UTCDateTime(), nullable=True),
        sa.Column("updated_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["previous_release_id"],
            ["addon_releases.id"],
            name="fk_addons_previous_release_id_addon_releases",
        ),
        sa.ForeignKeyConstraint(
            ["release_id"], ["addon_releases.id"], name="fk_addons_release_id_addon_releases"
        ),
        sa.PrimaryKeyConstraint("slug", name="pk_addons"),
        **TABLE,
    )
    op.create_table(
        "contact_identities",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("contact_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("profile", sa.JSON(), nullable=False),
        sa.Column("profile_due_at", db.UTCDateTime(), nullable=True),
        sa.Column("profile_failures", sa.Integer(), nullable=False),
        sa.Column("profile_at", db.UTCDateTime(), nullable=True),
        sa.Column("picture_url", db.LongText, nullable=True),
        sa.Column("seen_at", db.UTCDateTime(), nullable=True),
        sa.Column("seen_early", sa.JSON(), nullable=True),
        sa.Column("unreachable_since", db.UTCDateTime(), nullable=True),
        sa.Column("unreachable_until", db.UTCDateTime(), nullable=True),
        sa.Column("unreachable", sa.JSON(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_contact_identities_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["contacts.id"],
            name="fk_contact_identities_contact_id_contacts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_contact_identities_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_contact_identities"),
        sa.UniqueConstraint("account_id", "external_id", name="uq_contact_identities_account_id_external_id"),
        **TABLE,
    )
    op.create_index("ix_contact_identities_contact_id", "contact_identities", ["contact_id"], unique=False)
    op.create_index(
        "ix_contact_identities_profile_due_at", "contact_identities", ["profile_due_at"], unique=False
    )
    op.create_table(
        "conversations",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("channel", channel, server_default="email", nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("contact_id", db.Id, nullable=False),
        sa.Column("identity_id", db.Id, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=True),
        sa.Column("assignee_id", db.Id, nullable=True),
        sa.Column("unread_count", sa.Integer(), nullable=False),
        sa.Column("failed_count", sa.Integer(), nullable=False),
        sa.Column("last_message_at", db.UTCDateTime(), nullable=False),
        sa.Column("last_preview", sa.String(length=200), nullable=False),
        sa.Column("last_direction", sa.String(length=16), nullable=False),
        sa.Column("last_kind", sa.String(length=32), nullable=False),
        sa.Column("last_author_id", db.Id, nullable=True),
        sa.Column("last_inbound_at", db.UTCDateTime(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("closed_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_conversations_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["assignee_id"], ["users.id"], name="fk_conversations_assignee_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name="fk_conversations_contact_id_contacts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["last_author_id"],
            ["users.id"],
            name="fk_conversations_last_author_id_users",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["contact_identities.id"],
            name="fk_conversations_identity_id_contact_identities",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_conversations_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
        **TABLE,
    )
    op.create_index(
        "ix_conversations_account",
        "conversations",
        ["account_id", "status", "last_message_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_conversations_counts",
        "conversations",
        ["workspace_id", "status", "channel", "assignee_id", "unread_count"],
        unique=False,
    )
    op.create_index(
        "ix_conversations_assignee",
        "conversations",
        ["workspace_id", "status", "assignee_id", "last_message_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_conversations_channel",
        "conversations",
        ["workspace_id", "status", "channel", "last_message_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_conversations_contact", "conversations", ["contact_id", "last_message_at"], unique=False
    )
    op.create_index("ix_conversations_identity", "conversations", ["identity_id", "id"], unique=False)
    op.create_index(
        "ix_conversations_list",
        "conversations",
        ["workspace_id", "status", "last_message_at", "id"],
        unique=False,
    )
    op.create_table(
        "messages",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=True),
        sa.Column("direction", sa.String(length=16), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("author_id", db.Id, nullable=True),
        sa.Column("reply_key", db.Ascii64, nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("sent_at", db.UTCDateTime(), nullable=False),
        sa.Column("reply_to", db.ExternalId, nullable=True),
        sa.Column("edited_at", db.UTCDateTime(), nullable=True),
        sa.Column("edit_count", sa.Integer(), nullable=False),
        sa.Column("unsent_at", db.UTCDateTime(), nullable=True),
        sa.Column("sources", sa.JSON(), nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_messages_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name="fk_messages_author_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_messages_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_messages_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        sa.UniqueConstraint("account_id", "external_id", name="uq_messages_account_id_external_id"),
        sa.UniqueConstraint(
            "conversation_id", "reply_key", "position", name="uq_messages_conversation_id_reply_key_position"
        ),
        **TABLE,
    )
    op.create_index("ix_messages_thread", "messages", ["conversation_id", "sent_at", "id"], unique=False)
    _about_messages()
    op.create_table(
        "outbox",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("message_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("lane", db.Ascii64, nullable=False),
        sa.Column("recipient", sa.String(length=512), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("attempted_at", db.UTCDateTime(), nullable=True),
        sa.Column("next_at", db.UTCDateTime(), nullable=True),
        sa.Column("readings", sa.Integer(), nullable=False),
        sa.Column("resent", sa.Boolean(), nullable=False),
        sa.Column("waiting", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_outbox_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_outbox_message_id_messages", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("message_id", name="uq_outbox_message_id"),
        **TABLE,
    )
    op.create_index("ix_outbox_account_id", "outbox", ["account_id"], unique=False)
    op.create_index("ix_outbox_lane", "outbox", ["lane", "open", "id"], unique=False)
    _files()
    _warnings()


def _about_messages() -> None:
    op.create_table(
        "attachments",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("message_id", db.Id, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("url", db.LongText, nullable=True),
        sa.Column("storage_key", db.Ascii64, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_attachments_message_id_messages", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_attachments_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_attachments"),
        **TABLE,
    )
    op.create_index("ix_attachments_message_id", "attachments", ["message_id"], unique=False)
    op.create_index("ix_attachments_due_at", "attachments", ["due_at"], unique=False)
    op.create_index("ix_attachments_storage_key", "attachments", ["storage_key"], unique=False)
    op.create_table(
        "reactions",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("message_id", db.Id, nullable=True),
        sa.Column("actor", sa.String(length=16), nullable=False),
        sa.Column("emoji", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("removed_at", db.UTCDateTime(), nullable=True),
        sa.Column("author_id", db.Id, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=True),
        sa.Column("error", sa.JSON(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_reactions_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name="fk_reactions_author_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_reactions_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_reactions_message_id_messages", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_reactions_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_reactions"),
        sa.UniqueConstraint(
            "account_id", "external_id", "actor", name="uq_reactions_account_id_external_id_actor"
        ),
        **TABLE,
    )
    op.create_index("ix_reactions_conversation_id", "reactions", ["conversation_id"], unique=False)
    op.create_index("ix_reactions_message_id", "reactions", ["message_id"], unique=False)
    op.create_index("ix_reactions_next_at", "reactions", ["next_at"], unique=False)
    op.create_table(
        "message_marks",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("identity_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.Column("sources", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_message_marks_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["identity_id"],
            ["contact_identities.id"],
            name="fk_message_marks_identity_id_contact_identities",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_message_marks_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_message_marks"),
        sa.UniqueConstraint(
            "account_id", "external_id", "kind", name="uq_message_marks_account_id_external_id_kind"
        ),
        **TABLE,
    )
    op.create_index("ix_message_marks_identity_id", "message_marks", ["identity_id"], unique=False)


def _warnings() -> None:
    op.create_table(
        "account_warnings",
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=False),
        sa.Column("tone", sa.String(length=8), nullable=False),
        sa.Column("sentence", db.LongText, nullable=False),
        sa.Column("next_step", db.LongText, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("since", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_account_warnings_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "kind", name="pk_account_warnings"),
        **TABLE,
    )
    op.create_table(
        "notifications",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=True),
        sa.Column("tone", sa.String(length=8), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("sentence", db.LongText, nullable=False),
        sa.Column("next_step", db.LongText, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("read_at", db.UTCDateTime(), nullable=True),
        sa.Column("mail_due_at", db.UTCDateTime(), nullable=True),
        sa.Column("mail_failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_notifications_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_notifications_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        **TABLE,
    )
    op.create_index("ix_notifications_user_id_read_at", "notifications", ["user_id", "read_at"], unique=False)
    op.create_index("ix_notifications_workspace_id", "notifications", ["workspace_id"], unique=False)
    op.create_index("ix_notifications_mail_due_at", "notifications", ["mail_due_at"], unique=False)


def _files() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("user_id", db.Id, nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=127), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("storage_key", db.Ascii64, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("attached_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_uploads_user_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_uploads_workspace_id_workspaces", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.UniqueConstraint("uuid", name="uq_uploads_uuid"),
        **TABLE,
    )
    op.create_index("ix_uploads_workspace_id", "uploads", ["workspace_id"], unique=False)
    op.create_index("ix_uploads_user_id", "uploads", ["user_id"], unique=False)
    op.create_index("ix_uploads_created_at", "uploads", ["created_at"], unique=False)
    op.create_index("ix_uploads_storage_key", "uploads", ["storage_key"], unique=False)
    op.create_table(
        "file_removals",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("storage_key", db.Ascii64, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_file_removals"),
        **TABLE,
    )
