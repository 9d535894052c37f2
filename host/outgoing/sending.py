"""The threads of one process that send deliveries.

One thread turns: in one write it settles what was tried and leases the next lanes. The others post, a lane
each, and one delivery of a lane after the other. A lane is leased for longer than its tries may take, so no
lease is prolonged; where a process dies, another takes its lanes up when the leases have run out, and sends
what was not settled once more, under the same id.

Who does not answer holds up nobody: an endpoint has a few requests open at most, one that fails only one, and
one that fails again and again is left alone for a moment before the next.
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
from host.models.outgoing import Endpoint, EndpointState
from host.outgoing import endpoints, policy, posting, signing, waiting
from host.outgoing.outcomes import Report, Tried, settle
from host.outgoing.posting import Answer
from host.outgoing.waiting import HOOK, Head
from host.queue import lanes
from host.queue import policy as queue_policy
from host.queue.account_rotation import AccountRotation
from host.queue.lanes import Lease
from host.sdk.errors import SecretUnreadableError

log = logging.getLogger("lobby.outgoing")

SWEEP_SECONDS = 1.5
"""How often due lanes are looked for that nobody in this process was woken for."""
PAUSE_AFTER_ERROR_SECONDS = 1.0
_TRY = timedelta(seconds=policy.SECONDS + 3)
"""The longest a try may take."""


class Pace:
    """How many requests a process has open to each endpoint, and which are left alone for a moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._successes: Counter[int] = Counter()
        self._rest_until: dict[int, float] = {}

    def most(self, endpoint_id: int) -> int:
        """Return how many more lanes of an endpoint may be leased now."""
        with self._lock:
            return self._most(endpoint_id)

    def _most(self, endpoint_id: int) -> int:
        if self._rest_until.get(endpoint_id, 0.0) > clock.monotonic():
            return 0
        trusted = min(2 + self._successes[endpoint_id], policy.MOST_OF_ENDPOINT)
        allowed = 1 if self._failures[endpoint_id] else trusted
        return max(0, allowed - self._open[endpoint_id])

    def resting(self) -> list[int]:
        """Return the endpoints of which no lane may be leased now."""
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
        """Note how a try went."""
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
        """How many lanes are being worked on."""
        with self._lock:
            return self._open.total()


class Slots:
    """Places for tries that are open, or answered and not written yet: what a process that dies sends again.

    A try that takes long gives its place up, so that who does not answer takes no place from the others.
    """

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._began: dict[int, float] = {}
        self.slow = 0
        """How many tries gave their place up and are not written yet."""

    def take(self) -> int:
        """Wait for a place and take it."""
        self._free.acquire()
        with self._lock:
            slot = next(self._numbers)
            self._began[slot] = clock.monotonic()
            return slot

    def answered(self, slot: int) -> None:
        """Note that the try is over: from now on it waits for us alone."""
        with self._lock:
            if slot in self._began:
                self._began[slot] = float("inf")

    def give_back(self, slot: int) -> None:
        """Free a place that :meth:`take` gave."""
        with self._lock:
            if self._began.pop(slot, None) is None:
                self.slow -= 1
                return
        self._free.release()

    def pass_over_slow(self) -> None:
        """Free the places of tries that take long."""
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
    """The threads of one process that send to endpoints."""

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
        """Start the threads; those that post come as they are needed."""
        self._stopping.clear()
        waiting.listen(self._awake)
        self._pool = ThreadPoolExecutor(policy.MOST_THREADS, "outgoing")
        self._thread = threading.Thread(target=self._serve, name="outgoing-turn", daemon=True)
        self._thread.start()

    def retire(self) -> None:
        """Take up nothing more. What is under way is finished and settled."""
        self._stopping.set()
        self._awake.set()

    def stop(self, *, timeout: float = 20.0) -> None:
        """Retire, and wait up to *timeout* seconds for what is under way."""
        self.retire()
        if self._thread is not None:
            self._thread.join(timeout)
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._thread = self._pool = None

    def _serve(self) -> None:
        while not (self._stopping.is_set() and not self._pace.open):
            try:
                self._slots.pass_over_slow()
                if not self._turn():
                    self._awake.wait(SWEEP_SECONDS if self._slots.is_empty else policy.SLOW_SECONDS / 2)
                self._awake.clear()
            except BaseException:  # nothing, not even an exit, may end the thread that sends
                log.exception("webhooks go on after an error")
                self._stopping.wait(PAUSE_AFTER_ERROR_SECONDS)

    def _turn(self) -> bool:
        """Settle what was tried and begin what is due; return whether there was anything."""
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
        """Send what waits in a lane, until one is not taken, it is empty, or the time of the lease is up."""
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
        """Try the delivery of a lane behind *before*; None: there is none to be tried now."""
        # Each read anew: it may have been erased, or the endpoint paused, since the one before.
        with db.read() as session:
            endpoint = session.get(Endpoint, endpoint_id)
            head = waiting.head(session, lease.key, before)
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
    """Send everything due in the calling thread; return how many deliveries were tried.

    :param limit: most rounds, in case what is sent makes new work for ever.
    """
    senders = Senders()
    # Settled once all of a round were tried.
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
