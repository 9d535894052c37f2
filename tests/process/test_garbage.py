"""What a process was made of is passed over by collections, and a generation that was left is still freed."""

from __future__ import annotations

import gc
import weakref

import pytest

from host.process import garbage_collection


class Circle:
    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is passed over stays so: for the tests that follow it is the same."""
    monkeypatch.setattr(garbage_collection, "_settled", False)


def test_nothing_is_passed_over_before_the_process_serves() -> None:
    before = gc.get_freeze_count()
    left = Circle()
    garbage_collection.collect()
    assert gc.get_freeze_count() <= before
    assert any(one is left for one in gc.get_objects())


def test_what_there_is_when_it_serves_is_passed_over() -> None:
    garbage_collection.freeze_objects()
    assert gc.get_freeze_count() > 10_000
    assert not any(one is garbage_collection.freeze_objects.__globals__ for one in gc.get_objects())


def test_what_was_passed_over_and_left_later_is_freed() -> None:
    generation = Circle()
    gone = weakref.ref(generation)
    garbage_collection.freeze_objects()
    del generation
    gc.collect()
    assert gone() is not None, "it was not passed over, so nothing is shown"
    garbage_collection.collect()
    assert gone() is None
    assert gc.get_freeze_count() > 10_000, "and the rest is passed over again"
