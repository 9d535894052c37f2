"""The thread that tells other processes, with a broker that is a list."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection

import pytest

from host.queue import announcing
from host.queue.announcing import Announcer


class ListBroker:
    def __init__(self, full: Callable[[], None]) -> None:
        self.told: list[str] = []
        self.closed = False
        self.full = full

    def publish(self, direction: str) -> None:
        self.told.append(direction)

    def waiting(self, direction: str) -> int:
        return 0

    def keep_alive(self) -> None:
        self.told.append("alive")
        if len(self.told) > 3:
            self.full()

    def receive(self, directions: Collection[str], wake: Callable[[str], None]) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def test_between_two_wake_ups_the_broker_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(announcing, "COALESCE_SECONDS", 0)
    rests: list[float | None] = []

    class Ring(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            rests.append(timeout)
            if len(rests) == 1:
                announcer.send_wakeup("in")
            else:
                announcer.stop()
            return True

    announcer = Announcer(lambda: broker, ["in"])
    broker = ListBroker(announcer.stop)
    announcer._ring = Ring()
    announcer._serve()
    assert (broker.told, broker.closed) == (["alive", "in"], True)
    assert rests == [announcing.KEEP_ALIVE_SECONDS] * 2
