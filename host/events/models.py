"""Tables of the event log: one row per event, and the position of each consumer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.functions import FunctionElement

from host.core.db import Ascii64, Base, Id, UTCDateTime


class ActorKind(StrEnum):
    """Kind of the actor of an event."""

    CUSTOMER = "customer"
    USER = "user"
    KEY = "key"
    """A program with an API key; the id is the key's."""
    PROVIDER = "provider"
    """A person using the provider's app, or the provider."""
    SYSTEM = "system"
    """The desk, automatically."""
    ADDON = "addon"
    """An addon; :attr:`DomainEvent.addon` is its slug."""


class CommitPlace(FunctionElement[int]):
    """Initial value of :attr:`DomainEvent.place`, by the kind of database."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(CommitPlace)
def _(_element: Any, _compiler: Any, **_: Any) -> str:
    return "0"


@compiles(CommitPlace, "mysql", "mariadb")
def _(_element: Any, _compiler: Any, **_: Any) -> str:
    return "NULL"


class DomainEvent(Base):
    """An event, or a change that only open browsers need to know.

    Written in the transaction of the change. Contains ids and small facts, never text that a customer wrote,
    nor the name of a person. It has no foreign keys, because a row outlives the objects it refers to.
    """

    __tablename__ = "domain_events"
    __writers__ = ("events",)
    __table_args__ = (
        sa.Index("ix_domain_events_workspace_id_id", "workspace_id", "id"),
        sa.Index("ix_domain_events_place_id", "place", "id"),
        {**Base.__table_args__, "sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    place: Mapped[int | None] = mapped_column(sa.BigInteger, server_default=CommitPlace())
    """Together with the id, its position in the event log; see :mod:`host.events.reading`."""
    workspace_id: Mapped[int] = mapped_column(Id)
    kind: Mapped[str | None] = mapped_column(Ascii64)
    """A name of :mod:`host.events.catalogue`; NULL: for browsers only, and removed after a day."""
    topic: Mapped[str | None] = mapped_column(sa.String(32))
    """The live event for browsers; NULL: none."""
    account_id: Mapped[int | None] = mapped_column(Id)
    conversation_id: Mapped[int | None] = mapped_column(Id)
    message_id: Mapped[int | None] = mapped_column(Id)
    actor_kind: Mapped[str | None] = mapped_column(sa.String(16))
    actor_id: Mapped[int | None] = mapped_column(Id)
    addon: Mapped[str | None] = mapped_column(sa.String(48))
    """The slug of the addon that did it; NULL: no addon did."""
    cause_id: Mapped[int | None] = mapped_column(Id)
    """The event whose consumer caused this one."""
    root_id: Mapped[int | None] = mapped_column(Id)
    """The first event of the causal chain."""
    depth: Mapped[int] = mapped_column(sa.SmallInteger, server_default="0")
    """Its distance from the root of the causal chain: 0 if it has no cause."""
    occurred_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When it happened, by the provider's clock; NULL: at ``at``."""
    at: Mapped[datetime] = mapped_column(UTCDateTime)
    data: Mapped[str | None] = mapped_column(sa.Text)
    """The facts of its kind beyond the ids, as JSON; NULL: none."""


class Consumer(Base):
    """The position of one consumer of the event log, and the process that reads for it."""

    __tablename__ = "consumers"
    __writers__ = ("events",)

    name: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    place: Mapped[int] = mapped_column(sa.BigInteger)
    event_id: Mapped[int] = mapped_column(Id)
    """Together with ``place``, the last event it has handled."""
    moved_at: Mapped[datetime] = mapped_column(UTCDateTime)
    owner: Mapped[str | None] = mapped_column(Ascii64)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    failing_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time since which its next event has been failing; NULL: it does not."""
    problem: Mapped[str | None] = mapped_column(sa.String(500))
    """The type of the error."""
