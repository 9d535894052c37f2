"""How many conversations the app keeps on a member's device for reading offline."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "workspaces",
        sa.Column("offline_conversations", sa.SmallInteger(), nullable=False, server_default="50"),
    )
