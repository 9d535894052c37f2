from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from host.core import clock, db, storage
from host.queue import refusals
from host.queue.journal import Journal
from tests.conftest import missing
from tests.delivery.desk import Desk, envelope

Travel = Callable[[timedelta], None]


@pytest.fixture
def travel() -> Iterator[Travel]:
    """Move the clock, for the rest of the test."""
    with ExitStack() as stack:
        yield lambda by: stack.enter_context(clock.travel(by))


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the clock, and the database's, but for what a test moves it; Redis's library reads it too."""
    stopped = datetime.now(UTC)
    monkeypatch.setattr(clock, "now", lambda: stopped + clock._offset)
    monkeypatch.setattr(db.Database, "now", lambda _self: clock.now())
    told = SimpleNamespace(time=lambda: clock.now().timestamp())
    monkeypatch.setattr("limits.storage.redis.time", told)


@pytest.fixture
def redis_url() -> Iterator[str]:
    """An empty database of Redis that no other process of the tests uses."""
    redis = pytest.importorskip("redis")
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    url = f"redis://127.0.0.1:6379/{8 + worker % 8}"
    server = redis.from_url(url)
    try:
        server.ping()
    except redis.RedisError:
        missing("Redis")
    server.flushdb()
    yield url
    server.flushdb()
    server.close()


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    refusals.reset()
    yield
    refusals.reset()


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    storage.use(storage.FolderStore(data / "attachments"))
    return Desk()


@pytest.fixture
def any_desk(any_database: db.Database, tmp_path: Path) -> Desk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    return Desk()


class Door:
    """Puts events into the journal the way a webhook does."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def receive(self, account_id: int | None, mid: str, **more: object) -> None:
        one = envelope(account_id, mid, **more)  # type: ignore[arg-type]
        self.journal.ingest(
            source="/addons/toy/hook", channel="email", raw=one.body, remote="", envelopes=[one]
        )


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    journal = Journal(tmp_path / "spool", wake=lambda _: None)
    journal.start()
    yield Door(journal)
    journal.stop()
