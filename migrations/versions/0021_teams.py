"""Teams: their members, their accounts, the team of a conversation; members who see what their teams do."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0021"
down_revision = "0020"
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
        "teams",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", db.Ascii64, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_teams_workspace_id_workspaces", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("workspace_id", "name_key", name="uq_teams_workspace_id_name_key"),
        **TABLE,
    )
    op.create_table(
        "team_members",
        sa.Column("team_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("lead", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("since", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_team_members_team_id_teams", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["user_id", "workspace_id"],
            ["memberships.user_id", "memberships.workspace_id"],
            name="fk_team_members_membership",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("team_id", "user_id", name="pk_team_members"),
        **TABLE,
    )
    op.create_index("ix_team_members_membership", "team_members", ["user_id", "workspace_id"])
    op.create_table(
        "team_accounts",
        sa.Column("team_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_team_accounts_team_id_teams", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_team_accounts_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("team_id", "account_id", name="pk_team_accounts"),
        **TABLE,
    )
    op.create_index("ix_team_accounts_account_id", "team_accounts", ["account_id"])
    op.add_column("conversations", sa.Column("team_id", db.Id, nullable=True))
    op.create_index(
        "ix_conversations_team",
        "conversations",
        [
            *("workspace_id", "status", "team_id", "last_message_at", "id"),
            *("waiting_since", "assignee_id", "account_id", "spam_at", "snooze_kind"),
        ],
    )
    op.add_column(
        "memberships", sa.Column("by_teams", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
