"""Who else answers in a conversation, on channels with several programs that answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("conversations", sa.Column("responder", sa.JSON(none_as_null=True)))
