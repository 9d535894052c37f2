"""A load generator: keep-alive connections over one selector, unique requests, every answer checked."""

from __future__ import annotations

import itertools
import random
import selectors
import socket
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


class WrongAnswerError(Exception):
    """The server answered something else than it should have; figures of such a run mean nothing."""


class RanOutError(Exception):
    """The server is faster than there are requests: make more of them.

    :ivar statuses: of those that were answered; none is under way any more.
    """

    def __init__(self, statuses: Counter[int]) -> None:
        super().__init__(f"all {statuses.total()} requests are answered, before the time is over")
        self.statuses = statuses


@dataclass(slots=True)
class Result:
    """Results of a run; latencies in seconds, one per answer."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return a percentile in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


class Connection:
    """One keep-alive connection with at most one request on it."""

    __slots__ = ("buffer", "number", "since", "socket")

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.since = 0.0
        self.number = -1

    def send(self, number: int, request: bytes, since: float) -> None:
        self.number, self.since = number, since
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Return the status once the answer is whole."""
        data = self.socket.recv(65536)
        if not data:
            raise WrongAnswerError("the server closed a connection with a request on it")
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return None
        lowered = head.lower()
        at = lowered.find(b"content-length:")
        length = int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(body) < length:
            return None
        self.buffer = b""
        return int(head[9:12])


def _check(result: Result, expected: int = 200) -> Result:
    wrong = {status: count for status, count in result.statuses.items() if status != expected}
    if wrong or not result.latencies:
        raise WrongAnswerError(f"answers other than {expected}: {wrong}, {len(result.latencies)} in all")
    return result


def closed_loop(
    port: int,
    requests: Iterator[bytes],
    *,
    connections: int = 32,
    seconds: float,
    warm_up: float = 1.0,
    status: int = 200,
) -> Result:
    """Keep *connections* busy for *seconds* after a warm-up, then wait for what is under way.

    :param status: what each answer has to say.
    :raises RanOutError: if there are too few *requests*.
    """
    selector = selectors.DefaultSelector()
    clock = time.perf_counter
    began = clock()
    counted_from, ends = began + warm_up, began + warm_up + seconds
    result = Result(seconds)
    ran_out = False
    busy = 0
    for request in itertools.islice(requests, connections):
        one = Connection(port)
        selector.register(one.socket, selectors.EVENT_READ, one)
        one.send(0, request, clock())
        busy += 1
    while busy:
        for key, _ in selector.select(10):
            one = key.data
            answer = one.receive()
            if answer is None:
                continue
            now = clock()
            result.statuses[answer] += 1
            if counted_from <= now < ends:
                result.latencies.append(now - one.since)
            following = next(requests, None) if now < ends else None
            if following is not None:
                one.send(0, following, clock())
            else:
                ran_out = ran_out or now < ends
                busy -= 1
                selector.unregister(one.socket)
                one.socket.close()
    if ran_out and set(result.statuses) == {status}:
        raise RanOutError(result.statuses)
    return _check(result, status)


def send_all(port: int, requests: Iterable[bytes], *, connections: int = 16) -> Result:
    """Send each request once, over that many connections."""
    selector = selectors.DefaultSelector()
    clock = time.perf_counter
    began = clock()
    result = Result(0.0)
    left = iter(requests)
    busy = 0
    for request in itertools.islice(left, connections):
        one = Connection(port)
        selector.register(one.socket, selectors.EVENT_READ, one)
        one.send(0, request, clock())
        busy += 1
    while busy:
        for key, _ in selector.select(10):
            one = key.data
            status = one.receive()
            if status is None:
                continue
            result.statuses[status] += 1
            result.latencies.append(clock() - one.since)
            following = next(left, None)
            if following is not None:
                one.send(0, following, clock())
            else:
                busy -= 1
                selector.unregister(one.socket)
                one.socket.close()
    result.seconds = clock() - began
    return _check(result)


def open_loop(
    port: int,
    requests: Iterator[bytes],
    *,
    rate: float,
    seconds: float,
    warm_up: float = 1.0,
    connections: int = 16,
    due_at: list[float] | None = None,
) -> Result:
    """Send at random moments, *rate* a second on average, whatever the server does; latency counts from then.

    :param due_at: gets the moment (``time.perf_counter``) each request was due, warm-up included, in the
        order of *requests*.
    """
    selector = selectors.DefaultSelector()
    clock = time.perf_counter
    idle = deque(Connection(port) for _ in range(connections))
    for one in idle:
        selector.register(one.socket, selectors.EVENT_READ, one)
    dice = random.Random(1)
    began = clock()
    counted_from, ends = began + warm_up, began + warm_up + seconds
    result = Result(seconds)
    due = began
    late: deque[float] = deque()
    busy = 0
    while True:
        now = clock()
        while due <= now and due < ends:
            late.append(due)
            due += dice.expovariate(rate)
        while late and idle:
            since = late.popleft()
            one = idle.popleft()
            if due_at is not None:
                due_at.append(since)
            one.send(0, next(requests), since)
            busy += 1
        if now >= ends and not late and not busy:
            break
        for key, _ in selector.select(max(0.0, min(due, ends) - clock()) if idle else 1.0):
            one = key.data
            status = one.receive()
            if status is None:
                continue
            now = clock()
            result.statuses[status] += 1
            if one.since >= counted_from:
                result.latencies.append(now - one.since)
            idle.append(one)
            busy -= 1
    for one in idle:
        selector.unregister(one.socket)
        one.socket.close()
    return _check(result)
