"""When an owner asked for a workspace to be deleted: until its days are over it can be taken back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("workspaces", sa.Column("delete_asked_at", db.UTCDateTime(), nullable=True))
