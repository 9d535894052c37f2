"""What a team keeps about its customers: own attributes, notes, opt-out, blocks, and who was merged."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    # Without foreign keys, for they would take a new table on SQLite.
    op.add_column("contacts", sa.Column("merged_into_id", db.Id, nullable=True))
    op.add_column("contacts", sa.Column("opted_out_at", db.UTCDateTime(), nullable=True))
    op.add_column("contacts", sa.Column("opted_out_by", db.Id, nullable=True))
    op.add_column("contacts", sa.Column("opted_out_source", sa.String(length=255), nullable=True))
    op.add_column("contacts", sa.Column("blocked_at", db.UTCDateTime(), nullable=True))
    op.create_index("ix_contacts_newest", "contacts", ["workspace_id", "merged_into_id", "id"])
    op.create_index("ix_contacts_merged_into_id", "contacts", ["merged_into_id"])
    op.create_index("ix_contacts_opted_out", "contacts", ["workspace_id", "opted_out_at"])
    op.create_index("ix_contacts_blocked", "contacts", ["workspace_id", "blocked_at"])
    op.add_column("contact_identities", sa.Column("blocked_at", db.UTCDateTime(), nullable=True))
    op.create_table(
        "contact_attributes",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("name_key", db.Ascii64, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("choices", db.JsonDict, nullable=True),
        sa.Column("created_at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_contact_attributes_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_contact_attributes"),
        sa.UniqueConstraint("workspace_id", "name_key", name="uq_contact_attributes_workspace_id_name_key"),
        **TABLE,
    )
    op.create_table(
        "contact_values",
        sa.Column("contact_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("attribute_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["contacts.id"],
            name="fk_contact_values_contact_id_contacts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["attribute_id"],
            ["contact_attributes.id"],
            name="fk_contact_values_attribute_id_contact_attributes",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("contact_id", "attribute_id", name="pk_contact_values"),
        **TABLE,
    )
    op.create_index("ix_contact_values_attribute", "contact_values", ["attribute_id", "value", "contact_id"])
    op.create_table(
        "contact_entries",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("contact_id", db.Id, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("text", db.LongText, nullable=False),
        sa.Column("content", db.JsonDict, nullable=False),
        sa.Column("author_id", db.Id, nullable=True),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["contacts.id"],
            name="fk_contact_entries_contact_id_contacts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name="fk_contact_entries_author_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_contact_entries"),
        **TABLE,
    )
    op.create_index("ix_contact_entries_contact", "contact_entries", ["contact_id", "at", "id"])
    op.create_index("ix_contact_entries_author", "contact_entries", ["author_id"])
    op.create_table(
        "contact_merges",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("contact_id", db.Id, nullable=False),
        sa.Column("other_id", db.Id, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("moved", db.JsonDict, nullable=False),
        sa.Column("taken", db.JsonDict, nullable=False),
        sa.Column("author_id", db.Id, nullable=True),
        sa.Column("at", db.UTCDateTime(), nullable=False),
        sa.Column("ended_at", db.UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["contact_id"],
            ["contacts.id"],
            name="fk_contact_merges_contact_id_contacts",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["other_id"], ["contacts.id"], name="fk_contact_merges_other_id_contacts", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name="fk_contact_merges_author_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_contact_merges"),
        **TABLE,
    )
    op.create_index("ix_contact_merges_contact", "contact_merges", ["contact_id", "state", "id"])
    op.create_index("ix_contact_merges_other", "contact_merges", ["other_id", "state"])
    op.create_index("ix_contact_merges_author", "contact_merges", ["author_id"])
