"""Several ids of one customer on one account: the others stand beside the one that is sent to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("same_as_id", db.Id, nullable=True),
        sa.Column("id_kind", sa.String(16), nullable=True),
        sa.Column("id_named_at", db.UTCDateTime, nullable=True),
    ):
        op.add_column("contact_identities", column)
    op.create_index("ix_contact_identities_same_as_id", "contact_identities", ["same_as_id"])
