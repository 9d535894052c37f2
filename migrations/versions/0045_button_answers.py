"""Answers to taps on ice breakers and menu items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0045"
down_revision = "0044"
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
        "button_answers",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("list_name", sa.String(16), nullable=False),
        sa.Column("digest", db.Ascii64, nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.Column("quick_replies", db.JsonDict, nullable=False),
        sa.Column("link_title", sa.String(64), nullable=False),
        sa.Column("link", db.LongText, nullable=False),
        sa.Column("hands_over", sa.Boolean(), nullable=False),
        sa.Column("team_id", db.Id, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_button_answers_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_button_answers_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_button_answers_team_id_teams", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_button_answers"),
        sa.UniqueConstraint("account_id", "list_name", "digest", name="uq_button_answers_payload"),
        sqlite_autoincrement=True,
        **TABLE,
    )
    op.create_index("ix_button_answers_workspace_id", "button_answers", ["workspace_id"])
    op.create_index("ix_button_answers_team_id", "button_answers", ["team_id"])
    op.add_column(
        "account_automations",
        sa.Column("has_buttons", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
