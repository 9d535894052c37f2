"""Endpoints of other programs, what they are told, and how far each delivery is."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, Id, JsonDict, LongText, UTCDateTime
from host.models.users import User, Workspace


class EndpointState(StrEnum):
    """Whether an endpoint is told what happens."""

    ACTIVE = "active"
    PAUSED = "paused"
    """By somebody. What happens meanwhile is not kept for it; what waits goes on waiting."""
    OFF = "off"
    """By the desk, for the reason beside it; otherwise as paused."""


class OffReason(StrEnum):
    """Why the desk switched an endpoint off."""

    GONE = "gone"
    """It answered 410."""
    FAILING = "failing"
    """Nothing got through to it for five days."""


class Endpoint(Base):
    """An address that is told what happens in a workspace. Its secrets are sealed with its uuid."""

    __tablename__ = "endpoints"
    __writers__ = ("outgoing",)

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    uuid: Mapped[str] = mapped_column(Ascii64, unique=True)
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    url: Mapped[str] = mapped_column(sa.Text)
    events: Mapped[list[str]] = mapped_column(JsonDict)
    """Names it hears of; ``message.*`` stands for all that begin so, ``*`` for all."""
    accounts: Mapped[list[int]] = mapped_column(JsonDict)
    """Ids of the accounts it hears of; empty: all."""
    labels: Mapped[list[int] | None] = mapped_column(JsonDict)
    """Ids of labels: it hears of conversations that have one of them alone; NULL or empty: of all."""
    both_names: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """Whether it gets the host's event too where a channel has one of its own for the same."""
    ordered: Mapped[bool] = mapped_column(sa.Boolean, default=True)
    """Whether an event waits for the earlier ones of its conversation."""
    state: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(16))
    """A name of :class:`OffReason`; NULL unless it is off."""
    secret: Mapped[str] = mapped_column(sa.Text)
    old_secret: Mapped[str | None] = mapped_column(sa.Text)
    old_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Until when requests are signed with the old secret too."""
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the first of its failures came after which nothing got through; NULL: the last one did."""
    changed_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When its state changed last."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    created_by: Mapped[int | None] = mapped_column(sa.ForeignKey(User.id, ondelete="SET NULL"))


class EventBody(Base):
    """What endpoints are told of one event under one name. Every endpoint gets the same bytes.

    It has no foreign keys to the inbox: by these ids it is found when something is erased.
    """

    __tablename__ = "event_bodies"
    __writers__ = ("outgoing",)
    __table_args__ = (
        sa.Index("ix_event_bodies_message_id", "message_id"),
        sa.Index("ix_event_bodies_contact_id", "contact_id"),
        sa.Index("ix_event_bodies_at", "at"),
        Base.__table_args__,
    )

    id: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    """``evt_...``, made of the event and the name: the same however often the body is made."""
    workspace_id: Mapped[int] = mapped_column(sa.ForeignKey(Workspace.id, ondelete="CASCADE"), index=True)
    event_id: Mapped[int] = mapped_column(Id)
    """The event in the record; 0: a test."""
    name: Mapped[str] = mapped_column(Ascii64)
    conversation_id: Mapped[int | None] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    contact_id: Mapped[int | None] = mapped_column(Id)
    body: Mapped[str] = mapped_column(LongText)
    erased_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When what somebody said was removed from it."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)


class HookState(StrEnum):
    """How far a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


class HookDelivery(Base):
    """One body for one endpoint. It waits in a lane, of one endpoint and conversation, in order of events."""

    __tablename__ = "hook_deliveries"
    __writers__ = ("outgoing",)
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
    """The body's: the order in the lane."""
    lane: Mapped[str] = mapped_column(Ascii64)
    state: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Tries since it was last put in; a replay begins anew."""
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it is tried again; NULL: as soon as it is its turn."""
    status: Mapped[int | None] = mapped_column(sa.Integer)
    """Of the last try; NULL: there was no answer, or no try."""
    ms: Mapped[int | None] = mapped_column(sa.Integer)
    words: Mapped[str | None] = mapped_column(sa.String(500))
    """The beginning of the last answer, or why there was none."""
    tries: Mapped[list[Any]] = mapped_column(JsonDict)
    """The newest tries, oldest first: ``[ISO 8601, status or null, milliseconds]``."""
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    tried_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
