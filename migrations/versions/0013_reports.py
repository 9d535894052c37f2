"""How long customers waited, and sums by the hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}
COUNTS = ("received", "sent", "failed", "created", "reopened", "closed")
KINDS = ("first", "next", "resolve")


def upgrade() -> None:
    op.create_table(
        "spans",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("account_id", db.Id, nullable=False),
        sa.Column("conversation_id", db.Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("started_at", db.UTCDateTime(), nullable=False),
        sa.Column("ended_at", db.UTCDateTime(), nullable=True),
        sa.Column("hour", db.UTCDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=16), nullable=True),
        sa.Column("user_id", db.Id, nullable=False),
        sa.Column("seconds", sa.BigInteger(), nullable=True),
        sa.Column("answered", sa.Boolean(), nullable=False),
        sa.Column("window_until", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_spans_workspace_id_workspaces", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_spans"),
        **TABLE,
    )
    op.create_index("ix_spans_open", "spans", ["conversation_id", "ended_at"])
    op.create_index(
        "ix_spans_ended",
        "spans",
        ["workspace_id", "kind", "ended_by", "hour", "account_id", "user_id", "seconds"],
    )
    op.create_index("ix_spans_started", "spans", ["workspace_id", "kind", "started_at"])
    op.create_index(
        "ix_spans_window",
        "spans",
        ["workspace_id", "window_until", "ended_at", "started_at", "account_id", "user_id"],
    )
    op.create_table(
        "report_hours",
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("hour", db.UTCDateTime(), nullable=False),
        sa.Column("account_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("user_id", db.Id, autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in COUNTS),
        *(
            column
            for kind in KINDS
            for column in (
                sa.Column(f"{kind}_count", sa.Integer(), nullable=False),
                sa.Column(f"{kind}_seconds", sa.BigInteger(), nullable=False),
            )
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_report_hours_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "hour", "account_id", "user_id", name="pk_report_hours"),
        **TABLE,
    )
