"""From a provider's request to the browsers: the same deliveries, and fifty people watching."""

from __future__ import annotations

import re
import selectors
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass, field

from bench.load import Result, WrongAnswerError, open_loop
from bench.payload import deliveries
from bench.servers import Desk, Served, on_last_core

SETTLE_SECONDS = 20.0
_TOLD = re.compile(rb'event: message\ndata: [^\n]*"message": ?(\d+)')


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds from the moment a delivery was due."""

    ack_p99: float
    live_p50: float
    live_p99: float


@dataclass(slots=True)
class Watcher:
    """One browser's stream: the messages it was told of, each with when."""

    connection: socket.socket
    buffer: bytes = b""
    seen: dict[int, float] = field(default_factory=dict)

    def read(self) -> None:
        data = self.connection.recv(1 << 18)
        if not data:
            raise WrongAnswerError("the server ended a live stream")
        now = time.perf_counter()
        # One pass over what came: at 50,000 frames a second the measuring must not be what is slow.
        whole, _, self.buffer = (self.buffer + data).rpartition(b"\n\n")
        for message in _TOLD.findall(whole):
            self.seen.setdefault(int(message), now)


def watch(served: Served, workspace: int, cookie: str) -> Watcher:
    """Open a stream and wait for its head."""
    connection = socket.create_connection(("127.0.0.1", served.port), timeout=10)
    connection.sendall(
        f"GET /w/{workspace}/live HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
        "Accept: text/event-stream\r\n\r\n".encode()
    )
    head = b""
    while b"retry:" not in head:
        data = connection.recv(4096)
        if not data or (head and not head.startswith(b"HTTP/1.1 200")):
            raise WrongAnswerError(f"no live stream: {head[:200]!r}")
        head += data
    return Watcher(connection)


def measure(desk: Desk, served: Served, *, rate: float, seconds: float) -> Measured:
    """Send deliveries at *rate* while everybody watches; every browser must be told of every message.

    :param served: serves *desk*, or is the floor of this.
    """
    requests, mids = deliveries(served.path, int(rate * (seconds + 3)))
    due_at: list[float] = []
    with on_last_core():
        watchers = [watch(served, desk.workspace, cookie) for cookie in desk.cookies]
        done = threading.Event()
        listener = Listener(watchers, done)
        listener.start()
        acks = open_loop(served.port, iter(requests), rate=rate, seconds=seconds, due_at=due_at)
        listener.finish(len(due_at))
    found = ids(served)
    counted_from = due_at[0] + 1.0
    delays = []
    for mid, due in zip(mids, due_at, strict=False):
        if due < counted_from:
            continue
        message = found[mid]
        for one in watchers:
            if message not in one.seen:
                raise WrongAnswerError("a browser was never told of a message")
            delays.append(one.seen[message] - due)
    live = Result(seconds, delays)
    return Measured(acks.percentile(0.99), live.percentile(0.5), live.percentile(0.99))


class Listener(threading.Thread):
    """Reads all streams in one thread."""

    def __init__(self, watchers: list[Watcher], done: threading.Event) -> None:
        super().__init__(daemon=True)
        self.watchers = watchers
        self.done = done
        self.trouble: Exception | None = None

    def run(self) -> None:
        selector = selectors.DefaultSelector()
        for one in self.watchers:
            selector.register(one.connection, selectors.EVENT_READ, one)
        try:
            while not self.done.is_set():
                for key, _ in selector.select(0.1):
                    key.data.read()
        except Exception as error:  # noqa: BLE001 - raised again by finish
            self.trouble = error
        finally:
            for one in self.watchers:
                one.connection.close()

    def finish(self, expected: int) -> None:
        """Wait until every stream has told of as many messages."""
        deadline = time.perf_counter() + SETTLE_SECONDS
        while time.perf_counter() < deadline and not self.trouble:
            if all(len(one.seen) >= expected for one in self.watchers):
                break
            time.sleep(0.05)
        self.done.set()
        self.join()
        if self.trouble:
            raise self.trouble
        fewest = min(len(one.seen) for one in self.watchers)
        if fewest < expected:
            raise WrongAnswerError(f"a browser was told of {fewest} of {expected} messages")


def ids(served: Served) -> dict[str, int]:
    """Return the ids of messages by the provider's; of a floor, the numbers of its rows."""
    query = "SELECT external_id, id FROM messages WHERE direction = 'inbound'"
    connection = sqlite3.connect(served.database, timeout=30)
    try:
        return dict(connection.execute("SELECT mid, id FROM inbox" if served.path == "/" else query))
    finally:
        connection.close()
