"""Who handles a conversation, and keys of the API that are automatic."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "conversations", sa.Column("handled_by", sa.String(16), server_default="nobody", nullable=False)
    )
    conversations = sa.table("conversations", *map(sa.column, ("handled_by", "status", "assignee_id")))
    op.execute(
        conversations.update()
        .where(conversations.c.status == "open", conversations.c.assignee_id.is_not(None))
        .values(handled_by="person")
    )
    op.add_column("api_keys", sa.Column("automatic", sa.Boolean(), server_default=sa.false(), nullable=False))
