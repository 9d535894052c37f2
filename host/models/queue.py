"""The inbound log, the outbox, and the lanes that keep both in order."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from host.core.db import Ascii64, Base, ExternalId, Id, JsonDict, LongBlob, LongText, UTCDateTime
from host.models.channels import ChannelAccount
from host.models.inbox import Message


class EventState(StrEnum):
    PENDING = "pending"
    APPLIED = "applied"
    IGNORED = "ignored"
    """Parsed, but not for the inbox: a test from the provider's dashboard, an event older than a week."""
    DEAD = "dead"
    """Could not be applied; the reason is stored. An admin may replay it."""


# The same text as in the partial indexes of inbound_events, without which SQLite and PostgreSQL don't use
# them.
IS_PENDING = sa.text("inbound_events.state = 'pending'")
IS_SET_ASIDE = sa.text("inbound_events.state IN ('dead', 'ignored')")


class InboundRequest(Base):
    """One request of a provider, stored once, unchanged.

    The id contains the time (:func:`host.queue.spool.request_id`), so the primary key also finds by time.
    """

    __tablename__ = "inbound_requests"
    __writers__ = ("queue",)

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(sa.String(48))
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    remote: Mapped[str] = mapped_column(sa.String(64))
    body: Mapped[bytes | None] = mapped_column(LongBlob)


class InboundEvent(Base):
    """One envelope from a request. The unique key makes a redelivery harmless.

    ``account_key`` is the account's id as text, empty for none: NULLs would not be unique.

    Every index is written with every event, and each costs a page of the log. So two of them are partial,
    where the database can do that, and cover only the few rows that are not applied. A query that should use
    one must repeat its condition verbatim.
    """

    __tablename__ = "inbound_events"
    __writers__ = ("delivery", "queue")
    __table_args__ = (
        sa.UniqueConstraint("channel", "account_key", "dedupe_key"),
        sa.Index(
            "ix_inbound_events_lane",
            "lane",
            "state",
            "id",
            sqlite_where=sa.text("state = 'pending'"),
            postgresql_where=sa.text("state = 'pending'"),
        ),
        sa.Index(
            "ix_inbound_events_state",
            "state",
            "id",
            sqlite_where=sa.text("state IN ('dead', 'ignored')"),
            postgresql_where=sa.text("state IN ('dead', 'ignored')"),
        ),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    request_id: Mapped[int] = mapped_column(Id)
    channel: Mapped[str] = mapped_column(sa.String(32))
    account_id: Mapped[int | None] = mapped_column(Id)
    account_key: Mapped[str] = mapped_column(Ascii64)
    lane: Mapped[str] = mapped_column(Ascii64)
    dedupe_key: Mapped[str] = mapped_column(Ascii64)
    kind: Mapped[str] = mapped_column(sa.String(48))
    occurred_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    received_at: Mapped[datetime] = mapped_column(UTCDateTime)
    body: Mapped[bytes | None] = mapped_column(LongBlob)
    """The first ``MOST_IN_ROW`` bytes; a body with as many continues in :class:`InboundPart`."""
    state: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(500))
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    retry_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When a failed event is retried. Its lane waits for it, even if other events arrive."""
    applied_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    repeats: Mapped[str | None] = mapped_column(LongText)
    """Ids of the requests that brought it again, separated by commas."""
    forgotten_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time its message was unsent and its body deleted. If it is received again, it becomes pending again, so
    that the new request's body is deleted, too.
    """
    replayed_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When an admin last had it applied again."""


MOST_IN_ROW = 4 * 1024 * 1024
"""Most bytes of a body in one row: MariaDB's packets have 16 MB, and its driver may write a byte as two."""


class InboundPart(Base):
    """A further part of an event's body, numbered from 1.

    An event has parts exactly if its row has ``MOST_IN_ROW`` bytes of the body; the last part may be empty.
    """

    __tablename__ = "inbound_parts"
    __writers__ = ("queue",)

    event_id: Mapped[int] = mapped_column(
        sa.ForeignKey(InboundEvent.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    number: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(LongBlob)


class Lane(Base):
    """An ordered queue: one account and customer, in one direction. Leased as a whole, never by row.

    ``key`` is ``in:`` or ``out:``, the account id and a hash of the customer's id. ``next_at`` is when the
    lane is due (NULL: no work). ``fence`` grows with each lease, so that a worker whose lease has expired
    cannot write its result.
    """

    __tablename__ = "lanes"
    __writers__ = ("delivery", "queue")
    __table_args__ = (
        sa.Index("ix_lanes_due", "direction", "next_at"),
        sa.Index("ix_lanes_turn", "direction", "account_id", "next_at"),
        Base.__table_args__,
    )

    key: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    direction: Mapped[str] = mapped_column(sa.String(8))
    account_id: Mapped[int | None] = mapped_column(Id)
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    owner: Mapped[str | None] = mapped_column(Ascii64)
    fence: Mapped[int] = mapped_column(sa.BigInteger, default=0)


class SpooledLane(Base):
    """A lane whose older events are, or were, in the spool of a process; its events are ordered by receipt.

    They are not applied before *until*, which the process moves on while it stores them.
    """

    __tablename__ = "spooled_lanes"
    __writers__ = ("queue",)

    lane: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    spool: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    until: Mapped[datetime] = mapped_column(UTCDateTime)


class JoinedLane(Base):
    """A lane whose events wait in the *main* lane: the ids of both are one person's. ``main`` < ``lane``."""

    __tablename__ = "joined_lanes"
    __writers__ = ("queue",)
    __table_args__ = (sa.Index("ix_joined_lanes_main", "main"), Base.__table_args__)

    lane: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    main: Mapped[str] = mapped_column(Ascii64)
    account_id: Mapped[int] = mapped_column(Id)


class OutboxEntry(Base):
    """A message to send to the provider, written in the same transaction as the message."""

    __tablename__ = "outbox"
    __writers__ = ("delivery", "inbox", "queue")
    __table_args__ = (
        sa.Index("ix_outbox_lane", "lane", "open", "id"),
        sa.Index("ix_outbox_not_before", "not_before"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    message_id: Mapped[int] = mapped_column(sa.ForeignKey(Message.id, ondelete="CASCADE"), unique=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), index=True)
    lane: Mapped[str] = mapped_column(Ascii64)
    recipient: Mapped[str] = mapped_column(sa.String(512))
    open: Mapped[bool] = mapped_column(sa.Boolean, default=True)
    """Whether a worker still has to process it; the delivery state is the message's."""
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    attempted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    readings: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Number of times the provider's thread was read without finding the unconfirmed message."""
    resent: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """Whether it was sent again after being unconfirmed; workers do that only once, see ``transient``."""
    transient: Mapped[int] = mapped_column(sa.Integer, default=0, server_default="0")
    """Number of consecutive attempts that failed temporarily according to the provider; 0: the latest did
    not.
    """
    answered: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Whether the provider answered the latest attempt without success, and so has finished with it."""
    unread: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """Whether the provider's thread could not be read since the latest attempt."""
    waiting: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """Why it waits and until when, for the agent: sentence, until (ISO 8601)."""
    not_before: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Earliest time it is sent. For an open entry: until then its reply can be undone. For a closed one: its
    reply is scheduled, and becomes the last entry of its lane then.
    """
    unless_written: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    """For a scheduled reply: whether it is held if the customer writes first."""
    undo: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """The state restored when the reply is undone, see :mod:`host.inbox.unsent.undo`; NULL once it was
    passed to the provider, and for all parts of a reply except the first.
    """


class RefusedDelivery(Base):
    """The number of refused requests per channel, account, reason and day.

    No other data of them is stored.
    """

    __tablename__ = "refused_deliveries"
    __writers__ = ("queue",)

    channel: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    account_key: Mapped[str] = mapped_column(Ascii64, primary_key=True)
    reason: Mapped[str] = mapped_column(sa.String(48), primary_key=True)
    day: Mapped[str] = mapped_column(sa.String(10), primary_key=True)
    count: Mapped[int] = mapped_column(sa.BigInteger)
    last_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_remote: Mapped[str] = mapped_column(sa.String(64))
    last_hint: Mapped[str] = mapped_column(sa.String(16), default="")
    """The first few characters of the wrong value, for correcting it."""


class CatchUpState(StrEnum):
    """The state of reading an account's history."""

    LISTING = "listing"
    """The provider's threads are being listed."""
    READING = "reading"
    """Thread after thread is being read."""
    DONE = "done"
    FAILED = "failed"


class CatchUp(Base):
    """The latest reading of an account's history from the provider; one row per account.

    Each step is one call to the provider and one write of its result and the next position, so a process may
    die between any two.
    """

    __tablename__ = "catch_ups"
    __writers__ = ("delivery", "queue")
    __table_args__ = (sa.Index("ix_catch_ups_next_at", "next_at"), Base.__table_args__)

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    state: Mapped[str] = mapped_column(sa.String(16))
    cursor: Mapped[str] = mapped_column(LongText, default="")
    """The provider's cursor of the next page of threads."""
    since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Threads unchanged since then are skipped: they were already read; NULL: every thread is read."""
    missed_since: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Messages since then that are missing should have been delivered, and count as received now. Older ones
    are history. NULL: all are history.
    """
    started_at: Mapped[datetime] = mapped_column(UTCDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    complete_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the latest complete reading began."""
    next_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    claim: Mapped[str | None] = mapped_column(Ascii64)
    """The claim of the process that takes the next step; a step that lost it writes nothing."""
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Failed steps in a row."""
    problem: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """Why it waits or stopped: sentence, next_step."""


class CatchUpThread(Base):
    """A thread the provider listed, and the result of reading it."""

    __tablename__ = "catch_up_threads"
    __writers__ = ("delivery", "inbox", "queue")
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.Index("ix_catch_up_threads_state", "account_id", "state"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    contact: Mapped[str] = mapped_column(ExternalId)
    """The customer's id; the contact identity need not exist."""
    username: Mapped[str | None] = mapped_column(sa.String(255))
    updated_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    state: Mapped[str] = mapped_column(sa.String(16))
    was_here: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """Whether a conversation with the customer already existed."""
    cursor: Mapped[str] = mapped_column(LongText, default="")
    pages: Mapped[int] = mapped_column(sa.Integer, default=0)
    imported: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Number of messages that were missing here."""
    untold: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Number of missing messages of which the provider returned only the id."""
    problem: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)


class SecondLook(Base):
    """The schedule and the last result of an account's checks for undelivered messages.

    One row per connected account whose provider supports it. Each step is one call to the provider and one
    write.
    """

    __tablename__ = "second_looks"
    __writers__ = ("delivery",)
    __table_args__ = (sa.Index("ix_second_looks_next_at", "next_at"), Base.__table_args__)

    account_id: Mapped[int] = mapped_column(
        sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    since: Mapped[datetime] = mapped_column(UTCDateTime)
    """Start of deliveries: earlier messages are history, and were not missed."""
    next_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When the next step is due: a check, or reading a thread that looks incomplete."""
    look_at: Mapped[datetime] = mapped_column(UTCDateTime)
    """When the next check begins."""
    interval: Mapped[int] = mapped_column(sa.Integer)
    """Seconds between two checks."""
    reason: Mapped[str] = mapped_column(sa.String(16), default="")
    """Why the interval is longer than the shortest: ``budget``, ``quiet`` or ``limit``; empty: it is not.

    ``found`` and ``found-once``: it is the shortest because a check found something."""
    cursor: Mapped[str] = mapped_column(LongText, default="")
    """The provider's cursor of the next page of the current check; empty: no check is running."""
    began_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the latest check began."""
    looked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """When the latest complete check began."""
    seen_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The latest change of a thread the latest complete check saw, by the provider's clock."""
    seen_now: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The same of the current check."""
    calls: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Calls made since the latest check ended."""
    pages: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Pages read by the current check."""
    customers: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Customers it exchanged messages with within a day, counted at ``counted_at``."""
    counted_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    used_percent: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Used percentage of its limits, as reported by the provider."""
    claim: Mapped[str | None] = mapped_column(Ascii64)
    failures: Mapped[int] = mapped_column(sa.Integer, default=0)
    """Failed steps in a row."""
    problem: Mapped[dict[str, Any] | None] = mapped_column(JsonDict)
    """Why it waits: sentence, next_step."""


class SecondLookThread(Base):
    """A thread with messages the desk does not have."""

    __tablename__ = "second_look_threads"
    __writers__ = ("delivery",)
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.Index("ix_second_look_threads_due", "account_id", "due_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    contact: Mapped[str] = mapped_column(ExternalId)
    due_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """Time to read it unless everything was delivered by then; NULL once it was read."""
    unknown: Mapped[list[str]] = mapped_column(JsonDict)
    """Ids that caused it to be noted. After reading: ids that are not stored and were not missed."""
    deep: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    """Whether earlier messages than those listed may be missing, too."""
    listed_until: Mapped[datetime | None] = mapped_column(UTCDateTime)
    """The provider's time of the newest message when it was noted: a later one may still be delivered."""
    seen_at: Mapped[datetime] = mapped_column(UTCDateTime)


class MissedMessage(Base):
    """A message the provider did not deliver and a check found. Its content is not stored."""

    __tablename__ = "missed_messages"
    __writers__ = ("delivery",)
    __table_args__ = (
        sa.UniqueConstraint("account_id", "external_id"),
        sa.Index("ix_missed_messages_found", "account_id", "found_at"),
        sa.Index("ix_missed_messages_found_at", "found_at"),
        Base.__table_args__,
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelAccount.id, ondelete="CASCADE"))
    external_id: Mapped[str] = mapped_column(ExternalId)
    sent_at: Mapped[datetime] = mapped_column(UTCDateTime)
    found_at: Mapped[datetime] = mapped_column(UTCDateTime)
