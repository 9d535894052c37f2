"""What a process stands on: its senders, broker, spool and limits; and accounts that wait for a limit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # With defaults of the server: a process of the version before may write its row beside this one's.
    for column in (
        sa.Column("senders", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("broker", sa.String(length=16), nullable=False, server_default=""),
        sa.Column("broker_since", db.UTCDateTime(), nullable=True),
        sa.Column("counts_at", sa.String(length=255), nullable=False, server_default=""),
        sa.Column("spool_aside", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("spool_most", sa.BigInteger(), nullable=False, server_default="0"),
    ):
        op.add_column("processes", column)
    op.add_column("channel_accounts", sa.Column("limited_until", db.UTCDateTime(), nullable=True))
