"""How a process ends: in which order, and what a second signal changes."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from host.process import shutdown
from host.process.shutdown import CLOSING_SECONDS, HURRY_SECONDS, Shutdown

Exits = queue.SimpleQueue[int]


class Application:
    """Writes down what is asked of it.

    :param busy: whether something is under way beside requests until :attr:`rested` is set.
    """

    def __init__(self, *, busy: bool = False) -> None:
        self.asked: list[object] = []
        self.retired = threading.Event()
        self.rested = threading.Event()
        self.closed = threading.Event()
        if not busy:
            self.rested.set()

    def retire(self) -> None:
        self.asked.append("retire")
        self.retired.set()

    def rest(self, seconds: float) -> None:
        self.rested.wait(min(seconds, 60))
        self.asked.append("rest")

    def close(self, *, patience: float) -> None:
        self.asked.append(patience)
        self.closed.set()


@pytest.fixture
def exits(monkeypatch: pytest.MonkeyPatch) -> Exits:
    """What the process would have exited with. Whoever expects an exit has to wait for it."""
    codes: Exits = queue.SimpleQueue()
    monkeypatch.setattr(os, "_exit", codes.put)
    return codes


def test_it_closes_when_requests_and_everything_beside_them_are_done(exits: Exits) -> None:
    application = Application(busy=True)
    one = Shutdown(application)
    one.told(signal.SIGTERM)
    assert application.retired.wait(60)
    server = threading.Thread(target=one.finish)
    server.start()
    assert not application.closed.wait(0.05), "a delivery is still under way"
    application.rested.set()
    server.join(60)
    assert application.asked == ["retire", "rest", CLOSING_SECONDS]
    one.finish()
    assert application.asked[3:] == []
    assert exits.empty()


def test_another_sigterm_changes_nothing_and_another_sigint_ends_it(exits: Exits) -> None:
    application = Application(busy=True)
    one = Shutdown(application)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
        one.told(number)
    assert not application.closed.wait(0.05)
    one.told(signal.SIGINT)
    assert exits.get(timeout=60) == 0
    assert application.asked == ["retire", HURRY_SECONDS]
    application.rested.set()


def test_sigquit_waits_for_nothing(exits: Exits) -> None:
    application = Application(busy=True)
    one = Shutdown(application)
    one.told(signal.SIGQUIT)
    assert exits.get(timeout=60) == 0
    assert HURRY_SECONDS in application.asked
    application.rested.set()


def test_other_signals_are_not_meant(exits: Exits) -> None:
    application = Application()
    one = Shutdown(application)
    for number in (signal.SIGHUP, signal.SIGCHLD, signal.SIGUSR1):
        one.told(number)
    assert not application.retired.wait(0.05)
    one.finish()
    assert application.asked == ["retire", "rest", CLOSING_SECONDS]


def test_a_server_that_does_not_finish_is_left_after_a_while(
    exits: Exits, caplog: pytest.LogCaptureFixture
) -> None:
    application = Application(busy=True)
    one = Shutdown(application, patience=0.05)
    one.told(signal.SIGTERM)
    assert exits.get(timeout=60) == 0
    assert CLOSING_SECONDS in application.asked
    assert "requests that are still under way are cut off" in caplog.text
    application.rested.set()


def test_where_there_is_no_server_none_is_waited_for(exits: Exits) -> None:
    application = Application()
    one = Shutdown(application, drained=True)
    one.told(signal.SIGINT)
    one.wait()
    assert application.asked == ["retire", "rest", CLOSING_SECONDS]
    assert exits.empty()


def test_who_is_told_before_there_is_anything_to_end_exits(exits: Exits) -> None:
    Shutdown().told(signal.SIGTERM)
    assert exits.get(timeout=60) == 0


def test_a_server_is_stopped_by_a_signal_even_one_that_came_before_it(exits: Exits) -> None:
    async def stopped(one: Shutdown, number: int | None) -> bool:
        stop = asyncio.Event()
        one.stops(stop.set)
        if number is not None:
            one.told(number)
        return await asyncio.wait_for(stop.wait(), 60)

    first, second = Shutdown(Application()), Shutdown(Application())
    second.told(signal.SIGINT)
    with ThreadPoolExecutor(1) as thread:  # a loop may run in this one
        assert thread.submit(asyncio.run, stopped(first, signal.SIGTERM)).result(120)
        assert thread.submit(asyncio.run, stopped(second, None)).result(120)
    for one in (first, second):
        one.told(signal.SIGTERM)  # the loop has ended, and that is no error
        one.finish()
    assert exits.empty()


def test_a_failure_at_the_end_is_not_the_last_word(exits: Exits) -> None:
    class Broken(Application):
        def rest(self, seconds: float) -> None:
            raise OSError("a delivery thread")

        def close(self, *, patience: float) -> None:
            super().close(patience=patience)
            raise OSError("the database")

    application = Broken()
    one = Shutdown(application)
    one.finish()
    assert application.asked == ["retire", CLOSING_SECONDS]


def test_all_of_it_fits_into_the_time_a_server_gives() -> None:
    telemetry = 3
    assert shutdown.PATIENCE_SECONDS + shutdown.CLOSING_SECONDS + telemetry < shutdown.GRACE_SECONDS < 30
