"""The model an assistant had until it was deleted, which a person is told until they choose."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("assistants", sa.Column("lost_model", sa.String(64)))
