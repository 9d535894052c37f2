"""Build the journal's rows and INSERTs for the database driver.

One commit of the journal writes hundreds of rows; the ORM, or SQLAlchemy's types, would cost more than the
database does. The journal's tests check everything here against the models by reading the rows back through
them.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.core import clock, db
from host.core.statements import MOST_ROWS, InsertText
from host.models.queue import MOST_IN_ROW, EventState
from host.queue import lane_waking, wakeups
from host.queue.bodies import writing
from host.queue.lane_waking import LaneRow
from host.queue.lanes import keep_earlier_clause, lane_key
from host.queue.spool import Delivery, request_id
from host.queue.wakeups import IN
from host.sdk.webhooks import Envelope
from host.users.data_retention import KEYS_KEPT

Key = tuple[str, str, str]
"""Channel, account and dedupe key of an event."""

PENDING = EventState.PENDING.value
STALE = f"older than {KEYS_KEPT.days} days by the provider's time"


class RequestRow(NamedTuple):
    """The columns of a request that the journal writes. Times are in the driver's format."""

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

    @property
    def key(self) -> Key:
        """The key that identifies a repeated event."""
        return self.channel, self.account_key, self.dedupe_key

    def in_its_row(self) -> EventRow:
        """Return it with the part of its body that its own row holds."""
        return self if len(self.body) < MOST_IN_ROW else self._replace(body=self.body[:MOST_IN_ROW])


def _large(events: Sequence[EventRow]) -> list[writing.Large]:
    """Return the keys and bodies of those of *events* whose bodies continue in other rows."""
    return [(event.key, event.body) for event in events if len(event.body) >= MOST_IN_ROW]


class _StoredEvent(NamedTuple):
    """A stored event: the request that contained it, and whether a repeat changes its outcome."""

    id: int
    request_id: int
    decides: bool


class Repeat(NamedTuple):
    """A repeat of the stored event *id*."""

    id: int
    event: EventRow
    decides: bool


class Insert:
    """One INSERT of many rows.

    SQLite gets several rows per statement: each step of a statement releases the interpreter lock, and with
    dozens of waiting threads that costs more than the row.

    :param columns: names of the columns, in the order of a row's fields.
    :param conflict: the clause for a row that exists already.
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
    """Return the journal's statements for one kind of database, from a cache."""
    return Statements(dialect)


class Statements:
    """The journal's statements and the format of times for one kind of database."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.is_sqlite = dialect == "sqlite"
        self._mysql = mysql = dialect in {"mysql", "mariadb"}
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

    def write(self, cursor: Any, requests: Sequence[RequestRow], events: Sequence[EventRow]) -> list[Repeat]:
        """Write *requests* and *events* on a server; return the repeats that could not be noted yet.

        An event that is already stored is noted last, and skipped if it is locked: a worker that applies it
        may be waiting, or be frozen. Only a repeat that changes the event's outcome waits for the lock.
        """
        known = self._find(cursor, events)
        self.request.run(cursor, requests)
        fresh = [event for event in events if event.key not in known]
        self._put(cursor, fresh, _large(fresh))
        repeats = [
            Repeat(found.id, event, found.decides)
            for event in events
            if (found := known.get(event.key)) is not None and found.request_id != event.request_id
        ]
        return self.note(cursor, repeats)

    def write_locally(self, cursor: Any, requests: Sequence[RequestRow], events: Sequence[EventRow]) -> None:
        """Write *requests* and *events* on SQLite, which has one writer at a time."""
        large = _large(events)
        self.request.run(cursor, requests)
        if large:
            writing.drop_replaced(cursor, large, is_sqlite=True)
        self._put(cursor, events, large)

    def _put(self, cursor: Any, events: Sequence[EventRow], large: Sequence[writing.Large]) -> None:
        self.event.run(cursor, [event.in_its_row() for event in events] if large else events)
        if large:
            writing.add_parts(cursor, large, is_sqlite=self.is_sqlite)

    def _find(self, cursor: Any, events: Sequence[EventRow]) -> dict[Key, _StoredEvent]:
        """Return which of *events* are stored already."""
        keys = {event.key for event in events}
        if not keys:
            return {}
        marks = ", ".join(["(%s, %s, %s)"] * len(keys))
        cursor.execute(f"{_FIND} ({marks})", tuple(chain.from_iterable(keys)))
        return {tuple(row[:3]): _StoredEvent(*row[3:]) for row in cursor.fetchall()}

    def note(self, cursor: Any, repeats: Sequence[Repeat]) -> list[Repeat]:
        """Store with events the requests that repeated them; return those whose rows are locked."""
        free = self._locked(cursor, {one.id for one in repeats if one.decides}, "")
        free |= self._locked(cursor, {one.id for one in repeats} - free, "SKIP LOCKED")
        large = _large([one.event for one in repeats if one.id in free])
        values = [
            (one.event.request_id, *(getattr(one.event.in_its_row(), name) for name in _TAKEN_OVER), one.id)
            for one in repeats
            if one.id in free
        ]
        writing.drop_replaced(cursor, large, is_sqlite=False)
        if values:
            cursor.executemany(_NOTE_REPEAT, values)
        writing.add_parts(cursor, large, is_sqlite=False)
        return [one for one in repeats if one.id not in free]

    @staticmethod
    def _locked(cursor: Any, ids: Collection[int], how: str) -> set[int]:
        if not ids:
            return set()
        marks = ", ".join(["%s"] * len(ids))
        cursor.execute(f"{_LOCK} ({marks}) ORDER BY id FOR UPDATE {how}", sorted(ids))
        return {row[0] for row in cursor.fetchall()}

    def take_turns(self, cursor: Any, events: Sequence[EventRow]) -> bool:
        """Wait until no other journal writes several events of the same lanes.

        Each new row locks its unique key. The lanes of a batch have the same order in every process, but the
        events of a lane keep their order of arrival, which may differ. No worker takes these locks.

        :return: whether locks were taken that survive the transaction.
        """
        count = Counter(event.lane for event in events if event.state == PENDING)
        several = sorted(lane for lane, number in count.items() if number > 1)
        if not several:
            return False
        if self._mysql:
            cursor.executemany(
                f"DO GET_LOCK(concat(left(database(), 12), %s), {db.LOCK_SECONDS})",
                [(lane,) for lane in several],
            )
        else:
            cursor.execute(_TAKE_TURNS, (several,))
        return self._mysql

    def end_turns(self, cursor: Any) -> None:
        """Release the locks of :meth:`take_turns` that outlast the transaction."""
        cursor.execute("DO RELEASE_ALL_LOCKS()")


_TAKE_TURNS = "SELECT pg_advisory_xact_lock(hashtextextended(lane, 0)) FROM unnest(%s::text[]) AS lane"
_FIND = (
    "SELECT channel, account_key, dedupe_key, id, request_id, "
    "(attempts = 0 AND state IN ('dead', 'ignored')) OR forgotten_at IS NOT NULL "
    "FROM inbound_events WHERE (channel, account_key, dedupe_key) IN"
)
_LOCK = "SELECT id FROM inbound_events WHERE id IN"
_TAKEN_OVER = ("lane", "kind", "occurred_at", "received_at", "body", "reason", "state")
"""Columns that an event that was set aside copies from its repeat; ``state`` is last, because MariaDB assigns
from left to right, and the others use the earlier state.
"""


def _again(new: str, old: str = "") -> str:
    """Return the assignments for an event that is already stored.

    It records the repeating request, because an unsend must find its body. An event that was set aside is
    replaced, so that a delivery that could not be read or verified does not block the valid one. An event
    whose content was deleted becomes pending until a worker has deleted its content from this request, too.
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


_NOTE_REPEAT = f"UPDATE inbound_events SET {_again('%s')} WHERE id = %s"  # noqa: S608 - no values in it


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
            stale = delivery.received_at - KEYS_KEPT
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
                    stored_key(envelope.dedupe_key),
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
        """Return these rows, split into parts of *most* events if necessary, to be stored in order.

        The first part contains the request. Each part contains the lanes of its events.
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
    """Write events requested by this desk to the inbound log, in the current write; wake workers after the
    commit.

    :param source: the origin, as with :meth:`host.queue.journal.Journal.ingest`.
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
    rows = Rows(delivery, statements_for(session.get_bind().dialect.name))
    put(session, rows)
    # Not of an account: whether its webhook works is told by what the provider sent itself.
    db.after_commit(
        session, partial(recording.received, [(one.channel, None, one.state) for one in rows.events])
    )


def put(session: Session, rows: Rows) -> None:
    """Write *rows* in the current write; workers are woken after the commit."""
    statements = statements_for(session.get_bind().dialect.name)
    cursor = session.connection().connection.cursor()
    requests = [] if rows.request is None else [rows.request]
    try:
        if statements.is_sqlite:
            statements.lane.run(cursor, merged_lanes([rows]))
            statements.write_locally(cursor, requests, merged_events([rows]))
        else:
            repeats = statements.write(cursor, requests, merged_events([rows]))
            statements.note(cursor, [one._replace(decides=True) for one in repeats])
    finally:
        cursor.close()
    if statements.is_sqlite:
        db.after_commit(session, partial(wakeups.wake, IN))
    else:
        db.after_commit(session, partial(lane_waking.wake_committed, rows.lanes))


def merged_lanes(items: Iterable[Rows]) -> list[LaneRow]:
    """Return the lanes of *items* without duplicates."""
    lanes: dict[str, LaneRow] = {}
    for item in items:
        for key, row in item.lanes.items():
            lanes.setdefault(key, row)
    return [lanes[key] for key in sorted(lanes)]


def merged_events(items: Iterable[Rows]) -> list[EventRow]:
    """Return every event of *items*: the pending ones ordered by lane, then the others ordered by key.

    A new event locks its key, so another process with the same events waits: both need the same order. Events
    of a lane keep their order of arrival; see :meth:`Statements.take_turns`.

    On MariaDB the one that waits for a key also locks the gap before it. If two processes write the same new
    events at the same moment, the first may need that gap, and one of the two is undone and tries again.
    """
    events = [event for item in items for event in item.events]
    return sorted(events, key=lambda one: (0, one.lane) if one.state == PENDING else (1, one.dedupe_key))


def _standing(envelope: Envelope, stale: datetime | None) -> tuple[str, str | None]:
    """Return the initial state of an event, with the reason if that is not pending."""
    if envelope.set_aside:
        return EventState.DEAD.value, printable(envelope.set_aside, 500)
    if envelope.ignored:
        return EventState.IGNORED.value, printable(envelope.ignored, 500)
    too_old = stale is not None and envelope.occurred_at is not None and envelope.occurred_at < stale
    if too_old and not envelope.any_age:
        return EventState.IGNORED.value, STALE
    return PENDING, None


def stored_key(dedupe_key: str) -> str:
    """Return the dedupe key of an envelope as its event has it."""
    return hashlib.sha256(dedupe_key.encode("utf-8", "surrogatepass")).hexdigest()


def printable(text: str, limit: int) -> str:
    """Return *text* without NULs and lone surrogates and truncated, so that every database accepts it."""
    if text.isascii() and "\0" not in text:
        return text[:limit]
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:limit]
