"""Search: words of messages and contacts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.core import db

revision = "0016"
down_revision = "0015"
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
        "search_postings",
        sa.Column("workspace_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("term", db.Word, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("document_id", db.Id, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint(
            "workspace_id", "kind", "term", "at", "document_id", name="pk_search_postings"
        ),
        sqlite_with_rowid=False,
        **TABLE,
    )
    op.create_table(
        "search_documents",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("document_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("workspace_id", db.Id, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("terms", db.LongText, nullable=False),
        sa.PrimaryKeyConstraint("kind", "document_id", name="pk_search_documents"),
        sqlite_with_rowid=False,
        **TABLE,
    )
    op.create_index("ix_search_documents_workspace_id", "search_documents", ["workspace_id"])
    op.create_table(
        "search_builds",
        sa.Column("kind", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("begun_below", db.Id, nullable=False),
        sa.Column("below", db.Id, nullable=False),
        sa.Column("begun_at", db.UTCDateTime(), nullable=False),
        sa.Column("done_at", db.UTCDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("kind", name="pk_search_builds"),
        **TABLE,
    )
