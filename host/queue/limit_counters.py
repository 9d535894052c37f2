"""Count calls in moving windows of time, with the `limits` library.

Counts are in memory, or in Redis if LOBBY_LIMITS_URL is set to it; processes that count in the same place
share a limit. While Redis is unavailable, each process counts alone and takes its share: the limit divided by
the number of processes that send.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar, cast
from urllib.parse import urlsplit

from limits.storage import RedisStorage

from host.core import clock
from host.core.backports.values import replace
from host.sdk.channel import SendLimit

log = logging.getLogger(__name__)

R = TypeVar("R")

_PROBE = "lobby-doctor"
"""A key that is read to check whether Redis answers."""

MARGIN_SECONDS = 0.02
"""Added to the length of each window: two calls may arrive at the provider closer together than they left
this process.
"""
REDIS_SECONDS = 2.0
"""How long to wait for Redis before counting without it."""
REDIS_AWAY_SECONDS = 10.0
"""Delay before Redis is tried again after it did not answer."""
TIDIED_PER_CALL = 3
SOON = 0.002
"""The wait returned if another process took the last call of a limit."""


class _Storage(Protocol):
    """The methods of the library's storage that are used here.

    Its annotations require whole seconds, but fractions work too.
    """

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]: ...

    def acquire_entry(self, key: str, limit: int, expiry: float) -> bool: ...

    def get_moving_window(self, key: str, _limit: int, expiry: float) -> tuple[float, int]: ...


class _Memory:
    """The calls counted in this process; each call also drops a few old ones.

    The library's own storage scans every key after a call, and keeps keys forever: with an hourly limit for
    each of 10,000 customers that took a third of a processor.
    """

    base_exceptions = ()

    def __init__(self) -> None:
        self.ends = OrderedDict[str, deque[float]]()
        """For each key, the times at which its calls leave the window.

        The key checked longest ago is first.
        """

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

    def note(self, key: str, expiry: float) -> None:
        """Count a call that was allowed by another storage."""
        now = clock.now().timestamp()
        for _ in range(min(TIDIED_PER_CALL, len(self.ends))):
            self._look_through(next(iter(self.ends)), now)
        ends = self._look_through(key, now)
        ends.append(now + expiry)
        self.ends[key] = ends

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
    """The library's Redis storage, with a script that also accepts fractions of a second."""

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
    """Counters at *url* (``memory://``, ``redis://...``). Safe to share between threads.

    :param margin: seconds by which a window is longer than its limit asks for.
    """

    def __init__(self, url: str, margin: float = MARGIN_SECONDS) -> None:
        self._margin = margin
        self._storage = _storage(url)
        self._spare = _Memory()
        self._down: tuple[type[Exception], ...] = _errors(self._storage)
        self._away_until = float("-inf")
        self._lock = threading.Lock()
        self.sharers = 1
        """Number of processes that count in the same place, including this one."""
        self.away_since: datetime | None = None
        """Since when that place has not answered; None: as far as is known, it answers."""

    def check(self, limits: Sequence[SendLimit], scope: str) -> tuple[float, SendLimit | None]:
        """Return the seconds until all of *limits* have room, and the limit that takes longest."""
        with self._lock:
            return self._counted(limits, lambda storage, some: _check(storage, some, scope, self._margin))

    def take(self, limits: Sequence[SendLimit], scope: str) -> tuple[float, SendLimit | None]:
        """Count one call against all of *limits*, or against none; return the same as :meth:`check`.

        If another process uses up one of the limits meanwhile, the earlier limits stay counted: that can only
        reduce the number of calls.

        :param scope: separates the keys of channels.
        """
        with self._lock:
            wait, which = self._counted(
                limits, lambda storage, some: _take(storage, some, scope, self._margin)
            )
            if which is None and self._down and self.away_since is None:
                # Count it here too, in case the other place becomes unavailable before the window ends.
                for limit in limits:
                    self._spare.note(_key(limit, scope), limit.seconds + self._margin)
            return wait, which

    def look(self) -> None:
        """Check whether the place where calls are counted answers."""
        if self._down:
            with self._lock:
                self._asked(lambda: self._storage.get_moving_window(_PROBE, 1, 1))

    def _counted(
        self,
        limits: Sequence[SendLimit],
        count: Callable[[_Storage, Sequence[SendLimit]], tuple[float, SendLimit | None]],
    ) -> tuple[float, SendLimit | None]:
        if clock.monotonic() >= self._away_until:
            found = self._asked(lambda: count(self._storage, limits))
            if found is not None:
                return found
        return count(self._spare, [_share(limit, self.sharers) for limit in limits])

    def _asked(self, ask: Callable[[], R]) -> R | None:
        """Return the result of *ask*, or None if Redis does not respond."""
        try:
            answer = ask()
        except self._down:
            if self.away_since is None:
                log.warning("the storage of limits does not answer; each process takes its share of a limit")
                self.away_since = clock.now()
            self._away_until = clock.monotonic() + REDIS_AWAY_SECONDS
            return None
        if self.away_since is not None:
            log.warning("the storage of limits answers again")
            self.away_since, self._away_until = None, float("-inf")
        return answer


def _share(limit: SendLimit, sharers: int) -> SendLimit:
    """Return one process's share of a limit: fewer calls, or one call in a longer window."""
    if limit.amount >= sharers:
        return replace(limit, amount=limit.amount // sharers)
    return replace(limit, amount=1, seconds=math.ceil(limit.seconds * sharers / limit.amount))


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
    """Return where *url* counts calls, without credentials; empty: in the memory of each process."""
    if url.startswith("memory"):
        return ""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"[:255]


def answers(url: str) -> bool:
    """Return whether the place at *url* can count calls now; waits :data:`REDIS_SECONDS` at most."""
    storage = _storage(url)
    if isinstance(storage, _Memory):
        return True
    try:
        storage.get_moving_window(_PROBE, 1, 1)
    except _errors(storage):
        return False
    return True


def _key(limit: SendLimit, scope: str) -> str:
    return f"calls/{scope}/{limit.key}/{limit.seconds}"


def _storage(url: str) -> _Storage:
    if url.startswith("memory"):
        return _Memory()
    return cast(_Storage, _Redis(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS))


def _errors(storage: _Storage) -> tuple[type[Exception], ...]:
    errors = storage.base_exceptions
    return errors if isinstance(errors, tuple) else (errors,)
