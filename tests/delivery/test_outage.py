"""An outage of the database is logged once in a process, whatever needs it meanwhile."""

from __future__ import annotations

import logging
import sqlite3
import threading
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.worker import Workers
from host.queue import outage
from host.queue.outage import DatabaseOutage
from tests.delivery.desk import Desk
from tests.delivery.test_worker import until

AWAY = sa.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error"))


@pytest.fixture
def one(monkeypatch: pytest.MonkeyPatch) -> DatabaseOutage:
    made = DatabaseOutage()
    monkeypatch.setattr(outage, "_outage", made)
    return made


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "lobby.database"]


def test_only_the_first_of_an_outage_is_logged(one: DatabaseOutage, caplog: pytest.LogCaptureFixture) -> None:
    now = clock.monotonic()
    assert [one.began(what, AWAY, now) for what in ("profiles", "snoozes", "posts")] == [True] * 3
    assert lines(caplog) == ["profiles waits for the database, and so may others"]
    assert caplog.records[0].exc_info
    one.over()
    one.over()
    assert len(lines(caplog)) == 2
    assert "answers again" in lines(caplog)[1]
    assert one.began("pushes", AWAY, now), "it was begun during that outage"
    assert len(lines(caplog)) == 2
    assert one.began("pushes", AWAY, float("inf"))
    assert len(lines(caplog)) == 3


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a mistake"),
        ConnectionRefusedError("a provider"),
        sa.exc.IntegrityError("INSERT", {}, sqlite3.IntegrityError("twice")),
    ],
)
def test_other_errors_are_none(
    one: DatabaseOutage, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    assert not one.began("profiles", error, clock.monotonic())
    assert not one.is_on()
    assert lines(caplog) == []


def test_the_threads_of_a_worker_log_one_traceback(
    one: DatabaseOutage,
    desk: Desk,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every look for work fails for a while."""
    away = threading.Event()
    away.set()
    tries = [0]
    read = db.Database.read

    def failing(self: db.Database) -> Any:
        if away.is_set():
            tries[0] += 1
            raise AWAY
        return read(self)

    monkeypatch.setattr(db.Database, "read", failing)
    workers = Workers(lambda: desk.generation, 1, 1)
    with caplog.at_level(logging.WARNING):
        workers.start()
        until(lambda: one.is_on() and tries[0] > 8)
        away.clear()
        until(lambda: not one.is_on())
        workers.stop()
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert len(lines(caplog)) == 2
