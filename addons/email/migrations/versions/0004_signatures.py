"""Signatures of accounts and people, and reply addresses of accounts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db, migrations

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    migrations.add_column_if_missing(op, "email_accounts", sa.Column("signature", db.LongText, nullable=True))
    migrations.add_column_if_missing(
        op, "email_accounts", sa.Column("reply_to", sa.String(254), nullable=True)
    )
    migrations.create_table_if_missing(
        op,
        "email_signatures",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "user_id", name="pk_email_signatures"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_email_signatures_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_email_signatures_user_id_users", ondelete="CASCADE"
        ),
        **TABLE,
    )
    migrations.create_index_if_missing(op, "ix_email_signatures_user_id", "email_signatures", ["user_id"])


def downgrade() -> None:
    op.drop_table("email_signatures")
