"""Build the journal's rows and INSERTs in the driver's own terms.

One commit of the journal writes hundreds of rows; going through the ORM, or through SQLAlchemy's types, costs
more than the database does. Everything here is checked against the models by the journal's tests, which read
the rows back through them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import MOST_ROWS, InsertText
from host.models.queue import EventState
from host.queue import policy, wakeups
from host.queue.lanes import keep_earlier_clause, lane_key
from host.queue.spool import Delivery, request_id
from host.queue.wakeups import IN
from host.sdk.webhooks import Envelope

PENDING = EventState.PENDING.value
STALE = f"older than {policy.KEYS_KEPT.days} days by the provider's time"


class RequestRow(NamedTuple):
    """The columns the journal writes of a request. Times are as the driver wants them."""

    id: int
    source: str
    received_at: Any
    remote: str
    body: bytes


class EventRow(NamedTuple):
    """The columns the journal writes of an event."""

    request_id: int
    channel: str
    account_id: int | None
    account_key: str
    lane: str
    dedupe_key: str
    kind: str
    occurred_at: Any
    received_at: Any
    body: bytes
    state: str
    reason: str | None
    attempts: int


class LaneRow(NamedTuple):
    """The columns it writes of a lane in which an event waits."""

    key: str
    direction: str
    account_id: int | None
    next_at: Any
    fence: int


class Insert:
    """One INSERT of many rows.

    SQLite gets several rows per statement: each step of a statement gives the interpreter's lock away, and
    with dozens of waiting threads that costs more than the row.

    :param columns: names of the columns, in the order of a row's fields.
    :param conflict: the clause for a row that is there already.
    """

    def __init__(self, dialect: sa.Dialect, table: str, columns: Sequence[str], conflict: str) -> None:
        self.text = InsertText(dialect, table, columns, conflict)
        self._many = dialect.name == "sqlite"

    def run(self, cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert *rows*, in order."""
        if not self._many:
            if rows:
                cursor.executemany(self.text.of(), rows)
            return
        for at in range(0, len(rows), MOST_ROWS):
            some = rows[at : at + MOST_ROWS]
            cursor.execute(self.text.of(len(some)), tuple(chain.from_iterable(some)))


@cache
def statements_for(dialect: str) -> Statements:
    """Return the statements of the journal for one kind of database, made once."""
    return Statements(dialect)


class Statements:
    """The three INSERTs of the journal for one kind of database, and how it wants its times."""

    def __init__(self, dialect: str) -> None:
        mysql = dialect in {"mysql", "mariadb"}
        ignore = "ON DUPLICATE KEY UPDATE id=id" if mysql else "ON CONFLICT DO NOTHING"
        note_repeat = _again("VALUES({})") if mysql else _again("excluded.{}", "inbound_events.")
        note_repeat = (
            f"ON DUPLICATE KEY UPDATE {note_repeat}"
            if mysql
            else f"ON CONFLICT (channel, account_key, dedupe_key) DO UPDATE SET {note_repeat}"
        )
        sql: sa.Dialect = sa.make_url("mysql://" if mysql else f"{dialect}://").get_dialect()()
        self.request = Insert(sql, "inbound_requests", RequestRow._fields, ignore)
        self.event = Insert(sql, "inbound_events", EventRow._fields, note_repeat)
        self.lane = Insert(sql, "lanes", LaneRow._fields, keep_earlier_clause(sql))
        self.time: Callable[[datetime], Any] = _TIMES.get(dialect, _naive)


_TAKEN_OVER = ("lane", "kind", "occurred_at", "received_at", "body", "reason", "state")
"""What an event that was set aside when it came takes from the one that comes again; ``state`` is last,
because MariaDB assigns from left to right, and the others ask for the state of before."""


def _again(new: str, old: str = "") -> str:
    """Return the assignments for an event that is there already.

    It notes the request that brought it: an unsend has to find its body. One that was set aside when it came
    is replaced, so that a delivery nobody could read or believe does not keep out the one that is right. One
    whose content was removed is pending until a worker has removed it from this request too.
    """
    request = new.format("request_id")
    repeats = (
        f"concat_ws(',', repeats, {request})"
        if not old
        else f"coalesce({old}repeats || ',', '') || CAST({request} AS TEXT)"
    )
    was_set_aside = f"{old}attempts = 0 AND {old}state IN ('dead', 'ignored') AND {old}forgotten_at IS NULL"
    found = [f"repeats={repeats}"]
    for name in _TAKEN_OVER:
        kept = f"{old}{name}"
        if name == "state":
            kept = f"CASE WHEN {old}forgotten_at IS NULL THEN {kept} ELSE 'pending' END"
        found.append(f"{name}=CASE WHEN {was_set_aside} THEN {new.format(name)} ELSE {kept} END")
    return ", ".join(found)


def _text(value: datetime) -> str:
    if value.tzinfo is not UTC:
        value = value.astimezone(UTC)
    return value.isoformat(" ", "microseconds")[:26]


def _naive(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None)


def _aware(value: datetime) -> datetime:
    return value


_TIMES: dict[str, Callable[[datetime], Any]] = {"sqlite": _text, "postgresql": _aware}


class Rows:
    """The rows of one delivery: its request, its events, and the lanes they wake."""

    __slots__ = ("events", "lanes", "request", "size")

    def __init__(self, delivery: Delivery, statements: Statements) -> None:
        time = statements.time
        received, due = time(delivery.received_at), time(db.by_its_clock(delivery.received_at))
        self.request: RequestRow | None = RequestRow(
            delivery.id, delivery.source, received, delivery.remote, delivery.raw
        )
        self.events: list[EventRow] = []
        self.lanes: dict[str, LaneRow] = {}
        self.size = len(delivery.raw)
        stale = None
        if not delivery.source.startswith("receiver:"):
            stale = delivery.received_at - policy.KEYS_KEPT
        for envelope in delivery.envelopes:
            state, reason = _standing(envelope, stale)
            account_id = envelope.account_id
            channel = envelope.channel or delivery.channel
            contact = envelope.lane if account_id is not None else f"{channel}:{envelope.lane}"
            lane = lane_key(IN, account_id, contact)
            occurred = None if envelope.occurred_at is None else time(envelope.occurred_at)
            self.events.append(
                EventRow(
                    delivery.id,
                    channel,
                    account_id,
                    "" if account_id is None else str(account_id),
                    lane,
                    hashlib.sha256(envelope.dedupe_key.encode("utf-8", "surrogatepass")).hexdigest(),
                    printable(envelope.kind, 48),
                    occurred,
                    received,
                    envelope.body,
                    state,
                    reason,
                    0,
                )
            )
            self.size += len(envelope.body)
            if state == PENDING and lane not in self.lanes:
                self.lanes[lane] = LaneRow(lane, IN, account_id, due, 0)

    def parts(self, most: int) -> list[Rows]:
        """Return these rows, or the same in parts of *most* events, to be stored in order.

        The request goes with the first part. A lane goes with each part that has events of it.
        """
        if len(self.events) <= most:
            return [self]
        found = []
        for at in range(0, len(self.events), most):
            part = Rows.__new__(Rows)
            part.request = self.request if at == 0 else None
            part.events = self.events[at : at + most]
            names = {event.lane for event in part.events if event.state == PENDING}
            part.lanes = {name: row for name, row in self.lanes.items() if name in names}
            part.size = sum(len(event.body) for event in part.events)
            found.append(part)
        found[0].size += len(self.request.body) if self.request else 0
        return found

    def accounts(self) -> set[int | None]:
        """Return the accounts of these events."""
        return {event.account_id for event in self.events}

    def counted(self) -> Iterator[tuple[str, int | None, str]]:
        """Yield channel, account and first state of each event."""
        for event in self.events:
            yield event.channel, event.account_id, event.state


def write(session: Session, *, source: str, channel: str, envelopes: Sequence[Envelope]) -> None:
    """Journal events that this desk asked for, in the current write; workers are woken after the commit.

    :param source: what asked, as with :meth:`host.queue.journal.Journal.ingest`.
    """
    now = clock.now()
    delivery = Delivery(
        id=request_id(now, secrets.randbelow(1 << 22)),
        source=source[:48],
        channel=channel,
        remote="",
        received_at=now,
        raw=b"",
        envelopes=tuple(envelopes),
    )
    put(session, Rows(delivery, statements_for(session.get_bind().dialect.name)))


def put(session: Session, rows: Rows) -> None:
    """Write *rows* in the current write; workers are woken after the commit."""
    statements = statements_for(session.get_bind().dialect.name)
    cursor = session.connection().connection.cursor()
    try:
        statements.lane.run(cursor, merged_lanes([rows]))
        if rows.request is not None:
            statements.request.run(cursor, [rows.request])
        statements.event.run(cursor, merged_events([rows]))
    finally:
        cursor.close()
    db.after_commit(session, partial(wakeups.wake, IN))


def merged_lanes(items: Iterable[Rows]) -> list[LaneRow]:
    """Return every lane of *items* once, in one order for every process, so that none deadlocks another."""
    lanes: dict[str, LaneRow] = {}
    for item in items:
        for key, row in item.lanes.items():
            lanes.setdefault(key, row)
    return [lanes[key] for key in sorted(lanes)]


def merged_events(items: Iterable[Rows]) -> list[EventRow]:
    """Return every event of *items*: first the pending ones in their order, then the others by their keys.

    A process that gets the same events in another order waits at their lanes. What is not pending locks no
    lane, so it is written in one order for every process.
    """
    events = [event for item in items for event in item.events]
    return sorted(events, key=lambda one: "" if one.state == PENDING else one.dedupe_key)


def _standing(envelope: Envelope, stale: datetime | None) -> tuple[str, str | None]:
    """Return the state an event starts in, and why where that is not pending."""
    if envelope.set_aside:
        return EventState.DEAD.value, printable(envelope.set_aside, 500)
    if envelope.ignored:
        return EventState.IGNORED.value, printable(envelope.ignored, 500)
    too_old = stale is not None and envelope.occurred_at is not None and envelope.occurred_at < stale
    if too_old and not envelope.any_age:
        return EventState.IGNORED.value, STALE
    return PENDING, None


def printable(text: str, limit: int) -> str:
    """Return *text* as any of the databases takes it: no NUL, no lone surrogate, not too long."""
    if text.isascii() and "\0" not in text:
        return text[:limit]
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:limit]
