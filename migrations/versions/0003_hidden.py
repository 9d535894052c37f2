"""Messages the team does not want to see any more, hidden on the desk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("messages", sa.Column("hidden_at", db.UTCDateTime(), nullable=True))
