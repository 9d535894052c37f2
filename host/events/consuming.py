"""Deliver the event log to its consumers, each from its own position, each event once.

A consumer's work and its new position are committed in one transaction. One process at a time reads for a
consumer. Each consumer has its own thread, so a slow or failing one does not affect the others; it retries
the same event until it succeeds.

A consumer that works outside of transactions, because its work is an addon's, moves afterwards instead: each
event at least once.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, runtime_checkable

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import call_budget, clock, db
from host.core.call_budget.threads import ReplaceableThread
from host.core.config import Config
from host.core.ports import GenerationSource
from host.core.statements import Statement
from host.events import reading, retention
from host.events.models import Consumer
from host.events.reading import BEGINNING, CONSUMER_TABLE, Position, Recorded
from host.events.writing import listen
from host.features import registry
from host.models.users import InstallationValue
from host.queue import activity, outage

log = logging.getLogger("lobby.record")

LEASE = timedelta(seconds=10)
"""Lease of a consumer: how long other processes wait for a frozen or dead one."""
RENEW_SECONDS = 4.0
SQLITE_RENEW_SECONDS = 8.0
"""Seconds between lease renewals on SQLite, where no other process waits and each one syncs the disk."""
TOGETHER = 0.75
"""Share of that time after which the leases of all idle readers of a process are renewed in one write."""
LOOK_SECONDS = 0.25
"""Polling interval for events of other processes."""
QUIET_LOOK_SECONDS = 0.5
"""The same while Lobby is not in use."""
SQLITE_LOOK_SECONDS = 2.0
"""Polling interval on SQLite, where no other process writes events."""
SOON_SECONDS = 0.02
"""Polling interval right after an event was written that may not be readable in order yet."""
GATHER_SECONDS = 0.1
"""On a server, how long events are gathered before the log is read, and again before a consumer handles them.

Each process asks for them, and each consumer has a transaction of its own. On SQLite neither costs a network
round trip, and the process that writes is the one that reads.
"""
TAKE_SECONDS = 5.0
"""Interval in seconds at which a process asks whether a consumer is free that another process reads for."""
MOST_PAUSE_SECONDS = 60.0
MOST_DOUBLED = 30
"""How often a pause is doubled: a power of a day of failures is no number any more."""
TRIES = 5
"""How often an event is passed in its place until it is set aside, where the consumer does that."""
HELD_SECONDS = 0.01
"""Target duration of one write on SQLite, whose single writer customers' messages also need."""
COURTESY = 4
"""Factor by which consumers pause, relative to a write that others had to wait for."""
BACKLOG_COURTESY = 29
"""The same factor while received events wait to be applied, because those are not visible yet."""
LATE = timedelta(seconds=2)
"""On a server, the age of an event after which a consumer works half of the time in a backlog, too.

Rules, sequences and webhooks follow the log, so it must not fall behind for as long as a rush lasts.
"""
MOST_AWAY_SECONDS = 1.0
"""On a server, the longest pause of a consumer, so that it learns in time that it is late."""
MOST_KEPT = 2000
"""Most events cached for the slower consumers of a process: about 1.5 MB."""

_OFF = "off.consumer."
"""Prefix of the installation values with the time since which a consumer's feature is disabled."""

_named = CONSUMER_TABLE.c.name == sa.bindparam("consumer")
_lease = Statement(sa.select(CONSUMER_TABLE.c.owner, CONSUMER_TABLE.c.lease_until).where(_named))
_move = Statement(sa.update(CONSUMER_TABLE).where(_named, CONSUMER_TABLE.c.owner == sa.bindparam("reader")))


class EventConsumer(Protocol):
    """A consumer of the event log.

    :param name: key of its position; must never change.
    :param from_beginning: whether a new consumer begins at the first stored event rather than the next one.
    :param batch: most events per call.
    :param shown: whether it also gets events that are only for open browsers, whose kind is empty.

    A consumer with ``gather_seconds`` starts with that delay, to handle events of that time in one
    transaction.
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
        """Handle *events*, in their order, in this transaction, which may be retried."""


@runtime_checkable
class BeginsAgain(Protocol):
    """A consumer with work to do when its feature is re-enabled."""

    def begin_again(self, session: Session, off_since: datetime) -> None:
        """Close everything that unread events would have closed."""


@runtime_checkable
class WorksOutside(Protocol):
    """A consumer whose work runs outside any transaction, before its position moves.

    Each event is handled at least once. One with an attribute ``parked_events``, see :class:`ParkedEvents`,
    goes on with other events after one failed :data:`TRIES` times.

    :param lease: how long other processes wait for one that died; longer than any work and any pause.
    :param gives_up_after: time after which an event that keeps failing is skipped.
    """

    @property
    def lease(self) -> timedelta: ...
    @property
    def gives_up_after(self) -> timedelta: ...

    def chosen(self, events: Sequence[Recorded]) -> Sequence[Recorded]:
        """Return those of *events* that it works on."""

    def work(self, events: Sequence[Recorded]) -> None:
        """Handle *events*, in their order. They are passed again if it raises, or the process dies."""

    def skip(self, session: Session, event: Recorded) -> None:
        """Record in this transaction that *event* is skipped, because it failed for so long."""


class Parked(NamedTuple):
    """An event that was set aside.

    :param id: its id among those set aside.
    :param event: None if it is no longer in the event log.
    """

    id: int
    event: Recorded | None


class ParkedEvents(Protocol):
    """The events that a consumer working outside could not handle, and those behind them, set aside.

    Called only by the thread of the process that reads for the consumer.
    """

    def begin(self) -> None:
        """Forget what is known: another process may have read until now."""

    def succeeded(self) -> None:
        """Note that an event was handled."""

    def problem(self, error: BaseException) -> str:
        """Return the problem to store for the next event, which failed with *error*."""

    def waiting(self, events: Sequence[Recorded]) -> Collection[int]:
        """Return the ids of those of *events* that wait behind one set aside."""

    def may_park(self, event: Recorded) -> bool:
        """Return whether *event*, which failed :data:`TRIES` times, may be set aside."""

    def park(
        self, session: Session, event: Recorded, tries: int, since: datetime, error: BaseException
    ) -> None:
        """Set *event* aside in this transaction."""

    def wait(self, session: Session, events: Sequence[Recorded]) -> None:
        """Set *events* aside in this transaction, which wait behind others."""

    def next_due(self) -> Parked | None:
        """Return the next event set aside that is due."""

    def is_first(self, parked: Parked) -> bool:
        """Return whether *parked* waits behind no other."""

    def postpone(self, session: Session, parked: Parked) -> None:
        """Let *parked* wait on."""

    def retried(self, session: Session, parked: Parked, error: BaseException | None) -> None:
        """Note in this transaction that *parked* was handled, or failed with *error*."""


class ConsumerContext(NamedTuple):
    """Services of the process for its consumers.

    :param config: returns the current settings.
    :param generation: returns the current generation; call it before each piece of work.
    """

    config: Callable[[], Config]
    generation: GenerationSource


def of_features(context: ConsumerContext) -> list[EventConsumer]:
    """Return the consumers that features declare."""
    return [
        feature.load(make)(context) for feature in registry.active() for make in feature.consumers.values()
    ]


class Consumers:
    """The threads of one process that read the event log for *consumers*.

    :param is_behind: returns whether received events wait to be applied in this process.
    """

    def __init__(
        self, consumers: Iterable[EventConsumer], *, is_behind: Callable[[], bool] = lambda: False
    ) -> None:
        self._courtesy, self._recent = _Courtesy(is_behind), _Recent()
        self._readers = [_Reader(one, self._courtesy, self._recent) for one in consumers]
        self._stopping = threading.Event()
        self._awake = threading.Event()
        self._threads: list[ReplaceableThread] = []
        self._following = threading.Lock()

    def start(self) -> None:
        """Start reading, if there are consumers."""
        with self._following:
            if names := retention.switched_off():
                db.write(note_off, names)
            self._stopping.clear()
            listen(self._awake)
            self._run("record-watch", self._watch)
            self._serve(self._readers)

    def follow(self, consumers: Iterable[EventConsumer]) -> None:
        """Read for exactly *consumers* from now on: start new ones, and stop the others."""
        with self._following:
            if self._stopping.is_set():
                return
            wanted = {one.name: one for one in consumers}
            for reader in self._readers:
                if reader.consumer.name not in wanted:
                    reader.stop()
            kept = [reader for reader in self._readers if reader.consumer.name in wanted]
            names = {reader.consumer.name for reader in kept}
            new = [
                _Reader(one, self._courtesy, self._recent) for one in wanted.values() if one.name not in names
            ]
            self._readers = [*kept, *new]
            self._serve(new)

    def _serve(self, readers: Sequence[_Reader]) -> None:
        if not readers:
            return
        for reader in readers:
            reader.stopping.clear()
        db.write(_make_rows, [reader.consumer for reader in readers])
        for reader in readers:
            self._run(f"record-{reader.consumer.name}", reader.serve)

    def _run(self, name: str, target: Callable[[], None]) -> None:
        thread = ReplaceableThread(target=target, name=name)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()

    def retire(self) -> None:
        """Start no new work. Finish current work, so that other processes can continue."""
        self._stopping.set()
        self._awake.set()
        for reader in self._readers:
            reader.stop()

    def stop(self, *, timeout: float = 20.0) -> None:
        """Retire, and wait up to *timeout* seconds for work in progress."""
        self.retire()
        deadline = clock.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - clock.monotonic()))
        self._threads = []

    def _watch(self) -> None:
        """Number committed events if the database needs it, and wake the readers for new ones."""
        last: Position | None = None
        quick_until = 0.0
        alone = db.current().is_sqlite
        soon = SOON_SECONDS if alone else GATHER_SECONDS
        while not self._stopping.is_set():
            if self._awake.wait(soon if clock.monotonic() < quick_until else _look_seconds()):
                self._stopping.wait(_gather_seconds())
                self._awake.clear()
                quick_until = clock.monotonic() + _look_seconds()
            tried_at = clock.monotonic()
            try:
                reading.number_all()
                with db.read() as session:
                    mark = reading.newest(session)
                outage.current().over()
            except Exception as error:
                if not outage.current().began("reading the record", error, tried_at):
                    log.exception("the record cannot be read at the moment")
                self._stopping.wait(1)
                continue
            self._renew_idle()
            if mark != last:
                last, quick_until = mark, 0.0
                activity.current().note()
                self._recent.reached(mark)
                for reader in self._readers:
                    reader.awake.set()

    def _renew_idle(self) -> None:
        """Renew the leases of readers with nothing to do in one write, so that none needs one of its own."""
        idle = {reader: held for reader in self._readers if (held := reader.idle) is not None}
        began = clock.monotonic()
        if not any(began - reader.stored_at > _renew_seconds() * TOGETHER for reader in idle):
            return
        leases: dict[str, timedelta] = {held: reader.lease for reader, held in idle.items()}
        try:
            renewed = db.write(_renew, leases)
        except Exception as error:  # noqa: BLE001 - each renews its own then
            log.debug("leases of readers were not renewed together: %s", error)
            return
        for reader, held in idle.items():
            if held in renewed:
                reader.note_renewed(held, began)


def pause_after(worked: float, late_by: timedelta) -> float:
    """Return the seconds a job pauses after it wrote for *worked* seconds; 0 unless others want to write.

    :param late_by: how late what it did already was. On a server, a job that is late works half of the time:
        with a distant database most of its time is spent waiting for answers, which delays nobody.
    """
    its = db.current()
    if not its.is_shared:
        return 0.0
    if its.is_sqlite:
        return worked * COURTESY
    return worked if late_by > LATE else min(worked * COURTESY, MOST_AWAY_SECONDS)


class _Courtesy:
    """Throttle that pauses the readers of a process after they blocked other writers.

    Customers' messages are stored and shown first; consumers may follow a little later. The readers pause one
    after the other, so that together they take no more than their share.
    """

    def __init__(self, is_behind: Callable[[], bool] = lambda: False) -> None:
        self._is_behind = is_behind
        self._lock = threading.Lock()
        self._until = 0.0

    def seconds_after(self, worked: float, *, kept_others: bool, age: timedelta | None = None) -> float:
        """Return the pause of a reader after *worked* seconds of work.

        :param kept_others: whether another writer waited for it.
        :param age: on a server, the age of the last event it handled; None on SQLite, whose one writer the
            backlog needs.
        """
        times = BACKLOG_COURTESY if self._is_behind() else COURTESY if kept_others else 0
        if not times:
            return 0.0
        if age is not None and age > LATE:
            return worked
        with self._lock:
            now = clock.monotonic()
            self._until = max(self._until, now) + worked * times
            if age is not None:
                self._until = min(self._until, now + MOST_AWAY_SECONDS)
            return self._until - now


class _Recent:
    """Cache of the latest events, read once for all readers of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: list[Recorded] = []
        """Events between ``_begin`` and ``_end``, including those only for browsers."""
        self._begin = self._end = BEGINNING
        self._mark: Position | None = None

    def reached(self, mark: Position) -> None:
        """Note up to where the log can be read, so that no reader asks again."""
        self._mark = mark

    def after(self, position: Position, limit: int, *, shown: bool) -> reading.Batch:
        """Return events like :func:`host.events.reading.after`."""
        with self._lock:
            if position >= self._begin:
                return self._after(position, limit, shown)
        # A reader that lags behind must not evict the latest events.
        with db.read() as session:
            return reading.after(session, position, limit, shown=shown, mark=self._mark)

    def _after(self, position: Position, limit: int, shown: bool) -> reading.Batch:
        if not self._events or position > self._end:
            self._events, self._begin, self._end = [], position, position
        at = bisect_right(self._events, position, key=attrgetter("position"))
        wanted = (one for one in islice(self._events, at, None) if shown or one.kind)
        found = list(islice(wanted, limit))
        if len(found) == limit:
            return reading.Batch(found, found[-1].position, more=True)
        mark = self._mark
        if mark is not None and mark <= self._end:
            return reading.Batch(found, self._end, more=False)
        with db.read() as session:
            batch = reading.after(session, self._end, limit - len(found), shown=True, mark=mark)
        self._events += batch.events
        self._end = batch.end
        if len(self._events) > MOST_KEPT:
            self._begin = self._events[-MOST_KEPT - 1].position
            del self._events[:-MOST_KEPT]
        found += [one for one in batch.events if shown or one.kind]
        return reading.Batch(found, batch.end, batch.more)


class _Reader:
    """Reader for one consumer."""

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
        """Its position; None: another process probably reads for it."""
        self._stored: Position | None = None
        """The position in the database."""
        self.idle: str | None = None
        """The owner of its lease while it waits and has nothing to store."""
        self._owner = ""
        self._stored_at = 0.0
        self._asked_at = float("-inf")
        """When it last asked whether the consumer is free."""
        self._limit = consumer.batch
        self._worked = 0.0
        """Duration of the last write in seconds."""
        self._worked_outside = 0.0
        """Processor time in seconds of the last work outside a transaction."""
        self._away = 0.0
        """Pause in seconds before the next write."""
        self._failures = 0
        self._tried_at = float("inf")
        """When it began what it does now."""
        self._gather = float(getattr(consumer, "gather_seconds", 0.0))
        self._outside = consumer if isinstance(consumer, WorksOutside) else None
        self._lease = LEASE if self._outside is None else self._outside.lease
        self._attempted: Sequence[Recorded] = ()
        """The events that are being worked on outside a transaction."""
        self._singly_until = BEGINNING
        """The position up to which events are passed one by one, because one of them failed."""
        self._tries = (0, 0)
        """The id of the event that failed last when passed alone, and how often it did."""
        self._parked_events: ParkedEvents | None = getattr(consumer, "parked_events", None)
        self._retrying: Parked | None = None
        """The event set aside that is being worked on."""

    def stop(self) -> None:
        self.stopping.set()
        self.awake.set()

    @property
    def stored_at(self) -> float:
        """When its lease was last renewed."""
        return self._stored_at

    @property
    def lease(self) -> timedelta:
        return self._lease

    def note_renewed(self, owner: str, at: float) -> None:
        """Note that its lease, held as *owner*, was renewed at *at*."""
        if self._owner == owner:
            self._stored_at = max(self._stored_at, at)

    def serve(self) -> None:
        with db.behind():
            self._serve()

    def _serve(self) -> None:
        self._note_given_up()
        while not self.stopping.is_set():
            self._tried_at = clock.monotonic()
            try:
                more = self._step()
                self.stopping.wait(self._away)
                if not more:
                    if self._position is not None and self._position == self._stored:
                        self.idle = self._owner
                    self.awake.wait(_renew_seconds())
                    self.idle = None
                    self.awake.clear()
                    self.stopping.wait(max(self._gather, _gather_seconds()))
            except BaseException as error:  # noqa: BLE001 - nothing, not even an exit, may stop a reader thread
                call_budget.refuse_given_up()
                self._note(error)
        if self._position is not None:
            try:
                db.write(_release, self.consumer.name, self._owner, self._position)
            except Exception:
                log.exception("%s could not be released; it is taken over soon", self.consumer.name)

    def _note_given_up(self) -> None:
        """Note what the thread before this one was given up for, see :class:`ReplaceableThread`."""
        error = TimeoutError("it did not return")
        if self._retrying is not None:
            parked, self._retrying = self._retrying, None
            try:
                self._note_retried(parked, error)
            except Exception:
                log.exception("that could not be noted")
        elif self._attempted:
            self._note(error)

    def _step(self) -> bool:
        """Handle the next events; return whether there may be more."""
        if self._position is None:
            if not self._may_take():
                return False
            self._owner = uuid.uuid4().hex
            self._position = self._stored = db.write(_take, self.consumer.name, self._owner, self._lease)
            self._stored_at = clock.monotonic()
            if self._position is None:
                return False
            if self._parked_events is not None:
                self._parked_events.begin()
        retried = self._parked_events is not None and self._retry(self._parked_events, self._position)
        if retried is None:
            return False
        began, self._away = clock.monotonic(), 0.0
        batch = self._recent.after(self._position, self._limit, shown=self.consumer.shown)
        read_for = clock.monotonic() - began
        events = batch.events
        waiting: Sequence[Recorded] = ()
        if self._outside is not None:
            events = self._outside.chosen(events)
            if self._parked_events is not None and (behind := self._parked_events.waiting(events)):
                waiting = [one for one in events if one.id in behind]
                events = [one for one in events if one.id not in behind]
            if events and not self._work(self._outside, events):
                return False
        if events or waiting or clock.monotonic() - self._stored_at > _renew_seconds():
            kept_others = self._store(events, batch.end, waiting)
            if kept_others is None:
                return False
            if events:
                worked = read_for + self._worked + self._worked_outside
                age = None if db.current().is_sqlite else clock.now() - events[-1].at
                self._away = self._courtesy.seconds_after(worked, kept_others=kept_others, age=age)
        self._position = batch.end
        self._limit, self._failures = self._fitting(len(batch.events)), 0
        if self._position < self._singly_until:
            self._limit = 1
        return batch.more or retried

    def _store(
        self, events: Sequence[Recorded], position: Position, waiting: Sequence[Recorded] = ()
    ) -> bool | None:
        """Do what :meth:`_consume` does in a write, and note the result in this process."""
        kept_others = db.write(self._consume, events, position, waiting)
        if kept_others is None:
            log.info("another process reads for %s now", self.consumer.name)
            self._position = None
        else:
            self._stored, self._stored_at = position, clock.monotonic()
        return kept_others

    def _work(self, outside: WorksOutside, events: Sequence[Recorded]) -> bool:
        """Handle *events* outside a transaction; return False if another process reads for the consumer."""
        assert self._position is not None
        # After a pause another process may have it. The lease then lasts as long as the work.
        due = clock.monotonic() - self._stored_at > _renew_seconds()
        if due and self._store((), self._position) is None:
            return False
        self._attempted = events
        # Its processor time, which the workers of this process need, too; it may wait for other programs.
        began = time.thread_time()
        outside.work(events)
        self._worked_outside = time.thread_time() - began
        self._attempted = ()
        if self._parked_events is not None:
            self._parked_events.succeeded()
        return True

    def _retry(self, parked_events: ParkedEvents, position: Position) -> bool | None:
        """Pass the next event that was set aside and is due again.

        :return: whether there was one; None if another process reads for the consumer.
        """
        assert self._outside is not None
        parked = parked_events.next_due()
        if parked is None:
            return False
        due = clock.monotonic() - self._stored_at > _renew_seconds()
        if due and self._store((), position) is None:
            return None
        if not parked_events.is_first(parked):
            db.write(parked_events.postpone, parked)
            return True
        error: BaseException | None = None
        events = self._outside.chosen([] if parked.event is None else [parked.event])
        if events:
            self._retrying = parked
            try:
                self._outside.work(events)
            except BaseException as raised:
                call_budget.refuse_given_up()
                error = raised
                log.error("%s failed again with an event set aside", self.consumer.name, exc_info=raised)
            else:
                parked_events.succeeded()
            self._retrying = None
        return self._note_retried(parked, error) or None

    def _note_retried(self, parked: Parked, error: BaseException | None) -> bool:
        """Store what became of *parked*; return whether this process still reads for the consumer."""
        parked_events, position = self._parked_events, self._position
        if parked_events is None or position is None:
            return False

        def note(session: Session) -> bool:
            if self._consume(session, (), position) is None:
                return False
            parked_events.retried(session, parked, error)
            return True

        if not db.write(note):
            self._position = None
            return False
        self._stored_at = clock.monotonic()
        return True

    def _may_take(self) -> bool:
        """Return whether the consumer may be free; asked rarely, as another process usually reads for it."""
        if db.current().is_sqlite:
            return True
        now = clock.monotonic()
        if now - self._asked_at < TAKE_SECONDS:
            return False
        self._asked_at = now
        with db.read() as session:
            rows = _lease.rows(session.connection(), {"consumer": self.consumer.name})
        return any(owner is None or until is None or until <= db.now() for owner, until in rows)

    def _fitting(self, done: int) -> int:
        """Return the number of events to handle next: on SQLite as many as fit in :data:`HELD_SECONDS`."""
        if not db.current().is_sqlite or not done or not self._worked:
            return self.consumer.batch
        return max(1, min(self.consumer.batch, round(done * HELD_SECONDS / self._worked)))

    def _consume(
        self,
        session: Session,
        events: Sequence[Recorded],
        position: Position,
        waiting: Sequence[Recorded] = (),
    ) -> bool | None:
        """Handle *events* and advance; return whether others wait to write, or None without the lease.

        :param waiting: events that are set aside behind others.
        """
        now = db.now()
        moved: dict[str, Any] = {"failing_since": None, "problem": None} if events or waiting else {}
        moved |= {"place": position.place, "event_id": position.event_id}
        moved |= {"moved_at": now, "lease_until": now + self._lease}
        # First, so that the row is locked during the work, which is undone with it if it fails.
        held = _move.run(
            session.connection(), {"consumer": self.consumer.name, "reader": self._owner, **moved}
        )
        if not held:
            return None
        if events and self._outside is None:
            began = clock.monotonic()
            self.consumer.consume(session, events)
            self._worked = clock.monotonic() - began
        if waiting and self._parked_events is not None:
            self._parked_events.wait(session, waiting)
        return db.current().is_wanted

    def _note(self, error: BaseException) -> None:
        """Note that the next event failed, and wait before the retry."""
        if not outage.current().began(f"the reader {self.consumer.name}", error, self._tried_at):
            log.error("%s cannot go on; it tries again", self.consumer.name, exc_info=error)
        self._limit = 1  # the events before the failing one are done
        attempted, self._attempted = self._attempted, ()
        if attempted:
            self._singly_until = attempted[-1].position
        if len(attempted) == 1:
            id_, tries = self._tries
            self._tries = (attempted[0].id, tries + 1 if id_ == attempted[0].id else 1)
        problem = type(error).__name__ if self._parked_events is None else self._parked_events.problem(error)
        try:
            since = db.write(_mark_failing, self.consumer.name, self._owner, problem, self._lease)
            if self._gives_up(attempted, since) or self._parks(attempted, since, error):
                return
        except sa.exc.SQLAlchemyError:
            if not outage.current().is_on():
                log.warning("that could not be noted")
        if len(attempted) > 1 and not self._failures:
            return  # they are passed one by one at once
        self._failures += 1
        self.stopping.wait(min(2.0 ** min(self._failures - 1, MOST_DOUBLED), MOST_PAUSE_SECONDS))

    def _parks(self, attempted: Sequence[Recorded], since: datetime | None, error: BaseException) -> bool:
        """Set the one event in *attempted* aside if it failed often enough; return whether it did.

        :param since: since when it has failed; None: another process reads now.
        """
        parked_events, tries = self._parked_events, self._tries[1]
        if parked_events is None or since is None or len(attempted) != 1 or tries < TRIES:
            return False
        (event,) = attempted
        if not parked_events.may_park(event):
            return False

        def park(session: Session) -> bool:
            if self._consume(session, [event], event.position) is None:
                return False
            parked_events.park(session, event, tries, since, error)
            return True

        self._go_past(event, db.write(park))
        return True

    def _go_past(self, event: Recorded, held: bool) -> None:
        """Note that the position moved past *event*, unless another process reads by now."""
        self._position = event.position if held else None
        self._stored_at = clock.monotonic()
        self._failures = 0

    def _gives_up(self, attempted: Sequence[Recorded], since: datetime | None) -> bool:
        """Move past the one event in *attempted* if it has failed for too long; return whether it did.

        :param since: since when it has failed; None: another process reads now.
        """
        outside = self._outside
        if outside is None or since is None or len(attempted) != 1:
            return False
        if clock.now() - since < outside.gives_up_after:
            return False
        (event,) = attempted

        def skip(session: Session) -> bool:
            if self._consume(session, [event], event.position) is None:
                return False
            outside.skip(session, event)
            return True

        self._go_past(event, db.write(skip))
        return True


def _renew(session: Session, leases: Mapping[str, timedelta]) -> set[str]:
    """Renew leases by their owners; return the owners whose lease was renewed.

    A reader that has begun to work meanwhile holds its row. It is left out instead of waited for.
    """
    owned = sa.select(CONSUMER_TABLE.c.name, CONSUMER_TABLE.c.owner).where(
        CONSUMER_TABLE.c.owner.in_(db.padded(sorted(leases)))
    )
    rows = session.execute(owned.order_by(CONSUMER_TABLE.c.name).with_for_update(skip_locked=True)).all()
    now = db.now()
    for lease in sorted(set(leases.values())):
        names = [name for name, owner in rows if leases[owner] == lease]
        if names:
            session.execute(
                sa.update(CONSUMER_TABLE)
                .where(CONSUMER_TABLE.c.name.in_(db.padded(names)))
                .values(moved_at=now, lease_until=now + lease)
            )
    return {owner for _, owner in rows}


def _renew_seconds() -> float:
    return SQLITE_RENEW_SECONDS if db.current().is_sqlite else RENEW_SECONDS


def _look_seconds() -> float:
    if db.current().is_sqlite:
        return SQLITE_LOOK_SECONDS
    return QUIET_LOOK_SECONDS if activity.current().is_quiet else LOOK_SECONDS


def _gather_seconds() -> float:
    return 0.0 if db.current().is_sqlite else GATHER_SECONDS


def _make_rows(session: Session, consumers: Sequence[EventConsumer]) -> None:
    """Create positions for new consumers; one that was disabled restarts with the next event."""
    newest = reading.newest(session)
    for one in consumers:
        mark = session.get(InstallationValue, _OFF + one.name, with_for_update=True)
        if mark is None:
            reading.make_row(session, one.name, BEGINNING if one.from_beginning else newest)
            continue
        reading.make_row(session, one.name, newest)
        if isinstance(one, BeginsAgain):
            one.begin_again(session, datetime.fromisoformat(mark.value))
        session.delete(mark)


def note_off(session: Session, names: Iterable[str]) -> None:
    """Delete the positions of consumers whose features are disabled, and store the time."""
    for name in sorted(names):
        row = session.get(Consumer, name, with_for_update=True)
        if row is not None:
            session.merge(InstallationValue(name=_OFF + name, value=clock.now().isoformat()))
            session.delete(row)


def _take(session: Session, name: str, owner: str, lease: timedelta = LEASE) -> Position | None:
    """Take the lease of a consumer if it is free, and return its position."""
    row = session.get(Consumer, name, with_for_update=True)
    now = db.now()
    alone = db.current().is_sqlite  # one process owns the file, so the holder is dead
    if row is None:
        return None
    if not alone and row.owner is not None and row.lease_until is not None and row.lease_until > now:
        return None
    row.owner, row.lease_until = owner, now + lease
    return Position(row.place, row.event_id)


def _release(session: Session, name: str, owner: str, position: Position) -> None:
    row = session.get(Consumer, name, with_for_update=True)
    if row is not None and row.owner == owner:
        row.owner, row.lease_until = None, None
        row.place, row.event_id = position


def _mark_failing(session: Session, name: str, owner: str, problem: str, lease: timedelta) -> datetime | None:
    """Note that the next event failed; return since when it has, or None without the lease."""
    row = session.get(Consumer, name, with_for_update=True)
    if row is None or row.owner != owner:
        return None
    row.failing_since = row.failing_since or clock.now()
    row.problem = problem
    row.lease_until = db.now() + lease
    return row.failing_since


def forget(session: Session, names: Iterable[str]) -> None:
    """Delete the positions of consumers that no release has any more; a later one begins with what comes."""
    for name in sorted(names):
        row = session.get(Consumer, name, with_for_update=True)
        if row is not None:
            session.delete(row)


def named(session: Session, prefix: str) -> Sequence[str]:
    """Return the names of the consumers that begin with *prefix* and have a position."""
    query = sa.select(Consumer.name).where(Consumer.name.startswith(prefix, autoescape=True))
    return session.scalars(query.order_by(Consumer.name)).all()
