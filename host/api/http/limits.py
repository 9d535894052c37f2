"""Count the requests of a key against its limit."""

from __future__ import annotations

import logging
import threading
import time

import msgspec
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

log = logging.getLogger("lobby.api")


class Remaining(msgspec.Struct, frozen=True):
    """The remaining requests of a key in the current window.

    :param reset: seconds until the window ends and the count restarts.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


class Counter:
    """Counts requests in the storage at *url*, or in this process while that is unavailable."""

    def __init__(self, url: str) -> None:
        storage = storage_from_string(url)
        self._limiter = FixedWindowRateLimiter(storage)
        self._spare = FixedWindowRateLimiter(MemoryStorage())
        errors = storage.base_exceptions
        self._down: tuple[type[Exception], ...] = errors if isinstance(errors, tuple) else (errors,)

    def count(self, limit: RateLimitItem, key_id: int) -> Remaining:
        """Count one request of the key and return what remains of its limit."""
        try:
            return self._count(self._limiter, limit, key_id)
        except self._down:
            log.warning("the storage of limits does not answer; counting in this process")
            return self._count(self._spare, limit, key_id)

    def _count(self, limiter: FixedWindowRateLimiter, limit: RateLimitItem, key_id: int) -> Remaining:
        allowed = limiter.hit(limit, "api", str(key_id))
        window = limiter.get_window_stats(limit, "api", str(key_id))
        reset = max(1, round(window.reset_time - time.time()))
        return Remaining(allowed, limit.amount, max(0, window.remaining) if allowed else 0, reset)


_lock = threading.Lock()
_counters: dict[str, Counter] = {}


def count(url: str, limit: str, key_id: int) -> Remaining:
    """Count one request of a key against *limit* (``600/minute``), at *url*; see :class:`Counter`."""
    with _lock:
        # Shared by all generations of the app.
        counter = _counters.get(url) or _counters.setdefault(url, Counter(url))
    return counter.count(parse(limit), key_id)


def reset() -> None:
    """Drop all counts of this process; for tests."""
    with _lock:
        _counters.clear()
