"""Labels, saved views, snoozed conversations, spam, and changes of many conversations at once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.add_column("conversations", sa.Column("snooze_kind", sa.String(length=16), nullable=True))
    for name in ("snoozed_until", "woken_at", "spam_at"):
        op.add_column("conversations", sa.Column(name, db.UTCDateTime(), nullable=True))
    op.create_index("ix_conversations_snoozed", "conversations", ["snoozed_until"])
    op.create_index("ix_conversations_woken", "conversations", ["workspace_id", "woken_at", "id"])
    op.create_table(
        "labels",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", db.Ascii64, nullable=False),
        sa.Column("tone", sa.String(length=16), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_labels_workspace_id_workspaces", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.UniqueConstraint("workspace_id", "name_key", name="uq_labels_workspace_id_name_key"),
        **TABLE,
    )
    op.create_table(
        "conversation_labels",
        sa.Column("conversation_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("label_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_conversation_labels_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["label_id"], ["labels.id"], name="fk_conversation_labels_label_id_labels", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "label_id", name="pk_conversation_labels"),
        **TABLE,
    )
    op.create_index("ix_conversation_labels_label", "conversation_labels", ["label_id", "conversation_id"])
    op.create_table(
        "saved_views",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("owner_id", db.Id, nullable=True),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("condition", db.JsonDict, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_saved_views_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_saved_views_owner_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_saved_views"),
        **TABLE,
    )
    op.create_index("ix_saved_views_owner_id", "saved_views", ["owner_id"])
    op.create_index("ix_saved_views_workspace_id", "saved_views", ["workspace_id", "owner_id", "position"])
    op.create_table(
        "bulk_actions",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("user_id", db.Id, nullable=True),
        sa.Column("key_name", sa.String(length=120), nullable=True),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("argument", db.JsonDict, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("finished_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_bulk_actions_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_bulk_actions_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_bulk_actions"),
        **TABLE,
    )
    op.create_index("ix_bulk_actions_state", "bulk_actions", ["state", "id"])
    op.create_index("ix_bulk_actions_user_id", "bulk_actions", ["user_id"])
    op.create_index("ix_bulk_actions_workspace_id", "bulk_actions", ["workspace_id", "id"])
    op.create_table(
        "bulk_items",
        sa.Column("bulk_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("conversation_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("before", db.JsonDict, nullable=True),
        sa.Column("after", db.JsonDict, nullable=True),
        sa.ForeignKeyConstraint(
            ["bulk_id"], ["bulk_actions.id"], name="fk_bulk_items_bulk_id_bulk_actions", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_bulk_items_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("bulk_id", "conversation_id", name="pk_bulk_items"),
        **TABLE,
    )
    op.create_index("ix_bulk_items_conversation_id", "bulk_items", ["conversation_id"])
    op.create_index("ix_bulk_items_state", "bulk_items", ["bulk_id", "state", "conversation_id"])
    op.add_column("endpoints", sa.Column("labels", db.JsonDict, nullable=True))
