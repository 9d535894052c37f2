"""How often in a row a provider itself said that sending a reply failed for a moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("outbox", sa.Column("transient", sa.Integer(), server_default="0", nullable=False))
