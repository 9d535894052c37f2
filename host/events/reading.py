"""Read the event log in an order in which no event is ever inserted before one already read.

Ids are taken before the commit, so a row with a lower id may appear after one with a higher id was read.
Results of :func:`after` are therefore sorted by ``(place, id)`` and end at a mark that the database
guarantees:

- SQLite has one writer, so ids are committed in their order. The place is 0 everywhere.
- PostgreSQL: the place is 0 as well. A writer holds a lock on the table, from before it takes its ids until
  its transaction ends. So once all holders of the lock at some time have finished, every id taken by that
  time is decided; see :class:`_Writers`.
- MariaDB: the place is NULL until :func:`number` gives committed rows one, the same one for all rows it
  finds.

Time doesn't matter: a transaction that stays open for an hour delays later ones, and is not missed. The rows
of one conversation are in the order of their changes, because its row is locked for each.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, NamedTuple, TypeVar, cast
from weakref import WeakKeyDictionary

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import Statement
from host.events.facts import Facts
from host.events.models import Consumer, DomainEvent
from host.sdk import strictjson

TABLE = cast(sa.Table, DomainEvent.__table__)
CONSUMER_TABLE = cast(sa.Table, Consumer.__table__)
NUMBERING = "numbering"
"""Name of the consumer whose row holds the last number assigned on MariaDB."""
MOST_NUMBERED = 2000
OVERLAP = timedelta(minutes=1)
"""Maximum time by which an event may have been written earlier than its predecessor in the order."""

F = TypeVar("F", bound=Facts)


class Position(NamedTuple):
    """A position in the event log: after the event it names."""

    place: int
    event_id: int


BEGINNING = Position(-(2**62), 0)


class Recorded(msgspec.Struct, frozen=True):
    """An event, for consumers.

    :param occurred_at: when it happened, by the provider's clock if there is one.
    :param at: when it was written.
    """

    id: int
    place: int
    workspace_id: int
    kind: str
    account_id: int | None
    conversation_id: int | None
    message_id: int | None
    actor_kind: str | None
    actor_id: int | None
    cause_id: int | None
    root_id: int | None
    depth: int
    occurred_at: datetime
    at: datetime
    data: str | None
    topic: str | None = None
    """The live event for browsers; None: none."""
    addon: str | None = None
    """The slug of the addon that did it; None: no addon did."""

    @property
    def position(self) -> Position:
        """Return its position."""
        return Position(self.place, self.id)

    def facts(self, type_: type[F]) -> F:
        """Return its facts; fields that an older Lobby did not write have their defaults.

        :raises msgspec.ValidationError: if its kind has other facts.
        """
        return strictjson.decode(self.data or "{}", type_)


_FIELDS = list(Recorded.__struct_fields__)
_COLUMNS = [TABLE.c[name] for name in _FIELDS]
_KIND, _OCCURRED, _AT = (_FIELDS.index(name) for name in ("kind", "occurred_at", "at"))


class Batch(msgspec.Struct, frozen=True):
    """A batch of consecutive events.

    :param end: the position after them, which may be past further rows that are not events.
    :param more: whether there may be more.
    """

    events: Sequence[Recorded]
    end: Position
    more: bool


def after(
    session: Session,
    position: Position,
    limit: int,
    *,
    workspace_id: int | None = None,
    shown: bool = False,
    mark: Position | None = None,
) -> Batch:
    """Return up to *limit* events after *position*, of all kinds, before which none will be inserted.

    A kind may only be known to a newer Lobby.

    :param workspace_id: only events of this workspace.
    :param shown: whether to include changes for open browsers only; their kind is empty.
    :param mark: what :func:`newest` returned a moment ago; None: ask again.
    """
    mark = mark or newest(session)
    values = {
        "place": position.place,
        "id": position.event_id,
        "last_place": mark.place,
        "last": mark.event_id,
    }
    values |= {"limit": limit} | ({} if workspace_id is None else {"workspace": workspace_id})
    query = _following(_reads_ranges(session), shown, workspace_id is not None)
    events = [_recorded(row) for row in query.rows(session.connection(), values)]
    if len(events) == limit:
        return Batch(events, events[-1].position, more=True)
    return Batch(events, max(mark, position), more=False)


@cache
def _following(ranges: bool, shown: bool, of_one: bool) -> Statement:
    """Return the statement for the events between two positions.

    :param ranges: whether the database can range-scan an index for (place, id) > (?, ?); MariaDB cannot.
    :param shown: whether to include those without a kind.
    :param of_one: whether only those of one workspace.
    """
    place, id_ = TABLE.c.place, TABLE.c.id
    first, last = (
        tuple(sa.bindparam(name, type_=sa.BigInteger()) for name in names)
        for names in (("place", "id"), ("last_place", "last"))
    )
    query = sa.select(*_COLUMNS).order_by(place, id_).limit(sa.bindparam("limit", type_=sa.BigInteger()))
    if ranges:
        here = sa.tuple_(place, id_)
        query = query.where(here > sa.tuple_(*first), here <= sa.tuple_(*last))
    else:
        query = query.where(
            sa.or_(place > first[0], sa.and_(place == first[0], id_ > first[1])),
            sa.or_(place < last[0], sa.and_(place == last[0], id_ <= last[1])),
        )
    if not shown:
        query = query.where(TABLE.c.kind.is_not(None))
    return Statement(query.where(TABLE.c.workspace_id == sa.bindparam("workspace")) if of_one else query)


def by_id(session: Session, event_id: int) -> Recorded | None:
    """Return an event; None if it was removed."""
    row = session.execute(sa.select(*_COLUMNS).where(TABLE.c.id == event_id)).one_or_none()
    return None if row is None else _recorded(row)


def newest_of(session: Session, workspace_id: int, conversation_id: int, kind: str) -> int:
    """Return the id of the newest event of a kind in a locked conversation, such as one just recorded."""
    query = (
        sa.select(DomainEvent.id)
        .where(
            DomainEvent.workspace_id == workspace_id,
            DomainEvent.conversation_id == conversation_id,
            DomainEvent.kind == kind,
        )
        .order_by(DomainEvent.id.desc())
        .limit(1)
    )
    return session.execute(query).scalar_one()


def _recorded(row: Sequence[Any]) -> Recorded:
    values = list(row)
    values[_KIND] = values[_KIND] or ""
    values[_OCCURRED] = values[_OCCURRED] or values[_AT]
    return Recorded(*values)


def before(session: Session, workspace_id: int, at: datetime) -> Position:
    """Return a position before all events of a workspace that were written at *at* or later."""
    at -= OVERLAP
    query = (
        sa.select(TABLE.c.place, TABLE.c.id)
        .where(TABLE.c.workspace_id == workspace_id, TABLE.c.at < at, TABLE.c.place.is_not(None))
        .order_by(TABLE.c.id.desc())
        .limit(1)
    )
    row = session.execute(query).first()
    return BEGINNING if row is None else Position(row.place, row.id)


def place_of(session: Session, event_id: int) -> int | None:
    """Return the current place of the event, or None if it does not exist or has no place yet."""
    return session.scalar(sa.select(TABLE.c.place).where(TABLE.c.id == event_id))


_newest = Statement(
    sa.select(TABLE.c.place, TABLE.c.id)
    .where(TABLE.c.place.is_not(None))
    .order_by(TABLE.c.place.desc(), TABLE.c.id.desc())
    .limit(1)
)


def newest(session: Session) -> Position:
    """Return the position after all events that can be read in order now."""
    rows = _newest.rows(session.connection(), {})
    if not rows:
        return BEGINNING
    found = Position(*rows[0])
    if _dialect(session) != "postgresql":
        return found
    return _of_pool(session).mark(session, found)


class _Writers:
    """Finds the position up to which all ids are decided on PostgreSQL, from the writing transactions.

    No state is shared across processes: each begins with the ids that no transaction is still writing.
    """

    _now = sa.text(
        "SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND granted"
        " AND relation = 'domain_events'::regclass AND mode <> 'AccessShareLock'"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._vouched = BEGINNING
        self._waiting: deque[tuple[Position, set[str]]] = deque()
        """Positions, oldest first, with the transactions that may still insert before each."""

    def mark(self, session: Session, newest: Position) -> Position:
        """Return the last position before which no event can be inserted.

        :param newest: the newest position, read before this call.
        """
        with self._lock:
            if newest <= self._vouched and not self._waiting:
                return self._vouched
            now = set(session.scalars(self._now))
            if newest > (self._waiting[-1][0] if self._waiting else self._vouched):
                self._waiting.append((newest, set(now)))
            for _, writers in self._waiting:
                writers.intersection_update(now)
            while self._waiting and not self._waiting[0][1]:
                self._vouched = self._waiting.popleft()[0]
            if len(self._waiting) > MOST_WAITING:
                del self._waiting[-2]
            return self._vouched


MOST_WAITING = 100
_writers: WeakKeyDictionary[Any, _Writers] = WeakKeyDictionary()


def _of_pool(session: Session) -> _Writers:
    # The engines for reading and for writing have one pool.
    return _writers.setdefault(session.get_bind().engine.pool, _Writers())


def _reads_ranges(session: Session) -> bool:
    return _dialect(session) not in {"mysql", "mariadb"}


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


_free = sa.select(TABLE.c.id).where(TABLE.c.place.is_(None)).order_by(TABLE.c.id)


def number_all() -> None:
    """Number all committed events without a number; only has an effect on MariaDB."""
    if db.current().dialect not in {"mysql", "mariadb"}:
        return
    with db.read() as session:
        found = session.scalar(_free.limit(1))
    while found is not None and db.write(number) == MOST_NUMBERED:
        pass


def number(session: Session) -> int:
    """Assign the next number to committed rows without one; return their number.

    Processes take turns: the row of the last number is locked.
    """
    last = locked_book(session, NUMBERING)
    ids = list(session.scalars(_free.limit(MOST_NUMBERED)))
    if not ids:
        return 0
    last.place += 1
    last.event_id = ids[-1]
    session.execute(sa.update(TABLE).where(TABLE.c.id.in_(ids)).values(place=last.place))
    return len(ids)


def make_row(session: Session, name: str, position: Position) -> None:
    """Create the row for *name* at *position*, unless it exists."""
    values = {"name": name, **position._asdict(), "moved_at": clock.now()}
    session.execute(db.insert_ignore(CONSUMER_TABLE, _dialect(session)).values(values))


def locked_book(session: Session, name: str) -> Consumer:
    """Lock and return the row of one of the event log's own positions; create it if missing."""
    row = session.get(Consumer, name, with_for_update=True)
    if row is None:
        # Another process may create it concurrently.
        make_row(session, name, Position(0, 0))
        row = session.get_one(Consumer, name, with_for_update=True)
    return row


def put_behind(session: Session) -> None:
    """Move the whole event log before all events that this database will number.

    For a log migrated from another database, whose transactions had other numbers. The order and all
    consumers' positions are kept.
    """
    top = session.scalar(sa.select(sa.func.max(TABLE.c.place))) or 0
    session.execute(sa.update(TABLE).where(TABLE.c.place.is_(None)).values(place=top + 1))
    moved = top + 2
    session.execute(sa.update(TABLE).values(place=TABLE.c.place - moved))
    session.execute(
        sa.update(CONSUMER_TABLE)
        .where(CONSUMER_TABLE.c.name != NUMBERING, CONSUMER_TABLE.c.place > BEGINNING.place)
        .values(place=CONSUMER_TABLE.c.place - moved)
    )
    session.execute(sa.update(CONSUMER_TABLE).where(CONSUMER_TABLE.c.name == NUMBERING).values(place=0))
