"""Keep only conversations that have the thing in the indexes of things most conversations do not have.

A new message moves its conversation, which writes an entry into each index. On PostgreSQL the new indexes are
built beside the old ones without blocking writers; MariaDB has no partial indexes and keeps the old ones.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

COLUMNS = {
    "assignee": ("workspace_id", "status", "assignee_id", "last_message_at", "id"),
    "snoozed": ("snoozed_until",),
    "woken": ("workspace_id", "woken_at", "id"),
    "waiting": ("workspace_id", "status", "waiting_since", "id"),
    "team": (
        *("workspace_id", "status", "team_id", "last_message_at", "id"),
        *("waiting_since", "assignee_id", "account_id", "spam_at", "snooze_kind"),
    ),
    "scheduled": ("workspace_id", "scheduled_at"),
    "post": ("post_id", "status", "last_message_at", "id"),
}
HAVING = {
    "assignee": "assignee_id",
    "snoozed": "snoozed_until",
    "woken": "woken_at",
    "waiting": "waiting_since",
    "team": "team_id",
    "scheduled": "scheduled_at",
    "post": "post_id",
}


def upgrade() -> None:
    dialect = op.get_bind().dialect.name
    for name, columns in COLUMNS.items():
        index, having = f"ix_conversations_{name}", sa.text(f"{HAVING[name]} IS NOT NULL")
        if dialect == "sqlite":
            op.drop_index(index, "conversations")
            op.create_index(index, "conversations", [*columns], sqlite_where=having)
        elif dialect == "postgresql":
            _replace(index, columns, having)


def _replace(index: str, columns: tuple[str, ...], having: sa.TextClause) -> None:
    new, old = f"{index}_new", f"{index}_old"
    with op.get_context().autocommit_block():
        # An interrupted attempt leaves an index that is not valid, or the old one.
        for left in (new, old):
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {left}")
        op.create_index(
            new, "conversations", [*columns], postgresql_concurrently=True, postgresql_where=having
        )
    op.execute(f"ALTER INDEX IF EXISTS {index} RENAME TO {old}")
    op.execute(f"ALTER INDEX {new} RENAME TO {index}")
    with op.get_context().autocommit_block():
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {old}")
