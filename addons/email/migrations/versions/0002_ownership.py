"""Owners of addresses and domains, and accounts waiting for confirmation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from host.sdk import clock, db, migrations

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLE = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    migrations.create_table_if_missing(
        op,
        "email_holdings",
        sa.Column("name", db.ExternalId, nullable=False),
        sa.Column("workspace_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("since", db.UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_email_holdings"),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_email_holdings_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    migrations.create_index_if_missing(
        op, "ix_email_holdings_workspace_id", "email_holdings", ["workspace_id"]
    )
    migrations.create_table_if_missing(
        op,
        "email_asked",
        sa.Column("id", db.Id, nullable=False),
        sa.Column("uuid", db.Ascii64, nullable=False),
        sa.Column("workspace_id", db.Id, autoincrement=False, nullable=False),
        sa.Column("asked_by", sa.String(120), nullable=False),
        sa.Column("asked_at", db.UTCDateTime(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("address", db.ExternalId, nullable=False),
        sa.Column("smtp_host", sa.String(253), nullable=False),
        sa.Column("smtp_port", sa.Integer(), nullable=False),
        sa.Column("smtp_security", sa.String(16), nullable=False),
        sa.Column("smtp_user", sa.String(254), nullable=False),
        sa.Column("smtp_password", db.LongText, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_email_asked"),
        sa.UniqueConstraint("uuid", name="uq_email_asked_uuid"),
        sa.UniqueConstraint("workspace_id", "address", name="uq_email_asked_workspace_id_address"),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name="fk_email_asked_workspace_id_workspaces",
            ondelete="CASCADE",
        ),
        **TABLE,
    )
    _note_who_has_what()


def _note_who_has_what() -> None:
    """Make workspaces the owners of existing accounts: of the live one, else of the last one."""
    connection = op.get_bind()
    accounts = sa.table(
        "channel_accounts",
        *map(sa.column, ("channel", "external_id", "workspace_id", "claim", "connected_at")),
    )
    holdings = sa.table(
        "email_holdings", sa.column("name"), sa.column("workspace_id"), sa.column("since", db.UTCDateTime())
    )
    query = (
        sa.select(accounts.c.external_id, accounts.c.workspace_id)
        .where(accounts.c.channel == "email")
        .order_by(accounts.c.claim.is_(None), accounts.c.connected_at.desc())
    )
    known = set(connection.scalars(sa.select(holdings.c.name)))
    for address, workspace_id in connection.execute(query).all():
        local, _, domain = address.rpartition("@")
        name = f"{local.partition('+')[0] or local}@{domain}"
        if name not in known:
            known.add(name)
            connection.execute(
                holdings.insert().values(name=name, workspace_id=workspace_id, since=clock.now())
            )


def downgrade() -> None:
    op.drop_table("email_asked")
    op.drop_table("email_holdings")
