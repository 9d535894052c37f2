"""What was said before: how far asking the provider has come, and what of it was imported or erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.add_column("messages", sa.Column("imported_at", db.UTCDateTime(), nullable=True))
    op.add_column("messages", sa.Column("erased_at", db.UTCDateTime(), nullable=True))
    op.add_column("contact_identities", sa.Column("erased_at", db.UTCDateTime(), nullable=True))
    op.create_table(
        "catch_ups",
        sa.Column("account_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("cursor", db.LongText, nullable=False),
        sa.Column("since", db.UTCDateTime(), nullable=True),
        sa.Column("started_at", db.UTCDateTime(), nullable=False),
        sa.Column("finished_at", db.UTCDateTime(), nullable=True),
        sa.Column("complete_at", db.UTCDateTime(), nullable=True),
        sa.Column("next_at", db.UTCDateTime(), nullable=True),
        sa.Column("claim", db.Ascii64, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_catch_ups_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_catch_ups"),
        **TABLE,
    )
    op.create_index("ix_catch_ups_next_at", "catch_ups", ["next_at"], unique=False)
    op.create_table(
        "catch_up_threads",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("contact", db.ExternalId, nullable=False),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("updated_at", db.UTCDateTime(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("was_here", sa.Boolean(), nullable=False),
        sa.Column("cursor", db.LongText, nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("imported", sa.Integer(), nullable=False),
        sa.Column("untold", sa.Integer(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_catch_up_threads_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_catch_up_threads"),
        sa.UniqueConstraint("account_id", "external_id", name="uq_catch_up_threads_account_id_external_id"),
        **TABLE,
    )
    op.create_index("ix_catch_up_threads_state", "catch_up_threads", ["account_id", "state"], unique=False)
