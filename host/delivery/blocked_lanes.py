"""Remember which lanes wait for a locked row, and when each is retried.

Such a lane is due in the database like any other, so that another process may try it. This process separates
it from the others, which would be rolled back with it, and tries it less and less often.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from host.core import clock
from host.queue import policy, wakeups
from host.queue.wakeups import IN

RECENT = 3.0
"""Seconds after its retry time during which a lane still counts as evidence about its account's other lanes.
"""
FORGOTTEN_AFTER = 60.0
"""Seconds after which a lane that another process continued is forgotten."""


@dataclass(slots=True)
class _Wait:
    account_id: int | None
    rounds: int
    tried: bool
    until: float


class SetAside:
    """The lanes of received events that one process has set aside, by their keys."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waits: dict[str, _Wait] = {}

    def put(self, key: str, account_id: int | None, *, tried: bool = True) -> float:
        """Set a lane of an account aside, for longer than the last time; return the seconds.

        :param tried: whether one of its own rows was found locked.
        """
        now = clock.monotonic()
        with self._lock:
            before = self._waits.get(key, _Wait(account_id, -1, False, now))
            rounds = before.rounds + 1
            seconds = policy.SET_ASIDE_DELAYS[min(rounds, len(policy.SET_ASIDE_DELAYS) - 1)]
            self._waits[key] = _Wait(account_id, rounds, tried or before.tried, now + seconds)
            for old in [one for one, wait in self._waits.items() if wait.until + FORGOTTEN_AFTER < now]:
                del self._waits[old]
        return seconds

    def wake_soonest(self) -> None:
        """Wake a worker when the first of these lanes is due."""
        with self._lock:
            until = min((wait.until for wait in self._waits.values()), default=None)
        if until is not None:
            wakeups.wake_later(IN, until - clock.monotonic())

    def was_tried(self, key: str) -> bool:
        """Return whether a row of the lane itself was locked when it was last tried."""
        with self._lock:
            wait = self._waits.get(key)
        return wait is not None and wait.tried

    def suspects(self) -> Collection[int | None]:
        """Return the accounts with several waiting lanes, which may all need the same locked row."""
        since = clock.monotonic() - RECENT
        with self._lock:
            count = Counter(
                wait.account_id for wait in self._waits.values() if wait.tried and wait.until > since
            )
        return {account for account, lanes in count.items() if lanes >= policy.HELD_OF_ACCOUNT}

    def left(self, key: str) -> float | None:
        """Return the seconds until the lane is retried, or None if it is not set aside."""
        with self._lock:
            wait = self._waits.get(key)
        return None if wait is None else max(0.0, wait.until - clock.monotonic())

    def clear(self, keys: Iterable[str]) -> None:
        """Forget lanes, because their rows are no longer locked."""
        with self._lock:
            if self._waits:
                for key in keys:
                    self._waits.pop(key, None)
