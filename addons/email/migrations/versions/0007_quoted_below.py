"""Whether an account's replies quote the message they answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import migrations

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    migrations.add_column_if_missing(op, "email_accounts", sa.Column("quotes", sa.Boolean(), nullable=True))


def downgrade() -> None:
    op.drop_column("email_accounts", "quotes")
