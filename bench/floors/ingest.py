"""``python -m bench.floors.ingest SERVER PORT``: the floor of ingest.

Raw ASGI, HMAC, typed decode, one row, many rows per commit by one thread that wakes whoever waits for a
commit with one call. Nothing else.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import sqlite3
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.floors import serving

SECRET = os.environ["BENCH_SECRET"].encode()
Row = tuple[int, str, str, bytes]


class Text(msgspec.Struct):
    mid: str


class Event(msgspec.Struct):
    message: Text


class Entry(msgspec.Struct):
    id: str
    messaging: list[Event]


class Body(msgspec.Struct):
    entry: list[Entry]


class Store:
    """Makes rows durable, all that wait in one commit."""

    def __init__(self, path: str) -> None:
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode=WAL")
        self._file.execute("PRAGMA synchronous=FULL")
        self._file.execute(
            "CREATE TABLE inbox (id INTEGER PRIMARY KEY, account, mid, body, UNIQUE (account, mid))"
        )
        self._queue: deque[tuple[Row, asyncio.Future[None]]] = deque()
        self._ring = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._last = 0

    async def keep(self, account: str, mid: str, body: bytes) -> int:
        """Return the number of the row once it is on the disk."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            threading.Thread(target=self._write, daemon=True).start()
        self._last = number = self._last + 1
        done = self._loop.create_future()
        self._queue.append(((number, account, mid, body), done))
        self._ring.set()
        await done
        return number

    def _write(self) -> None:
        assert self._loop is not None
        insert = "INSERT INTO inbox VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        while True:
            self._ring.wait()
            self._ring.clear()
            while self._queue:
                items = [self._queue.popleft() for _ in range(min(256, len(self._queue)))]
                self._file.execute("BEGIN IMMEDIATE")
                self._file.executemany(insert, [row for row, _ in items])
                self._file.execute("COMMIT")
                self._loop.call_soon_threadsafe(_wake, [done for _, done in items])


def _wake(waiting: Sequence[asyncio.Future[None]]) -> None:
    for one in waiting:
        if not one.done():
            one.set_result(None)


decode = msgspec.json.Decoder(Body).decode
store = Store(os.environ["BENCH_FILE"])
HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"14")]


async def taken_in(scope: Any, receive: Any, send: Any) -> int | None:
    """Store a delivery and answer it; return the number of its row, or None if it is refused."""
    message = await receive()
    body = message["body"]
    while message["more_body"]:
        message = await receive()
        body += message["body"]
    signature = b""
    for name, value in scope["headers"]:
        if name == b"x-hub-signature-256":
            signature = value
    expected = b"sha256=" + hmac.new(SECRET, body, "sha256").hexdigest().encode()
    if not hmac.compare_digest(expected, signature):
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})
        return None
    (entry,) = decode(body).entry
    number = await store.keep(entry.id, entry.messaging[0].message.mid, body)
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"EVENT_RECEIVED"})
    return number


async def application(scope: Any, receive: Any, send: Any) -> None:
    await taken_in(scope, receive, send)


if __name__ == "__main__":
    serving.run(application, sys.argv[1], int(sys.argv[2]))
