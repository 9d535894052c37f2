"""The two numbers every process watches."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import sqlalchemy as sa

from host import counters
from host.core import db


def test_what_this_process_wrote_counts_at_once_also_while_another_thread_reads(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counters.accounts()
    reading, go_on = threading.Event(), threading.Event()
    real_read, real_lock = db.read, counters._lock

    def slow_read() -> Any:
        reading.set()
        assert go_on.wait(10)
        return real_read()

    class Lock:
        """Lets the reader go on once somebody waits for it."""

        def acquire(self, timeout: float = -1.0) -> bool:
            if reading.is_set():
                go_on.set()
            return real_lock.acquire(timeout=timeout)

        def release(self) -> None:
            real_lock.release()

        def __enter__(self) -> None:
            real_lock.acquire()

        def __exit__(self, *_: object) -> None:
            real_lock.release()

    db.write(counters.bump, counters.ACCOUNTS)
    monkeypatch.setattr(counters.db, "read", slow_read)
    monkeypatch.setattr(counters, "_lock", Lock())
    reader = threading.Thread(target=counters.accounts)
    reader.start()
    assert reading.wait(10)
    assert counters.accounts() == before + 1
    reader.join()


def test_while_the_database_is_away_what_was_read_last_counts(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.write(counters.bump, counters.ACCOUNTS)
    known = counters.accounts()
    real_read = db.read

    def away() -> Any:
        raise sa.exc.OperationalError("SELECT", {}, Exception("connection refused"))

    monkeypatch.setattr(counters.db, "read", away)
    counters.forget()
    assert counters.accounts() == known

    counters.reset()
    with pytest.raises(sa.exc.OperationalError):
        counters.accounts()

    monkeypatch.setattr(counters.db, "read", real_read)
    assert counters.accounts() == known
