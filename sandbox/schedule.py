"""A thread that calls functions later, on the sandbox's clock."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from sandbox.clock import Clock


class Schedule:
    """A scheduler of function calls; moving the clock forward runs them sooner."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wake = threading.Condition()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._open = True
        clock.on_move.append(self._nudge)
        threading.Thread(target=self._run, name="schedule", daemon=True).start()

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call ``call`` after the given seconds."""
        with self._wake:
            heapq.heappush(self._due, (self._clock.elapsed() + seconds, next(self._order), call))
            self._wake.notify()

    def clear(self) -> None:
        """Cancel all scheduled calls."""
        with self._wake:
            self._due.clear()

    def __len__(self) -> int:
        return len(self._due)

    def close(self) -> None:
        """Stop the thread."""
        self._clock.on_move.remove(self._nudge)
        with self._wake:
            self._open = False
            self._wake.notify()

    def _nudge(self) -> None:
        with self._wake:
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._open and (not self._due or self._due[0][0] > self._clock.elapsed()):
                    wait = self._due[0][0] - self._clock.elapsed() if self._due else None
                    self._wake.wait(wait)
                if not self._open:
                    return
                call = heapq.heappop(self._due)[2]
            call()
