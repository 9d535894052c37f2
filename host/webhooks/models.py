"""Webhook endpoints, the bodies for them, and the state of each delivery."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.users import User, Workspace


class EndpointState(StrEnum):
    """The state of an endpoint."""

    ACTIVE = "active"
    PAUSED = "paused"
    """Paused by a person. New events are not kept for it; pending deliveries stay pending."""
    OFF = "off"
    """Disabled by the desk, for the reason in ``reason``; otherwise as paused."""


class OffReason(StrEnum):
    """The reason the desk disabled an endpoint."""

    GONE = "gone"
    """The endpoint answered 410."""
    FAILING = "failing"
    """Nothing was delivered to it for five days."""


class Endpoint(Base):
    """An address that receives events of a workspace. Its secrets are sealed with its uuid."""

    __tablename__ = "endpoints"
    __writers__ = ("webhooks",)
    __table_args__ = ({**Base.__table_args__, "sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(sa.Text)
    events: Mapped[list[str]] = mapped_column(JsonDict)
    """Names of subscribed events; ``message.*`` stands for all with that prefix, ``*`` for all."""
    accounts: Mapped[list[int]] = mapped_column(JsonDict)
    """Ids of subscribed accounts; empty: all."""
    labels: Mapped[list[int] | None] = mapped_column(JsonDict)
    """Ids of labels: only events of conversations with one of them are sent; NULL or empty: all."""
    both_names: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """Whether it also gets the built-in event if a channel's event replaces it."""
    ordered: Mapped[bool] = mapped_column(sa.Boolean, default=True)
    """Whether an event waits for earlier ones of its conversation."""
    state: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(16))
    """A value of :class:`OffReason`; NULL unless it is off."""
    secret: Mapped[str] = mapped_column(sa.Text)
    old_secret: Mapped[str | None] = mapped_column(sa.Text)
    old_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time until which requests are also signed with the old secret."""
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the first failure since the last success; NULL if the last delivery succeeded."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """Time of the last change of its state."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))


class EventBody(Base):
    """The body of one event under one name. Every endpoint gets the same bytes.

    It has no foreign keys to the inbox: these ids are used to find it when data is erased.
    """

    __tablename__ = "event_bodies"
    __writers__ = ("webhooks",)
    __table_args__ = (
        sa.Index("ix_event_bodies_message_id", "message_id"),
        sa.Index("ix_event_bodies_contact_id", "contact_id"),
        sa.Index("ix_event_bodies_at", "at"),
        Base.__table_args__,
    )

    id: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    """``evt_...``, derived from the event and the name, so that rebuilding the body gives the same id."""
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    event_id: Mapped[int] = mapped_column(Id)
    """The event in the event log; 0: a test."""
    name: Mapped[str] = mapped_column(Ascii64)
    conversation_id: Mapped[int | None] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    contact_id: Mapped[int | None] = mapped_column(Id)
    body: Mapped[str] = mapped_column(LongText)
    erased_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time at which personal content was removed from it."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class HookState(StrEnum):
    """The state of a delivery."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class HookDelivery(Base):
    """One body for one endpoint. It waits in a lane (one endpoint and conversation), in order of events."""

    __tablename__ = "hook_deliveries"
    __writers__ = ("webhooks",)
    __table_args__ = (
        sa.UniqueConstraint("endpoint_id", "body_id"),
        sa.Index("ix_hook_deliveries_lane", "lane", "state", "event_id", "id"),
        sa.Index("ix_hook_deliveries_log", "endpoint_id", "state", "id"),
        sa.Index("ix_hook_deliveries_body_id", "body_id"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    endpoint_id: Mapped[int] = mapped_column(sa.ForeignKey(Endpoint.id, ondelete="CASCADE"))
    body_id: Mapped[str] = mapped_column(Ascii64, sa.ForeignKey(EventBody.id, ondelete="CASCADE"))
    event_id: Mapped[int] = mapped_column(Id)
    """The body's event, which defines the order in the lane."""
    lane: Mapped[str] = mapped_column(Ascii64)
    state: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Attempts since it was last queued; a replay restarts at zero."""
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time of the next attempt; NULL: as soon as it is its turn."""
    status: Mapped[int | None] = mapped_column(sa.Integer)
    """Status of the last attempt; NULL: there was no answer, or no attempt."""
    ms: Mapped[int | None] = mapped_column(sa.Integer)
    words: Mapped[str | None] = mapped_column(sa.String(500))
    """Beginning of the last answer, or the reason for none."""
    tries: Mapped[list[Any]] = mapped_column(JsonDict)
    """The newest attempts, oldest first: ``[ISO 8601, status or null, milliseconds]``."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
