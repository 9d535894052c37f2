"""What a person answered beside what an assistant would have said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assistant_turns", sa.Column("answered_id", db.Id, nullable=True))
