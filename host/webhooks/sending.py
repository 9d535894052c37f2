"""The sender threads of one process.

One thread coordinates: in one write it stores results and leases the next lanes. The others post, each one
lane, one delivery after the other. A lease lasts longer than its attempts can take, so leases are never
extended; if a process dies, another takes over its lanes when the leases expire, and resends unsettled
deliveries under the same id.

A slow endpoint doesn't delay others: an endpoint has a few open requests at most, a failing one only one, and
a repeatedly failing one is paused briefly before the next.
"""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy.orm import Session

from host.core import clock, db
from host.programs import signing
from host.queue import lanes, outage
from host.queue import policy as queue_policy
from host.queue.account_rotation import AccountRotation
from host.queue.lanes import Lease
from host.sdk.errors import SecretUnreadableError
from host.webhooks import endpoints, policy, posting
from host.webhooks import queue as delivery_queue
from host.webhooks.models import Endpoint, EndpointState
from host.webhooks.outcomes import Report, Tried, settle
from host.webhooks.posting import Answer
from host.webhooks.queue import HOOK, Head

log = logging.getLogger("lobby.outgoing")

SWEEP_SECONDS = 1.5
"""Interval in seconds at which due lanes are looked for without a wake-up."""
PAUSE_AFTER_ERROR_SECONDS = 1.0
_TRY = timedelta(seconds=policy.SECONDS + 3)
"""Longest duration of an attempt."""


class Pace:
    """The number of requests a process has open to each endpoint, and the briefly paused endpoints."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._successes: Counter[int] = Counter()
        self._rest_until: dict[int, float] = {}

    def most(self, endpoint_id: int) -> int:
        """Return the number of further lanes of an endpoint that may be leased now."""
        with self._lock:
            return self._most(endpoint_id)

    def _most(self, endpoint_id: int) -> int:
        if self._rest_until.get(endpoint_id, 0.0) > clock.monotonic():
            return 0
        trusted = min(2 + self._successes[endpoint_id], policy.MOST_OF_ENDPOINT)
        allowed = 1 if self._failures[endpoint_id] else trusted
        return max(0, allowed - self._open[endpoint_id])

    def resting(self) -> list[int]:
        """Return the endpoints whose lanes may not be leased now."""
        with self._lock:
            return [one for one in {*self._open, *self._rest_until} if not self._most(one)]

    def began(self, endpoint_id: int) -> None:
        with self._lock:
            self._open[endpoint_id] += 1

    def ended(self, endpoint_id: int) -> None:
        with self._lock:
            self._open[endpoint_id] -= 1
            if not self._open[endpoint_id]:
                del self._open[endpoint_id]

    def note(self, endpoint_id: int, ok: bool) -> None:
        """Record the result of an attempt."""
        with self._lock:
            if ok:
                self._successes[endpoint_id] += 1
                self._failures.pop(endpoint_id, None)
                self._rest_until.pop(endpoint_id, None)
                return
            self._successes.pop(endpoint_id, None)
            self._failures[endpoint_id] += 1
            rest = policy.rest(self._failures[endpoint_id])
            self._rest_until[endpoint_id] = clock.monotonic() + rest

    @property
    def open(self) -> int:
        """Number of lanes that are being processed."""
        with self._lock:
            return self._open.total()


class Slots:
    """Slots for attempts that are open, or answered and not stored: the ones resent if the process dies.

    A slow attempt gives up its slot, so that unresponsive endpoints take no slots from others.
    """

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._began: dict[int, float] = {}
        self.slow = 0
        """Number of attempts that gave up their slot and are not stored yet."""

    def take(self) -> int:
        """Wait for a slot and take it."""
        self._free.acquire()
        with self._lock:
            slot = next(self._numbers)
            self._began[slot] = clock.monotonic()
            return slot

    def answered(self, slot: int) -> None:
        """Record that the attempt has finished and only needs to be stored."""
        with self._lock:
            if slot in self._began:
                self._began[slot] = float("inf")

    def give_back(self, slot: int) -> None:
        """Free a slot taken with :meth:`take`."""
        with self._lock:
            if self._began.pop(slot, None) is None:
                self.slow -= 1
                return
        self._free.release()

    def pass_over_slow(self) -> None:
        """Free the slots of slow attempts."""
        with self._lock:
            until = clock.monotonic() - policy.SLOW_SECONDS
            slow = [slot for slot, began in self._began.items() if began < until]
            for slot in slow:
                del self._began[slot]
            self.slow += len(slow)
        for _ in slow:
            self._free.release()

    @property
    def is_empty(self) -> bool:
        with self._lock:
            return not self._began


class Senders:
    """The sender threads of one process."""

    def __init__(self, most: int = policy.MOST_OPEN) -> None:
        self._most = most
        self._slots = Slots(most)
        self._pace = Pace()
        self._rotation = AccountRotation()
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._awake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Start the threads; posting threads are added as needed."""
        self._stopping.clear()
        delivery_queue.listen(self._awake)
        self._pool = ThreadPoolExecutor(policy.MOST_THREADS, "outgoing")
        self._thread = threading.Thread(target=self._serve, name="outgoing-turn", daemon=True)
        self._thread.start()

    def retire(self) -> None:
        """Stop leasing. Current attempts are finished and settled."""
        self._stopping.set()
        self._awake.set()

    def stop(self, *, timeout: float = 20.0) -> None:
        """Retire, and wait up to *timeout* seconds for current attempts."""
        self.retire()
        if self._thread is not None:
            self._thread.join(timeout)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._thread = self._pool = None

    def _serve(self) -> None:
        while not (self._stopping.is_set() and not self._pace.open):
            tried_at = clock.monotonic()
            try:
                self._slots.pass_over_slow()
                if not self._turn():
                    self._awake.wait(SWEEP_SECONDS if self._slots.is_empty else policy.SLOW_SECONDS / 2)
                self._awake.clear()
            except BaseException as error:  # nothing, not even an exit, may stop the sender thread
                if not outage.current().began("sending of webhooks", error, tried_at):
                    log.exception("webhooks go on after an error")
                self._stopping.wait(PAUSE_AFTER_ERROR_SECONDS)

    def _turn(self) -> bool:
        """Settle attempts and begin due deliveries; return whether there were any."""
        reports = self._drained()
        ended = [one.endpoint_id for one in reports if one.ended]
        free = 0
        if not self._stopping.is_set():
            is_open = self._pace.open - len(ended)
            free = min(self._most - is_open + self._slots.slow, policy.MOST_THREADS - is_open)
        if not reports and not self._is_due(free):
            return False
        for endpoint_id in ended:
            self._pace.ended(endpoint_id)
        try:
            leases = db.write(self._settle_and_lease, reports, free)
        except BaseException:
            for endpoint_id in ended:
                self._pace.began(endpoint_id)
            for one in reports:
                self._reports.put(one)
            raise
        self._free_slots(reports)
        for lease in leases:
            self._pace.began(lease.account_id or 0)
            assert self._pool is not None
            self._pool.submit(self._work, lease)
        return True

    def _free_slots(self, reports: Sequence[Report]) -> None:
        for one in reports:
            if one.tried is not None:
                self._slots.give_back(one.tried.slot)

    def _drained(self) -> list[Report]:
        found = []
        while True:
            try:
                found.append(self._reports.get_nowait())
            except queue.Empty:
                return found

    def _is_due(self, free: int) -> bool:
        if free <= 0:
            return False
        with db.read() as session:
            return lanes.is_due(session, HOOK, self._pace.resting())

    def _settle_and_lease(self, session: Session, reports: Sequence[Report], free: int) -> list[Lease]:
        if reports:
            settle(session, reports)
        if free <= 0:
            return []
        found = lanes.candidates(
            session, HOOK, limit=free, rotation=self._rotation, resting=self._pace.resting()
        )
        chosen, taken = [], Counter[int]()
        for one in found:
            endpoint_id = one.account_id or 0
            if taken[endpoint_id] < self._pace.most(endpoint_id):
                taken[endpoint_id] += 1
                chosen.append(one)
        return lanes.lease(session, HOOK, chosen, queue_policy.UNRENEWED_LEASE) if chosen else []

    def _work(self, lease: Lease) -> None:
        endpoint_id = lease.account_id or 0
        ended = False
        try:
            for report in self._sent(lease):
                ended = report.ended
                self._report(report)
        except BaseException:
            log.exception("a delivery could not be tried")
            self._pace.note(endpoint_id, ok=False)
        if not ended:
            self._report(Report(lease, endpoint_id, ended=True))

    def _report(self, report: Report) -> None:
        self._reports.put(report)
        self._awake.set()

    def _sent(self, lease: Lease) -> Iterator[Report]:
        """Send the deliveries of a lane until one fails, the lane is empty, or the lease expires."""
        endpoint_id = lease.account_id or 0
        before: Head | None = None
        for _ in range(policy.PER_LEASE):
            slot, report = self._slots.take(), None
            try:
                report = self._next(lease, endpoint_id, before, slot)
            finally:
                if report is None or report.tried is None:
                    self._slots.give_back(slot)
            if report is not None:
                yield report
            if report is None or report.tried is None or not report.tried.answer.ok:
                return
            before = report.tried.head

    def _next(self, lease: Lease, endpoint_id: int, before: Head | None, slot: int) -> Report | None:
        """Attempt the delivery of a lane after *before*; None if there is none to attempt now."""
        # Read each delivery again: it may have been erased, or the endpoint paused, since the previous one.
        with db.read() as session:
            endpoint = session.get(Endpoint, endpoint_id)
            head = delivery_queue.head(session, lease.key, before)
        if endpoint is None or endpoint.state != EndpointState.ACTIVE:
            return Report(lease, endpoint_id, ended=True, stands_still=True)
        now = clock.now()
        is_late = now + _TRY > lease.until or self._stopping.is_set()
        if head is None or (head.next_at is not None and head.next_at > now) or is_late:
            return None
        answer = _tried(endpoint, head)
        self._slots.answered(slot)
        self._pace.note(endpoint_id, answer.ok)
        return Report(lease, endpoint_id, Tried(head, now, answer, slot))


def _tried(endpoint: Endpoint, head: Head) -> Answer:
    body = head.body.encode()
    try:
        keys = endpoints.keys(endpoint)
    except SecretUnreadableError:
        log.error("the secret of endpoint %s cannot be read", endpoint.id)
        return Answer(None, "the secret of this endpoint cannot be read", 0)
    return posting.post(endpoint.url, body, signing.headers(head.body_id, clock.now(), body, keys))


def drain(limit: int = 1000) -> int:
    """Send everything due in the calling thread; return how many deliveries were attempted.

    :param limit: maximum number of rounds, in case deliveries keep creating new ones.
    """
    senders = Senders()
    # Settle once per round.
    senders._slots = Slots(policy.MOST_OPEN * policy.PER_LEASE)
    tried = 0
    for _ in range(limit):
        reports = senders._drained()
        leases = db.write(senders._settle_and_lease, reports, senders._most)
        if not leases:
            return tried
        senders._free_slots(reports)
        for lease in leases:
            senders._work(lease)
        tried += senders._reports.qsize() - len(leases)
    raise RuntimeError(f"still not done after {limit} rounds")
