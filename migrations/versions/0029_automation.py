"""What accounts say and do by themselves, a row for each thing to do, and who is on duty."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    for name in ("on_duty_since", "given_at"):
        op.add_column("memberships", sa.Column(name, db.UTCDateTime(), nullable=True))
    op.create_table(
        "account_automations",
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("greets", sa.Boolean(), nullable=False),
        sa.Column("greeting", db.LongText, nullable=False),
        sa.Column("silence_days", sa.Integer(), nullable=False),
        sa.Column("greets_on", db.JsonDict, nullable=False),
        sa.Column("tells_away", sa.Boolean(), nullable=False),
        sa.Column("away", db.LongText, nullable=False),
        sa.Column("routes", sa.Boolean(), nullable=False),
        sa.Column("team_id", db.Id, nullable=True),
        sa.Column("to_person", sa.Boolean(), nullable=False),
        sa.Column("to_last", sa.Boolean(), nullable=False),
        sa.Column("changed_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["channel_accounts.id"],
            name="fk_account_automations_account_id_channel_accounts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_account_automations_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_id"], ["teams.id"], name="fk_account_automations_team_id_teams", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("account_id", name="pk_account_automations"),
        **TABLE,
    )
    op.create_index("ix_account_automations_workspace_id", "account_automations", ["workspace_id"])
    op.create_index("ix_account_automations_team_id", "account_automations", ["team_id"])
    op.create_table(
        "automation_runs",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("automation_id", db.Id, nullable=False),
        sa.Column("automation_version", sa.Integer(), nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("message_id", db.Id, nullable=True),
        sa.Column("cause_id", db.Id, nullable=False),
        sa.Column("root_id", db.Id, nullable=False),
        sa.Column("depth", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("reason", db.Ascii64, nullable=True),
        sa.Column("facts", db.JsonDict, nullable=False),
        sa.Column("sent_id", db.Id, nullable=True),
        sa.Column("team_id", db.Id, nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("done_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_automation_runs_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_automation_runs_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_automation_runs"),
        sa.UniqueConstraint("root_id", "kind", "automation_id", name="uq_automation_runs_once"),
        **TABLE,
    )
    for name, columns in (
        ("due", ["state", "due_at", "id"]),
        ("team", ["team_id", "state", "id"]),
        ("conversation", ["conversation_id", "outcome", "id"]),
        ("automation", ["kind", "automation_id", "done_at"]),
        ("workspace_id", ["workspace_id", "id"]),
    ):
        op.create_index(f"ix_automation_runs_{name}", "automation_runs", columns)
