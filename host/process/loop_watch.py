"""Notice when the event loop was held: what waits or computes on it holds every request up."""

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
"""What is too long: work that takes more belongs in a thread."""
REMEMBERED = 600
"""Looks of one minute."""


class LoopWatch:
    """Measures by how much the event loop of this process is late."""

    def __init__(self) -> None:
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    def most(self) -> float:
        """Return the seconds it was held at most within the last minute."""
        return max(tuple(self._late), default=0.0)

    def note(self, seconds: float) -> None:
        """Count that it was late by so much."""
        self._late.append(seconds)
        recording.peak(Metric.LOOP, "", "", round(seconds * 1000))

    async def watch(self, *, warn: bool) -> None:
        """Look ten times a second, until cancelled.

        :param warn: whether to log each time it was held for too long, as in development.
        """
        while True:
            due = clock.monotonic() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            late = max(0.0, clock.monotonic() - due)
            self.note(late)
            if warn and late > HELD_SECONDS:
                log.warning("the event loop was held for %d ms", late * 1000)
