"""Mentions in notes, what people are told of conversations, by which ways, and when they want quiet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_table(
        "mentions",
        sa.Column("message_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("seen_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_mentions_message_id_messages", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_mentions_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_mentions_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", "user_id", name="pk_mentions"),
        **TABLE,
    )
    op.create_index("ix_mentions_user", "mentions", ["user_id", "conversation_id", "seen_at"])
    op.create_index("ix_mentions_conversation_id", "mentions", ["conversation_id"])
    for column in (
        sa.Column("kind", sa.String(length=32), nullable=True),
        # No key of another table: on SQLite that would copy every row.
        sa.Column("conversation_id", db.Id, nullable=True),
        sa.Column("message_id", db.Id, nullable=True),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("told_at", db.UTCDateTime(), nullable=True),
        sa.Column("in_bell", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("ways", sa.String(length=40), nullable=True),
    ):
        op.add_column("notifications", column)
    op.create_index("ix_notifications_conversation_id", "notifications", ["conversation_id"])
    op.create_table(
        "notification_keys",
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("thing", db.Ascii64, nullable=False),
        sa.Column("notification_id", db.Id, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_notification_keys_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name="fk_notification_keys_notification_id_notifications",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "thing", name="pk_notification_keys"),
        **TABLE,
    )
    op.create_index("ix_notification_keys_notification_id", "notification_keys", ["notification_id"])
    op.create_table(
        "notification_rules",
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("ways", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_notification_rules_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "kind", name="pk_notification_rules"),
        **TABLE,
    )
    op.create_table(
        "quiet_hours",
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("starts", sa.Integer(), nullable=False),
        sa.Column("ends", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("whole_days", sa.Integer(), nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_quiet_hours_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", name="pk_quiet_hours"),
        **TABLE,
    )
