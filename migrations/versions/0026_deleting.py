"""Find what belongs to a workspace or a person without reading every row, so that deleting them is quick."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

OF_WORKSPACES = ("contact_identities", "messages", "attachments", "reactions", "message_marks")


def upgrade() -> None:
    for table in OF_WORKSPACES:
        op.create_index(f"ix_{table}_workspace_id", table, ["workspace_id"])
    for name, column in (("assigned", "assignee_id"), ("last_author", "last_author_id")):
        theirs = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_conversations_{name}",
            "conversations",
            [column],
            postgresql_where=theirs,
            sqlite_where=theirs,
        )
