"""The table of email accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db, migrations

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


def upgrade() -> None:
    migrations.create_table_if_missing(
        op,
        "email_accounts",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("address", sa.String(254), nullable=False),
        sa.Column("smtp_host", sa.String(253), nullable=False),
        sa.Column("smtp_port", sa.Integer(), nullable=False),
        sa.Column("smtp_security", sa.String(16), nullable=False),
        sa.Column("smtp_user", sa.String(254), nullable=False),
        sa.Column("smtp_password", db.LongText, nullable=True),
        sa.Column("password_set_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_email_accounts"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_email_accounts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        **TABLE,
    )


def downgrade() -> None:
    op.drop_table("email_accounts")
