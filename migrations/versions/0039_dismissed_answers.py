"""Answers of the team that are not to be offered as entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0039"
down_revision = "0038"
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
        "dismissed_answers",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("assistant_id", db.Id, nullable=False),
        sa.Column("sketch", db.JsonDict, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_dismissed_answers_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["assistant_id"],
            ["assistants.id"],
            name="fk_dismissed_answers_assistant_id_assistants",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_dismissed_answers"),
        **TABLE,
    )
    op.create_index("ix_dismissed_answers_workspace_id", "dismissed_answers", ["workspace_id"])
    op.create_index("ix_dismissed_answers_assistant_id", "dismissed_answers", ["assistant_id"])
