"""How somebody confirmed that it is them, and which sign-in provider does not say when people signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("login_sessions", sa.Column("confirmed_by", sa.String(16), nullable=True))
    op.add_column("sign_in_settings", sa.Column("no_auth_time_from", sa.String(255), nullable=True))
