"""Business hours of workspaces and teams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "business_hours",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("team_id", db.Id, nullable=True),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("week", db.JsonDict, nullable=True),
        sa.Column("exceptions", db.JsonDict, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_business_hours_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_business_hours_team_id_teams", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_business_hours"),
        sa.UniqueConstraint("team_id", name="uq_business_hours_team_id"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_engine="InnoDB",
        mariadb_charset="utf8mb4",
    )
    op.create_index("ix_business_hours_workspace_id", "business_hours", ["workspace_id"])
