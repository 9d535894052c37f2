"""What each member has read, who waits for an answer, and who has a conversation open."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.add_column(
        "workspaces", sa.Column("assigns_on_reply", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for name in ("arrived_count", "read_count"):
        op.add_column("conversations", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("conversations", sa.Column("waiting_since", db.UTCDateTime(), nullable=True))
    # What nobody of the team has looked at is unread for everybody; what somebody has is read for everybody.
    op.execute("UPDATE conversations SET arrived_count = unread_count WHERE unread_count > 0")
    op.execute(
        "UPDATE conversations SET waiting_since = last_message_at "
        "WHERE status = 'open' AND last_direction = 'inbound'"
    )
    op.create_index(
        "ix_conversations_waiting", "conversations", ["workspace_id", "status", "waiting_since", "id"]
    )
    op.drop_index("ix_conversations_counts", table_name="conversations")
    op.create_index(
        "ix_conversations_tally",
        "conversations",
        [
            *("workspace_id", "status", "channel", "assignee_id", "waiting_since", "failed_count"),
            *("arrived_count", "read_count", "spam_at", "snooze_kind"),
        ],
    )
    op.create_table(
        "conversation_reads",
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("conversation_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("marked", sa.Boolean(), nullable=False, server_default=sa.false()),
        *_of_member("conversation_reads"),
        **TABLE,
    )
    op.create_index("ix_conversation_reads_conversation_id", "conversation_reads", ["conversation_id"])
    op.create_table(
        "presences",
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("conversation_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("until", db.UTCDateTime(), nullable=False),
        *_of_member("presences"),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_presences_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    op.create_index("ix_presences_conversation_id", "presences", ["conversation_id"])
    op.create_index("ix_presences_workspace_id_until", "presences", ["workspace_id", "until"])


def _of_member(table: str) -> list[sa.Constraint]:
    """Return the constraints of a table with a row for a member and a conversation."""
    return [
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=f"fk_{table}_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=f"fk_{table}_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("user_id", "conversation_id", name=f"pk_{table}"),
    ]
