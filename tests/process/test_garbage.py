"""What a process was made of is passed over by collections, and a generation that was left is still freed."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from host.process import garbage_collection


class Circle:
    def __init__(self) -> None:
        self.own = self


def test_nothing_is_passed_over_before_the_process_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage_collection, "_settled", False)
    before = gc.get_freeze_count()
    left = Circle()
    garbage_collection.collect()
    assert gc.get_freeze_count() <= before
    assert any(one is left for one in gc.get_objects())


SERVING = """
import gc, weakref
from host.process import garbage_collection

class Circle:
    def __init__(self):
        self.own = self

generation = Circle()
gone = weakref.ref(generation)
garbage_collection.freeze_objects()
assert gc.get_freeze_count() > 5_000
assert not any(one is garbage_collection.freeze_objects.__globals__ for one in gc.get_objects())
del generation
gc.collect()
assert gone() is not None, "it was not passed over, so nothing is shown"
garbage_collection.collect()
assert gone() is None
assert gc.get_freeze_count() > 5_000, "and the rest is passed over again"
"""
"""In a process of its own: all that a test's process holds would be looked at three times."""


def test_what_there_is_when_it_serves_is_passed_over_and_freed_once_it_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", SERVING], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
