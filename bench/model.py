"""A model of the desk's processes: requests, a core, a committer that shares commits, and workers.

Event by event, in its own time: nothing here waits. What a piece of work takes comes from measured figures;
:mod:`bench.scaling` says which.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

SLICE = 0.005
"""How long a thread keeps the interpreter while others wait for it, in seconds."""


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of one core each, and the seconds a commit waits for the disk without one.

    :param request: taking a delivery in, up to where it waits for its commit.
    :param commit: a commit, however much is in it.
    :param apply: turning one event into a message.
    :param sync: what the disk takes to sync.
    :param batch: most deliveries of one commit.
    :param helping: most events a worker applies in one commit.
    """

    request: float
    commit: float
    apply: float
    sync: float
    batch: int = 256
    helping: int = 640


@dataclass(slots=True)
class Outcome:
    """Results of a run of the model, in seconds."""

    seconds: float
    answered: list[float] = field(default_factory=list)
    applied: list[float] = field(default_factory=list)
    busy: float = 0.0
    """The share of the time the busiest core worked."""
    waiting: int = 0
    """Events not applied when the time was over."""

    @property
    def rate(self) -> float:
        return len(self.answered) / self.seconds


def percentile(values: list[float], share: float) -> float:
    """Return a percentile of *values*."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class Clock:
    """Simulated time, with the events that are due."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def at(self, moment: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._order), do))

    def run(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            self.now, _, do = heapq.heappop(self._due)
            do()
        self.now = until


class Core:
    """One core: work in the order it came, long work in slices, so that short work comes in between."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queue: deque[tuple[float, Callable[[], None]]] = deque()
        self._busy = False
        self.worked = 0.0

    def work(self, seconds: float, then: Callable[[], None]) -> None:
        self._queue.append((seconds, then))
        if not self._busy:
            self._next()

    def _next(self) -> None:
        if not self._queue:
            self._busy = False
            return
        self._busy = True
        seconds, then = self._queue.popleft()
        part = min(seconds, SLICE)
        self.worked += part

        def done() -> None:
            if seconds > part:
                self._queue.append((seconds - part, then))
            else:
                then()
            self._next()

        self._clock.at(self._clock.now + part, done)


class Lock:
    """A lock whoever came first gets first; None takes no part in it, as on database servers."""

    def __init__(self) -> None:
        self._held = False
        self._queue: deque[Callable[[], None]] = deque()

    def take(self, then: Callable[[], None]) -> None:
        if self._held:
            self._queue.append(then)
            return
        self._held = True
        then()

    def give(self) -> None:
        if self._queue:
            self._queue.popleft()()
        else:
            self._held = False


@dataclass(slots=True)
class Delivery:
    """One delivery on its way."""

    due: float
    done: Callable[[], None]


class Serving:
    """A process that takes deliveries in and shares commits among them."""

    def __init__(self, clock: Clock, core: Core, lock: Lock | None, costs: Costs, desk: Desk) -> None:
        self._clock, self._core, self._lock, self._costs, self._desk = clock, core, lock, costs, desk
        self._queue: deque[Delivery] = deque()
        self._committing = False

    def receive(self, delivery: Delivery) -> None:
        def taken() -> None:
            self._queue.append(delivery)
            self._commit()

        self._core.work(self._costs.request, taken)

    def _commit(self) -> None:
        if self._committing or not self._queue:
            return
        self._committing = True
        if self._lock is None:
            self._write()
        else:
            self._lock.take(self._write)

    def _write(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(self._costs.batch, len(self._queue)))]

        def synced() -> None:
            if self._lock is not None:
                self._lock.give()
            self._committing = False
            for one in batch:
                self._desk.answered(one)
            self._commit()

        def written() -> None:
            self._clock.at(self._clock.now + self._costs.sync, synced)

        self._core.work(self._costs.commit, written)


class Worker:
    """Applies what was taken in, a helping at a time."""

    def __init__(self, clock: Clock, core: Core, lock: Lock | None, costs: Costs, desk: Desk) -> None:
        self._clock, self._core, self._lock, self._costs, self._desk = clock, core, lock, costs, desk
        self.resting = True

    def look(self) -> None:
        if not self.resting or not self._desk.due:
            return
        self.resting = False
        count = min(self._costs.helping, len(self._desk.due))
        batch = [self._desk.due.popleft() for _ in range(count)]

        def write() -> None:
            # Half of applying is reading and parsing, which holds no lock.
            self._core.work(self._costs.apply * count / 2 + self._costs.commit, written)

        def written() -> None:
            self._clock.at(self._clock.now + self._costs.sync, synced)

        def synced() -> None:
            if self._lock is not None:
                self._lock.give()
            self._desk.applied(batch)
            self.resting = True
            self.look()

        parsed = write if self._lock is None else (lambda lock=self._lock: lock.take(write))
        self._core.work(self._costs.apply * count / 2, parsed)


class Desk:
    """Servers and workers on one database.

    :param servers: processes that take in.
    :param workers: processes that apply; None: one thread in the only server, as with SQLite.
    """

    def __init__(self, costs: Costs, *, servers: int = 1, workers: int | None = None) -> None:
        self.clock = Clock()
        self.due: deque[float] = deque()
        self.outcome = Outcome(0.0)
        self.applying = True
        cores = [Core(self.clock) for _ in range(servers)]
        lock = Lock() if workers is None else None
        self.servers = [Serving(self.clock, core, lock, costs, self) for core in cores]
        helping = cores[:1] if workers is None else [Core(self.clock) for _ in range(workers)]
        self.workers = [Worker(self.clock, core, lock, costs, self) for core in helping]
        self.cores = list(dict.fromkeys([*cores, *helping]))

    def answered(self, delivery: Delivery) -> None:
        self.outcome.answered.append(self.clock.now - delivery.due)
        if self.applying:
            self.due.append(delivery.due)
            for worker in self.workers:
                worker.look()
        delivery.done()

    def applied(self, batch: list[float]) -> None:
        self.outcome.applied += [self.clock.now - due for due in batch]

    def closed(self, clients: int, seconds: float) -> Outcome:
        """Have *clients* each send the next delivery once the last was answered."""

        def send(server: Serving) -> None:
            server.receive(Delivery(self.clock.now, lambda: send(server)))

        for number in range(clients):
            send(self.servers[number % len(self.servers)])
        return self._run(seconds)

    def open(self, rate: float, seconds: float, seed: int = 1) -> Outcome:
        """Have deliveries come at random moments, *rate* a second, whatever is answered."""
        dice = random.Random(seed)
        number = itertools.count()

        def arrive() -> None:
            server = self.servers[next(number) % len(self.servers)]
            server.receive(Delivery(self.clock.now, lambda: None))
            self.clock.at(self.clock.now + dice.expovariate(rate), arrive)

        self.clock.at(dice.expovariate(rate), arrive)
        return self._run(seconds)

    def _run(self, seconds: float) -> Outcome:
        self.clock.run(seconds)
        self.outcome.seconds = seconds
        self.outcome.busy = max(core.worked for core in self.cores) / seconds
        self.outcome.waiting = len(self.due)
        return self.outcome
