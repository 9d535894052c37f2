from __future__ import annotations

import threading
import time
import uuid
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import counters
from host.core import clock, db
from host.models.users import Counter


def test_counters_survive_and_grow(any_database: db.Database) -> None:
    before = counters.generation()
    db.write(lambda session: counters.bump(session, counters.GENERATION))
    assert counters.generation() == before + 1


def test_what_is_committed_to_sqlite_survives_a_power_cut(tmp_path: Path) -> None:
    """The fixtures of other tests switch this off for speed."""
    database = db.Database(f"sqlite:///{tmp_path / 'lobby.sqlite3'}")
    for engine in (database.write_engine, database.read_engine):
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2, "it is not FULL"
    database.dispose()


@pytest.mark.parametrize("empty_url", ["postgresql", "mariadb"], indirect=True)
def test_a_transaction_that_stands_still_lets_go_of_what_it_holds(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a frozen process leaves it: with its locks, for as long as it likes."""
    monkeypatch.setattr(db, "IDLE_SECONDS", 1)
    frozen, other = (db.Database(empty_url, pool_size=2) for _ in range(2))
    with frozen.write_engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE held (id INT PRIMARY KEY, what INT)"))
        connection.execute(sa.text("INSERT INTO held VALUES (1, 0)"))
    change = sa.text("UPDATE held SET what = what + 1 WHERE id = 1")
    holding = frozen.write_engine.connect()
    holding.execute(change)
    began = time.monotonic()
    with other.write_engine.begin() as connection:
        connection.execute(change)
    assert 0.5 < time.monotonic() - began < 12
    with pytest.raises(sa.exc.DBAPIError):
        holding.execute(change)
    holding.close()
    with other.read_engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT what FROM held")) == 1
    frozen.dispose()
    other.dispose()


@pytest.mark.parametrize("empty_url", ["postgresql", "mariadb"], indirect=True)
def test_nobody_waits_for_a_lock_or_a_statement_for_ever(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "LOCK_SECONDS", 1)
    monkeypatch.setattr(db, "STATEMENT_SECONDS", 2)
    one, other = (db.Database(empty_url, pool_size=2) for _ in range(2))
    with one.write_engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE held (id INT PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO held VALUES (1)"))
    change = sa.text("DELETE FROM held WHERE id = 1")
    with one.write_engine.begin() as holding:
        holding.execute(change)
        with pytest.raises(sa.exc.DBAPIError) as waited, other.write_engine.begin() as connection:
            connection.execute(change)
        assert db.why_undone(waited.value) == db.LOCK
    sleep = (
        "SELECT pg_sleep(9)"
        if one.dialect == "postgresql"
        else "SELECT SLEEP(9) FROM held UNION SELECT SLEEP(9)"
    )
    began = time.monotonic()
    with suppress(sa.exc.DBAPIError), other.read_engine.connect() as connection:
        connection.execute(sa.text(sleep))
    assert time.monotonic() - began < 8
    one.dispose()
    other.dispose()


@pytest.mark.parametrize("empty_url", ["postgresql", "mariadb"], indirect=True)
def test_a_write_waits_for_a_row_as_long_as_it_says(empty_url: str) -> None:
    one, other = (db.Database(empty_url, pool_size=2) for _ in range(2))
    with one.write_engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE held (id INT PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO held VALUES (1)"))
    change = sa.text("DELETE FROM held WHERE id = 1")

    def waited(seconds: float) -> float:
        began = time.monotonic()
        with (
            Session(other.write_engine) as session,
            pytest.raises(db.HeldRowError),
            db.waiting_at_most(session, seconds),
        ):
            session.execute(change)
        return time.monotonic() - began

    with one.write_engine.begin() as holding:
        holding.execute(change)
        took = [waited(seconds) for seconds in (0, 0.3, 1.5)]
    assert took[0] < took[1] < took[2]
    assert took[1] >= 0.3
    if other.dialect != "postgresql":
        with other.read_engine.connect() as connection:
            limits = connection.execute(
                sa.text("SELECT @@innodb_lock_wait_timeout, @@max_statement_time")
            ).one()
        assert tuple(limits) == (db.LOCK_SECONDS, db.STATEMENT_SECONDS)
    one.dispose()
    other.dispose()


def _backends(database: db.Database) -> list[int]:
    query = "SELECT pg_backend_pid()" if database.dialect == "postgresql" else "SELECT CONNECTION_ID()"
    with database.read() as session:
        return [session.scalar(sa.text(query)) or 0]


@pytest.mark.parametrize("empty_url", ["postgresql", "mariadb"], indirect=True)
def test_a_connection_that_the_server_closed_while_nobody_used_it_is_replaced(
    empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, other = (db.Database(empty_url, pool_size=2) for _ in range(2))
    (lost,) = _backends(database)
    end = "SELECT pg_terminate_backend({})" if database.dialect == "postgresql" else "KILL {}"
    with other.write_engine.begin() as connection:
        connection.exec_driver_sql(end.format(lost))
    later = clock.monotonic() + db.PING_SECONDS + 1
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    assert _backends(database) != [lost]
    database.dispose()
    other.dispose()


@pytest.mark.parametrize("empty_url", ["postgresql", "mariadb"], indirect=True)
def test_one_statement_at_most_fails_after_the_server_closed_connections_in_use(empty_url: str) -> None:
    database, other = (db.Database(empty_url, pool_size=4) for _ in range(2))
    with ExitStack() as stack:
        lost = [stack.enter_context(database.write_engine.connect()) for _ in range(4)]
        query = "SELECT pg_backend_pid()" if database.dialect == "postgresql" else "SELECT CONNECTION_ID()"
        numbers = [one.exec_driver_sql(query).scalar_one() for one in lost]
    end = "SELECT pg_terminate_backend({})" if database.dialect == "postgresql" else "KILL {}"
    with other.write_engine.begin() as connection:
        for number in numbers:
            connection.exec_driver_sql(end.format(number))
    with pytest.raises(sa.exc.DBAPIError):
        _backends(database)
    for _ in range(4):
        assert set(_backends(database)).isdisjoint(numbers)
    database.dispose()
    other.dispose()


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_a_read_is_one_round_trip(empty_url: str) -> None:
    """Without BEGIN, ROLLBACK, or a test of a connection just used."""
    name = f"reads {uuid.uuid4().hex[:8]}"
    url = sa.make_url(empty_url).update_query_dict({"application_name": name})
    database = db.Database(url.render_as_string(hide_password=False), pool_size=1)
    with database.read() as session:
        session.execute(sa.text("SELECT 1"))
        state = sa.text(
            "SELECT state, xact_start, query FROM pg_stat_activity WHERE application_name = :name"
        )
        other = sa.create_engine(empty_url, poolclass=sa.pool.NullPool)
        with other.connect() as connection:
            assert connection.execute(state, {"name": name}).all() == [("idle", None, "SELECT 1")]
    with other.connect() as connection:
        assert connection.execute(state, {"name": name}).all() == [("idle", None, "SELECT 1")]
    database.dispose()


def test_a_snapshot_sees_one_state_and_streams_it(any_database: db.Database) -> None:
    db.write(lambda session: counters.bump(session, counters.ACCOUNTS))
    with db.snapshot() as session:
        before = session.scalar(sa.select(Counter.value).where(Counter.name == counters.ACCOUNTS))
        db.write(lambda session: counters.bump(session, counters.ACCOUNTS))
        rows = session.execute(sa.select(Counter.name, Counter.value).execution_options(yield_per=1))
        assert {row.name: row.value for row in rows}[counters.ACCOUNTS] == before
    with db.read() as session:
        assert session.scalar(sa.select(Counter.value).where(Counter.name == counters.ACCOUNTS)) != before


@pytest.mark.parametrize("behind", [True, False])
def test_nobody_makes_way_for_what_is_written_behind_everybody(
    any_database: db.Database, behind: bool
) -> None:
    inside, over = threading.Event(), threading.Event()

    def write() -> None:
        with db.behind() if behind else nullcontext():
            inside.set()
            db.write(lambda _session: over.wait(10))

    with db.behind(), any_database.writing():
        thread = threading.Thread(target=write)
        thread.start()
        try:
            inside.wait(10)
            seen = [any_database.is_shared or time.sleep(0.01) for _ in range(20 if behind else 500)]
        finally:
            over.set()
    thread.join(10)
    assert any(seen) is not behind
    assert not any_database.is_shared
