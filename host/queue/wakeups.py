"""Wake workers when work may be due. A lost wake-up delays work by one sweep.

Every process wakes its own workers; with a broker it wakes those of other processes too
(:mod:`host.queue.announcing`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from host.core import clock

IN = "in"
OUT = "out"

Listener = Callable[[str], None]

_listeners: tuple[Listener, ...] = ()
_messengers: tuple[Listener, ...] = ()


def listen(listener: Listener) -> Callable[[], None]:
    """Call *listener* with a direction whenever work may be due; return a function that stops this."""
    global _listeners  # noqa: PLW0603 - one set of listeners per process
    _listeners = (*_listeners, listener)

    def stop() -> None:
        global _listeners  # noqa: PLW0603
        _listeners = tuple(one for one in _listeners if one is not listener)
        if not _listeners:
            _alarm.stop()

    return stop


def forward(messenger: Listener) -> Callable[[], None]:
    """Register *messenger*, called with a direction when this process creates work. It must not block.

    :return: a function that stops this.
    """
    global _messengers  # noqa: PLW0603 - as above
    _messengers = (*_messengers, messenger)

    def stop() -> None:
        global _messengers  # noqa: PLW0603
        _messengers = tuple(one for one in _messengers if one is not messenger)

    return stop


def wake(direction: str) -> None:
    """Wake the workers of every process: a lane of *direction* may be due."""
    wake_here(direction)
    wake_others(direction)


def wake_others(direction: str) -> None:
    """Wake the workers of other processes only."""
    for messenger in _messengers:
        messenger(direction)


def wake_here(direction: str) -> None:
    """Wake this process's workers only: a wake-up from another process must not be forwarded."""
    for listener in _listeners:
        listener(direction)


class _Alarm:
    """A thread that wakes workers at planned times; it runs as long as workers exist."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def set(self, direction: str, at: float) -> None:
        with self._changed:
            known = self._due.get(direction)
            if not _listeners or (known is not None and known <= at):
                return
            self._due[direction] = at
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="delivery-alarm", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        with self._changed:
            thread, self._thread = self._thread, None
            self._due.clear()
            self._changed.notify()
        if thread is not None:
            thread.join()

    def _serve(self) -> None:
        while True:
            with self._changed:
                if self._thread is not threading.current_thread():
                    return
                if not self._due:
                    self._changed.wait()
                    continue
                direction, at = min(self._due.items(), key=lambda item: item[1])
                left = at - clock.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                del self._due[direction]
            wake_here(direction)


_alarm = _Alarm()


def wake_later(direction: str, seconds: float) -> None:
    """Wake this process's workers after *seconds*; the earliest of several times wins."""
    _alarm.set(direction, clock.monotonic() + max(0.0, seconds))
