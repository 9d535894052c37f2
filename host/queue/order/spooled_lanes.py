"""Let newer events of a customer wait while older ones of theirs are still in the spool of a process.

Several processes receive webhooks, and each keeps its own requests while the database is unavailable. When it
answers again, each first announces the lanes of what it kept (:class:`SpooledLanes`). Workers don't claim an
announced lane until its requests are stored, and then apply its events in the order they were received.
The announcement of a process that dies ends after :data:`HOLD_SECONDS`, and none lasts longer than
:data:`MOST_SECONDS`.

A process that applies events and could not connect to the database, or got no answer from it for a while
(:func:`looking`), waits :data:`SETTLE_SECONDS` before its next claim (:func:`settles_in`), so that every
process can make its announcement first.

SQLite has one process, whose spool keeps the order by itself.
"""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.queue import Lane, SpooledLane

HOLD_SECONDS = 10.0
"""How long an announcement lasts unless it is renewed."""
RENEW_SECONDS = 3.0
MOST_SECONDS = 60.0
"""Longest time that newer events wait for those in a spool."""
SETTLE_SECONDS = 3.0
"""Time for the announcements of other processes; each looks for the database once a second."""
STALL_SECONDS = 1.0
"""A look for due work that takes longer got no answer for a while; workers look every two seconds or sooner,
and requests go to a spool after three."""
STALLS_APART = 2 * SETTLE_SECONDS
"""Fewest seconds between two that count, and between them a look has to be quick: workers don't wait again
and again for a server that is only slow."""
CHUNK = 500
"""Most lanes in one statement."""
KEPT = timedelta(hours=1)
"""How long the rows of stored lanes are kept if nothing of these was applied since."""

MOVED = "moved"
"""In place of a spool: the lane has events of another one that were in a spool."""

_table = SpooledLane.metadata.tables["spooled_lanes"]
_lane = _table.c.lane
_key = Lane.__table__.c.key


def is_held(now: object) -> sa.ColumnElement[bool]:
    """Return the condition that a lane waits for a spool."""
    return sa.exists().where(_lane == _key, _table.c.until > now)


HAS_SPOOLED = sa.exists().where(_lane == _key)
"""The condition that a lane's events were stored later than they were received."""


@contextmanager
def looking() -> Iterator[None]:
    """Notice in it, where it looks for due work, that the database answers nothing for a while.

    Its connections survive that, so that nothing fails; but web processes have given up waiting meanwhile.
    """
    database, began = db.current(), clock.monotonic()
    yield
    if database.is_sqlite:
        return
    now, was_quick = clock.monotonic(), database.is_quick
    database.is_quick = now - began <= STALL_SECONDS
    is_first = database.stalled_at is None or now - database.stalled_at > STALLS_APART
    if was_quick and is_first and not database.is_quick:
        database.stalled_at = now


def settles_in() -> float:
    """Return how many seconds a claim of received events still waits for announcements; 0: none."""
    database = db.current()
    lost_at = max(filter(None, (database.unreachable_at, database.stalled_at)), default=None)
    return 0.0 if lost_at is None else max(0.0, lost_at + SETTLE_SECONDS - clock.monotonic())


def kept(session: Session, lanes: Collection[str]) -> dict[str, bool]:
    """Return those of *lanes* whose events were, or are, in a spool, and whether some still wait in one."""
    waits = sa.func.max(sa.case((_table.c.until > db.now(), 1), else_=0))
    query = sa.select(_lane, waits).where(_lane.in_(sorted(lanes))).group_by(_lane)
    return {lane: bool(found) for lane, found in session.execute(query)}


def pass_on(session: Session, lanes: Collection[str], main: str) -> None:
    """Have the events of *lanes*, moved to the lane *main*, applied there in the order of their receipt."""
    insert = db.insert_ignore(_table, db.current().dialect)
    session.execute(insert, [{"lane": main, "spool": MOVED, "until": db.now()}])
    forget(session, lanes)


def forget(session: Session, lanes: Collection[str]) -> None:
    """Remove the rows of *lanes* whose events are applied; those that still wait for a spool stay."""
    session.execute(sa.delete(_table).where(_lane.in_(sorted(lanes)), _table.c.until <= db.now()))


def forget_old(session: Session, most: int) -> int:
    """Remove up to *most* rows of lanes that got nothing new; return how many."""
    old = sa.select(_lane).where(_table.c.until < db.now() - KEPT).limit(most)
    found = sorted(set(session.scalars(old)))
    if found:
        session.execute(sa.delete(_table).where(_lane.in_(found), _table.c.until < db.now() - KEPT))
    return len(found)


class SpooledLanes:
    """The lanes of the requests in one process's spool, and which of them are announced.

    Thread-safe. Receiving threads :meth:`note` lanes, one thread announces and releases them.
    """

    def __init__(self) -> None:
        self._id = uuid.uuid4().hex
        self._lock = threading.Lock()
        self._requests: Counter[str] = Counter()
        self._new: set[str] = set()
        self._since: float | None = None
        self._renewed_at = float("-inf")

    @property
    def are_announced(self) -> bool:
        """Whether the database knows of all of them."""
        return not self._new

    def note(self, lanes: Iterable[str]) -> None:
        """Note the lanes of a request that goes to the spool."""
        with self._lock:
            self._note(lanes)

    def note_unless_announced(self, lanes: Collection[str], *, away: bool) -> bool:
        """Note the lanes of a request if the database is *away* or does not know of all lanes; return
        whether.
        """
        with self._lock:
            if away or self._new:
                self._note(lanes)
                return True
            return False

    def _note(self, lanes: Iterable[str]) -> None:
        for lane in lanes:
            self._requests[lane] += 1
            self._new.add(lane)

    def drop(self, lanes: Iterable[str]) -> None:
        """Forget a noted request that could not be kept."""
        self._stored(lanes)

    def _stored(self, lanes: Iterable[str]) -> list[str]:
        done = []
        with self._lock:
            for lane in lanes:
                self._requests[lane] -= 1
                if self._requests[lane] <= 0:
                    del self._requests[lane]
                    self._new.discard(lane)
                    done.append(lane)
        return done

    def announce(self) -> None:
        """Announce the lanes that the database does not know of, and renew the others.

        :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer.
        """
        now = clock.monotonic()
        while new := self._next_new():
            db.write(self._hold, new)
            with self._lock:
                self._new.difference_update(new)
            self._since = self._since or now
            self._renewed_at = now
        if self._since is None or now < self._renewed_at + RENEW_SECONDS:
            return
        self._renewed_at = now
        if now < self._since + MOST_SECONDS - HOLD_SECONDS:
            db.write(self._renew)

    def _next_new(self) -> list[str]:
        with self._lock:
            return sorted(self._new)[:CHUNK]

    def _hold(self, session: Session, lanes: Collection[str]) -> None:
        until = db.now() + timedelta(seconds=HOLD_SECONDS)
        insert = db.insert_or_change(_table, db.current().dialect, lambda new: {"until": new.until})
        session.execute(insert, [{"lane": lane, "spool": self._id, "until": until} for lane in lanes])

    def _renew(self, session: Session) -> None:
        until = db.now() + timedelta(seconds=HOLD_SECONDS)
        mine = sa.update(_table).where(_table.c.spool == self._id, _table.c.until > db.now())
        session.execute(mine.values(until=until))

    def release(self, stored: Iterable[str]) -> None:
        """Let workers claim the lanes of *stored* requests of which nothing is left in the spool.

        :param stored: the lanes of each request, repeated if several had the same.
        :raises sqlalchemy.exc.SQLAlchemyError: if the database does not answer; then they wait until their
            announcement ends.
        """
        done = sorted(self._stored(stored))
        for begin in range(0, len(done), CHUNK):
            db.write(self._end, done[begin : begin + CHUNK])
        if not self._requests:
            self._since = None

    def _end(self, session: Session, lanes: Collection[str]) -> None:
        mine = sa.update(_table).where(_lane.in_(lanes), _table.c.spool == self._id)
        session.execute(mine.values(until=db.now()))
