"""Mailboxes fetched by IMAP: their servers, folders, and processed mails."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db, migrations

revision = "0003"
down_revision = "0002"
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
        "email_mailboxes",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("host", sa.String(253), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("security", sa.String(16), nullable=False),
        sa.Column("user_name", sa.String(254), nullable=False),
        sa.Column("password", db.LongText, nullable=True),
        sa.Column("password_set_at", db.UTCDateTime(), nullable=True),
        sa.Column("wanted", sa.String(16), nullable=False),
        sa.Column("since", db.UTCDateTime(), nullable=True),
        sa.Column("connected_at", db.UTCDateTime(), nullable=False),
        sa.Column("saved_at", db.UTCDateTime(), nullable=False),
        sa.Column("checked_at", db.UTCDateTime(), nullable=True),
        sa.Column("came_at", db.UTCDateTime(), nullable=True),
        sa.Column("problem", sa.String(500), nullable=True),
        sa.Column("failing_since", db.UTCDateTime(), nullable=True),
        sa.Column("holder", db.Ascii64, nullable=True),
        sa.Column("held_until", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_email_mailboxes"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_email_mailboxes_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    migrations.create_table_if_missing(
        op,
        "email_folders",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("name", db.ExternalId, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("uidvalidity", sa.BigInteger(), nullable=True),
        sa.Column("base_uid", sa.BigInteger(), nullable=False),
        sa.Column("on_server", sa.Integer(), nullable=True),
        sa.Column("counted_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_email_folders"),
        sa.UniqueConstraint("account_id", "name", name="uq_email_folders_account_id_name"),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_email_folders_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    migrations.create_table_if_missing(
        op,
        "email_mails",
        sa.Column("folder_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("uid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.PrimaryKeyConstraint("folder_id", "uid", name="pk_email_mails"),
        sa.ForeignKeyConstraint(
            ["folder_id"],
            ["email_folders.id"],
            name="fk_email_mails_folder_id_email_folders",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    for name in ("imap", "imap_password"):
        migrations.add_column_if_missing(op, "email_asked", sa.Column(name, db.LongText, nullable=True))


def downgrade() -> None:
    for name in ("imap", "imap_password"):
        op.drop_column("email_asked", name)
    for table in ("email_mails", "email_folders", "email_mailboxes"):
        op.drop_table(table)
