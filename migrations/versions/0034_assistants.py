"""Assistants: what each says, knows and may do, and a row for each thought."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0034"
down_revision = "0033"
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
        "language_models",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("speaks", sa.String(length=16), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("price_in", sa.BigInteger(), nullable=False),
        sa.Column("price_out", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("tried_at", db.UTCDateTime(), nullable=True),
        sa.Column("problem", db.Ascii64, nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_language_models_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_language_models"),
        sa.UniqueConstraint("uuid", name="uq_language_models_uuid"),
        **TABLE,
    )
    op.create_index("ix_language_models_workspace_id", "language_models", ["workspace_id"])
    op.create_table(
        "assistants",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("model_id", db.Id, nullable=True),
        sa.Column("stopped_at", db.UTCDateTime(), nullable=True),
        sa.Column("knowledge_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"],
            ["language_models.id"],
            name="fk_assistants_model_id_language_models",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_assistants_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assistants"),
        **TABLE,
        sqlite_autoincrement=True,
    )
    op.create_index("ix_assistants_model_id", "assistants", ["model_id"])
    op.create_index("ix_assistants_workspace_id", "assistants", ["workspace_id"])
    op.create_table(
        "assistant_versions",
        sa.Column("assistant_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("body", db.JsonDict, nullable=False),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_assistant_versions_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("assistant_id", "number", name="pk_assistant_versions"),
        **TABLE,
    )
    op.create_table(
        "assistant_accounts",
        sa.Column("account_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("assistant_id", db.Id, nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("answers_on", db.JsonDict, nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.String(length=255), nullable=True),
        sa.Column("changed_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_assistant_accounts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_assistant_accounts_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_assistant_accounts_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_assistant_accounts"),
        **TABLE,
    )
    op.create_index("ix_assistant_accounts_assistant_id", "assistant_accounts", ["assistant_id"])
    op.create_index("ix_assistant_accounts_workspace_id", "assistant_accounts", ["workspace_id"])
    op.create_table(
        "knowledge_entries",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("assistant_id", db.Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.Column("questions", db.JsonDict, nullable=False),
        sa.Column("origin", db.LongText, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("problem", db.Ascii64, nullable=True),
        sa.Column("digest", db.Ascii64, nullable=True),
        sa.Column("checked_at", db.UTCDateTime(), nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_knowledge_entries_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_knowledge_entries_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_entries"),
        **TABLE,
    )
    op.create_index("ix_knowledge_entries_assistant_id", "knowledge_entries", ["assistant_id", "id"])
    op.create_index("ix_knowledge_entries_due_at", "knowledge_entries", ["due_at"])
    op.create_index("ix_knowledge_entries_workspace_id", "knowledge_entries", ["workspace_id"])
    op.create_table(
        "knowledge_passages",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("assistant_id", db.Id, nullable=False),
        sa.Column("entry_id", db.Id, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_knowledge_passages_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["knowledge_entries.id"],
            name="fk_knowledge_passages_entry_id_knowledge_entries",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_knowledge_passages"),
        **TABLE,
    )
    op.create_index("ix_knowledge_passages_assistant_id", "knowledge_passages", ["assistant_id", "id"])
    op.create_index("ix_knowledge_passages_entry_id", "knowledge_passages", ["entry_id"])
    op.create_table(
        "assistant_turns",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("assistant_id", db.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("message_id", db.Id, nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("first_at", db.UTCDateTime(), nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("lease_until", db.UTCDateTime(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.Column("sources", db.JsonDict, nullable=False),
        sa.Column("offers", db.JsonDict, nullable=False),
        sa.Column("model", sa.String(length=200), nullable=True),
        sa.Column("tokens_in", sa.Integer(), nullable=False),
        sa.Column("tokens_out", sa.Integer(), nullable=False),
        sa.Column("cost", sa.BigInteger(), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("reason", db.Ascii64, nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("right", sa.Boolean(), nullable=True),
        sa.Column("decided_by", db.Id, nullable=True),
        sa.Column("sent_id", db.Id, nullable=True),
        sa.Column("cause_id", db.Id, nullable=False),
        sa.Column("root_id", db.Id, nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("done_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_assistant_turns_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_assistant_turns_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_assistant_turns_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["users.id"], name="fk_assistant_turns_decided_by_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_assistant_turns_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assistant_turns"),
        sa.UniqueConstraint(
            "conversation_id", "message_id", name="uq_assistant_turns_conversation_id_message_id"
        ),
        **TABLE,
    )
    op.create_index("ix_assistant_turns_account", "assistant_turns", ["account_id", "outcome"])
    op.create_index("ix_assistant_turns_assistant", "assistant_turns", ["assistant_id", "created_at"])
    op.create_index("ix_assistant_turns_decided_by", "assistant_turns", ["decided_by"])
    op.create_index("ix_assistant_turns_due", "assistant_turns", ["state", "due_at", "id"])
    op.create_index("ix_assistant_turns_workspace", "assistant_turns", ["workspace_id", "created_at"])
    op.create_table(
        "assistant_tools",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("assistant_id", db.Id, nullable=False),
        sa.Column("name", db.Ascii64, nullable=False),
        sa.Column("title", sa.String(length=64), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("parameters", db.JsonDict, nullable=False),
        sa.Column("header", db.Ascii64, nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("effect", sa.String(length=16), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_assistant_tools_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_assistant_tools_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assistant_tools"),
        sa.UniqueConstraint("uuid", name="uq_assistant_tools_uuid"),
        **TABLE,
    )
    op.create_index("ix_assistant_tools_assistant_id", "assistant_tools", ["assistant_id"])
    op.create_index("ix_assistant_tools_workspace_id", "assistant_tools", ["workspace_id"])
    op.create_table(
        "assistant_calls",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("turn_id", db.Id, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("tool", db.Ascii64, nullable=False),
        sa.Column("arguments", db.JsonDict, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("result", db.LongText, nullable=False),
        sa.Column("key", db.Ascii64, nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"],
            ["assistant_turns.id"],
            name="fk_assistant_calls_turn_id_assistant_turns",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assistant_calls"),
        sa.UniqueConstraint("turn_id", "number", name="uq_assistant_calls_turn_id_number"),
        **TABLE,
    )
    op.create_table(
        "assistant_cases",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("assistant_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=True),
        sa.Column("question", db.LongText, nullable=False),
        sa.Column("hands_over", sa.Boolean(), nullable=False),
        sa.Column("says", db.JsonDict, nullable=False),
        sa.Column("never_says", db.JsonDict, nullable=False),
        sa.Column("tried_version", sa.Integer(), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("answer", db.LongText, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_assistant_cases_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_assistant_cases_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assistant_cases"),
        **TABLE,
    )
    op.create_index("ix_assistant_cases_assistant_id", "assistant_cases", ["assistant_id"])
    op.create_index("ix_assistant_cases_conversation_id", "assistant_cases", ["conversation_id"])
    op.create_index("ix_assistant_cases_workspace_id", "assistant_cases", ["workspace_id"])
