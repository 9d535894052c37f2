"""When the owners were last notified that an API key will expire."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("noticed_at", db.UTCDateTime(), nullable=True))
