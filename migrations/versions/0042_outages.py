"""What waits for a provider that is away, and what processes tell of Redis and of their clock."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None


def upgrade() -> None:
    none = sa.text("0")
    op.add_column(
        "channel_accounts", sa.Column("failures", sa.Integer(), nullable=False, server_default=none)
    )
    op.add_column("channel_accounts", sa.Column("failing_since", db.UTCDateTime(), nullable=True))
    op.add_column("channel_accounts", sa.Column("probe_at", db.UTCDateTime(), nullable=True))
    op.create_index("ix_channel_accounts_probe_at", "channel_accounts", ["probe_at"])
    for name in ("answered", "unread"):
        op.add_column("outbox", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("processes", sa.Column("limits_away_since", db.UTCDateTime(), nullable=True))
    op.add_column("processes", sa.Column("clock_ahead_ms", sa.BigInteger(), nullable=True))
