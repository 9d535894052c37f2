"""Which conversation goes on as which other, on another account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0036"
down_revision = "0035"
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
        "conversation_links",
        sa.Column("before_id", db.Id, nullable=False, autoincrement=False),
        sa.Column("after_id", db.Id, nullable=False),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["before_id"],
            ["conversations.id"],
            name="fk_conversation_links_before_id_conversations",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["after_id"],
            ["conversations.id"],
            name="fk_conversation_links_after_id_conversations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("before_id", name="pk_conversation_links"),
        sa.UniqueConstraint("after_id", name="uq_conversation_links_after_id"),
        **TABLE,
    )
