"""What answers a message is found by that message, and private replies of an hour by when they went out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    answers = sa.text("reply_to IS NOT NULL")
    op.create_index(
        "ix_messages_reply_to",
        "messages",
        ["account_id", "reply_to", "sent_at", "id"],
        postgresql_where=answers,
        sqlite_where=answers,
    )
    op.add_column("private_replies", sa.Column("attempted_at", db.UTCDateTime(), nullable=True))
    op.create_index("ix_private_replies_attempted", "private_replies", ["account_id", "attempted_at"])
