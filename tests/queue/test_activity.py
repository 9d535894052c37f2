"""Jobs look for work seldom while nobody writes, and at once when somebody does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from host.core import clock
from host.queue import activity
from host.queue.activity import Activity


@pytest.fixture
def quiet() -> Activity:
    """Of a process that knows of no event."""
    return Activity()


@pytest.fixture
def resting(quiet: Activity) -> Iterator[tuple[threading.Thread, threading.Event]]:
    """A thread that rests, and what ends it."""
    over = threading.Event()
    thread = threading.Thread(target=quiet.rest, args=(0.01, over.is_set), daemon=True)
    thread.start()
    yield thread, over
    over.set()
    quiet.note()
    thread.join(10)


def _rested(one: Activity, seconds: float) -> float:
    began = time.monotonic()
    assert not one.rest(seconds, lambda: False)
    return time.monotonic() - began


def test_it_rests_longer_while_nothing_happens(quiet: Activity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "REST_SECONDS", 0.4)
    long = _rested(quiet, 0.01)
    assert quiet.is_quiet
    quiet.note()
    assert not quiet.is_quiet
    assert _rested(quiet, 0.01) < long
    assert long >= 0.4


def test_it_never_looks_more_often_than_a_job_says(quiet: Activity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "REST_SECONDS", 0.01)
    assert _rested(quiet, 0.2) >= 0.2
    quiet.note()
    assert _rested(quiet, 0.2) >= 0.2


def test_an_event_ends_the_rest(
    quiet: Activity, resting: tuple[threading.Thread, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "REST_SECONDS", 600.0)
    quiet.note()
    resting[0].join(10)
    assert not resting[0].is_alive()


def test_stopping_ends_the_rest(
    quiet: Activity, resting: tuple[threading.Thread, threading.Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "REST_SECONDS", 600.0)
    resting[1].set()
    quiet.note()
    resting[0].join(10)
    assert not resting[0].is_alive()


def test_it_is_quiet_again_after_a_while(quiet: Activity, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet.note()
    later = clock.monotonic() + activity.QUIET_SECONDS + 1
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    assert quiet.is_quiet
