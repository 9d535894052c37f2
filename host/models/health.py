"""Counts by five minutes, and the processes that share the database. It contains no data about customers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, UTCDateTime

TOTAL = 0
"""The minute of the counts since the desk was set up, which are never removed."""


class Metric(StrEnum):
    """Metrics, with the label of each."""

    RECEIVED = "received"
    """Events stored in the journal; no label."""
    HANDLED = "handled"
    """Events by their result: ``applied``, ``ignored``, ``dead``."""
    SENDS = "sends"
    """Attempts to send, by :class:`Outcome`."""
    REFUSED = "refused"
    """Refused webhook requests, by reason."""
    VISIBLE = "visible"
    """Milliseconds from received to visible: a class of :mod:`host.core.histogram`, or ``sum``."""
    ANSWERED = "answered"
    """Milliseconds until a webhook was answered; labels as for ``VISIBLE``."""
    ACCOUNT = "account"
    """Events of one account, by its id. Not in :data:`TOTAL`."""
    HTTP = "http"
    """Milliseconds until a page or the API answered; ``page`` or ``api`` is in the channel's place.

    Labels as for ``VISIBLE``. In :data:`TOTAL` alone.
    """
    ERRORS = "errors"
    """Answers of pages and of the API from 500 on, by status; otherwise as ``HTTP``."""
    WAITING = "waiting"
    """Longest wait of the oldest due lane in milliseconds: ``in``, ``out``. Not in :data:`TOTAL`."""
    LOOP = "loop"
    """Longest time in milliseconds for which a web process's event loop was blocked; no label.

    Not in :data:`TOTAL`.
    """
    UNDONE = "undone"
    """Writes that the database rolled back and that were retried: ``deadlock``, ``lock``, ``conflict``."""
    ADDON_FAULTS = "addon_faults"
    """Errors in an addon's code; its slug is in the channel's place; no label. In :data:`TOTAL` alone."""
    MISSED = "missed"
    """Messages that a provider did not deliver but the desk found; no label."""
    CALLS_HUNG = "calls_hung"
    """Calls of an addon's panels, actions, conditions, tools and routes that did not return in time.

    The addon's slug is in the channel's place; the label is the kind of function.
    """
    FUNCTIONS_HUNG = "functions_hung"
    """The same, by kind and name of the function. Not in :data:`TOTAL`."""
    SLOW = "slow"
    """Answers of pages and of the API that took too long, by the endpoint. Not in :data:`TOTAL`."""
    SLOWEST = "slowest"
    """The longest of them in milliseconds, by the endpoint. Not in :data:`TOTAL`."""


class Outcome(StrEnum):
    """The outcome of an attempt to send."""

    SENT = "sent"
    RETRIED = "retried"
    """Certainly not sent; retried."""
    HELD = "held"
    """Waits for new credentials of its account."""
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"


class Kind(StrEnum):
    """The kind of a process."""

    WEB = "web"
    WORKER = "worker"


class BrokerState(StrEnum):
    """Whether the broker answers a process."""

    ANSWERS = "answers"
    AWAY = "away"


class HealthMinute(Base):
    """Counts within some minutes, over all processes.

    ``minute`` is the first of them, in whole minutes since 1970 in UTC, or :data:`TOTAL`.
    """

    __tablename__ = "health_minutes"
    __writers__ = ("recording",)

    metric: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    minute: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    channel: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    label: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    count: Mapped[int] = mapped_column(sa.BigInteger)


class Process(Base):
    """One process that serves or delivers.

    It writes its row every few seconds and removes it when it exits; a row that is no longer written belongs
    to a process that died.
    """

    __tablename__ = "processes"
    __writers__ = ("health",)

    id: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.String(16))
    machine: Mapped[str] = mapped_column(sa.String(255))
    pid: Mapped[int] = mapped_column(sa.Integer)
    version: Mapped[str] = mapped_column(sa.String(64))
    generation: Mapped[int] = mapped_column(sa.BigInteger)
    workers: Mapped[int] = mapped_column(sa.Integer)
    """Number of its delivery threads."""
    senders: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Number of its sender threads."""
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)
    spooled: Mapped[int] = mapped_column(sa.Integer)
    """Requests that wait in its spool."""
    spooled_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    spooled_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the oldest of them was received."""
    spool_aside: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Files set aside in its spool."""
    spool_most: Mapped[int] = mapped_column(sa.BigInteger, default=0, server_default="0")
    """Most bytes of its spool; 0: unknown."""
    broker: Mapped[str] = mapped_column(sa.String(16), default="", server_default="")
    """Whether the broker answers it, a :class:`BrokerState`; empty: it uses none, or has not checked yet."""
    broker_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    limits_away_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time since which that place has not answered it; NULL: it answers."""
    clock_ahead_ms: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Lead of its clock over the database's; NULL: unknown, or SQLite, which has none."""
    counts_at: Mapped[str] = mapped_column(sa.String(255), default="", server_default="")
    """The place where it counts calls to providers: :func:`host.queue.limit_counters.place`."""
