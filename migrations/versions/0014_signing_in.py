"""A second factor, passkeys, and signing in through a provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _of_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["users.id"], name=f"fk_{table}_user_id_users", ondelete="CASCADE"
    )


def upgrade() -> None:
    op.add_column("users", sa.Column("second_factor_at", db.UTCDateTime(), nullable=True))
    op.add_column("login_sessions", sa.Column("second_at", db.UTCDateTime(), nullable=True))
    op.create_table(
        "sign_in_settings",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("second_factor", sa.String(16), nullable=False),
        sa.Column("passwords", sa.String(16), nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("client_secret", sa.Text(), nullable=True),
        sa.Column("label", sa.String(60), nullable=False),
        sa.Column("joins", sa.Boolean(), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("groups_claim", sa.String(60), nullable=False),
        sa.Column("groups", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_settings"),
        sa.UniqueConstraint("uuid", name="uq_sign_in_settings_uuid"),
        **TABLE,
    )
    op.create_table(
        "sign_in_steps",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("token_hash", db.Ascii64, nullable=False),
        sa.Column("browser", db.Ascii64, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("user_id", db.Id, nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("expires_at", db.UTCDateTime(), nullable=False),
        _of_user("sign_in_steps"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_steps"),
        sa.UniqueConstraint("token_hash", name="uq_sign_in_steps_token_hash"),
        **TABLE,
    )
    op.create_index("ix_sign_in_steps_user_id", "sign_in_steps", ["user_id"])
    op.create_index("ix_sign_in_steps_expires_at", "sign_in_steps", ["expires_at"])
    op.create_table(
        "authenticator_apps",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("confirmed_at", db.UTCDateTime(), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("used_at", db.UTCDateTime(), nullable=True),
        _of_user("authenticator_apps"),
        sa.PrimaryKeyConstraint("id", name="pk_authenticator_apps"),
        sa.UniqueConstraint("uuid", name="uq_authenticator_apps_uuid"),
        sa.UniqueConstraint("user_id", name="uq_authenticator_apps_user_id"),
        **TABLE,
    )
    op.create_table(
        "passkeys",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("credential_hash", db.Ascii64, nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("used_at", db.UTCDateTime(), nullable=True),
        _of_user("passkeys"),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_hash", name="uq_passkeys_credential_hash"),
        **TABLE,
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("code_hash", db.Ascii64, nullable=False),
        sa.Column("used_at", db.UTCDateTime(), nullable=True),
        _of_user("recovery_codes"),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_codes"),
        **TABLE,
    )
    op.create_index("ix_recovery_codes_user_id", "recovery_codes", ["user_id"])
    op.create_table(
        "provider_identities",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("subject_hash", db.Ascii64, nullable=False),
        sa.Column("issuer", sa.String(255), nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("used_at", db.UTCDateTime(), nullable=False),
        _of_user("provider_identities"),
        sa.PrimaryKeyConstraint("id", name="pk_provider_identities"),
        sa.UniqueConstraint("subject_hash", name="uq_provider_identities_subject_hash"),
        **TABLE,
    )
    op.create_index("ix_provider_identities_user_id", "provider_identities", ["user_id"])
