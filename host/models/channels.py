"""The account table shared by all channels; credentials are in the addon's table."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, ExternalId, Id, JsonDict, LongText, UTCDateTime
from host.models.users import User, Workspace
from host.sdk.channel import AccountRef


class AccountState(StrEnum):
    """Whether an account receives and sends."""

    CONNECTED = "connected"
    NEEDS_RECONNECT = "needs_reconnect"
    """Receives; replies wait for new credentials."""
    DISCONNECTED = "disconnected"


class ChannelAccount(Base):
    """One connected account of one channel in one workspace.

    ``claim`` is ``channel:external_id`` while connected and NULL after, so that the database itself keeps an
    account from being live in two workspaces.
    """

    __tablename__ = "channel_accounts"
    __writers__ = ("channels", "delivery", "inbox.apply")
    __table_args__ = (
        sa.Index("ix_channel_accounts_channel_external_id", "channel", "external_id"),
        sa.Index("ix_channel_accounts_probe_at", "probe_at"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    channel: Mapped[str] = mapped_column(sa.String(32))
    external_id: Mapped[str] = mapped_column(ExternalId)
    claim: Mapped[str | None] = mapped_column(ExternalId, unique=True)
    name: Mapped[str] = mapped_column(sa.String(120))
    handle: Mapped[str] = mapped_column(sa.String(255))
    way: Mapped[str] = mapped_column(sa.String(32))
    """How it was connected, named by the addon: ``pasted``, ``sign-in``."""
    state: Mapped[str] = mapped_column(sa.String(32))
    state_reason: Mapped[str | None] = mapped_column(sa.String(500))
    settings: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    connected_at: Mapped[datetime] = mapped_column(UTCDateTime)
    disconnected_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_event_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    blocked_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time until which the account's replies wait because of a provider's limit."""
    blocked_reason: Mapped[str | None] = mapped_column(sa.String(500))
    reply_target: Mapped[int | None] = mapped_column(sa.Integer)
    """Target time in minutes for answering a customer; NULL: none."""
    beside_id: Mapped[int | None] = mapped_column(Id)
    """The account of another channel with shared credentials and customers; both refer to each other."""
    limited_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time until which replies are known to wait repeatedly for a limit, each briefly.

    It holds back nothing: it distinguishes replies that wait on purpose from replies that wait for a worker.
    """
    failures: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Number of consecutive calls that its provider did not accept for reasons unrelated to the calls."""
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the first of them was."""
    probe_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the next try of one reply, for whose result the others wait; NULL: its provider is not known to
    be unavailable.
    """


class AccountWarning(Base):
    """An active warning about an account; at most one of each kind."""

    __tablename__ = "account_warnings"
    __writers__ = ("channels",)

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    """The name given by the code that raised it: ``token-ends``."""
    uuid: Mapped[str] = mapped_column(Ascii64)
    stage: Mapped[str] = mapped_column(sa.String(64))
    """Its current severity; people are notified again when it changes."""
    tone: Mapped[str] = mapped_column(sa.String(8))
    sentence: Mapped[str] = mapped_column(LongText)
    next_step: Mapped[str] = mapped_column(LongText)
    details: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    since: Mapped[datetime] = mapped_column(UTCDateTime)


class SignInState(StrEnum):
    """The progress of a sign-in in a provider's dialog."""

    AWAY = "away"
    """The person is at the provider's dialog."""
    BACK = "back"
    """The person has returned; the addon is asking the provider."""
    CHOOSING = "choosing"
    """The person is choosing an account."""
    DONE = "done"
    FAILED = "failed"


class SignInAttempt(Base):
    """One sign-in in a provider's dialog: valid once, for a limited time, for one login session and
    workspace.
    """

    __tablename__ = "sign_ins"
    __writers__ = ("channels",)
    __table_args__ = (sa.Index("ix_sign_ins_created_at", "created_at"), Base.__table_args__)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"))
    user_id: Mapped[int] = mapped_column(sa.ForeignKey(User.id, ondelete="CASCADE"))
    login_id: Mapped[int] = mapped_column(sa.BigInteger)
    """The login session it belongs to; no foreign key, because a logout must not delete the row."""
    channel: Mapped[str] = mapped_column(sa.String(32))
    way: Mapped[str] = mapped_column(sa.String(32))
    account_id: Mapped[int | None] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    """The account being connected again."""
    abilities: Mapped[list[str]] = mapped_column(JsonDict)
    """The additional permissions that are requested."""
    state: Mapped[str] = mapped_column(sa.String(16))
    candidates: Mapped[str | None] = mapped_column(LongText)
    """Sealed JSON while choosing, NULL before and after."""
    outcome: Mapped[dict[str, Any]] = mapped_column(JsonDict)
    """At the end: ``sentence`` and ``next_step``, or ``handles`` of the connected accounts."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


def ref(row: ChannelAccount) -> AccountRef:
    """Return *row* as the plain value adapters get."""
    return AccountRef(
        id=row.id,
        uuid=row.uuid,
        workspace_id=row.workspace_id,
        channel=row.channel,
        external_id=row.external_id,
        name=row.name,
        handle=row.handle,
        settings=row.settings,
        beside_id=row.beside_id,
    )
