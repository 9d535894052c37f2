"""Response times, replies that can be undone, replies for later."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("undo_seconds", sa.Integer(), server_default="10", nullable=False))
    op.add_column("channel_accounts", sa.Column("reply_target", sa.Integer()))
    for name in ("scheduled_at", "due_told_for", "window_told_for"):
        op.add_column("conversations", sa.Column(name, db.UTCDateTime()))
    op.create_index("ix_conversations_scheduled", "conversations", ["workspace_id", "scheduled_at"])
    op.add_column("outbox", sa.Column("not_before", db.UTCDateTime()))
    op.add_column(
        "outbox", sa.Column("unless_written", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("outbox", sa.Column("undo", db.JsonDict))
    op.create_index("ix_outbox_not_before", "outbox", ["not_before"])
    op.add_column("spans", sa.Column("target_seconds", sa.BigInteger()))
    known = sa.text("target_seconds IS NOT NULL")  # of those without one nothing is asked
    op.create_index(
        "ix_spans_target",
        "spans",
        [
            *("workspace_id", "ended_by", "hour", "kind"),
            *("target_seconds", "seconds", "account_id", "user_id"),
        ],
        postgresql_where=known,
        sqlite_where=known,
    )
