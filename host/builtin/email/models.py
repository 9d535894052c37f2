"""The table of mail servers of e-mail accounts, with their credentials."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

# Imported to define the host's account table, which the foreign key below needs.
from host.sdk import accounts as _accounts  # noqa: F401
from host.sdk.channel import AccountRef
from host.sdk.db import Ascii64, ExternalId, Id, LongText, UTCDateTime, addon_model_base, host_table
from host.sdk.secrets import Place

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase as Base
else:
    Base = addon_model_base("email")

ACCOUNTS = "channel_accounts"


class EmailAccount(Base):
    """The outgoing side of one e-mail account. The password is sealed, and NULL after disconnecting."""

    __tablename__ = "email_accounts"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table(ACCOUNTS).c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    address: Mapped[str] = mapped_column(sa.String(254))
    smtp_host: Mapped[str] = mapped_column(sa.String(253))
    smtp_port: Mapped[int] = mapped_column(sa.Integer)
    smtp_security: Mapped[str] = mapped_column(sa.String(16))
    smtp_user: Mapped[str] = mapped_column(sa.String(254))
    smtp_password: Mapped[str | None] = mapped_column(LongText)
    password_set_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    signature: Mapped[str | None] = mapped_column(LongText)
    reply_to: Mapped[str | None] = mapped_column(sa.String(254))


def password_place(account: AccountRef) -> Place:
    """Return the place the password of *account* is sealed for."""
    return Place(EmailAccount.__tablename__, "smtp_password", account.workspace_id, account.uuid)


class PersonsSignature(Base):
    """What stands beneath what one person writes from one account."""

    __tablename__ = "email_signatures"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table(ACCOUNTS).c.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    user_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("users").c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
        index=True,
    )
    text: Mapped[str] = mapped_column(LongText)


class Holding(Base):
    """An address without its tag, or a whole domain, and the workspace it belongs to.

    That of an address holds while a live account has it, and tells who had it last. An admin gives a domain.
    """

    __tablename__ = "email_holdings"

    name: Mapped[str] = mapped_column(ExternalId, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE"), index=True
    )
    since: Mapped[datetime] = mapped_column(UTCDateTime)


class AskedAccount(Base):
    """An account that an owner entered and somebody else has to confirm. Nothing is received for it."""

    __tablename__ = "email_asked"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "address"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE")
    )
    asked_by: Mapped[str] = mapped_column(sa.String(120))
    """The name of who asked, as it was then."""
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    name: Mapped[str] = mapped_column(sa.String(120))
    address: Mapped[str] = mapped_column(ExternalId)
    smtp_host: Mapped[str] = mapped_column(sa.String(253))
    smtp_port: Mapped[int] = mapped_column(sa.Integer)
    smtp_security: Mapped[str] = mapped_column(sa.String(16))
    smtp_user: Mapped[str] = mapped_column(sa.String(254))
    smtp_password: Mapped[str | None] = mapped_column(LongText)


def asked_password_place(workspace_id: int, uuid: str) -> Place:
    """Return where the password of an account that waits is sealed to."""
    return Place(AskedAccount.__tablename__, "smtp_password", workspace_id, uuid)
