"""How often something was done lately, counted in moving windows by the `limits` library.

In memory, or in Redis where LOBBY_LIMITS_URL says so; every process that counts in the same place shares what
may be done. While Redis does not answer each process counts for itself: the provider's own refusal is the
second guard.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

from limits.storage import MemoryStorage, RedisStorage, memory, redis, storage_from_string

from host import clock
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
"""The wait told where another process was faster by a moment."""


@contextmanager
def on_our_clock() -> Iterator[None]:
    """Let the library read :mod:`host.clock`, so that time that is moved is over for it too (tests only)."""
    modules: tuple[Any, ...] = (memory, redis)
    before = [one.time for one in modules]
    for one in modules:
        one.time = SimpleNamespace(time=lambda: clock.now().timestamp())
    try:
        yield
    finally:
        for one, its in zip(modules, before, strict=True):
            one.time = its


class _Storage(Protocol):
    """What is used of a storage of the library. Its own annotations say whole seconds; halves work too."""

    base_exceptions: type[Exception] | tuple[type[Exception], ...]

    def acquire_entry(self, key: str, limit: int, expiry: float, amount: int = 1) -> bool: ...

    def get_moving_window(self, key: str, limit: int, expiry: float) -> tuple[float, int]: ...


class _Memory(MemoryStorage):
    """The library's memory, which forgets a little with each call.

    The library itself looks through all of it after each call, and keeps every key for ever; with an hourly
    limit for each customer there is much to look through.
    """

    def __init__(self) -> None:
        super().__init__()
        self.events = self._by_age = OrderedDict[str, list[Any]]()

    def _MemoryStorage__schedule_expiry(self) -> None:  # noqa: N802 - the library's own name for it
        for _ in range(TIDIED_PER_CALL):
            if not self._by_age:
                return
            key, entries = self._by_age.popitem(last=False)
            if entries and entries[0].expiry > clock.now().timestamp():
                self._by_age[key] = entries
            else:
                self.locks.pop(key, None)


class Windows:
    """Counts where *url* says (``memory://``, ``redis://...``). Safe to share between threads.

    :param margin: by how many seconds a window is longer than its limit asks for.
    """

    def __init__(self, url: str, margin: float = MARGIN_SECONDS) -> None:
        self._margin = margin
        self._storage = _storage(url)
        self._spare = cast(_Storage, _Memory())
        self._down: tuple[type[Exception], ...] = _errors(self._storage)
        self._away_until = float("-inf")
        self._lock = threading.Lock()

    def look(self, limits: Sequence[SendLimit], scope: str) -> tuple[float, SendLimit | None]:
        """Return after how many seconds all of *limits* have room, and which of them needs longest."""
        with self._lock:
            return self._counted(lambda storage: _look(storage, limits, scope, self._margin))

    def take(self, limits: Sequence[SendLimit], scope: str) -> tuple[float, SendLimit | None]:
        """Count one call against each of *limits*, or against none; return what :meth:`look` does.

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


def _look(
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
    wait, which = _look(storage, limits, scope, margin)
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
        return cast(_Storage, _Memory())
    options = {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}
    storage = storage_from_string(url, **cast(Any, options))
    assert isinstance(storage, RedisStorage)
    # The library's script lets Redis forget a key after whole seconds, and fails with any others.
    script = _text(storage.SCRIPT_ACQUIRE_MOVING_WINDOW)
    whole, finer = "'expire', KEYS[1], expiry", "'pexpire', KEYS[1], math.ceil(expiry * 1000)"
    if whole in script:
        storage.lua_acquire_moving_window = storage.get_connection().register_script(
            script.replace(whole, finer).encode()
        )
    return cast(_Storage, storage)


def _text(script: bytes | str) -> str:
    return script.decode() if isinstance(script, bytes) else script


def _errors(storage: _Storage) -> tuple[type[Exception], ...]:
    errors = storage.base_exceptions
    return errors if isinstance(errors, tuple) else (errors,)
