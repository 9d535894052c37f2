"""The position up to which a process has read live events."""

from __future__ import annotations

from collections.abc import Iterable

from host.core import clock
from host.live import events

REMEMBERED = 2000
"""Maximum number of missing ids to wait for."""
SLOW_SECONDS = 5.0
GIVEN_UP_SECONDS = 15 * 60.0
"""How long to wait for a missing id: longer than the database lets any transaction stay open."""


class Position:
    """The watcher's read position, given that ids may become visible out of order.

    A transaction with a skipped id may still commit. For :data:`events.LATE` the id is looked up with each
    read, later every few seconds, as a writer or this process may have been paused. Ids of rolled-back
    transactions never appear, so the wait ends after :data:`GIVEN_UP_SECONDS`.
    """

    def __init__(self) -> None:
        self.newest: int | None = None
        self._left_out: dict[int, float] = {}
        self._last_look: list[int] = []
        self._looked_at = float("-inf")

    def waited_for(self) -> list[int]:
        """Return the missing ids to look up now."""
        now = clock.monotonic()
        late = now - events.LATE.total_seconds()
        if now - self._looked_at < SLOW_SECONDS:
            return [id_ for id_, since in self._left_out.items() if since > late]
        self._looked_at = now
        # An id is looked up once more before it is given up, even if this process was paused for long.
        self._last_look = [id_ for id_, since in self._left_out.items() if since < now - GIVEN_UP_SECONDS]
        return list(self._left_out)

    def move(self, found: Iterable[int], new: Iterable[int]) -> None:
        """Record the late ids *found* and the ids *new* after the position."""
        for id_ in (*found, *self._last_look):
            self._left_out.pop(id_, None)
        self._last_look = []
        assert self.newest is not None
        now = clock.monotonic()
        for id_ in new:
            for left_out in range(max(self.newest + 1, id_ - REMEMBERED), id_):
                self._left_out[left_out] = now
            self.newest = id_
        while len(self._left_out) > REMEMBERED:
            del self._left_out[next(iter(self._left_out))]
