"""find closings whose customers are asked later"""

from __future__ import annotations

from alembic import op

from host.sdk.migrations import create_index_if_missing, has_index

revision = "0002"
down_revision = "0001"

TABLE = "satisfaction_answers"
INDEX = "ix_satisfaction_answers_outcome"


def upgrade() -> None:
    create_index_if_missing(op, INDEX, TABLE, ["outcome", "asked_at"])


def downgrade() -> None:
    if has_index(op, TABLE, INDEX):
        op.drop_index(INDEX, TABLE)
