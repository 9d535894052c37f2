"""What a burst of streams or requests made the pool open goes back to the database server."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.health import heartbeat
from host.models.health import Kind
from tests.health.test_recording import told

BURST = 20


def opened(name: str) -> int:
    """Return how many connections the server counts under *name*, from a connection of another name."""
    url = db.current().url
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :name")
    with engine.connect() as connection:
        return int(connection.scalar(query, {"name": name}) or 0)


def test_connections_nobody_uses_are_closed_and_those_in_use_stay(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if any_database.dialect != "postgresql":
        pytest.skip("counted by pg_stat_activity")
    name = "burst"
    url = any_database.url.update_query_dict({"application_name": name})
    database = db.Database(url.render_as_string(hide_password=False), pool_size=BURST)
    together = Barrier(BURST)

    def read() -> None:
        with database.read() as session:
            session.execute(sa.select(1))
            together.wait(timeout=30)

    with ThreadPoolExecutor(BURST) as pool:
        for done in [pool.submit(read) for _ in range(BURST)]:
            done.result()
    try:
        assert opened(name) == BURST
        assert database.close_idle() == 0, "just used"
        later = clock.monotonic() + db.IDLE_CONNECTION_SECONDS + 1
        with database.read() as session:
            session.execute(sa.select(1))
            monkeypatch.setattr(clock, "monotonic", lambda: later)
            assert database.close_idle() == BURST - 1
            # The server notices a closed connection a moment later.
            assert any(opened(name) == 1 for _ in range(200))
            session.execute(sa.select(1))
        assert database.connections()["idle"] == 1
        with database.read() as session:
            session.execute(sa.select(1))
        assert database.connections()["idle"] == 1, "the one used last is used again"
        with ThreadPoolExecutor(BURST) as pool:
            for done in [pool.submit(read) for _ in range(BURST)]:
                done.result()
        assert database.connections()["idle"] == BURST, "there is room for the next burst"
    finally:
        database.dispose()


def test_a_process_closes_them_within_a_minute(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if any_database.is_sqlite:
        pytest.skip("connections to a file cost a server nothing")
    assert db.IDLE_CONNECTION_SECONDS + heartbeat.EVERY_SECONDS < 60
    together = Barrier(5)

    def read() -> None:
        with db.read() as session:
            session.execute(sa.select(1))
            together.wait(timeout=30)

    with ThreadPoolExecutor(5) as pool:
        for done in [pool.submit(read) for _ in range(5)]:
            done.result()
    assert db.current().connections()["idle"] == 5
    heart = heartbeat.Heartbeat(told(tmp_path), lambda: 1, lambda: None)
    heart._id, heart._kind, heart._started_at = "one", Kind.WORKER, db.now()
    later = clock.monotonic() + db.IDLE_CONNECTION_SECONDS + 1
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    heart.beat()
    assert db.current().connections()["idle"] == 1, "that of the beat"
