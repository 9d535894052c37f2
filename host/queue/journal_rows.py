"""Build the journal's rows and INSERTs in the driver's own terms.

One commit of the journal writes hundreds of rows; going through the ORM, or through SQLAlchemy's types, costs
more than the database does. Everything here is checked against the models by the journal's tests, which read
the rows back through them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy as sa

from host.core.statements import MOST_ROWS, InsertText
from host.models.queue import EventState
from host.queue import policy
from host.queue.lanes import keep_earlier_clause, lane_key
from host.queue.spool import Delivery
from host.queue.wakeups import IN
from host.sdk.webhooks import Envelope

PENDING = EventState.PENDING.value
STALE = "older than 7 days by the provider's time"


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


class Statements:
    """The three INSERTs of the journal for one kind of database, and how it wants its times."""

    def __init__(self, dialect: str) -> None:
        mysql = dialect in {"mysql", "mariadb"}
        ignore = "ON DUPLICATE KEY UPDATE id=id" if mysql else "ON CONFLICT DO NOTHING"
        # An event that comes again notes the request that brought it: an unsend has to find its body.
        note_repeat = (
            "ON DUPLICATE KEY UPDATE repeats=concat_ws(',', repeats, VALUES(request_id)), "
            "state=if(forgotten_at IS NULL, state, 'pending')"
            if mysql
            else "ON CONFLICT (channel, account_key, dedupe_key) DO UPDATE SET "
            "repeats=coalesce(inbound_events.repeats || ',', '') || CAST(excluded.request_id AS TEXT), "
            "state=CASE WHEN inbound_events.forgotten_at IS NULL THEN inbound_events.state "
            "ELSE 'pending' END"
        )
        sql: sa.Dialect = sa.make_url("mysql://" if mysql else f"{dialect}://").get_dialect()()
        self.request = Insert(sql, "inbound_requests", RequestRow._fields, ignore)
        self.event = Insert(sql, "inbound_events", EventRow._fields, note_repeat)
        self.lane = Insert(sql, "lanes", LaneRow._fields, keep_earlier_clause(sql))
        self.time: Callable[[datetime], Any] = _TIMES.get(dialect, _naive)


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
        received = time(delivery.received_at)
        self.request: RequestRow | None = RequestRow(
            delivery.id, delivery.source, received, delivery.remote, delivery.raw
        )
        self.events: list[EventRow] = []
        self.lanes: dict[str, LaneRow] = {}
        self.size = len(delivery.raw)
        stale = None
        if not delivery.source.startswith("receiver:"):
            stale = delivery.received_at - policy.STALE_AFTER
        for envelope in delivery.envelopes:
            state, reason = _standing(envelope, stale)
            account_id = envelope.account_id
            contact = envelope.lane if account_id is not None else f"{delivery.channel}:{envelope.lane}"
            lane = lane_key(IN, account_id, contact)
            occurred = None if envelope.occurred_at is None else time(envelope.occurred_at)
            self.events.append(
                EventRow(
                    delivery.id,
                    delivery.channel,
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
                self.lanes[lane] = LaneRow(lane, IN, account_id, received, 0)

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


def merged_lanes(items: Iterable[Rows]) -> list[LaneRow]:
    """Return every lane of *items* once, in one order for every process, so that none deadlocks another."""
    lanes: dict[str, LaneRow] = {}
    for item in items:
        for key, row in item.lanes.items():
            lanes.setdefault(key, row)
    return [lanes[key] for key in sorted(lanes)]


def _standing(envelope: Envelope, stale: datetime | None) -> tuple[str, str | None]:
    """Return the state an event starts in, and why where that is not pending."""
    if envelope.set_aside:
        return EventState.DEAD.value, printable(envelope.set_aside, 500)
    if envelope.ignored:
        return EventState.IGNORED.value, printable(envelope.ignored, 500)
    if stale is not None and envelope.occurred_at is not None and envelope.occurred_at < stale:
        return EventState.IGNORED.value, STALE
    return PENDING, None


def printable(text: str, limit: int) -> str:
    """Return *text* as any of the databases takes it: no NUL, no lone surrogate, not too long."""
    if text.isascii() and "\0" not in text:
        return text[:limit]
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()[:limit]
