"""Endpoints of other programs, what they are told, and deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0011"
down_revision = "0010"
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
        "endpoints",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", db.JsonDict, nullable=False),
        sa.Column("accounts", db.JsonDict, nullable=False),
        sa.Column("both_names", sa.Boolean(), nullable=False),
        sa.Column("ordered", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=16), nullable=True),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_until", db.UTCDateTime(), nullable=True),
        sa.Column("failing_since", db.UTCDateTime(), nullable=True),
        sa.Column("changed_at", db.UTCDateTime(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("created_by", db.Id, nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_endpoints_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["users.id"], name="fk_endpoints_created_by_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_endpoints"),
        sa.UniqueConstraint("uuid", name="uq_endpoints_uuid"),
        **TABLE,
    )
    op.create_index("ix_endpoints_workspace_id", "endpoints", ["workspace_id"])
    op.create_table(
        "event_bodies",
        sa.Column("id", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("event_id", db.Id, nullable=False),
        sa.Column("name", db.Ascii64, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=True),
        sa.Column("message_id", db.Id, nullable=True),
        sa.Column("contact_id", db.Id, nullable=True),
        sa.Column("body", db.LongText, nullable=False),
        sa.Column("erased_at", db.UTCDateTime(), nullable=True),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_event_bodies_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_event_bodies"),
        **TABLE,
    )
    op.create_index("ix_event_bodies_workspace_id", "event_bodies", ["workspace_id"])
    op.create_index("ix_event_bodies_message_id", "event_bodies", ["message_id"])
    op.create_index("ix_event_bodies_contact_id", "event_bodies", ["contact_id"])
    op.create_index("ix_event_bodies_at", "event_bodies", ["at"])
    op.create_table(
        "hook_deliveries",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("endpoint_id", db.Id, nullable=False),
        sa.Column("body_id", db.Ascii64, nullable=False),
        sa.Column("event_id", db.Id, nullable=False),
        sa.Column("lane", db.Ascii64, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", db.UTCDateTime(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("ms", sa.Integer(), nullable=True),
        sa.Column("words", sa.String(length=500), nullable=True),
        sa.Column("tries", db.JsonDict, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("tried_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["endpoints.id"],
            name="fk_hook_deliveries_endpoint_id_endpoints",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["body_id"],
            ["event_bodies.id"],
            name="fk_hook_deliveries_body_id_event_bodies",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_hook_deliveries"),
        sa.UniqueConstraint("endpoint_id", "body_id", name="uq_hook_deliveries_endpoint_id_body_id"),
        **TABLE,
    )
    op.create_index("ix_hook_deliveries_lane", "hook_deliveries", ["lane", "state", "event_id", "id"])
    op.create_index("ix_hook_deliveries_log", "hook_deliveries", ["endpoint_id", "state", "id"])
    op.create_index("ix_hook_deliveries_body_id", "hook_deliveries", ["body_id"])
