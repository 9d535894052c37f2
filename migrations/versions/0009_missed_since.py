"""From when on a message that reading an account's history finds had been missed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("catch_ups", sa.Column("missed_since", db.UTCDateTime(), nullable=True))
