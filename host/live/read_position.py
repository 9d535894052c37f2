"""The position up to which a process has read live events."""

from __future__ import annotations

from collections.abc import Iterable

from host.core import clock
from host.live import events

REMEMBERED = 2000
"""Most ids waited for at a time."""
SLOW_SECONDS = 5.0
GIVEN_UP_SECONDS = 15 * 60.0
"""Longer than any transaction may stay open: the database ends those that do."""


class Position:
    """How far the watcher has read, given that ids may become visible out of order.

    An id left out is waited for: the transaction that took it may still commit. For :data:`events.LATE` it is
    looked for each time, later every few seconds, because a writer or this process may have stood still.
    What was rolled back never comes, so waiting ends after a while.
    """

    def __init__(self) -> None:
        self.newest: int | None = None
        self._left_out: dict[int, float] = {}
        self._last_look: list[int] = []
        self._looked_at = float("-inf")

    def waited_for(self) -> list[int]:
        """Return the ids to look for now."""
        now = clock.monotonic()
        late = now - events.LATE.total_seconds()
        if now - self._looked_at < SLOW_SECONDS:
            return [id_ for id_, since in self._left_out.items() if since > late]
        self._looked_at = now
        # However long this process stood still: what is given up is looked for once more before.
        self._last_look = [id_ for id_, since in self._left_out.items() if since < now - GIVEN_UP_SECONDS]
        return list(self._left_out)

    def move(self, found: Iterable[int], new: Iterable[int]) -> None:
        """Record that the ids *found* came late, and the ids *new* in order."""
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
