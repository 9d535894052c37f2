"""Count calls in moving windows of time, with the `limits` library.

In memory, or in Redis where LOBBY_LIMITS_URL says so; every process that counts in the same place shares what
may be done. While Redis does not answer each process counts for itself: the provider's own refusal is the
second guard.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from typing import Protocol, cast
from urllib.parse import urlsplit

from limits.storage import RedisStorage

from host.core import clock
from host.sdk.channel import SendLimit

log = logging.getLogger(__name__)

MARGIN_SECONDS = 0.02
"""How much longer than asked for a window is: two calls may come closer together at the provider than they
left here."""
REDIS_SECONDS = 2.0
"""How long to wait for Redis before counting without it."""
REDIS_AWAY_SECONDS = 10.0
"""How soon Redis is asked again after it did not answer."""
TIDIED_PER_CALL = 3
SOON = 0.002
"""The wait returned where another process was faster by a moment."""


class _Storage(Protocol):
    """What is used of a storage of the library. Its own annotations say whole seconds; halves work too."""

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]: ...

    def acquire_entry(self, key: str, limit: int, expiry: float) -> bool: ...

    def get_moving_window(self, key: str, _limit: int, expiry: float) -> tuple[float, int]: ...


class _Memory:
    """What was taken in this process; forgets a little with each call.

    The library's own looks through every key after a call, and keeps each for ever: with an hourly limit for
    each of 10,000 customers that took a third of a processor.
    """

    base_exceptions = ()

    def __init__(self) -> None:
        self.ends = OrderedDict[str, deque[float]]()
        """When each of a key's calls leaves its window. The key looked through longest ago comes first."""

    def acquire_entry(self, key: str, limit: int, expiry: float) -> bool:
        now = clock.now().timestamp()
        for _ in range(min(TIDIED_PER_CALL, len(self.ends))):
            self._look_through(next(iter(self.ends)), now)
        ends = self._look_through(key, now)
        if len(ends) >= limit:
            return False
        ends.append(now + expiry)
        self.ends[key] = ends
        return True

    def get_moving_window(self, key: str, _limit: int, expiry: float) -> tuple[float, int]:
        now = clock.now().timestamp()
        ends = self._look_through(key, now)
        return (ends[0] - expiry if ends else now), len(ends)

    def _look_through(self, key: str, now: float) -> deque[float]:
        ends = self.ends.pop(key, None) or deque()
        while ends and ends[0] < now:
            ends.popleft()
        if ends:
            self.ends[key] = ends
        return ends


class _Redis(RedisStorage):
    """The library's Redis, whose script for taking lets keys go after whole seconds and fails with others."""

    SCRIPT_ACQUIRE_MOVING_WINDOW = b"""
        local now, limit, expiry = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
        local oldest = redis.call('lindex', KEYS[1], limit - 1)
        if oldest and tonumber(oldest) >= now - expiry then
            return false
        end
        redis.call('lpush', KEYS[1], ARGV[1])
        redis.call('ltrim', KEYS[1], 0, limit - 1)
        redis.call('pexpire', KEYS[1], math.ceil(expiry * 1000))
        return true
    """


class LimitCounters:
    """Counts where *url* says (``memory://``, ``redis://...``). Safe to share between threads.

    :param margin: by how many seconds a window is longer than its limit asks for.
    """

    def __init__(self, url: str, margin: float = MARGIN_SECONDS) -> None:
        self._margin = margin
        self._storage = _storage(url)
        self._spare = _Memory()
        self._down: tuple[type[Exception], ...] = _errors(self._storage)
        self._away_until = float("-inf")
        self._lock = threading.Lock()

    def check(self, limits: Sequence[SendLimit], scope: str) -> tuple[float, SendLimit | None]:
        """Return after how many seconds all of *limits* have room, and which of them needs longest."""
        with self._lock:
            return self._counted(lambda storage: _check(storage, limits, scope, self._margin))

    def take(self, limits: Sequence[SendLimit], scope: str) -> tuple[float, SendLimit | None]:
        """Count one call against each of *limits*, or against none; return what :meth:`check` does.

        Where another process takes the last of one between two of ours, what was counted before stays
        counted: less is sent then, never more.

        :param scope: keeps the keys of one channel apart from another's.
        """
        with self._lock:
            return self._counted(lambda storage: _take(storage, limits, scope, self._margin))

    def _counted(
        self, count: Callable[[_Storage], tuple[float, SendLimit | None]]
    ) -> tuple[float, SendLimit | None]:
        if clock.monotonic() >= self._away_until:
            try:
                return count(self._storage)
            except self._down:
                log.warning("the storage of limits does not answer; counting in this process")
                self._away_until = clock.monotonic() + REDIS_AWAY_SECONDS
        return count(self._spare)


def _check(
    storage: _Storage, limits: Sequence[SendLimit], scope: str, margin: float
) -> tuple[float, SendLimit | None]:
    longest, which = 0.0, None
    now = clock.now().timestamp()
    for limit in limits:
        window = limit.seconds + margin
        oldest, count = storage.get_moving_window(_key(limit, scope), limit.amount, window)
        if count >= limit.amount:
            wait = max(SOON, oldest + window - now)
            if wait > longest:
                longest, which = wait, limit
    return longest, which


def _take(
    storage: _Storage, limits: Sequence[SendLimit], scope: str, margin: float
) -> tuple[float, SendLimit | None]:
    wait, which = _check(storage, limits, scope, margin)
    if which is not None:
        return wait, which
    for limit in limits:
        if not storage.acquire_entry(_key(limit, scope), limit.amount, limit.seconds + margin):
            return SOON, limit
    return 0.0, None


def place(url: str) -> str:
    """Return where *url* has calls counted, without credentials; empty: in the memory of each process."""
    if url.startswith("memory"):
        return ""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"[:255]


def _key(limit: SendLimit, scope: str) -> str:
    return f"calls/{scope}/{limit.key}/{limit.seconds}"


def _storage(url: str) -> _Storage:
    if url.startswith("memory"):
        return _Memory()
    return cast(_Storage, _Redis(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS))


def _errors(storage: _Storage) -> tuple[type[Exception], ...]:
    errors = storage.base_exceptions
    return errors if isinstance(errors, tuple) else (errors,)
