"""create whatsapp_accounts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db
from host.sdk.migrations import create_table_if_missing, drop_table_if_present, enum_to_varchar

revision = "0001"
down_revision = None


def upgrade() -> None:
    enum_to_varchar(op, "conversations", "channel")
    create_table_if_missing(
        op,
        "whatsapp_accounts",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("business_id", sa.String(32), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        sa.Column("token", db.LongText, nullable=False),
        sa.Column("app_secret", db.LongText, nullable=False),
        sa.Column("set_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_whatsapp_accounts"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_whatsapp_accounts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    drop_table_if_present(op, "whatsapp_accounts")
