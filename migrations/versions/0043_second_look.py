"""When accounts are checked for messages their provider did not deliver, and which were found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0043"
down_revision = "0042"
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


def upgrade() -> None:
    op.create_table(
        "second_looks",
        sa.Column("account_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("since", db.UTCDateTime(), nullable=False),
        sa.Column("next_at", db.UTCDateTime(), nullable=False),
        sa.Column("look_at", db.UTCDateTime(), nullable=False),
        sa.Column("interval", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=False),
        sa.Column("cursor", db.LongText, nullable=False),
        sa.Column("began_at", db.UTCDateTime(), nullable=True),
        sa.Column("looked_at", db.UTCDateTime(), nullable=True),
        sa.Column("seen_until", db.UTCDateTime(), nullable=True),
        sa.Column("seen_now", db.UTCDateTime(), nullable=True),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("customers", sa.Integer(), nullable=False),
        sa.Column("counted_at", db.UTCDateTime(), nullable=True),
        sa.Column("used_percent", sa.Integer(), nullable=False),
        sa.Column("claim", db.Ascii64, nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.JSON(), nullable=True),
        _account("second_looks"),
        sa.PrimaryKeyConstraint("account_id", name="pk_second_looks"),
        **TABLE,
    )
    op.create_index("ix_second_looks_next_at", "second_looks", ["next_at"], unique=False)
    op.create_table(
        "second_look_threads",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("contact", db.ExternalId, nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("unknown", sa.JSON(), nullable=False),
        sa.Column("deep", sa.Boolean(), nullable=False),
        sa.Column("listed_until", db.UTCDateTime(), nullable=True),
        sa.Column("seen_at", db.UTCDateTime(), nullable=False),
        _account("second_look_threads"),
        sa.PrimaryKeyConstraint("id", name="pk_second_look_threads"),
        sa.UniqueConstraint(
            "account_id", "external_id", name="uq_second_look_threads_account_id_external_id"
        ),
        **TABLE,
    )
    op.create_index(
        "ix_second_look_threads_due", "second_look_threads", ["account_id", "due_at"], unique=False
    )
    op.create_table(
        "missed_messages",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("sent_at", db.UTCDateTime(), nullable=False),
        sa.Column("found_at", db.UTCDateTime(), nullable=False),
        _account("missed_messages"),
        sa.PrimaryKeyConstraint("id", name="pk_missed_messages"),
        sa.UniqueConstraint("account_id", "external_id", name="uq_missed_messages_account_id_external_id"),
        **TABLE,
    )
    op.create_index("ix_missed_messages_found", "missed_messages", ["account_id", "found_at"], unique=False)
    op.create_index("ix_missed_messages_found_at", "missed_messages", ["found_at"], unique=False)
