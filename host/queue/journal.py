"""Make webhook requests durable before the provider gets its answer.

Many requests share one commit. While one batch is being committed, the next one forms, so a request waits for
two commits at most and the disk is synced once per batch.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.pool import PoolProxiedConnection

from host import recording
from host.core import clock, db, logs
from host.queue import account_rotation, journal_rows, lane_waking, wakeups
from host.queue.journal_rows import Repeat, Rows
from host.queue.lane_waking import LaneRow
from host.queue.order.spooled_lanes import SpooledLanes
from host.queue.spool import MOST_BYTES, Delivery, Spool, SpoolFullError, request_id
from host.sdk.webhooks import Envelope

log = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 256
BATCH_BYTES = 8 * 1024 * 1024
BATCH_EVENTS = 256
"""Most events of one commit: every other writer waits for it."""
PART_EVENTS = BATCH_EVENTS // 2
"""A larger request is committed in parts of this size, each together with other requests that wait."""


class QueuedDelivery:
    """A delivery whose caller waits until all its parts are committed.

    Parts that were committed before another part failed do no harm: if the delivery is sent again, unique
    keys identify the stored events, and events of one account stay in order.
    """

    __slots__ = ("delivery", "done", "error", "http", "parts")

    def __init__(
        self, delivery: Delivery, prepared: Rows, done: threading.Lock | asyncio.Future[bool]
    ) -> None:
        self.delivery = delivery
        self.parts = deque(prepared.parts(PART_EVENTS))
        self.error: BaseException | None = None
        self.http = logs.http()
        self.done = done

    def part_ended(self) -> bool:
        """Move on to the next part; return whether this one was the last, or failed."""
        self.parts.popleft()
        if self.error is not None:
            self.parts.clear()
        return not self.parts

    @property
    def is_stored(self) -> bool:
        """Return whether all of it is committed."""
        return self.error is None and not self.parts

    def step(self) -> logs.Ids:
        """Return the name of this step in the log."""
        delivery, http = self.delivery, self.http or None
        return {"request_id": delivery.id, "events": len(delivery.envelopes), "http_id": http}


def _tell(items: Sequence[QueuedDelivery]) -> None:
    """Notify the callers of *items* that these are done; an event loop is woken once for all its callers."""
    waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for item in items:
        if isinstance(item.done, asyncio.Future):
            waiting.setdefault(item.done.get_loop(), []).append(item.done)
        else:
            item.done.release()
    for loop, futures in waiting.items():
        with suppress(RuntimeError):  # the loop has stopped, so no caller waits
            loop.call_soon_threadsafe(_resolve, futures)


def _resolve(futures: Sequence[asyncio.Future[bool]], committed: bool = True) -> None:
    for future in futures:
        if not future.done():
            future.set_result(committed)


class _Patience:
    """Ends each wait for a commit that takes too long, with one timer of an event loop for all of them.

    A timer for each of thousands of deliveries a second costs the loop more than the rest of waiting.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.loop = loop
        self._seconds = seconds
        self._waits: deque[tuple[float, asyncio.Future[bool]]] = deque()
        self._is_timed = False

    async def wait(self, done: asyncio.Future[bool]) -> bool:
        """Return whether *done* was resolved by the commit, in time."""
        waits = self._waits
        while waits and waits[0][1].done():
            waits.popleft()
        until = self.loop.time() + self._seconds
        waits.append((until, done))
        if not self._is_timed:
            self._is_timed = True
            self.loop.call_at(until, self._look)
        return await done

    def _look(self) -> None:
        now = self.loop.time()
        while self._waits and (self._waits[0][0] <= now or self._waits[0][1].done()):
            _resolve([self._waits.popleft()[1]], False)
        self._is_timed = bool(self._waits)
        if self._waits:
            self.loop.call_at(self._waits[0][0], self._look)


class SpooledRows(NamedTuple):
    """The rows for a file of the spool."""

    path: Path
    rows: Rows


class CommitQueue:
    """Deliveries in order of arrival. Many threads append, one thread removes."""

    def __init__(self) -> None:
        self._items: deque[QueuedDelivery] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: QueuedDelivery) -> None:
        """Add a delivery at the end."""
        self._items.append(item)

    def next_batch(self) -> list[QueuedDelivery]:
        """Return the next deliveries to commit: the oldest, and those that fit into the same batch.

        A delivery that has more parts, or whose events don't fit, stays first for the next batch. Later ones
        are committed before it unless they have events of one of its accounts, which would then be out of
        order.
        """
        items: list[QueuedDelivery] = []
        later: list[QueuedDelivery] = []
        held: set[int | None] = set()
        size = events = 0
        while self._items and len(items) + len(later) < BATCH and size < BATCH_BYTES:
            item = self._items.popleft()
            if not item.parts:
                continue  # a part before failed
            part = item.parts[0]
            fits = not (items and events + len(part.events) > BATCH_EVENTS)
            if fits and not (held and held & part.accounts()):
                items.append(item)
                size += part.size
                events += len(part.events)
                if len(item.parts) == 1:
                    continue
            later.append(item)
            for rest in item.parts:
                held |= rest.accounts()
        self._items.extendleft(reversed(later))
        return items


QUEUE = 1024
PATIENCE_SECONDS = 3.0  # a provider waits five seconds for its answer; the spool takes the rest
PROBE_SECONDS = 1.0
TRIES = 4  # of a batch that deadlocked with another process


class JournalUnavailableError(Exception):
    """The request is not durable: answer 503, so that the provider sends it again."""


class Journal:
    """The group committer of one process.

    :param spool: folder for requests received while the database is unavailable.
    :param limit: most requests that may wait for a commit; further ones are refused immediately.
    :param patience: seconds a caller waits for the commit before its request goes to the spool.
    :param spool_bytes: maximum size of the spool.
    """

    def __init__(
        self,
        spool: Path,
        *,
        wake: Callable[[str], None] = wakeups.wake,
        limit: int = QUEUE,
        patience: float = PATIENCE_SECONDS,
        spool_bytes: int = MOST_BYTES,
    ) -> None:
        self.spool = self._spool = Spool(spool, spool_bytes)
        self._wake = wake
        self._limit = limit
        self._patience = patience
        self._waiting: _Patience | None = None
        self._queue = CommitQueue()
        self._ring = threading.Event()
        self._thread: threading.Thread | None = None
        self._open = False
        self._away_until = 0.0
        self._connection: PoolProxiedConnection | None = None
        self._database: db.Database | None = None
        self._statements = journal_rows.statements_for("sqlite")
        self._numbers = itertools.count()
        self._busy_since = float("inf")
        self._lanes: SpooledLanes | None = None
        self._found: list[Path] = []
        self._asleep: dict[str, LaneRow] = {}
        self._repeats: list[Repeat] = []
        self._passed_over: set[str | int] = set()
        self._pause = lane_waking.AGAIN_SECONDS
        self._again_at = 0.0

    def start(self) -> None:
        """Start the committing thread."""
        self._database = db.current()
        self._statements = journal_rows.statements_for(self._database.dialect)
        # Processes that share a database start far apart: each has 2048 numbers per millisecond.
        self._numbers = itertools.count(secrets.randbelow(4096) << 11)
        if not self._statements.is_sqlite:
            self._lanes = SpooledLanes()
            self._found = self._spool.files()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop accepting requests, finish those in the queue, and exit."""
        self._open = False
        self._ring.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._drop_connection()

    def ingest(
        self,
        *,
        source: str,
        channel: str,
        raw: bytes,
        remote: str,
        envelopes: Sequence[Envelope],
        received_at: datetime | None = None,
        also: Callable[[Session], None] | None = None,
    ) -> None:
        """Make one request and its envelopes durable; return after that.

        :param source: where it was received: the path, or ``receiver:<name>``. Only events received by HTTP
            are checked for their age.
        :param received_at: time of receipt; default: now. Differs for a request that could not be decided
            immediately.
        :param also: the caller's SQL for the same transaction, such as its next position. The request then
            gets a separate commit and never goes to the spool: if the commit fails, nothing was written.
        :raises JournalUnavailableError: if it could not be made durable.
        """
        delivery = self._delivery(source, channel, raw, remote, envelopes, received_at)
        if also is not None:
            self._commit_alone(delivery, also)
            return
        if self._must_spool(delivery):
            self._keep(delivery)
            return
        done = threading.Lock()
        done.acquire()  # released by the committing thread
        item = self._queued(delivery, done)
        committed = done.acquire(timeout=self._patience)
        if self._still_unsafe(item, committed):
            self._keep_late(delivery)

    async def ingest_soon(
        self, *, source: str, channel: str, raw: bytes, remote: str, envelopes: Sequence[Envelope]
    ) -> None:
        """Do the same as :meth:`ingest` without blocking the event loop.

        :raises JournalUnavailableError: if it could not be made durable.
        """
        delivery = self._delivery(source, channel, raw, remote, envelopes, None)
        if self._must_spool(delivery):
            await asyncio.to_thread(self._keep, delivery)
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[bool] = loop.create_future()
        item = self._queued(delivery, done)
        if self._waiting is None or self._waiting.loop is not loop:
            self._waiting = _Patience(loop, self._patience)
        committed = await self._waiting.wait(done)
        if self._still_unsafe(item, committed):
            await asyncio.to_thread(self._keep_late, delivery)

    def _commit_alone(self, delivery: Delivery, also: Callable[[Session], None]) -> None:
        """Write a delivery and its caller's SQL in the caller's thread."""
        rows = Rows(delivery, self._statements)

        def use_case(session: Session) -> None:
            if delivery.envelopes:
                journal_rows.put(session, rows)
            also(session)

        try:
            db.write(use_case)
        except sa.exc.SQLAlchemyError as error:
            raise JournalUnavailableError("the database did not take the delivery") from error
        if delivery.envelopes:
            _note_stored([rows])
            logs.follow("received", request_id=delivery.id, events=len(delivery.envelopes))

    def _delivery(
        self,
        source: str,
        channel: str,
        raw: bytes,
        remote: str,
        envelopes: Sequence[Envelope],
        received_at: datetime | None,
    ) -> Delivery:
        # A provider sends a refused request again; an unlimited queue would use up the memory and lose them
        # all.
        if not self._open or len(self._queue) >= self._limit:
            raise JournalUnavailableError("too many requests wait for the database, or the host is stopping")
        now = clock.now()
        return Delivery(
            id=request_id(now, next(self._numbers)),
            source=source[:48],
            channel=channel,
            remote=remote[:64],
            received_at=received_at or now,
            raw=raw,
            envelopes=tuple(envelopes),
        )

    def _must_spool(self, delivery: Delivery) -> bool:
        """Return whether *delivery* goes to the spool, so that it does not overtake an earlier one there.

        On a server it may be committed although the spool holds something, once the lanes of that are
        announced: workers then sort what waits in them.
        """
        if self._lanes is None:
            return bool(self._spool) or self._is_away()
        away = self._is_away() or bool(self._found)
        if not away and self._lanes.are_announced:
            return False
        return self._lanes.note_unless_announced(self._lanes_of(delivery), away=away)

    def _lanes_of(self, delivery: Delivery) -> tuple[str, ...]:
        return tuple(Rows(delivery, self._statements).lanes)

    def _queued(self, delivery: Delivery, done: threading.Lock | asyncio.Future[bool]) -> QueuedDelivery:
        item = QueuedDelivery(delivery, Rows(delivery, self._statements), done)
        self._queue.append(item)
        if not self._ring.is_set():
            self._ring.set()
        return item

    def _still_unsafe(self, item: QueuedDelivery, committed: bool) -> bool:
        """Return whether *item* must go to the spool because its commit failed or took too long.

        :raises JournalUnavailableError: if the database refused it.
        """
        if not committed:
            # It may still be committed. The spool is replayed with unique keys, so storing it twice is
            # harmless.
            log.warning(
                "the database did not commit within %s s; the request goes to the spool", self._patience
            )
            return True
        if item.error is not None and not db.is_away(item.error):
            raise JournalUnavailableError("the database refused the request") from item.error
        return item.error is not None

    def _is_away(self) -> bool:
        """Return whether the database just failed, or has been busy with one batch for too long."""
        now = clock.monotonic()
        return now < self._away_until or now > self._busy_since + self._patience

    def _keep_late(self, delivery: Delivery) -> None:
        """Keep a delivery that was to be committed."""
        if self._lanes is not None:
            self._lanes.note(self._lanes_of(delivery))
        self._keep(delivery)

    def _keep(self, delivery: Delivery) -> None:
        try:
            self._spool.keep(delivery)
        except (OSError, UnicodeError) as error:
            if self._lanes is not None:
                self._lanes.drop(self._lanes_of(delivery))
            full = isinstance(error, SpoolFullError)
            words = str(error) if full else "neither the database nor the spool can be written"
            raise JournalUnavailableError(words) from error
        logs.follow("spooled", request_id=delivery.id, events=len(delivery.envelopes))
        self._ring.set()  # the committing thread replays the spool once the database is back

    # The following methods run only in the committing thread.

    def _run(self) -> None:
        while True:
            self._ring.wait(self._patience_seconds())
            self._ring.clear()
            try:
                self._commit_queue()
                self._finish_again()
                if self._spool and clock.monotonic() >= self._away_until:
                    self._replay()
            except Exception:
                # Without this thread no webhook is stored, so it survives any error.
                log.exception("the journal goes on after an error of its own")
            if not self._open and not self._queue:
                return

    def _patience_seconds(self) -> float | None:
        """Return how long to wait for deliveries before other work is due."""
        if self._is_unfinished:
            return max(0.0, self._again_at - clock.monotonic())
        return PROBE_SECONDS if self._spool else None

    def _finish_again(self) -> None:
        if self._is_unfinished and clock.monotonic() >= self._again_at:
            asleep = len(self._asleep)
            self._finish_up()
            if len(self._asleep) < asleep:
                self._wake(wakeups.IN)

    def _commit_queue(self) -> None:
        while items := self._queue.next_batch():
            parts = [item.parts[0] for item in items]
            try:
                self._commit_batch(items)
            finally:
                _tell([item for item in items if item.part_ended()])
            stored = [part for item, part in zip(items, parts, strict=True) if item.error is None]
            logs.follow_each("received", [item.step() for item in items if item.is_stored])
            if _note_stored(stored):
                self._wake(wakeups.IN)

    def _commit_batch(self, items: list[QueuedDelivery]) -> None:
        """Commit *items* together; if that fails, one by one, so that only the bad one fails."""
        try:
            self._store([item.parts[0] for item in items])
            return
        except Exception as error:  # noqa: BLE001 - each item is tried alone next
            log.warning(
                "a batch of %d requests could not be committed: %s", len(items), db.describe(error)[1]
            )
        for position, item in enumerate(items):
            try:
                self._store([item.parts[0]])
            except Exception as error:
                if db.is_away(error):
                    # Each of the others would wait for the same timeout, while its provider waits too.
                    for rest in items[position:]:
                        rest.error = error
                    return
                log.exception("one request could not be stored; the provider is asked to send it again")
                item.error = error

    def _store(self, batch: Sequence[Rows]) -> None:
        """Write *batch* in one transaction of this thread's own connection."""
        for attempt in range(1, TRIES + 1):
            self._busy_since = clock.monotonic()
            try:
                self._write(batch)
            except Exception as error:
                if db.note_undone(error) and attempt < TRIES:
                    time.sleep(0.01 * 2**attempt)
                    continue
                if db.is_away(error):
                    self._note_away(error)
                raise
            finally:
                self._busy_since = float("inf")
            self._note_back()
            return

    def _write(self, batch: Sequence[Rows]) -> None:
        assert self._database is not None
        statements = self._statements
        requests = [one.request for one in batch if one.request is not None]
        events = journal_rows.merged_events(batch)
        lanes = journal_rows.merged_lanes(batch)
        outlast, repeats = False, []
        with self._database.writing():
            try:
                cursor = self._begin()
                if statements.is_sqlite:
                    statements.lane.run(cursor, lanes)
                    statements.write_locally(cursor, requests, events)
                else:
                    outlast = statements.take_turns(cursor, events)
                    repeats = statements.write(cursor, requests, events)
                self._commit(cursor)
            except BaseException:
                self._roll_back(outlast)
                raise
        if not statements.is_sqlite:
            for lane in lanes:
                self._asleep.setdefault(lane.key, lane)
            self._repeats += repeats
            self._finish_up(outlast)

    def _finish_up(self, outlast: bool = False) -> None:
        """Wake the lanes of committed events and record repeats, skipping locked rows.

        If this fails, the workers' sweep does it later.

        :param outlast: whether to release locks of the previous transaction.
        """
        try:
            if outlast:
                self._in_own_write(self._statements.end_turns)
            if self._asleep:
                dialect = self._statements.dialect
                left = self._in_own_write(lambda cursor: lane_waking.wake(cursor, dialect, self._asleep))
                self._asleep = {key: self._asleep[key] for key in left}
            if self._repeats:
                self._repeats = self._in_own_write(
                    lambda cursor: self._statements.note(cursor, self._repeats)
                )
        except Exception as error:  # noqa: BLE001 - the events are committed, whatever this was
            log.warning("lanes could not be woken; workers will find them: %s", db.describe(error)[1])
            self._asleep.clear()
            self._repeats.clear()
            self._drop_connection()
        self._plan_again()

    def _plan_again(self) -> None:
        """Plan the next try: soon for a row that is skipped for the first time, then less and less often.

        Most locks last for milliseconds. If one is held for long, a try every 20 ms would slow down all other
        writers.
        """
        passed_over: set[str | int] = {*self._asleep, *(one.id for one in self._repeats)}
        first = not passed_over <= self._passed_over
        self._pause = lane_waking.AGAIN_SECONDS if first else min(2 * self._pause, lane_waking.MOST_SECONDS)
        self._passed_over = passed_over
        self._again_at = clock.monotonic() + self._pause

    def _in_own_write(self, work: Callable[[Any], T]) -> T:
        cursor = self._begin()
        try:
            result = work(cursor)
            self._commit(cursor)
        except BaseException:
            self._roll_back()
            raise
        return result

    @property
    def _is_unfinished(self) -> bool:
        return bool(self._asleep or self._repeats)

    def _begin(self) -> Any:
        assert self._database is not None
        if self._connection is None:
            self._connection = self._database.write_engine.raw_connection()
        cursor = self._connection.cursor()
        if self._database.is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        return cursor

    def _commit(self, cursor: Any) -> None:
        assert self._database is not None
        assert self._connection is not None
        if self._database.is_sqlite:
            cursor.execute("COMMIT")
        else:
            self._connection.commit()
        cursor.close()

    def _roll_back(self, outlast: bool = False) -> None:
        """Roll back the open transaction. A connection that cannot do that is dropped and replaced by a new
        one.

        :param outlast: whether the transaction took locks that survive it.
        """
        try:
            if self._connection is not None:
                self._connection.rollback()
            if outlast:
                self._in_own_write(self._statements.end_turns)
        except Exception:  # noqa: BLE001 - whatever the driver raises here, the connection is of no more use
            self._drop_connection()

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()

    def _note_away(self, error: BaseException) -> None:
        """Send requests to the spool until the next probe."""
        self._drop_connection()
        if not self._away_until:
            words = db.describe(error)[1]
            log.error("the database does not answer; requests go to the spool. %s: %s", db.place(), words)
        self._away_until = clock.monotonic() + PROBE_SECONDS

    def _note_back(self) -> None:
        if self._away_until:
            log.warning("the database answers again")
            self._away_until = 0.0

    def _replay(self) -> None:
        """Move requests from the spool to the database, oldest first, and commit new ones in between."""
        self._note_found()
        while self._spool and self._open:
            if not self._announce():
                return
            kept: list[SpooledRows] = []
            size = 0
            for path, delivery in self._spool.waiting(BATCH):
                if delivery is None:
                    log.error("the spool file %s cannot be read; it is put aside", path.name)
                    self._spool.put_aside(path, readable=False)
                    continue
                rows = Rows(delivery, self._statements)
                kept.append(SpooledRows(path, rows))
                size += rows.size
                if size >= BATCH_BYTES:
                    break
            try:
                self._store_kept(kept)
            except Exception as error:
                if db.is_away(error):
                    return
                raise
            self._commit_queue()

    def _store_kept(self, kept: Sequence[SpooledRows]) -> None:
        """Store replayed requests and delete their files; a refused one is set aside."""
        if not kept:
            return
        try:
            self._store([one.rows for one in kept])
        except Exception as error:
            if db.is_away(error):
                raise
            if len(kept) == 1:
                log.exception("the spool file %s cannot be stored; it is put aside", kept[0].path.name)
                self._spool.put_aside(kept[0].path, readable=True)
                self._release(kept)
                return
            for one in kept:
                self._store_kept([one])
            return
        for one in kept:
            self._spool.remove(one.path)
        self._release(kept)
        _count(one.rows for one in kept)
        self._wake(wakeups.IN)

    def _note_found(self) -> None:
        """Note the lanes of requests that an earlier process left in the spool, once."""
        if self._lanes is None or not self._found:
            return
        for path in self._found:
            delivery = self._spool.read(path)
            if delivery is not None:
                self._lanes.note(self._lanes_of(delivery))
        self._found = []

    def _announce(self) -> bool:
        """Tell workers of the lanes in the spool; return False if the database does not answer."""
        if self._lanes is None:
            return True
        try:
            self._lanes.announce()
        except Exception as error:
            if db.is_away(error):
                self._note_away(error)
                return False
            raise
        return True

    def _release(self, stored: Sequence[SpooledRows]) -> None:
        if self._lanes is None:
            return
        try:
            self._lanes.release(lane for one in stored for lane in one.rows.lanes)
        except sa.exc.SQLAlchemyError as error:
            log.warning("lanes of stored requests wait some seconds more: %s", db.describe(error)[1])


def _note_stored(stored: Sequence[Rows]) -> bool:
    """Count the committed events and record their accounts; return whether workers have to process any."""
    _count(stored)
    lanes = [lane for part in stored for lane in part.lanes.values()]
    if lanes:
        account_rotation.note_work(lane.account_id for lane in lanes)
    return bool(lanes)


def _count(stored: Iterable[Rows]) -> None:
    recording.received(what for one in stored for what in one.counted())
