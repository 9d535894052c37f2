"""Run the delivery threads of one process: claim lanes, process them, renew leases, repeat jobs."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from host.channels.refusals import SignalWarnings
from host.core import call_budget, clock, db
from host.core.call_budget.threads import ReplaceableThread
from host.core.ports import GenerationSource, RunningGeneration, WholeDirectory
from host.delivery import due_work, inbound, outbound
from host.delivery.due_work import DueWork
from host.delivery.held_lanes import wake_active_channels
from host.features import registry
from host.queue import activity, lanes, outage, policy, send_limiter, signals, wakeups
from host.queue.account_rotation import AccountRotation
from host.queue.lanes import Lease, claim_locally, forget_local
from host.queue.order import spooled_lanes
from host.queue.wakeups import IN, OUT

log = logging.getLogger(__name__)

PAUSE_AFTER_ERROR_SECONDS = 1.0


class _HeldLeases:
    """The leases this process holds, for the thread that renews them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[str, Lease] = {}

    @contextmanager
    def holding(self, leases: Sequence[Lease]) -> Iterator[None]:
        with self._lock:
            self._leases.update({lease.key: lease for lease in leases})

        def drop() -> None:
            with self._lock:
                for lease in leases:
                    # After this thread was replaced, the lease may be another thread's.
                    if self._leases.get(lease.key) is lease:
                        del self._leases[lease.key]

        try:
            with call_budget.releasing(drop):
                yield
        finally:
            drop()

    def aging(self) -> list[Lease]:
        """Return the leases to renew: old ones, and those that are too long because the clock moved back."""
        longest = db.now() + policy.LEASE
        soon = longest - policy.RENEW_AFTER
        with self._lock:
            held = [lease for lease in self._leases.values() if not lease.lost]
        return [lease for lease in held if lease.until <= soon or lease.until > longest]


class _Claimer:
    """Claims lanes of one direction, one thread at a time, rotating between accounts.

    :param threads: number of threads that share the work; 0: the calling one, which no account can crowd.
    """

    def __init__(self, direction: str, limit: int, rotation: AccountRotation, threads: int = 0) -> None:
        self.direction = direction
        self._limit = limit
        self._rotation = rotation
        self._threads = threads
        self._lock = threading.Lock()
        self._found = (
            False  # whether the last claim found work, in which case checking first costs more than it saves
        )

    def claim(self) -> list[Lease]:
        """Lease due lanes. Threads of one process take turns, so that they do not compete for lanes."""
        with self._lock:
            if self.direction == IN and spooled_lanes.settles_in():
                return []  # the sweep looks again
            if self.direction == IN and db.current().is_sqlite:
                return claim_locally(self.direction, limit=self._limit, rotation=self._rotation)
            if not self._found:
                with spooled_lanes.looking(), db.read() as session:
                    is_due = lanes.is_due(session, self.direction)
                if not is_due or (self.direction == IN and spooled_lanes.settles_in()):
                    return []
            with spooled_lanes.looking():
                leases = db.write(
                    lanes.claim,
                    self.direction,
                    limit=self._limit,
                    rotation=self._rotation,
                    **self._crowded(),
                )
            if self.direction == IN and leases and (wait := spooled_lanes.settles_in()):
                # The server stood still meanwhile: older events may be in a spool.
                inbound.release_later([(lease, wait) for lease in leases])
                return []
            self._found = bool(leases)
            if self.direction == OUT:
                # Before the next thread claims: it counts the senders that an account has.
                for lease in leases:
                    if lease.account_id is not None:
                        send_limiter.current().pick_up(lease.key, lease.account_id)
            return leases

    def _crowded(self) -> dict[str, frozenset[int]]:
        """Return the accounts that have half of the senders, and those that have all but some.

        A call to a provider may take as long as its time limit. So an account gets more than half only while
        no other has a reply that is due, and a quarter is kept for others that write next.
        """
        if self.direction == IN or self._threads < policy.SHARED_SENDERS:
            return {}
        at_work = send_limiter.current().with_at_least
        return {
            "crowded": at_work(self._threads // 2),
            "resting": at_work(self._threads - self._threads // 4),
        }

    def is_full(self, leases: Sequence[Lease]) -> bool:
        """Return whether *leases* are the most that one claim may take, so that more work is likely."""
        return self._rotation.spent or len(leases) >= self._limit

    def note_depths(self, leases: Sequence[Lease], events: Mapping[str, int]) -> None:
        """Remember how many *events* each lane held, for the next choice."""
        found: dict[int, list[int]] = {}
        for lease in leases:
            found.setdefault(lease.account_id or 0, []).append(events[lease.key])
        with self._lock:
            self._rotation.note_depths({account: sum(each) / len(each) for account, each in found.items()})


def _claimers(senders: int = 0) -> dict[str, _Claimer]:
    return {
        IN: _Claimer(IN, policy.INBOUND_LANES, AccountRotation(policy.EVENTS_PER_CLAIM)),
        OUT: _Claimer(OUT, 1, AccountRotation(), senders),
    }


def _never() -> bool:
    return False


def _work(
    leases: Sequence[Lease],
    generation: GenerationSource,
    claimer: _Claimer,
    stopping: Callable[[], bool] = _never,
) -> None:
    try:
        directory = generation().directory
        with call_budget.releasing(lambda: forget_local(leases)):
            if leases[0].direction == IN:
                claimer.note_depths(leases, inbound.work(leases, directory))
            else:
                for lease in leases:
                    outbound.work(lease, directory, stopping)
    finally:
        if leases[0].direction == OUT:
            for lease in leases:
                send_limiter.current().finish(lease.key)
        if not call_budget.is_given_up():
            forget_local(leases)


class Workers:
    """The threads that apply events, the threads that send replies, and those of the jobs.

    Each kind has its own threads, so that none waits for another. SQLite has one writer, so only one thread
    receives: a second would only wait for the first.

    :param generation: returns the generation to work with; called before every piece of work.
    :param receivers: number of receiving threads.
    :param senders: number of sending threads; 0 leaves sending to other processes.
    :ivar is_behind: whether more was received than the last claim could take.
    """

    def __init__(self, generation: GenerationSource, receivers: int, senders: int) -> None:
        self._generation = generation
        self._counts = {IN: receivers, OUT: senders}
        self._conditions = {direction: threading.Condition() for direction in self._counts}
        self._ring = dict.fromkeys(self._counts, 0)
        self._told = dict.fromkeys(self._counts, 0)
        self._stopping = threading.Event()
        self._idle = threading.Event()
        self._threads: list[ReplaceableThread] = []
        self._renewing: threading.Thread | None = None
        self._held = _HeldLeases()
        self._claimers = _claimers(senders)
        self._due = DueWork()
        self._due_bells: dict[str, threading.Event] = {}
        self._woken_for: int | None = None
        self.is_behind = False
        self._unlisten: Callable[[], None] = lambda: None

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions this process has threads for."""
        return tuple(direction for direction, count in self._counts.items() if count)

    @property
    def running(self) -> bool:
        """Whether every thread is alive and was not stopped."""
        return (
            bool(self._threads)
            and not self._stopping.is_set()
            and all(thread.is_alive() for thread in self._threads)
        )

    def start(self) -> None:
        """Start the threads."""
        self._stopping.clear()
        self._idle.clear()
        self._woken_for = None
        signals.current().clear()
        signals.current().on_end = SignalWarnings()
        if db.current().is_sqlite:
            # One process owns the file, so the processes that held leases are dead.
            db.write(lanes.void_leases)
        self._unlisten = wakeups.listen(self.wake)
        plans: list[tuple[str, Callable[..., None], tuple[object, ...]]] = [
            (f"delivery-{direction}-{number}", self._serve, (direction,))
            for direction in self.directions
            for number in range(self._threads_for(direction))
        ]
        plans += [("delivery-sweep", self._sweep, ())]
        plans += [("delivery-signals", signals.current().serve, (self._generation,))]
        self._due_bells = {name: threading.Event() for name in registry.jobs_when_due()}
        plans += [("delivery-due", self._look_for_due, ())]
        plans += [
            (f"delivery-{name}", self._repeat, (run, every, self._due_bells.get(name)))
            for name, run, every in registry.jobs()
        ]
        self._threads = [
            ReplaceableThread(target=target, args=args, name=name) for name, target, args in plans
        ]
        self._renewing = threading.Thread(target=self._renew, name="delivery-renew", daemon=True)
        for thread in self._threads:
            thread.start()
        self._renewing.start()

    def retire(self) -> None:
        """Take no new work. Current work is finished; a lane with more to send is released."""
        self._unlisten()
        self._stopping.set()
        activity.current().note()
        for bell in self._due_bells.values():
            bell.set()
        signals.current().stop()
        for condition in self._conditions.values():
            with condition:
                condition.notify_all()

    def stop(self, *, timeout: float = 70.0) -> None:
        """Finish current work and stop the threads.

        :param timeout: seconds to wait for a send in progress; a message not finished by then is unconfirmed
            at the next start.
        """
        self.retire()
        deadline = clock.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - clock.monotonic()))
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        if not self._threads and self._renewing is not None:
            # Only now, because a thread that is still sending keeps its lane.
            self._idle.set()
            self._renewing.join()
            self._renewing = None

    def wake(self, direction: str) -> None:
        """Wake a thread of *direction*; if it finds much work, it wakes the next."""
        self._told[direction] += 1
        self._wake_one(direction)

    def _wake_one(self, direction: str) -> None:
        condition = self._conditions[direction]
        with condition:
            self._ring[direction] += 1
            condition.notify()

    def _threads_for(self, direction: str) -> int:
        count = self._counts[direction]
        return min(count, 1) if direction == IN and db.current().is_sqlite else count

    def _serve(self, direction: str) -> None:
        condition = self._conditions[direction]
        seen = -1
        while not self._stopping.is_set():
            with condition:
                while seen == (rung := self._ring[direction]):
                    if self._stopping.is_set():
                        return
                    condition.wait()
                seen = rung
            tried_at = clock.monotonic()
            try:
                busy = True
                while busy and not self._stopping.is_set():
                    began, before = clock.monotonic(), self._told[direction]
                    busy = self._once(direction)
                    if busy and direction == IN and self._told[direction] != before:
                        self._give_way(clock.monotonic() - began)
            except BaseException as error:  # nothing, not even an exit, may stop a delivery thread
                call_budget.refuse_given_up()
                if not outage.current().began("delivery", error, tried_at):
                    log.exception("delivery goes on after an error")
                self._stopping.wait(PAUSE_AFTER_ERROR_SECONDS)

    def _give_way(self, worked: float) -> None:
        """Yield the processor to waiting requests, about as long as the last piece of work took.

        They are answered sooner, and the next claim has more events, so that each event costs less.
        """
        self._stopping.wait(min(worked, policy.GIVE_WAY_SECONDS))

    def _once(self, direction: str) -> bool:
        """Do one piece of work; return whether any was due."""
        claimer = self._claimers[direction]
        leases = claimer.claim()
        full = bool(leases) and claimer.is_full(leases)
        if direction == IN:
            self.is_behind = full
        if not leases:
            return False
        if full:
            self._wake_another(direction)
        with self._held.holding(leases):
            _work(leases, self._generation, claimer, self._stopping.is_set)
        return True

    def _wake_another(self, direction: str) -> None:
        """Wake another thread or process: after a full claim, more work is likely."""
        if self._threads_for(direction) > 1:
            self._wake_one(direction)
        wakeups.wake_others(direction)

    def wake_due(self) -> None:
        """Wake threads for lanes that are due without a wake-up: after a delay, or after a lost wake-up."""
        generation = self._generation()
        if generation.number != self._woken_for:
            wake_active_channels(generation.directory)
            self._woken_for = generation.number
        with spooled_lanes.looking(), db.read() as session:
            due = lanes.find_due(session, self.directions)
        for direction in due:
            self.wake(direction)

    def _sweep(self) -> None:
        while True:
            tried_at = clock.monotonic()
            try:
                self.wake_due()
                outage.current().over()
            except Exception as error:
                if not outage.current().began("the sweep for due work", error, tried_at):
                    log.exception("the sweep for due work failed; it is tried again")
            jitter = random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing
            if self._stopping.wait(policy.SWEEP_SECONDS * jitter):
                return

    def _renew(self) -> None:
        while not self._idle.wait(policy.RENEW_SECONDS):
            tried_at = clock.monotonic()
            try:
                aging = self._held.aging()
                if aging:
                    db.write(lanes.renew, aging)
            except Exception as error:
                if not outage.current().began("prolonging of leases", error, tried_at):
                    log.exception("leases could not be prolonged; it is tried again")

    def _look_for_due(self) -> None:
        """Ring for the jobs that have something due."""
        while True:
            tried_at = clock.monotonic()
            try:
                self.ring_due()
            except Exception as error:
                if not outage.current().began("the look for due jobs", error, tried_at):
                    log.exception("the look for due jobs failed; it is tried again")
            if activity.current().rest(
                due_work.LOOK_SECONDS, self._stopping.is_set, quiet=due_work.QUIET_LOOK_SECONDS
            ):
                return

    def ring_due(self) -> None:
        """Wake the threads of the jobs that have something due."""
        with db.read() as session:
            found = self._due.find(session)
        for name in found:
            self._due_bells[name].set()

    def _repeat(
        self, run: Callable[[WholeDirectory], object], every: float, due: threading.Event | None = None
    ) -> None:
        """Run a job again and again.

        :param due: set when something is due; None: it looks for itself.
        """
        while not self._stopping.is_set():
            if due is not None:
                due.wait()
                due.clear()
                if self._stopping.is_set():
                    return
            more: object = False
            tried_at = clock.monotonic()
            try:
                more = run(self._generation().directory)
            except Exception as error:
                call_budget.refuse_given_up()
                if not outage.current().began(run.__name__, error, tried_at):
                    log.exception("%s failed; it is tried again", run.__name__)
                elif due is not None:
                    due.set()  # what it found due still is
            if due is not None:
                if more:
                    due.set()
                elif self._stopping.wait(every):
                    return
            elif not more and activity.current().rest(every, self._stopping.is_set):
                return


def drain(
    generation: RunningGeneration | GenerationSource, *, direction: str | None = None, limit: int = 1000
) -> int:
    """Do all due work in the calling thread; return the number of processed lanes.

    Work that is not due yet is not done.

    :param direction: ``in`` or ``out``; None: both, ``in`` first.
    :param limit: most rounds, in case work keeps creating new work.
    """
    wanted: Iterable[str] = (IN, OUT) if direction is None else (direction,)
    source = generation if callable(generation) else lambda: generation
    claimers = _claimers()
    done = 0
    for _ in range(limit):
        before = done
        for claimer in (claimers[one] for one in wanted):
            # One direction after the other, so that claimed lanes are processed before anything else can
            # fail.
            leases = claimer.claim()
            if leases:
                _work(leases, source, claimer)
                done += len(leases)
        if done == before:
            return done
    raise RuntimeError(f"still not done after {limit} rounds")
