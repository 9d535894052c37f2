"""Accounts beside others, posts, and what becomes of messages below them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.add_column("channel_accounts", sa.Column("beside_id", db.Id, nullable=True))
    op.add_column("conversations", sa.Column("post_id", db.Id, nullable=True))
    op.create_index("ix_conversations_post", "conversations", ["post_id", "status", "last_message_at", "id"])
    op.create_table(
        "posts",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.Column("url", db.LongText, nullable=False),
        sa.Column("picture_url", db.LongText, nullable=True),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("published_at", db.UTCDateTime(), nullable=True),
        sa.Column("ended_at", db.UTCDateTime(), nullable=True),
        sa.Column("gone_at", db.UTCDateTime(), nullable=True),
        sa.Column("fetched_at", db.UTCDateTime(), nullable=True),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_posts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_posts_workspace_id_workspaces", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.UniqueConstraint("account_id", "external_id", name="uq_posts_account_id_external_id"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_posts_due_at", "posts", ["due_at"])
    op.create_index("ix_posts_workspace_id", "posts", ["workspace_id", "id"])
    op.create_table(
        "private_replies",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("external_id", db.ExternalId, nullable=False),
        sa.Column("message_id", db.Id, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_private_replies_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_private_replies_message_id_messages", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_private_replies_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_private_replies"),
        sa.UniqueConstraint("account_id", "external_id", name="uq_private_replies_account_id_external_id"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_private_replies_message_id", "private_replies", ["message_id"])
    op.create_index("ix_private_replies_workspace_id", "private_replies", ["workspace_id"])
    op.create_table(
        "message_moderations",
        sa.Column("message_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("wanted", sa.String(length=16), nullable=False),
        sa.Column("stood", sa.String(length=16), nullable=False),
        sa.Column("author_id", db.Id, nullable=True),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", db.JsonDict, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_message_moderations_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name="fk_message_moderations_author_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_message_moderations_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["message_id"],
            ["messages.id"],
            name="fk_message_moderations_message_id_messages",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_message_moderations_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("message_id", name="pk_message_moderations"),
        **TABLE,
    )
    op.create_index("ix_message_moderations_account_id", "message_moderations", ["account_id"])
    op.create_index("ix_message_moderations_author_id", "message_moderations", ["author_id"])
    op.create_index("ix_message_moderations_conversation_id", "message_moderations", ["conversation_id"])
    op.create_index("ix_message_moderations_next_at", "message_moderations", ["next_at"])
    op.create_index("ix_message_moderations_workspace_id", "message_moderations", ["workspace_id"])
    op.create_table(
        "look_ups",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("event_id", db.Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("what", db.JsonDict, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_look_ups_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_look_ups"),
        sa.UniqueConstraint("event_id", "number", name="uq_look_ups_event_id_number"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_look_ups_account_id", "look_ups", ["account_id"])
    op.create_index("ix_look_ups_due_at", "look_ups", ["due_at"])
