"""The position up to which a process has read live events."""

from __future__ import annotations

from collections.abc import Iterable

from host.core import clock
from host.live import events

REMEMBERED = 1000
"""Most ids waited for at a time."""


class Position:
    """How far the watcher has read, given that ids may become visible out of order.

    An id left out is waited for: the transaction that took it may still commit. What was rolled back never
    comes, so waiting ends after a while.
    """

    def __init__(self) -> None:
        self.newest: int | None = None
        self._left_out: dict[int, float] = {}

    def waited_for(self) -> list[int]:
        """Return the ids that may still come."""
        deadline = clock.monotonic() - events.LATE.total_seconds()
        self._left_out = {id_: since for id_, since in self._left_out.items() if since > deadline}
        return list(self._left_out)

    def move(self, found: Iterable[int], new: Iterable[int]) -> None:
        """Note that the ids *found* came late, and the ids *new* in their turn."""
        for id_ in found:
            self._left_out.pop(id_, None)
        assert self.newest is not None
        now = clock.monotonic()
        for id_ in new:
            for left_out in range(max(self.newest + 1, id_ - REMEMBERED), id_):
                self._left_out[left_out] = now
            self.newest = id_
        while len(self._left_out) > REMEMBERED:
            del self._left_out[next(iter(self._left_out))]
