"""Waking workers at a moment known before."""

from __future__ import annotations

import queue

import pytest

from host.queue import wakeups


def test_workers_are_woken_once_the_moment_has_come() -> None:
    heard: queue.Queue[str] = queue.Queue()
    deaf = wakeups.listen(heard.put)
    try:
        wakeups.wake_later("in", 3600)
        wakeups.wake_later("out", 0.01)
        assert heard.get(timeout=30) == "out"
        with pytest.raises(queue.Empty):
            heard.get_nowait()
    finally:
        deaf()
