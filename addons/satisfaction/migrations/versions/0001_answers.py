"""create satisfaction_answers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db
from host.sdk.migrations import create_index_if_missing, create_table_if_missing, drop_table_if_present

revision = "0001"
down_revision = None

TABLE = "satisfaction_answers"


def _of(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{table}.id"], name=f"fk_{TABLE}_{column}_{table}", ondelete="CASCADE"
    )


def upgrade() -> None:
    create_table_if_missing(
        op,
        TABLE,
        sa.Column("id", db.Id, autoincrement=True, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("contact_id", db.Id, nullable=False),
        sa.Column("event_id", db.Ascii64, nullable=False),
        sa.Column("outcome", db.Ascii64, nullable=False),
        sa.Column("asked_at", db.UTCDateTime(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=True),
        sa.Column("answered_at", db.UTCDateTime(), nullable=True),
        sa.Column("comment", db.LongText, nullable=True),
        sa.Column("comment_message_id", db.Id, nullable=True),
        sa.PrimaryKeyConstraint("id", name=f"pk_{TABLE}"),
        sa.UniqueConstraint("event_id", name=f"uq_{TABLE}_event_id"),
        _of("workspace_id", "workspaces"),
        _of("conversation_id", "conversations"),
        _of("contact_id", "contacts"),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    create_index_if_missing(op, "ix_satisfaction_answers_report", TABLE, ["workspace_id", "asked_at"])
    create_index_if_missing(op, "ix_satisfaction_answers_conversation_id", TABLE, ["conversation_id"])
    create_index_if_missing(op, "ix_satisfaction_answers_contact_id", TABLE, ["contact_id"])


def downgrade() -> None:
    drop_table_if_present(op, TABLE)
