"""The floor of ingest: raw WSGI, HMAC, typed decode, one row, many rows per commit. Nothing else."""

from __future__ import annotations

import hmac
import os
import sqlite3
import threading
from collections import deque

import msgspec

SECRET = os.environ["BENCH_SECRET"].encode()


class Text(msgspec.Struct):
    mid: str


class Event(msgspec.Struct):
    message: Text


class Entry(msgspec.Struct):
    id: str
    messaging: list[Event]


class Body(msgspec.Struct):
    entry: list[Entry]


decode = msgspec.json.Decoder(Body).decode
queue: deque[tuple[tuple[str, str, bytes], threading.Lock]] = deque()
ring = threading.Event()


def writer() -> None:
    file = sqlite3.connect(os.environ["BENCH_FILE"], isolation_level=None)
    file.execute("PRAGMA journal_mode=WAL")
    file.execute("PRAGMA synchronous=FULL")
    file.execute(
        "CREATE TABLE IF NOT EXISTS inbox (id INTEGER PRIMARY KEY, account, mid, body, UNIQUE (account, mid))"
    )
    insert = "INSERT INTO inbox (account, mid, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
    while True:
        ring.wait()
        ring.clear()
        while queue:
            items = [queue.popleft() for _ in range(min(256, len(queue)))]
            file.execute("BEGIN IMMEDIATE")
            file.executemany(insert, [row for row, _ in items])
            file.execute("COMMIT")
            for _, done in items:
                done.release()


def application(environ, start_response):  # type: ignore[no-untyped-def]
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    expected = "sha256=" + hmac.new(SECRET, body, "sha256").hexdigest()
    if not hmac.compare_digest(expected, environ.get("HTTP_X_HUB_SIGNATURE_256", "")):
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return [b""]
    (entry,) = decode(body).entry
    done = threading.Lock()
    done.acquire()
    queue.append(((entry.id, entry.messaging[0].message.mid, body), done))
    ring.set()
    done.acquire()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    return [b"EVENT_RECEIVED"]


def start() -> None:
    threading.Thread(target=writer, daemon=True).start()


def granian():  # type: ignore[no-untyped-def]
    start()
    return application
