"""Push notifications: the key of the desk, devices, and pushes to send."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

SERVERS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    op.create_table(
        "push_keys",
        sa.Column("id", db.Id, nullable=False, autoincrement=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("public", sa.String(120), nullable=False),
        sa.Column("private", sa.Text, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_push_keys"),
        sa.UniqueConstraint("uuid", name="uq_push_keys_uuid"),
        **SERVERS,
    )
    op.create_table(
        "push_devices",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("session_id", db.Id, nullable=True),
        sa.Column("key_id", db.Id, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("endpoint_hash", db.Ascii64, nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("p256dh", sa.String(120), nullable=False),
        sa.Column("auth", sa.Text, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("content", sa.Boolean(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.Column("seen_at", db.UTCDateTime(), nullable=False),
        sa.Column("sent_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_push_devices_user_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["login_sessions.id"],
            name="fk_push_devices_session_id_login_sessions",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["key_id"], ["push_keys.id"], name="fk_push_devices_key_id_push_keys", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_push_devices"),
        sa.UniqueConstraint("uuid", name="uq_push_devices_uuid"),
        sa.UniqueConstraint("endpoint_hash", name="uq_push_devices_endpoint_hash"),
        **SERVERS,
    )
    for column in ("user_id", "session_id", "key_id"):
        op.create_index(f"ix_push_devices_{column}", "push_devices", [column])
    op.create_table(
        "push_deliveries",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("device_id", db.Id, nullable=False),
        sa.Column("notification_id", db.Id, nullable=False),
        sa.Column("wanted", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", db.UTCDateTime(), nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"],
            ["push_devices.id"],
            name="fk_push_deliveries_device_id_push_devices",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name="fk_push_deliveries_notification_id_notifications",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_push_deliveries"),
        sa.UniqueConstraint(
            "device_id", "notification_id", name="uq_push_deliveries_device_id_notification_id"
        ),
        **SERVERS,
    )
    op.create_index("ix_push_deliveries_due_at", "push_deliveries", ["due_at"])
    op.create_index("ix_push_deliveries_notification_id", "push_deliveries", ["notification_id"])
    op.add_column(
        "workspaces",
        sa.Column("pushes_content", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
