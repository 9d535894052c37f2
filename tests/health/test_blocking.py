"""Who holds rows of the desk is named: on Health, in a metric and in the log, without anybody's words."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.health import blocking
from host.health.blocking import Blocker, find_blockers, first_words
from host.models.users import Workspace
from tests.delivery.desk import Desk

on_servers = pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
services = pytest.mark.services
SECRET = "Anna wrote this"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocking, "LEAST_SECONDS", 0.0)
    monkeypatch.setattr(blocking, "_seen", {})


@contextmanager
def somebody(statement: str) -> Iterator[int]:
    """Have run *statement* in an open transaction, as at a prompt; yield the number of the connection."""
    postgresql = db.current().dialect == "postgresql"
    called = {"application_name" if postgresql else "program_name": "psql"}
    engine = sa.create_engine(db.current().url, poolclass=sa.pool.NullPool, connect_args=called)
    with engine.connect() as connection:
        asks = "SELECT pg_backend_pid()" if postgresql else "SELECT CONNECTION_ID()"
        number = connection.exec_driver_sql(asks).scalar_one()
        connection.exec_driver_sql(statement)
        yield number


def blockers() -> list[Blocker]:
    with db.read() as session:
        return find_blockers(session)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.15)  # MariaDB reads its transactions anew only after a tenth of a second without a look


def named_programs() -> bool:
    """Tell whether the server keeps what clients call themselves; MariaDB does so only if it is told to."""
    if db.current().dialect == "postgresql":
        return True
    with db.read() as session:
        return bool(session.scalar(sa.text("SELECT @@performance_schema")))


@services
@on_servers
def test_who_holds_a_row_is_named_without_what_was_written(
    any_database: db.Database, caplog: pytest.LogCaptureFixture
) -> None:
    Desk()
    assert blockers() == []
    with somebody(f"UPDATE workspaces SET name = '{SECRET}'") as number:
        until(lambda: bool(blockers()))
        (found,) = blockers()
        assert found.number == number
        assert found.program == ("psql" if named_programs() else any_database.url.username)
        assert found.waiting == 0
        if any_database.dialect == "postgresql":
            assert (found.holds, found.statement) == ("workspaces", "UPDATE workspaces SET")
        assert blockers()
        assert caplog.text.count(f"connection {number} of") == 1, "logged once"
    until(lambda: not blockers())
    password = any_database.url.password
    for text in (repr(found), caplog.text):
        assert SECRET not in text
        assert not password or f":{password}@" not in text


@services
@on_servers
def test_its_table_and_who_waits_are_told(any_database: db.Database) -> None:
    Desk()
    with somebody("SELECT id FROM workspaces FOR UPDATE") as number:
        query = sa.select(Workspace.id).with_for_update()
        waiter = threading.Thread(target=lambda: db.write(lambda session: session.execute(query) and None))
        waiter.start()
        until(lambda: any(one.waiting for one in blockers()))
        found = {one.number: one for one in blockers()}[number]
        assert found.waiting == 1
        assert found.holds.rpartition(".")[2] == "workspaces"
    waiter.join()


@services
@on_servers
def test_who_only_reads_holds_nothing(any_database: db.Database) -> None:
    Desk()
    with somebody("SELECT id FROM contacts"), somebody("SELECT id FROM workspaces FOR UPDATE") as number:
        until(lambda: bool(blockers()))
        assert [one.number for one in blockers()] == [number]


@services
@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_vacuum_holds_nobodys_rows(any_database: db.Database) -> None:
    with somebody("LOCK TABLE contacts IN SHARE UPDATE EXCLUSIVE MODE"):
        assert blockers() == []


@services
@on_servers
def test_everyday_work_is_not_named(any_database: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    Desk()
    with somebody("SELECT id FROM workspaces FOR UPDATE"):
        until(lambda: bool(blockers()))
        monkeypatch.setattr(blocking, "LEAST_SECONDS", 3600.0)
        assert blockers() == []


@services
@on_servers
def test_lobbys_own_connections_say_which_process_they_are_of(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    Desk()
    monkeypatch.setattr(db, "_role", "")
    db.call_process("worker")
    with any_database.write_engine.connect() as connection:
        connection.execute(sa.select(Workspace.id).with_for_update())
        until(lambda: bool(blockers()))
        (found,) = blockers()
    if named_programs():
        assert found.program == f"lobby worker {os.getpid()}"


@services
@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_another_role_is_named_though_its_statements_are_hidden(
    any_database: db.Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Desk()
    monkeypatch.setattr(blocking, "LEAST_SECONDS", 3.0)
    caplog.set_level("WARNING", logger="host.health.blocking")

    def look() -> list[Blocker]:
        with db.snapshot() as session:
            session.execute(sa.text("SET LOCAL ROLE pg_signal_backend"))  # it may see no statistics
            return find_blockers(session)

    with somebody("SELECT id FROM workspaces FOR UPDATE") as number:
        assert look() == [], "since when is not known yet"
        monkeypatch.setattr(clock, "monotonic", lambda: time.monotonic() + 20)
        (found,) = look()
    assert (found.number, found.program, found.holds, found.statement) == (number, "psql", "workspaces", "")
    assert found.seconds >= 20
    assert found.is_hidden
    assert "its statements are readable to its own role only" in caplog.text
    assert "began with" not in caplog.text


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE contacts SET name = 'Anna'", "UPDATE contacts SET"),
        ("  select\n 1", "select"),
        ("SELECT 'Anna'", "SELECT"),
        ('SELECT "Anna"', "SELECT"),
        ("-- Anna wrote this\nSELECT 1", ""),
        ("<insufficient privilege>", ""),
        ("", ""),
    ],
)
def test_the_first_words_of_a_statement_hold_no_value(statement: str, words: str) -> None:
    assert first_words(statement) == words
