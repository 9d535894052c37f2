"""Who wrote the word of a campaign, and which public answer is next."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.add_column("rules", sa.Column("turns", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "campaign_people",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("rule_id", db.Id, nullable=False),
        sa.Column("identity_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("message_id", db.Id, nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", db.Ascii64, nullable=True),
        sa.Column("private_id", db.Id, nullable=True),
        sa.Column("public_id", db.Id, nullable=True),
        sa.Column("public_number", sa.SmallInteger(), nullable=True),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("again_at", db.UTCDateTime(), nullable=True),
        sa.Column("answered_at", db.UTCDateTime(), nullable=True),
        *(
            sa.ForeignKeyConstraint(
                [column], [f"{table}.id"], name=f"fk_campaign_people_{column}_{table}", ondelete="CASCADE"
            )
            for column, table in (
                ("workspace_id", "workspaces"),
                ("rule_id", "rules"),
                ("identity_id", "contact_identities"),
                ("account_id", "channel_accounts"),
                ("conversation_id", "conversations"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name="pk_campaign_people"),
        sa.UniqueConstraint("rule_id", "identity_id", name="uq_campaign_people_rule_id_identity_id"),
        **TABLE,
    )
    op.create_index("ix_campaign_people_newest", "campaign_people", ["rule_id", "message_id"])
    for column in ("identity_id", "account_id", "conversation_id", "workspace_id"):
        op.create_index(f"ix_campaign_people_{column}", "campaign_people", [column])
