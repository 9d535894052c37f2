"""Verified addresses of customers, by which their identities join one contact."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0057"
down_revision = "0053"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contact_identities", sa.Column("phone", db.Ascii64))
    op.add_column("contact_identities", sa.Column("phone_key", db.Ascii64))
    op.add_column("contact_identities", sa.Column("verified_email", sa.String(254)))
    op.create_index("ix_contact_identities_phone", "contact_identities", ["workspace_id", "phone_key"])
    op.create_index(
        "ix_contact_identities_verified_email", "contact_identities", ["workspace_id", "verified_email"]
    )
    op.add_column("contact_values", sa.Column("phone_key", db.Ascii64))
    op.create_index("ix_contact_values_phone", "contact_values", ["phone_key"])
    op.add_column(
        "workspaces", sa.Column("joins_contacts", sa.Boolean(), nullable=False, server_default=sa.true())
    )
