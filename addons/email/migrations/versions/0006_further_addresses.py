"""Aliases of accounts, further folders of mailboxes, and people who signed in to shared mailboxes."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from host.sdk import db, migrations

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _added() -> list[tuple[str, sa.Column[Any]]]:
    return [
        ("email_asked", sa.Column("alias_of", db.Id, nullable=True)),
        ("email_asked", sa.Column("aliases", db.LongText, nullable=True)),
        ("email_mailboxes", sa.Column("folders", db.LongText, nullable=True)),
        ("email_folders", sa.Column("added_at", db.UTCDateTime(), nullable=True)),
        ("email_folders", sa.Column("problem", sa.String(300), nullable=True)),
        ("email_tokens", sa.Column("person", sa.String(254), nullable=True)),
    ]


def upgrade() -> None:
    migrations.create_table_if_missing(
        op,
        "email_aliases",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("address", db.ExternalId, nullable=False),
        sa.PrimaryKeyConstraint("account_id", "address", name="pk_email_aliases"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_email_aliases_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    migrations.create_index_if_missing(op, "ix_email_aliases_address", "email_aliases", ["address"])
    for table, column in _added():
        migrations.add_column_if_missing(op, table, column)


def downgrade() -> None:
    for table, column in reversed(_added()):
        op.drop_column(table, column.name)
    op.drop_table("email_aliases")
