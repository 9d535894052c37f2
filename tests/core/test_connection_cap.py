"""A process opens no more connections than it may, and whoever finds none free waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import config, db
from host.health import connection_room
from host.models.health import Kind
from tests.health import pretend

MOST = 8
THREADS = 40


@pytest.fixture
def capped(any_database: db.Database) -> Iterator[db.Database]:
    if any_database.is_sqlite:
        pytest.skip("connections to a file cost a server nothing")
    url = any_database.url.render_as_string(hide_password=False)
    database = db.Database(url, pool_size=MOST - db.SERVER_MORE)
    yield database
    database.dispose()


class Most:
    """The largest number of connections that were in use at once."""

    def __init__(self, database: db.Database) -> None:
        self.most = 0
        self._database = database
        self._lock = threading.Lock()

    def look(self) -> None:
        with self._lock:
            self.most = max(self.most, self._database.connections()["used"])


def test_many_threads_share_a_few_connections_and_none_fails(capped: db.Database) -> None:
    seen = Most(capped)
    one = sa.text("SELECT 1")

    def inside(session: Session) -> int:
        seen.look()
        time.sleep(0.01)
        # A second one, as a write that looks something up has.
        with capped.read() as other:
            seen.look()
            return int(session.scalar(one) or 0) + int(other.scalar(one) or 0)

    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(capped.write, inside) for _ in range(3 * THREADS)]
        assert [each.result() for each in done] == [2] * (3 * THREADS)
    assert MOST - db.SERVER_MORE < seen.most <= MOST
    assert capped.connections() == {"used": 0, "idle": MOST - db.SERVER_MORE, "most": MOST}


def test_a_connection_that_is_lost_or_cannot_be_opened_counts_no_longer(capped: db.Database) -> None:
    for _ in range(2 * MOST):
        with pytest.raises(sa.exc.ProgrammingError), capped.read() as session:
            session.execute(sa.text("SELECT nothing FROM nowhere"))
        with capped.read() as session:
            session.connection().invalidate()
    away = db.Database("postgresql+psycopg://127.0.0.1:1/nothing", pool_size=1)
    for _ in range(4):
        with pytest.raises(sa.exc.OperationalError), away.read() as session:
            session.execute(sa.text("SELECT 1"))
    assert capped.write_engine.pool._first._value == MOST - db.SERVER_MORE  # type: ignore[attr-defined]
    assert away.write_engine.pool._first._value == 1  # type: ignore[attr-defined]


def test_it_is_said_if_the_server_allows_too_few(any_database: db.Database, tmp_path: Path) -> None:
    configuration = config.load({"LOBBY_DATA": str(tmp_path)})
    for name in ("a", "b"):
        db.write(pretend.process, name, Kind.WORKER)
    with db.read() as session:
        if any_database.is_sqlite:
            assert connection_room.look(session, configuration) is None
            return
        found = connection_room.look(session, configuration)
        assert found is not None
        assert (found.processes, found.needed) == (2, 2 * 21 + 4)
        assert found.is_enough
        many = replace(configuration, database_connections=5000)
        crowded = connection_room.look(session, many, starting=1)
    assert crowded is not None
    assert not crowded.is_enough
    assert crowded.words.startswith("3 processes may open 15007 connections")
    each = int(crowded.advice.split(" to ")[1].split()[0])
    assert 3 * (each + 1) + 4 <= crowded.allowed


def test_fewer_connections_than_a_process_needs_are_refused() -> None:
    with pytest.raises(config.ConfigError, match="LOBBY_DATABASE_CONNECTIONS"):
        config.load({"LOBBY_DATABASE_CONNECTIONS": "7"})
