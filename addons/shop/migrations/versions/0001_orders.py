"""create shop_orders"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db
from host.sdk.migrations import create_table_if_missing, drop_table_if_present

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_table_if_missing(
        op,
        "shop_orders",
        sa.Column("workspace_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("order_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("email_hash", db.Ascii64, nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("is_paid", sa.Boolean(), nullable=False),
        sa.Column("changed_at", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "order_id", name="pk_shop_orders"),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_shop_orders_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.Index("ix_shop_orders_email_hash", "email_hash", "workspace_id"),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def downgrade() -> None:
    drop_table_if_present(op, "shop_orders")
