"""Values of the settings forms that addons declare in their manifests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "addon_settings",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("slug", sa.String(48), nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(48), nullable=False),
        sa.Column("value", db.LongText, nullable=True),
        sa.Column("secret", db.LongText, nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_addon_settings"),
        sa.UniqueConstraint("slug", "workspace_id", "name", name="uq_addon_settings_slug_workspace_id_name"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
    op.create_index("ix_addon_settings_workspace_id", "addon_settings", ["workspace_id"])
