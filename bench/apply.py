"""``python -m bench.apply COUNT [RULES]``: take in so many deliveries, then time applying them to the inbox.

With a number of rules the workspace asks so many for each message.

The desk's settings come from the environment. Prints a line of JSON: events, seconds, seconds of processor,
bytes of the database for each.
"""

from __future__ import annotations

import io
import json
import os
import queue
import sqlite3
import threading
import time
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from bench import rules
from bench.payload import bodies, signature
from host.core import config, db, logs, secrets
from host.process.serving import HostApplication

WORKSPACE = 1
"""The first that :mod:`bench.prepare` makes."""
PATH = "/addons/instagram/webhook"
SENDERS = 64
PATIENCE_SECONDS = 300.0


def main(count: int, ruled: int = 0) -> None:
    settings = config.load()
    logs.set_up(settings.log_level)
    secrets.use(secrets.load_keyring(settings))
    db.connect(settings.database_url)
    desk = HostApplication(replace(settings, workers=0))
    empty = size(settings)
    desk.start(web=False)
    try:
        take_in(desk, count)
    finally:
        desk.close()
    if ruled:
        db.write(rules.add, WORKSPACE, ruled)
    desk = HostApplication(settings)
    cpu, began = time.process_time(), time.perf_counter()
    desk.start(web=False)
    try:
        wait_until_applied(count)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    finally:
        desk.close()
    bytes_each = (size(settings) - empty) / count
    print(json.dumps({"events": count, "seconds": seconds, "cpu": cpu, "bytes_each": bytes_each}))


def size(settings: config.Config) -> int:
    """Return how large the SQLite file is once its log is in it; 0 for other databases."""
    if not db.current().is_sqlite:
        return 0
    file = settings.data / "lobby.sqlite3"
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()
    return file.stat().st_size


def take_in(desk: HostApplication, count: int) -> None:
    """Give *desk* that many deliveries, from as many threads as a server has."""
    waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    wrong: list[str] = []

    def send() -> None:
        while (body := waiting.get()) is not None:
            desk(environ(body), lambda status, headers, error=None: answered(status))

    def answered(status: str) -> Any:
        if status != "200 OK":
            wrong.append(status)

    threads = [threading.Thread(target=send) for _ in range(SENDERS)]
    for body in bodies(count):
        waiting.put(body)
    for thread in threads:
        waiting.put(None)
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


def environ(body: bytes) -> dict[str, Any]:
    """Return a delivery as a server hands it over."""
    return {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_HUB_SIGNATURE_256": signature(body),
        "wsgi.input": io.BytesIO(body),
    }


def wait_until_applied(count: int) -> None:
    """Return once no lane has anything due; every event must be a message then."""
    deadline = time.perf_counter() + PATIENCE_SECONDS
    due = sa.text("SELECT 1 FROM lanes WHERE direction = 'in' AND next_at IS NOT NULL LIMIT 1")
    while time.perf_counter() < deadline:
        with db.read() as session:
            if session.execute(due).first() is None:
                break
        time.sleep(0.01)
    with db.read() as session:
        found = session.scalar(sa.text("SELECT count(*) FROM messages WHERE direction = 'inbound'"))
    assert found == count, f"{found} messages of {count} events"


if __name__ == "__main__":
    import sys

    # The last line is ours even where the desk says something while it ends.
    main(*map(int, sys.argv[1:]))
    sys.stdout.flush()
    os._exit(0)
