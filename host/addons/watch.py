"""What the code of addons costs and how it fares: every call timed, every fault counted, in this process.

Calls are kept by addon and by what was called: a hook, or a function a hook handed over. Some kinds are
also held against the addon: those whose faults hurt more than the addon itself. Many of them within a short
time mean that the desk is better off without it for now (:data:`LIMIT`, :data:`WINDOW_SECONDS`).
"""

from __future__ import annotations

import bisect
import functools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from werkzeug.exceptions import HTTPException

from host import clock
from host.addons.failures import last_lines
from host.errors import LobbyError

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

LIMIT = 5
WINDOW_SECONDS = 300.0

# An event that cannot be read, a message that cannot be sent, a job, a page: the host deals with each by
# itself, and the next may well work. What is listed here fails for everybody at once, or loses what a
# provider sent.
HELD_AGAINST = frozenset({"authenticate", "verify", "reply_policy", "contact_label"})

_STEPS = [1e-6 * 10 ** (n / 5) for n in range(41)]
"""Upper ends of the classes times are counted in: 1 µs to 100 s, five to each power of ten."""


class Series:
    """The calls of one kind."""

    __slots__ = ("_classes", "calls", "faults", "last_error", "last_fault_at", "most", "recent", "total")

    def __init__(self) -> None:
        self.calls = self.faults = 0
        self.total = self.most = 0.0
        self.last_error = ""
        self.last_fault_at: datetime | None = None
        self.recent: deque[tuple[float, bool]] = deque(maxlen=4 * LIMIT)
        """When the last calls were, and whether each was a fault."""
        self._classes = [0] * (len(_STEPS) + 1)

    def add(self, seconds: float) -> None:
        self.calls += 1
        self.total += seconds
        self.most = max(self.most, seconds)
        self._classes[bisect.bisect_left(_STEPS, seconds)] += 1

    def share(self, part: float) -> float:
        """Return the time, in seconds, within which *part* of the calls (0 to 1) ended."""
        wanted, seen = part * self.calls, 0
        for place, count in enumerate(self._classes):
            seen += count
            if seen >= wanted and count:
                return min(_STEPS[place], self.most) if place < len(_STEPS) else self.most
        return 0.0

    def is_broken(self, now: float) -> bool:
        """Tell whether most of the recent calls were faults, and there were enough of them."""
        recent = [fault for at, fault in self.recent if now - at <= WINDOW_SECONDS]
        return sum(recent) >= LIMIT and 2 * sum(recent) >= len(recent)


@dataclass(frozen=True, slots=True)
class Seen:
    """One kind of call of one addon, for a page. Times in seconds."""

    slug: str
    what: str
    calls: int
    faults: int
    mean: float
    p50: float
    p99: float
    most: float
    last_error: str
    last_fault_at: datetime | None


@dataclass(slots=True)
class Watch:
    """The calls of one process."""

    since: datetime = field(default_factory=clock.now)
    on_broken: Callable[[str, str, str], None] | None = None
    """Called as ``on_broken(slug, what, error)``, in a thread of its own, when an addon broke."""
    _series: dict[tuple[str, str], Series] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, slug: str, what: str, seconds: float, error: BaseException | None = None) -> None:
        """Count one call."""
        fault = error is not None and is_fault(error)
        now = time.monotonic()
        with self._lock:
            series = self._series.get((slug, what))
            if series is None:
                series = self._series[slug, what] = Series()
            series.add(seconds)
            series.recent.append((now, fault))
            if not fault:
                return
            assert error is not None
            series.faults += 1
            series.last_error = last_lines(error)[:500]
            series.last_fault_at = clock.now()
            broken = what in HELD_AGAINST and series.is_broken(now)
            if broken:
                series.recent.clear()
            words = series.last_error
        if broken and self.on_broken is not None:
            log.error("addon %s keeps failing in %s: %s", slug, what, words)
            arguments = (slug, what, words)
            threading.Thread(target=self.on_broken, args=arguments, name="quarantine", daemon=True).start()

    @contextmanager
    def timing(self, slug: str, what: str) -> Iterator[None]:
        """Count what the block does as one call."""
        started = time.perf_counter()
        try:
            yield
        except BaseException as error:
            self.note(slug, what, time.perf_counter() - started, error)
            raise
        self.note(slug, what, time.perf_counter() - started)

    def watched(self, slug: str, what: str, function: F) -> F:
        """Return *function*, each call of it counted. One that is watched already is returned as it is."""
        if getattr(function, "lobby_watched", None) == (slug, what):
            return function

        @functools.wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                result = function(*args, **kwargs)
            except BaseException as error:
                self.note(slug, what, time.perf_counter() - started, error)
                raise
            self.note(slug, what, time.perf_counter() - started)
            return result

        counted.lobby_watched = (slug, what)  # type: ignore[attr-defined]
        return counted  # type: ignore[return-value]

    def seen(self) -> list[Seen]:
        """Return every kind of call there was, by addon and name."""
        with self._lock:
            return [
                Seen(
                    slug,
                    what,
                    one.calls,
                    one.faults,
                    one.total / one.calls,
                    one.share(0.5),
                    one.share(0.99),
                    one.most,
                    one.last_error,
                    one.last_fault_at,
                )
                for (slug, what), one in sorted(self._series.items())
            ]

    def forget(self, slug: str) -> None:
        """Begin anew with the addon *slug*: another release of it runs."""
        with self._lock:
            for key in [key for key in self._series if key[0] == slug]:
                del self._series[key]


def is_fault(error: BaseException) -> bool:
    """Tell whether *error* is the code's own fault: not an answer, the database's or the network's."""
    return not isinstance(
        error, HTTPException | LobbyError | sa.exc.SQLAlchemyError | OSError | GeneratorExit
    )


_watch = Watch()


def of_process() -> Watch:
    """Return what this process has seen. Outlives every generation."""
    return _watch


def reset() -> None:
    """Forget everything; for tests."""
    _watch.on_broken = None
    _watch.since = clock.now()
    with _watch._lock:
        _watch._series.clear()
