"""What waits for a commit, and what is committed together."""

from __future__ import annotations

import threading
from collections import deque

from host import logs
from host.delivery.rows import Rows
from host.delivery.spool import Delivery

BATCH = 256
BATCH_BYTES = 8 * 1024 * 1024
BATCH_EVENTS = 256
"""Most events of one commit: every other writer waits for it."""
PART_EVENTS = BATCH_EVENTS // 2
"""A request with more events is committed in parts of so many, each beside what others brought meanwhile."""


class Item:
    """A delivery whose caller waits until all its parts are committed.

    Parts that were committed before the others failed do no harm: whoever sends the delivery again is told by
    unique keys what is there, and events of one account stay in order.
    """

    __slots__ = ("delivery", "done", "error", "http", "parts")

    def __init__(self, delivery: Delivery, prepared: Rows) -> None:
        self.delivery = delivery
        self.parts = deque(prepared.parts(PART_EVENTS))
        self.error: BaseException | None = None
        self.http = logs.http()
        self.done = threading.Lock()
        self.done.acquire()

    def part_ended(self) -> None:
        """Go on to the next part; tell the caller if that was the last one, or failed."""
        self.parts.popleft()
        if self.error is not None:
            self.parts.clear()
        if not self.parts:
            self.done.release()

    @property
    def is_stored(self) -> bool:
        """Tell whether all of it is committed."""
        return self.error is None and not self.parts

    def step(self) -> logs.Ids:
        """Return what the delivery goes by in the log."""
        delivery, http = self.delivery, self.http or None
        return {"request_id": delivery.id, "events": len(delivery.envelopes), "http_id": http}


class Queue:
    """Items in the order they came. Many threads append, one takes."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: Item) -> None:
        """Add an item behind the others."""
        self._items.append(item)

    def take(self) -> list[Item]:
        """Return those whose first part is committed next: the oldest, and what fits beside it.

        One that has more parts stays and comes first the next time, as does one whose events do not fit.
        Those behind it go ahead unless they bring events of an account of its own, which would come out of
        order.
        """
        items: list[Item] = []
        later: list[Item] = []
        held: set[int | None] = set()
        size = events = 0
        while self._items and len(items) + len(later) < BATCH and size < BATCH_BYTES:
            item = self._items.popleft()
            if not item.parts:
                continue  # a part before failed
            part = item.parts[0]
            fits = not (items and events + len(part.events) > BATCH_EVENTS)
            if fits and not (held and held & part.accounts()):
                items.append(item)
                size += part.size
                events += len(part.events)
                if len(item.parts) == 1:
                    continue
            later.append(item)
            for rest in item.parts:
                held |= rest.accounts()
        self._items.extendleft(reversed(later))
        return items
