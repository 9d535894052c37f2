"""widen conversations.channel"""

from __future__ import annotations

from alembic import op

from host.sdk.migrations import enum_to_varchar

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    enum_to_varchar(op, "conversations", "channel")


def downgrade() -> None:
    """Leave the column as wide as it is: narrowing it would lose rows."""
