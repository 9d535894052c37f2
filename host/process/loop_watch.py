"""Detect when the event loop was blocked: any waiting or computation on it delays every request."""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from host import recording
from host.core import clock
from host.models.health import Metric

log = logging.getLogger(__name__)

EVERY_SECONDS = 0.1
HELD_SECONDS = 0.02
"""Delay in seconds that counts as blocked: longer work belongs in a thread."""
REMEMBERED = 600
"""Number of samples in one minute."""


class LoopWatch:
    """A monitor of the event loop's delay in this process."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    def most(self) -> float:
        """Return the longest delay within the last minute, in seconds."""
        return max(tuple(self._late), default=0.0)

    def note(self, seconds: float) -> None:
        """Record a delay."""
        self._late.append(seconds)
        recording.peak(Metric.LOOP, "", "", round(seconds * 1000))

    async def watch(self, *, warn: bool) -> None:
        """Sample ten times a second, until cancelled.

        :param warn: whether to log each delay that counts as blocked, as in development.
        """
        while True:
            due = clock.monotonic() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            late = max(0.0, clock.monotonic() - due)
            self.note(late)
            if warn and late > HELD_SECONDS:
                log.warning("the event loop was held for %d ms", late * 1000)
