"""How far the first steps of a workspace are."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "workspace_starts",
        sa.Column("workspace_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("began_at", db.UTCDateTime(), nullable=False),
        sa.Column("step", sa.String(16), nullable=False),
        sa.Column("step_at", db.UTCDateTime(), nullable=False),
        sa.Column("finished_at", db.UTCDateTime(), nullable=True),
        sa.Column("hidden_at", db.UTCDateTime(), nullable=True),
        sa.Column("skipped", db.JsonDict, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_workspace_starts_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_workspace_starts"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
