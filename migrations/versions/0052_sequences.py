"""Sequences, their versions and runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None


_TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def _keys(table: str, primary: list[str], **owners: str) -> list[sa.schema.SchemaItem]:
    """Return the primary key, and a foreign key for each column of *owners* to its table."""
    found: list[sa.schema.SchemaItem] = [sa.PrimaryKeyConstraint(*primary, name=f"pk_{table}")]
    for column, owner in owners.items():
        name = f"fk_{table}_{column}_{owner}"
        found.append(sa.ForeignKeyConstraint([column], [f"{owner}.id"], name=name, ondelete="CASCADE"))
    return found


def upgrade() -> None:
    op.create_table(
        "sequences",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("live_version", sa.Integer),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        *_keys("sequences", ["id"], workspace_id="workspaces"),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_index("ix_sequences_workspace_id", "sequences", ["workspace_id", "position", "id"])
    op.create_table(
        "sequence_versions",
        sa.Column("sequence_id", db.Id, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("body", db.JsonDict, nullable=False),
        sa.Column("author", sa.String(255), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("published_at", db.UTCDateTime()),
        *_keys("sequence_versions", ["sequence_id", "number"], sequence_id="sequences"),
        **_TABLE,
    )
    op.create_table(
        "sequence_runs",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("sequence_id", db.Id, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("contact_id", db.Id, nullable=False),
        sa.Column("active_contact_id", db.Id),
        sa.Column("started_by", sa.String(16), nullable=False),
        sa.Column("waits_for", sa.String(16), nullable=False),
        sa.Column("step", db.Ascii64, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("tries", sa.SmallInteger, nullable=False),
        sa.Column("message_id", db.Id),
        sa.Column("due_at", db.UTCDateTime()),
        sa.Column("attempts", sa.SmallInteger, nullable=False),
        sa.Column("cause_id", db.Id, nullable=False),
        sa.Column("root_id", db.Id, nullable=False),
        sa.Column("depth", sa.SmallInteger, nullable=False),
        sa.Column("started_at", db.UTCDateTime(), nullable=False),
        sa.Column("moved_at", db.UTCDateTime(), nullable=False),
        sa.Column("ended_at", db.UTCDateTime()),
        sa.Column("outcome", sa.String(16)),
        sa.Column("reason", db.Ascii64),
        sa.UniqueConstraint("active_contact_id", name="uq_sequence_runs_active"),
        sa.UniqueConstraint("sequence_id", "root_id", name="uq_sequence_runs_root"),
        *_keys(
            "sequence_runs",
            ["id"],
            workspace_id="workspaces",
            sequence_id="sequences",
            conversation_id="conversations",
            contact_id="contacts",
        ),
        sqlite_autoincrement=True,
        **_TABLE,
    )
    op.create_index("ix_sequence_runs_due", "sequence_runs", ["due_at", "id"])
    op.create_index("ix_sequence_runs_conversation", "sequence_runs", ["conversation_id", "id"])
    op.create_index("ix_sequence_runs_contact_id", "sequence_runs", ["contact_id"])
    op.create_index("ix_sequence_runs_workspace_id", "sequence_runs", ["workspace_id"])
    op.create_index("ix_sequence_runs_step", "sequence_runs", ["sequence_id", "version", "step"])
    op.create_table(
        "sequence_visits",
        sa.Column("run_id", db.Id, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("step", db.Ascii64, nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("way", sa.String(16)),
        sa.Column("refused", db.Ascii64),
        sa.Column("message_id", db.Id),
        *_keys("sequence_visits", ["run_id", "number"], run_id="sequence_runs"),
        **_TABLE,
    )
    op.create_table(
        "sequence_answers",
        sa.Column("run_id", db.Id, nullable=False),
        sa.Column("name", db.Ascii64, nullable=False),
        sa.Column("value", db.LongText, nullable=False),
        sa.Column("message_id", db.Id),
        *_keys("sequence_answers", ["run_id", "name"], run_id="sequence_runs"),
        **_TABLE,
    )
    op.create_index("ix_sequence_answers_message_id", "sequence_answers", ["message_id"])
