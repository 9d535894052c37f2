"""The table of mail servers of email accounts, with their credentials."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

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
    """The outgoing side of one email account. The password is sealed, and NULL after disconnecting."""

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
    quotes: Mapped[bool | None] = mapped_column(sa.Boolean)
    """Whether replies quote the message they answer; NULL: no."""


def password_place(account: AccountRef) -> Place:
    """Return the place the password of *account* is sealed for."""
    return Place(EmailAccount.__tablename__, "smtp_password", account.workspace_id, account.uuid)


class PersonsSignature(Base):
    """The signature of a person on one account."""

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
    """An address without its tag, or a whole domain, and the workspace that owns it.

    An address is owned while a live account has it; afterwards the row names its last owner. An admin assigns
    a domain.
    """

    __tablename__ = "email_holdings"

    name: Mapped[str] = mapped_column(ExternalId, primary_key=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE"), index=True
    )
    since: Mapped[datetime] = mapped_column(UTCDateTime)


class Alias(Base):
    """An alias of an account: its mail arrives in the same mailbox and is answered from the alias.

    It is live while its account is.
    """

    __tablename__ = "email_aliases"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table(ACCOUNTS).c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    address: Mapped[str] = mapped_column(ExternalId, primary_key=True, index=True)


class AskedAccount(Base):
    """An account or alias that an owner entered and someone else must confirm.

    Until then no mail is received for the account, and none is sent from the address.
    """

    __tablename__ = "email_asked"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "address"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE")
    )
    asked_by: Mapped[str] = mapped_column(sa.String(120))
    """Name of the person who asked, as it was then."""
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    name: Mapped[str] = mapped_column(sa.String(120))
    address: Mapped[str] = mapped_column(ExternalId)
    smtp_host: Mapped[str] = mapped_column(sa.String(253))
    smtp_port: Mapped[int] = mapped_column(sa.Integer)
    smtp_security: Mapped[str] = mapped_column(sa.String(16))
    smtp_user: Mapped[str] = mapped_column(sa.String(254))
    smtp_password: Mapped[str | None] = mapped_column(LongText)
    imap: Mapped[str | None] = mapped_column(LongText)
    """Its mailbox, as JSON without the password; NULL: none."""
    imap_password: Mapped[str | None] = mapped_column(LongText)
    oauth: Mapped[str | None] = mapped_column(LongText)
    """Sealed tokens from signing in; NULL: the account was entered by hand."""
    alias_of: Mapped[int | None] = mapped_column(Id)
    """The account it will be an alias of, which may no longer exist; NULL: it will be an account."""
    aliases: Mapped[str | None] = mapped_column(LongText)
    """Aliases that were entered with an account, as JSON."""


class OAuthApp(Base):
    """An app a workspace registered at a provider, used to sign in to its mailboxes."""

    __tablename__ = "email_oauth_apps"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "way"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE")
    )
    way: Mapped[str] = mapped_column(Ascii64)
    """One of :data:`.oauth.providers.WAYS`."""
    client_id: Mapped[str] = mapped_column(sa.String(255))
    client_secret: Mapped[str | None] = mapped_column(LongText)
    secret_set_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    details: Mapped[str] = mapped_column(LongText)
    """The tenant, or all addresses of a custom server, by form field, as JSON."""


class MailToken(Base):
    """The tokens of an account that was connected at a provider. Both are sealed.

    ``ended_at`` is when the provider rejected the refresh token for good; it is not used again.
    """

    __tablename__ = "email_tokens"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table(ACCOUNTS).c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    way: Mapped[str] = mapped_column(Ascii64)
    client_id: Mapped[str] = mapped_column(sa.String(255))
    """Client id of the app that got the tokens; no other app can renew them."""
    refresh_token: Mapped[str] = mapped_column(LongText)
    access_token: Mapped[str] = mapped_column(LongText)
    expires_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When the access token expires, or was refused."""
    renew_at: Mapped[datetime] = mapped_column(UTCDateTime)
    renewed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    signed_in_at: Mapped[datetime] = mapped_column(UTCDateTime)
    renewing_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Lease of the process that renews the token, because the provider accepts a refresh token only once."""
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    try_after: Mapped[datetime | None] = mapped_column(UTCDateTime)
    problem: Mapped[str | None] = mapped_column(sa.String(500))
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    person: Mapped[str | None] = mapped_column(sa.String(254))
    """Address of the person who signed in to a shared mailbox; NULL: the mailbox itself signed in."""


class DkimKey(Base):
    """The key that signs mails of a workspace's domain, if its mail server does not."""

    __tablename__ = "email_dkim_keys"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "domain"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table("workspaces").c.id, ondelete="CASCADE")
    )
    domain: Mapped[str] = mapped_column(ExternalId)
    selector: Mapped[str] = mapped_column(Ascii64)
    private_key: Mapped[str] = mapped_column(LongText)
    public_key: Mapped[str] = mapped_column(LongText)
    made_at: Mapped[datetime] = mapped_column(UTCDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    found_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When its record was found in the DNS; NULL: not found, and nothing is signed."""


class Trip(StrEnum):
    """State of a test mail that an account sent to itself."""

    ASKED = "asked"
    SENDING = "sending"
    SENT = "sent"
    """The server accepted it."""
    ARRIVED = "arrived"
    FAILED = "failed"
    """The server rejected it."""
    LOST = "lost"
    """Not received in time; it may still arrive."""


class RoundTrip(Base):
    """The last test mail an account sent to itself, to check sending and receiving."""

    __tablename__ = "email_round_trips"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table(ACCOUNTS).c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    marker: Mapped[str] = mapped_column(Ascii64)
    state: Mapped[str] = mapped_column(sa.String(16))
    asked_at: Mapped[datetime] = mapped_column(UTCDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    arrived_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    found: Mapped[str | None] = mapped_column(LongText)
    """How it arrived, its SPF, DKIM and DMARC results, and its signing domain, as JSON."""
    problem: Mapped[str | None] = mapped_column(sa.String(500))


class Import(StrEnum):
    """How much existing mail of a mailbox to import when it is connected."""

    NOTHING = "nothing"
    MONTH = "month"
    YEAR = "year"
    ALL = "all"


class Mailbox(Base):
    """The incoming side of an account whose mail is fetched from a mailbox by IMAP.

    ``user_name`` and ``password`` are empty if those for sending are used. ``holder`` is the process that
    reads it until ``held_until``.
    """

    __tablename__ = "email_mailboxes"

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(host_table(ACCOUNTS).c.id, ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )
    host: Mapped[str] = mapped_column(sa.String(253))
    port: Mapped[int] = mapped_column(sa.Integer)
    security: Mapped[str] = mapped_column(sa.String(16))
    user_name: Mapped[str] = mapped_column(sa.String(254))
    password: Mapped[str | None] = mapped_column(LongText)
    password_set_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    wanted: Mapped[str] = mapped_column(sa.String(16))
    """One of :class:`Import`."""
    since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Older mails on the server are not imported; NULL: no limit."""
    connected_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Older mails are imported without notifications."""
    saved_at: Mapped[datetime] = mapped_column(UTCDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the server last responded."""
    came_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it last received a mail."""
    problem: Mapped[str | None] = mapped_column(sa.String(500))
    """The current problem, in the server's or the system's words."""
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    holder: Mapped[str | None] = mapped_column(Ascii64)
    held_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    folders: Mapped[str | None] = mapped_column(LongText)
    """Names of the folders to read besides the inbox and the sent folder, as JSON."""

    @property
    def further(self) -> tuple[str, ...]:
        """Return :attr:`folders`."""
        return tuple(json.loads(self.folders)) if self.folders else ()


class Role(StrEnum):
    """Role of a folder."""

    INBOX = "inbox"
    SENT = "sent"


class Folder(Base):
    """A folder of a mailbox that is read.

    With the same ``uidvalidity``, a UID always means the same mail; when it changes, all UIDs do.
    """

    __tablename__ = "email_folders"
    __table_args__ = (sa.UniqueConstraint("account_id", "name"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(host_table(ACCOUNTS).c.id, ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(ExternalId)
    role: Mapped[str] = mapped_column(sa.String(16))
    uidvalidity: Mapped[int | None] = mapped_column(sa.BigInteger)
    base_uid: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    """The next UID when it was first read under this uidvalidity: mails from here on are new."""
    on_server: Mapped[int | None] = mapped_column(sa.Integer)
    """Number of wanted mails on the server at the last count."""
    counted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    added_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When a further folder was added; older mails came without notifications. NULL for other folders."""
    problem: Mapped[str | None] = mapped_column(sa.String(300))
    """For a further folder: why it cannot be read, in the server's words; empty: it does not exist."""


class MailState(StrEnum):
    """State of a mail of a folder."""

    TAKEN = "taken"
    CUT = "cut"
    """Too large: only its beginning was fetched."""
    UNREADABLE = "unreadable"
    """The server did not return it."""


class FolderMail(Base):
    """A processed mail of a folder: it was logged in the write that created this row."""

    __tablename__ = "email_mails"

    folder_id: Mapped[int] = mapped_column(
        sa.ForeignKey("email_folders.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    uid: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    state: Mapped[str] = mapped_column(sa.String(16))


def mailbox_password_place(account: AccountRef) -> Place:
    """Return the place the password of the mailbox of *account* is sealed for."""
    return Place(Mailbox.__tablename__, "password", account.workspace_id, account.uuid)


def asked_password_place(workspace_id: int, uuid: str, column: str = "smtp_password") -> Place:
    """Return the place a password of an account waiting for confirmation is sealed for."""
    return Place(AskedAccount.__tablename__, column, workspace_id, uuid)


def account_ref(row: Any) -> AccountRef:
    """Return the account of a row of the host's table of accounts."""
    return AccountRef(
        id=row.id,
        uuid=row.uuid,
        workspace_id=row.workspace_id,
        channel=row.channel,
        external_id=row.external_id,
        name=row.name,
        handle=row.handle,
    )


def app_place(row: OAuthApp) -> Place:
    """Return the place the secret of an app is sealed for."""
    return Place(OAuthApp.__tablename__, "client_secret", row.workspace_id, row.uuid)


def token_place(account: AccountRef, column: str) -> Place:
    """Return the place a token of *account* is sealed for."""
    return Place(MailToken.__tablename__, column, account.workspace_id, account.uuid)
