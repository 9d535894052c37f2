"""Mentions through a team, and what reports count of teams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.add_column("mentions", sa.Column("team_id", db.Id, nullable=True))
    op.add_column("spans", sa.Column("team_id", db.Id, nullable=True))
    op.create_table(
        "report_team_hours",
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("hour", db.UTCDateTime(), nullable=False),
        sa.Column("team_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("reopened", sa.Integer(), nullable=False),
        sa.Column("closed", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_report_team_hours_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "workspace_id", "hour", "team_id", "account_id", "user_id", name="pk_report_team_hours"
        ),
        **TABLE,
    )
