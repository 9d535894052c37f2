"""create toy_accounts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db
from host.sdk.migrations import create_table_if_missing, drop_table_if_present

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_table_if_missing(
        op,
        "toy_accounts",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("secret", db.LongText, nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="pk_toy_accounts"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_toy_accounts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    drop_table_if_present(op, "toy_accounts")
