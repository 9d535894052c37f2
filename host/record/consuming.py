"""Hand the record to those that read it, each from where it is, each event once.

A consumer's work and its new position are one transaction: an event is done and passed, or neither. One
process at a time reads for a consumer. Each has a thread of its own, so one that is slow or fails costs the
others nothing; it tries the same event again until it can be done.
"""

from __future__ import annotations

import logging
import threading
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import islice
from operator import attrgetter
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import call_budget, clock, db
from host.core.call_budget.threads import ReplaceableThread
from host.core.statements import Statement
from host.models.record import Consumer
from host.record import reading
from host.record.reading import BEGINNING, CONSUMER_TABLE, Position, Recorded
from host.record.writing import listen

log = logging.getLogger("lobby.record")

LEASE = timedelta(seconds=10)
"""How long others wait for a process that reads for a consumer and is frozen or dead."""
RENEW_SECONDS = 4.0
SQLITE_RENEW_SECONDS = 8.0
"""The same where no other process waits, and each renewal is a sync of the disk."""
LOOK_SECONDS = 0.25
"""How often what other processes recorded is looked for."""
SQLITE_LOOK_SECONDS = 2.0
"""The same where no other process records anything."""
SOON_SECONDS = 0.02
"""How often it is looked for right after something was recorded that may not be vouched for yet."""
MOST_PAUSE_SECONDS = 60.0
HELD_SECONDS = 0.01
"""How long about one write may keep SQLite's one writer from others: customers' messages wait for it."""
COURTESY = 4
"""How many times as long the readers of a process stay away from a writer that others had to wait for."""
BACKLOG_COURTESY = 29
"""The same while received events wait to be applied: they are not even on a screen yet."""
MOST_KEPT = 2000
"""Events in memory for the readers of a process that come later: about 1.5 MB."""

_named = CONSUMER_TABLE.c.name == sa.bindparam("consumer")
_owner = Statement(sa.select(CONSUMER_TABLE.c.owner).where(_named).with_for_update())
_change = Statement(sa.update(CONSUMER_TABLE).where(_named))


class EventConsumer(Protocol):
    """Something that reads the record.

    :param name: what its position is kept under; never changes.
    :param from_beginning: where it begins when it is new: at the first event there is, or at the next.
    :param batch: most events it is given at a time.
    :param shown: whether it is given, with an empty kind, also what only open browsers have to know.

    One that has ``gather_seconds`` begins that much later: what comes meanwhile is then one transaction.
    """

    @property
    def name(self) -> str: ...
    @property
    def from_beginning(self) -> bool: ...
    @property
    def batch(self) -> int: ...
    @property
    def shown(self) -> bool: ...

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Do what *events* ask for, in this transaction, which may be tried again. Their order is theirs."""


class Consumers:
    """The threads of one process that read the record for *consumers*.

    :param is_behind: tells whether received events wait to be applied in this process.
    """

    def __init__(
        self, consumers: Iterable[EventConsumer], *, is_behind: Callable[[], bool] = lambda: False
    ) -> None:
        courtesy, recent = _Courtesy(is_behind), _Recent()
        self._readers = [_Reader(one, courtesy, recent) for one in consumers]
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._threads: list[ReplaceableThread] = []

    def start(self) -> None:
        """Start reading, if there is anybody to read for."""
        if not self._readers:
            return
        self._stopping.clear()
        for reader in self._readers:
            reader.stopping.clear()
        db.write(_make_rows, [reader.consumer for reader in self._readers])
        listen(self._awake)
        targets = [("record-watch", self._watch)]
        targets += [(f"record-{reader.consumer.name}", reader.serve) for reader in self._readers]
        self._threads = [ReplaceableThread(target=target, name=name) for name, target in targets]
        for thread in self._threads:
            thread.start()

    def retire(self) -> None:
        """Take up nothing more. What is under way is finished, and other processes may go on from there."""
        self._stopping.set()
        self._awake.set()
        for reader in self._readers:
            reader.stop()

    def stop(self, *, timeout: float = 20.0) -> None:
        """Retire, and wait up to *timeout* seconds for what is under way."""
        self.retire()
        deadline = clock.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - clock.monotonic()))
        self._threads = []

    def _watch(self) -> None:
        """Number what is committed where the database needs it, and wake the readers for what is new."""
        last: Position | None = None
        quick_until = 0.0
        pause = SQLITE_LOOK_SECONDS if db.current().is_sqlite else LOOK_SECONDS
        while not self._stopping.is_set():
            if self._awake.wait(SOON_SECONDS if clock.monotonic() < quick_until else pause):
                self._awake.clear()
                quick_until = clock.monotonic() + pause
            try:
                reading.number_all()
                with db.read() as session:
                    mark = reading.newest(session)
            except Exception:
                log.exception("the record cannot be read at the moment")
                self._stopping.wait(1)
                continue
            if mark != last:
                last, quick_until = mark, 0.0
                for reader in self._readers:
                    reader.awake.set()


class _Courtesy:
    """Keeps the readers of a process away for a while after they kept others from their work.

    What customers write is taken in and shown first; what is made of it may come a little later. The readers
    stay away one after the other, so that all of them together take no more than their part.
    """

    def __init__(self, is_behind: Callable[[], bool] = lambda: False) -> None:
        self._is_behind = is_behind
        self._lock = threading.Lock()
        self._until = 0.0

    def seconds_after(self, worked: float, *, kept_others: bool) -> float:
        """Return how long a reader stays away that was at work for *worked* seconds.

        :param kept_others: whether somebody waited for it.
        """
        times = BACKLOG_COURTESY if self._is_behind() else COURTESY if kept_others else 0
        if not times:
            return 0.0
        with self._lock:
            now = clock.monotonic()
            self._until = max(self._until, now) + worked * times
            return self._until - now


class _Recent:
    """The end of the record, read once for all readers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Recorded] = []
        """What stands between ``_begin`` and ``_end``, what only browsers have to know included."""
        self._begin = self._end = BEGINNING

    def after(self, position: Position, limit: int, *, shown: bool) -> reading.Batch:
        """Return what :func:`host.record.reading.after` does."""
        with self._lock:
            if position >= self._begin:
                return self._after(position, limit, shown)
        # A reader that is behind the others keeps nobody from the end of the record.
        with db.read() as session:
            return reading.after(session, position, limit, shown=shown)

    def _after(self, position: Position, limit: int, shown: bool) -> reading.Batch:
        if not self._events or position > self._end:
            self._events, self._begin, self._end = [], position, position
        at = bisect_right(self._events, position, key=attrgetter("position"))
        wanted = (one for one in islice(self._events, at, None) if shown or one.kind)
        found = list(islice(wanted, limit))
        if len(found) == limit:
            return reading.Batch(found, found[-1].position, more=True)
        with db.read() as session:
            batch = reading.after(session, self._end, limit - len(found), shown=True)
        self._events += batch.events
        self._end = batch.end
        if len(self._events) > MOST_KEPT:
            self._begin = self._events[-MOST_KEPT - 1].position
            del self._events[:-MOST_KEPT]
        found += [one for one in batch.events if shown or one.kind]
        return reading.Batch(found, batch.end, batch.more)


class _Reader:
    """Reads for one consumer."""

    def __init__(
        self,
        consumer: EventConsumer,
        courtesy: _Courtesy | None = None,
        recent: _Recent | None = None,
    ) -> None:
        self.consumer = consumer
        self._courtesy = courtesy or _Courtesy()
        self._recent = recent or _Recent()
        self.awake = threading.Event()
        self.stopping = threading.Event()
        self._position: Position | None = None
        """How far it is; None: another process reads for it, as far as is known."""
        self._owner = ""
        self._stored_at = 0.0
        self._limit = consumer.batch
        self._worked = 0.0
        """Seconds the last write was at work."""
        self._away = 0.0
        """Seconds to leave the others before the next."""
        self._failures = 0
        self._gather = float(getattr(consumer, "gather_seconds", 0.0))

    def stop(self) -> None:
        self.stopping.set()
        self.awake.set()

    def serve(self) -> None:
        with db.behind():
            self._serve()

    def _serve(self) -> None:
        while not self.stopping.is_set():
            try:
                more = self._step()
                self.stopping.wait(self._away)
                if not more:
                    self.awake.wait(_renew_seconds())
                    self.awake.clear()
                    self.stopping.wait(self._gather)
            except BaseException as error:  # noqa: BLE001 - nothing, not even an exit, may end a thread that reads
                call_budget.refuse_given_up()
                self._note(error)
        if self._position is not None:
            try:
                db.write(_release, self.consumer.name, self._owner, self._position)
            except Exception:
                log.exception("%s could not be released; it is taken over soon", self.consumer.name)

    def _step(self) -> bool:
        """Do the next events; return whether there may be more."""
        if self._position is None:
            self._owner = uuid.uuid4().hex
            self._position = db.write(_take, self.consumer.name, self._owner)
            self._stored_at = clock.monotonic()
            if self._position is None:
                return False
        began, self._away = clock.monotonic(), 0.0
        batch = self._recent.after(self._position, self._limit, shown=self.consumer.shown)
        read_for = clock.monotonic() - began
        if batch.events or clock.monotonic() - self._stored_at > _renew_seconds():
            kept_others = db.write(self._consume, batch.events, batch.end)
            if kept_others is None:
                log.info("another process reads for %s now", self.consumer.name)
                self._position = None
                return False
            self._stored_at = clock.monotonic()
            if batch.events:
                worked = read_for + self._worked
                self._away = self._courtesy.seconds_after(worked, kept_others=kept_others)
        self._position = batch.end
        self._limit, self._failures = self._fitting(len(batch.events)), 0
        return batch.more

    def _fitting(self, done: int) -> int:
        """Return how many events come next: on SQLite as many as take :data:`HELD_SECONDS`."""
        if not db.current().is_sqlite or not done or not self._worked:
            return self.consumer.batch
        return max(1, min(self.consumer.batch, round(done * HELD_SECONDS / self._worked)))

    def _consume(self, session: Session, events: Sequence[Recorded], position: Position) -> bool | None:
        """Do *events* and pass them; tell whether others wait to write. None: another process reads them."""
        connection, name = session.connection(), self.consumer.name
        if _owner.rows(connection, {"consumer": name}) != [(self._owner,)]:
            return None
        if events:
            began = clock.monotonic()
            self.consumer.consume(session, events)
            self._worked = clock.monotonic() - began
        moved: dict[str, Any] = {"failing_since": None, "problem": None} if events else {}
        now = db.now()
        moved |= {"place": position.place, "event_id": position.event_id}
        moved |= {"moved_at": now, "lease_until": now + LEASE}
        _change.run(connection, {"consumer": name, **moved})
        return db.current().is_wanted

    def _note(self, error: BaseException) -> None:
        """Note that the next event cannot be done at the moment, and wait before it is tried again."""
        log.error("%s cannot go on; it tries again", self.consumer.name, exc_info=error)
        self._limit = 1  # what stands before the event that fails is done
        self._failures += 1
        try:
            db.write(_mark_failing, self.consumer.name, self._owner, type(error).__name__)
        except sa.exc.SQLAlchemyError:
            log.warning("that could not be noted")
        self.stopping.wait(min(2.0 ** (self._failures - 1), MOST_PAUSE_SECONDS))


def _renew_seconds() -> float:
    return SQLITE_RENEW_SECONDS if db.current().is_sqlite else RENEW_SECONDS


def _make_rows(session: Session, consumers: Sequence[EventConsumer]) -> None:
    """Give consumers that are new their position."""
    newest = reading.newest(session)
    for one in consumers:
        reading.make_row(session, one.name, BEGINNING if one.from_beginning else newest)


def _take(session: Session, name: str, owner: str) -> Position | None:
    """Take the lease of a consumer, if nobody has it; return how far it is."""
    row = session.get(Consumer, name, with_for_update=True)
    now = db.now()
    alone = db.current().is_sqlite  # one process owns the file, so whoever held it is dead
    if row is None:
        return None
    if not alone and row.owner is not None and row.lease_until is not None and row.lease_until > now:
        return None
    row.owner, row.lease_until = owner, now + LEASE
    return Position(row.place, row.event_id)


def _release(session: Session, name: str, owner: str, position: Position) -> None:
    row = session.get(Consumer, name, with_for_update=True)
    if row is not None and row.owner == owner:
        row.owner, row.lease_until = None, None
        row.place, row.event_id = position


def _mark_failing(session: Session, name: str, owner: str, problem: str) -> None:
    row = session.get(Consumer, name, with_for_update=True)
    if row is not None and row.owner == owner:
        row.failing_since = row.failing_since or clock.now()
        row.problem = problem
        row.lease_until = db.now() + LEASE
