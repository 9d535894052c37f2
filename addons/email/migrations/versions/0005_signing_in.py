"""Sign-ins at providers, keys for signing mails, and test mails of accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db, migrations

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["account_id"],
        ["channel_accounts.id"],
        name=f"fk_{table}_account_id_channel_accounts",
        ondelete="CASCADE",
    )


def _workspace(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id"],
        ["workspaces.id"],
        name=f"fk_{table}_workspace_id_workspaces",
        ondelete="CASCADE",
    )


def upgrade() -> None:
    migrations.create_table_if_missing(
        op,
        "email_oauth_apps",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("way", db.Ascii64, nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("client_secret", db.LongText, nullable=True),
        sa.Column("secret_set_at", db.UTCDateTime(), nullable=True),
        sa.Column("details", db.LongText, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_email_oauth_apps"),
        sa.UniqueConstraint("uuid", name="uq_email_oauth_apps_uuid"),
        sa.UniqueConstraint("workspace_id", "way", name="uq_email_oauth_apps_workspace_id_way"),
        _workspace("email_oauth_apps"),
        **TABLE,
    )
    migrations.create_table_if_missing(
        op,
        "email_tokens",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("way", db.Ascii64, nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("refresh_token", db.LongText, nullable=False),
        sa.Column("access_token", db.LongText, nullable=False),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        sa.Column("renew_at", db.UTCDateTime(), nullable=False),
        sa.Column("renewed_at", db.UTCDateTime(), nullable=False),
        sa.Column("signed_in_at", db.UTCDateTime(), nullable=False),
        sa.Column("renewing_until", db.UTCDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("try_after", db.UTCDateTime(), nullable=True),
        sa.Column("problem", sa.String(500), nullable=True),
        sa.Column("ended_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_email_tokens"),
        _account("email_tokens"),
        **TABLE,
    )
    migrations.create_table_if_missing(
        op,
        "email_dkim_keys",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("domain", db.ExternalId, nullable=False),
        sa.Column("selector", db.Ascii64, nullable=False),
        sa.Column("private_key", db.LongText, nullable=False),
        sa.Column("public_key", db.LongText, nullable=False),
        sa.Column("made_at", db.UTCDateTime(), nullable=False),
        sa.Column("checked_at", db.UTCDateTime(), nullable=True),
        sa.Column("found_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_email_dkim_keys"),
        sa.UniqueConstraint("uuid", name="uq_email_dkim_keys_uuid"),
        sa.UniqueConstraint("workspace_id", "domain", name="uq_email_dkim_keys_workspace_id_domain"),
        _workspace("email_dkim_keys"),
        **TABLE,
    )
    migrations.create_table_if_missing(
        op,
        "email_round_trips",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("marker", db.Ascii64, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_at", db.UTCDateTime(), nullable=False),
        sa.Column("sent_at", db.UTCDateTime(), nullable=True),
        sa.Column("arrived_at", db.UTCDateTime(), nullable=True),
        sa.Column("found", db.LongText, nullable=True),
        sa.Column("problem", sa.String(500), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_email_round_trips"),
        _account("email_round_trips"),
        **TABLE,
    )
    migrations.add_column_if_missing(op, "email_asked", sa.Column("oauth", db.LongText, nullable=True))


def downgrade() -> None:
    op.drop_column("email_asked", "oauth")
    for table in ("email_round_trips", "email_dkim_keys", "email_tokens", "email_oauth_apps"):
        op.drop_table(table)
