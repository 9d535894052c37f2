"""Typing and seen: told by a thread, throttled, worth nothing when late, and never in anybody's way."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from host.queue import signals
from host.queue.signals import MOST_WAITING, Signal, Signals
from tests.delivery.desk import Desk, ToyAdapter


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        ToyAdapter, "show_typing", lambda _self, _account, contact, on: found.append((contact, on))
    )
    monkeypatch.setattr(
        ToyAdapter, "mark_seen", lambda _self, _account, contact: found.append((contact, "seen"))
    )
    return found


def test_they_are_told_in_order(desk: Desk, told: list[Any]) -> None:
    queue = Signals()
    for signal in (Signal.TYPING, Signal.STOPPED, Signal.SEEN):
        assert queue.offer(desk.account, "anna", signal)
    assert queue.flush(lambda: desk.generation) == 3
    assert told == [("anna", True), ("anna", False), ("anna", "seen")]


def test_typing_is_not_told_over_and_over(desk: Desk, told: list[Any]) -> None:
    queue = Signals()
    assert [queue.offer(desk.account, "anna", Signal.TYPING) for _ in range(5)] == [True] + [False] * 4
    assert queue.offer(desk.account, "bert", Signal.TYPING)
    assert queue.offer(desk.account, "anna", Signal.STOPPED)
    assert not queue.offer(desk.account, "anna", Signal.STOPPED)
    assert queue.offer(desk.account, "anna", Signal.TYPING)
    assert not queue.offer(desk.account, "carl", Signal.STOPPED), "nobody was shown that somebody writes"


def test_a_full_queue_drops_what_comes(desk: Desk) -> None:
    queue = Signals()
    taken = [queue.offer(desk.account, str(number), Signal.SEEN) for number in range(MOST_WAITING + 50)]
    assert taken.count(True) == MOST_WAITING


def test_a_failure_is_nobodys_business(desk: Desk, monkeypatch: pytest.MonkeyPatch, told: list[Any]) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("x")

    monkeypatch.setattr(ToyAdapter, "show_typing", fail)
    queue = Signals()
    queue.offer(desk.account, "anna", Signal.TYPING)
    queue.offer(desk.account, "anna", Signal.SEEN)
    queue.flush(lambda: desk.generation)
    assert told == [("anna", "seen")]


def test_a_slow_provider_keeps_nobody_waiting(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(ToyAdapter, "mark_seen", lambda *_: release.wait(90))
    queue = Signals()
    thread = threading.Thread(target=queue.serve, args=(lambda: desk.generation,))
    thread.start()
    began = time.monotonic()
    for number in range(100):
        queue.offer(desk.account, str(number), Signal.SEEN)
    assert time.monotonic() - began < 45
    queue.stop()
    release.set()
    thread.join(60)
    assert not thread.is_alive()


def test_the_workers_tell_them(desk: Desk, told: list[Any]) -> None:
    from host.delivery.worker import Workers

    workers = Workers(lambda: desk.generation, 1, 1)
    workers.start()
    try:
        signals.current().offer(desk.account, "anna", Signal.TYPING)
        deadline = time.monotonic() + 60
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        workers.stop()
    assert told == [("anna", True)]
