"""Scopes by resource, an expiry and limits of API keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("granted", sa.String(500), nullable=True))
    op.add_column("api_keys", sa.Column("expires_at", db.UTCDateTime(), nullable=True))
    op.add_column("api_keys", sa.Column("limited_to", db.JsonDict, nullable=True))
