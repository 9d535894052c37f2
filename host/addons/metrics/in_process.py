"""Count the calls of addon code in this process: their number, durations and failures.

Calls are counted by release of an addon and by the called hook or function that a hook returned. For the
counts of other processes see :mod:`host.addons.metrics.across_processes`.

Errors in some functions harm more than the addon. If these fail often within a short time (:data:`LIMIT`,
:data:`WINDOW_SECONDS`), the addon is set aside.
"""

from __future__ import annotations

import bisect
import functools
import logging
import os
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from werkzeug.exceptions import HTTPException

from host import recording
from host.addons.package.failures import last_lines
from host.core import call_budget, clock, db, marks
from host.core.call_budget import OverdueError
from host.core.errors import LobbyError
from host.core.logs import redact
from host.models.health import Metric
from host.sdk.errors import FetchError, ForbiddenAddressError, ProviderError

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

Key = tuple[str, str, str]
"""Slug and version of an addon, and the name of the called function."""

LIMIT = 5
WINDOW_SECONDS = 300.0

# The host handles single failures itself: an event that cannot be read, a message that cannot be sent, a job,
# a page. The functions listed here fail for all accounts together, or lose data that a provider sent.
HELD_AGAINST = frozenset({"authenticate", "verify", "reply_policy", "contact_label"})

_STEPS = [1e-6 * 10 ** (n / 5) for n in range(41)]
"""Upper bounds of the histogram classes: 1 µs to 100 s, five per power of ten."""


_NO_FAULTS = (
    HTTPException,
    LobbyError,
    sa.exc.SQLAlchemyError,
    OSError,
    GeneratorExit,
    db.WouldWaitError,
    ProviderError,
    FetchError,
)


class EndedProcessError(Exception):
    """Addon code tried to end the process, for example with ``sys.exit()``; its call failed instead."""


class Series:
    """The calls of one kind. Times in seconds."""

    __slots__ = ("calls", "classes", "faults", "last_error", "last_fault_at", "most", "recent", "total")

    def __init__(self) -> None:
        self.calls = self.faults = 0
        self.total = self.most = 0.0
        self.last_error = ""
        self.last_fault_at: datetime | None = None
        self.recent: deque[tuple[float, bool]] = deque(maxlen=4 * LIMIT)
        """The times of the last calls, and whether each failed."""
        self.classes: Counter[int] = Counter()
        """Number of calls by index of the histogram class."""

    def add(self, seconds: float) -> None:
        self.calls += 1
        self.total += seconds
        self.most = max(self.most, seconds)
        self.classes[bisect.bisect_left(_STEPS, seconds)] += 1

    def merge(self, other: Series) -> None:
        """Add the calls of *other*, which another process counted."""
        self.calls += other.calls
        self.faults += other.faults
        self.total += other.total
        self.most = max(self.most, other.most)
        self.classes.update(other.classes)
        if other.last_fault_at is not None and (
            self.last_fault_at is None or self.last_fault_at < other.last_fault_at
        ):
            self.last_error, self.last_fault_at = other.last_error, other.last_fault_at

    def share(self, part: float) -> float:
        """Return the time, in seconds, within which *part* of the calls (0 to 1) returned."""
        wanted, seen = part * self.calls, 0
        for place in sorted(self.classes):
            seen += self.classes[place]
            if seen >= wanted:
                return min(_STEPS[place], self.most) if place < len(_STEPS) else self.most
        return 0.0

    def is_broken(self, now: float) -> bool:
        """Return whether most recent calls failed, and there were enough of them."""
        recent = [fault for at, fault in self.recent if now - at <= WINDOW_SECONDS]
        return sum(recent) >= LIMIT and 2 * sum(recent) >= len(recent)


@dataclass(slots=True)
class CallMetrics:
    """The counted calls of one process."""

    since: datetime = field(default_factory=clock.now)
    on_broken: Callable[[str, str, str], None] | None = None
    """Called as ``on_broken(slug, what, error)``, in a separate thread, when an addon fails too often."""
    on_fault: Callable[[], None] | None = None
    """Called after each failed call. Must not block."""
    _id: tuple[int, str] = (0, "")
    """The process id, and this process's name in the database."""
    _series: dict[Key, Series] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        """Return the name of this process in the database. It changes after a fork."""
        if self._id[0] != os.getpid():
            self._id = (os.getpid(), uuid.uuid4().hex)
        return self._id[1]

    def note(
        self, slug: str, release: str, what: str, seconds: float, error: BaseException | None = None
    ) -> None:
        """Count one call of the version *release* of an addon."""
        fault = error is not None and is_fault(error)
        now = time.monotonic()
        with self._lock:
            series = self._series.get((slug, release, what))
            if series is None:
                series = self._series[slug, release, what] = Series()
            series.add(seconds)
            series.recent.append((now, fault))
            if not fault:
                return
            assert error is not None
            series.faults += 1
            series.last_error = redact(last_lines(error))[:500]
            series.last_fault_at = clock.now()
            broken = what in HELD_AGAINST and series.is_broken(now)
            if broken:
                series.recent.clear()
            words = series.last_error
        recording.count(Metric.ADDON_FAULTS, slug)
        if self.on_fault is not None:
            self.on_fault()
        if broken and self.on_broken is not None:
            log.error("addon %s keeps failing in %s: %s", slug, what, words)
            arguments = (slug, what, words)
            threading.Thread(target=self.on_broken, args=arguments, name="quarantine", daemon=True).start()

    @contextmanager
    def timing(self, slug: str, release: str, what: str) -> Iterator[None]:
        """Count the block as one call."""
        started = time.perf_counter()
        before = marks.enter(marks.label(slug, what))
        depth = call_budget.enter(slug, release, what)
        try:
            yield
        except OverdueError:
            raise  # already counted by the code that ended it
        except BaseException as error:
            self.note(slug, release, what, time.perf_counter() - started, error)
            raise
        finally:
            marks.leave(before)
            call_budget.leave(depth)
        self.note(slug, release, what, time.perf_counter() - started)

    def counted(self, slug: str, release: str, what: str, function: F) -> F:
        """Return *function* with each call counted, or unchanged if its calls are already counted.

        A call that tries to end the process raises :class:`EndedProcessError`. While a call runs, its thread
        is marked with it (:mod:`host.core.marks`). Each call has a budget (:mod:`host.core.call_budget`).
        """
        if getattr(function, "lobby_counted", None) == (slug, release, what):
            return function

        mark = marks.label(slug, what)

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            before = marks.enter(mark)
            depth = call_budget.enter(slug, release, what)
            try:
                result = function(*args, **kwargs)
            except Exception as error:
                self.note(slug, release, what, time.perf_counter() - started, error)
                raise
            except (GeneratorExit, db.WouldWaitError, OverdueError):
                # Not a fault of the code: a call that waits for a database is repeated in a thread, or it was
                # counted when it was terminated.
                raise
            except BaseException as error:
                self.note(slug, release, what, time.perf_counter() - started, error)
                if isinstance(error, KeyboardInterrupt) and _is_main():
                    raise
                raise EndedProcessError(f"{what} tried to end the process: {error!r}") from error
            finally:
                marks.leave(before)
                call_budget.leave(depth)
            self.note(slug, release, what, time.perf_counter() - started)
            return result

        wrapper.lobby_counted = (slug, release, what)  # type: ignore[attr-defined]
        return wrapper  # type: ignore[return-value]

    def seen(self) -> dict[Key, Series]:
        """Return a copy of the counts, without the last calls (``recent``)."""
        found: dict[Key, Series] = {}
        with self._lock:
            for key, series in self._series.items():
                found[key] = Series()
                found[key].merge(series)
        return found


def is_fault(error: BaseException) -> bool:
    """Return whether *error* is a bug in the code.

    An answer, a failure of the database or the network, and a refusal of the provider are none.
    """
    if isinstance(error, ForbiddenAddressError):
        return True  # the code asked for an address it may not ask for
    return not isinstance(error, _NO_FAULTS)


def _is_main() -> bool:
    """Return whether this is the thread in which a Ctrl-C is raised."""
    return threading.current_thread() is threading.main_thread()


_metrics = CallMetrics()


def metrics() -> CallMetrics:
    """Return the counted calls of this process. They outlive every generation."""
    return _metrics


def reset() -> None:
    """Drop all counts; for tests."""
    _metrics.on_broken = _metrics.on_fault = None
    _metrics.since = clock.now()
    _metrics._id = (0, "")
    with _metrics._lock:
        _metrics._series.clear()
