"""Rules with their versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_table(
        "rules",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state_at", db.UTCDateTime(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_rules_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rules"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_rules_workspace_id", "rules", ["workspace_id", "position", "id"])
    op.create_table(
        "rule_versions",
        sa.Column("rule_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", db.JsonDict, nullable=False),
        sa.Column("author", sa.String(length=255), nullable=False),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["rules.id"], name="fk_rule_versions_rule_id_rules", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("rule_id", "number", name="pk_rule_versions"),
        **TABLE,
    )
