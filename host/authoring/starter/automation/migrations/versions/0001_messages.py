"""create pigeon_messages"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import db
from host.sdk.migrations import create_index_if_missing, create_table_if_missing, drop_table_if_present

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_table_if_missing(
        op,
        "pigeon_messages",
        sa.Column("event_id", db.Ascii64, nullable=False),
        sa.Column("contact_id", db.Id, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name="pk_pigeon_messages"),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["contacts.id"],
            name="fk_pigeon_messages_contact_id_contacts",
            ondelete="CASCADE",
        ),
        mysql_engine="InnoDB",
        mariadb_engine="InnoDB",
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )
    create_index_if_missing(op, "ix_pigeon_messages_contact_id", "pigeon_messages", ["contact_id"])


def downgrade() -> None:
    drop_table_if_present(op, "pigeon_messages")
