"""Changes that addons make on the desk: each once by its key, and events that say which addon did it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("domain_events", sa.Column("addon", sa.String(48), nullable=True))
    op.create_table(
        "addon_writes",
        sa.Column("slug", sa.String(48), nullable=False),
        sa.Column("key_hash", db.Ascii64, nullable=False),
        sa.Column("fingerprint", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("result", db.JsonDict, nullable=True),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_addon_writes_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("slug", "key_hash", name="pk_addon_writes"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
    op.create_index("ix_addon_writes_slug_workspace_id_at", "addon_writes", ["slug", "workspace_id", "at"])
    op.create_index("ix_addon_writes_at", "addon_writes", ["at"])
    op.create_index("ix_addon_writes_workspace_id", "addon_writes", ["workspace_id"])
