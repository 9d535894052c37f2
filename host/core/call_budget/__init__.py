"""Limit the time of calls into addons, not counting the time in which Lobby's HTTP client waits.

A call over its budget is counted and interrupted: :class:`OverdueError` is raised in it. That stops Python
code and, on the main thread, nearly everything else. A call that is still running after :data:`GRACE_SECONDS`
is blocked in C code, which Python can't interrupt. Its thread is then *given up*: another thread releases
everything registered with :func:`releasing`, so that callers get an answer and other threads continue the
work. If the call returns after all, :class:`GivenUpError` unwinds its thread.

One thread of the process watches all calls. Entering and leaving a call costs a few microseconds.
"""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from types import FrameType
from typing import TypeVar

from host.core import clock

log = logging.getLogger(__name__)

R = TypeVar("R")

SECONDS = 30.0
JOB_SECONDS = 600.0
REGISTER_SECONDS = 15.0
"""Budget of a registration; a new generation waits for it."""
GRACE_SECONDS = 2.0
"""Time in seconds a call may take to stop after it was interrupted."""
DATABASE_SECONDS = 150.0
"""Extra time in seconds for a call that waits for the database: longer than any statement timeout."""
LOOK_SECONDS = 0.5

_DATABASE = ("sqlalchemy.", "psycopg", "pymysql")
_WAITING = ("threading", "contextlib", "selectors", "socket", "ssl", "host.core.")
"""Modules a thread may be in while it waits for the database."""
_SIGNAL = signal.SIGUSR2


class OverdueError(BaseException):
    """Interrupts a call that is over its budget. Not an :class:`Exception`, so that addons don't catch it."""


class GivenUpError(BaseException):
    """Unwinds a thread whose work another thread has taken over, so that it writes nothing and exits."""


class HungCallError(Exception):
    """A call into an addon exceeded its budget and was interrupted, or its thread was given up.

    :ivar slug: the addon.
    :ivar what: the called function.
    """

    def __init__(self, slug: str, what: str, seconds: float) -> None:
        super().__init__(f"{what} had not returned after {seconds:g} s")
        self.slug = slug
        self.what = what


@cache
def seconds_for(what: str) -> float:
    """Return the budget of a call of *what*, as calls are counted: a hook, or a function a hook returned."""
    if what.startswith("register_"):
        return REGISTER_SECONDS
    return JOB_SECONDS if what.startswith("job ") else SECONDS


class Call:
    """The outermost call of a thread into an addon.

    :ivar customer: whom or what it is about; None: unknown.
    """

    __slots__ = (
        "began",
        "customer",
        "given_up",
        "paused_at",
        "release",
        "seconds",
        "slug",
        "told_at",
        "what",
    )

    def __init__(self, slug: str, release: str, what: str, customer: Hashable = None) -> None:
        self.slug = slug
        self.release = release
        self.what = what
        self.customer = customer
        self.seconds = seconds_for(what)
        self.began = clock.monotonic()
        self.paused_at: float | None = None
        self.told_at: float | None = None
        """The time at which it was interrupted."""
        self.given_up = False

    def error(self) -> HungCallError:
        """Return the error raised in its place."""
        return HungCallError(self.slug, self.what, self.seconds)


class ThreadState:
    """The calls of a thread, and what to release if it is given up, innermost last."""

    __slots__ = ("__weakref__", "call", "customer", "depth", "given_up", "ident", "lock", "releases")

    def __init__(self) -> None:
        self.ident = threading.get_ident()
        self.lock = threading.RLock()
        self.call: Call | None = None
        self.customer: Hashable = None
        self.depth = 0
        self.given_up = False
        self.releases: list[Callable[[], object]] = []


_local = threading.local()
_states: weakref.WeakSet[ThreadState] = weakref.WeakSet()
_states_lock = threading.Lock()
_watching = threading.Event()
_signalled = False
_on_hung: Callable[[Call, str], None] | None = None


def current_state() -> ThreadState:
    """Return the state of this thread."""
    try:
        found: ThreadState = _local.state
    except AttributeError:
        found = _local.state = ThreadState()
        with _states_lock:
            _states.add(found)
    return found


# A call


def enter(slug: str, release: str, what: str) -> int:
    """Begin a call in this thread, or inside its current call; return a value for :func:`leave`."""
    state = current_state()
    depth = state.depth
    if not depth:
        state.call = Call(slug, release, what, state.customer)
    state.depth = depth + 1
    return depth


def leave(depth: int) -> None:
    """End the call that :func:`enter` began.

    :raises HungCallError: in place of the :class:`OverdueError` that interrupted it.
    :raises GivenUpError: if its thread was given up.
    """
    state = current_state()
    if depth:
        state.depth = depth
        return
    while True:
        try:
            with state.lock:
                call, state.call, state.depth = state.call, None, 0
                if call is None or call.told_at is None:
                    return
                _take_back()
            break
        except OverdueError:
            continue  # raised just before the call returned
    if call.given_up:
        log.warning("addon %s: %s returned after all", call.slug, call.what)
        state.given_up = True
        raise GivenUpError
    if isinstance(sys.exception(), OverdueError):
        raise call.error() from None


@contextmanager
def watched(slug: str, release: str, what: str) -> Iterator[None]:
    """Apply the budget of a call of *what* to the block."""
    depth = enter(slug, release, what)
    try:
        yield
    finally:
        leave(depth)


def watching(slug: str, release: str, what: str, function: Callable[[], R]) -> Callable[[], R]:
    """Return *function* with the budget of *what* applied to its calls."""

    def call() -> R:
        with watched(slug, release, what):
            return function()

    return call


@contextmanager
def about(customer: Hashable) -> Iterator[None]:
    """Note whom or what the calls of this thread in the block are about."""
    state = current_state()
    before, state.customer = state.customer, customer
    try:
        yield
    finally:
        state.customer = before


@contextmanager
def paused() -> Iterator[None]:
    """Exclude the time of the block from the current call."""
    call = current_state().call
    if call is None or call.paused_at is not None:
        yield
        return
    call.paused_at = clock.monotonic()
    try:
        yield
    finally:
        call.began += clock.monotonic() - call.paused_at
        call.paused_at = None


def is_given_up() -> bool:
    """Return whether this thread was given up, so that another one has taken over its work."""
    state = current_state()
    return state.given_up or (state.call is not None and state.call.given_up)


def refuse_given_up() -> None:
    """Raise an error if this thread was given up.

    :raises GivenUpError: if it was.
    """
    if is_given_up():
        raise GivenUpError


# Resources of a thread


@contextmanager
def releasing(release: Callable[[], object]) -> Iterator[None]:
    """Let another thread call *release* if this one is given up in the block."""
    releases = current_state().releases
    count = len(releases)
    releases.append(release)
    try:
        yield
    finally:
        del releases[count:]


@contextmanager
def released_once(release: Callable[[], object]) -> Iterator[None]:
    """Call *release* after the block, or when this thread is given up in it."""
    left = [release]

    def do() -> None:
        with suppress(IndexError):
            left.pop()()

    try:
        with releasing(do):
            yield
    finally:
        do()


def release_later(release: Callable[[], object]) -> None:
    """Let another thread call *release* until the enclosing :func:`releasing` block, if any, ends."""
    releases = current_state().releases
    if releases:
        releases.append(release)


# The watching thread


def watch(on_hung: Callable[[Call, str], None] | None = None) -> None:
    """Start watching all calls of this process.

    :param on_hung: called once for each call over its budget, in a separate thread, with its place in the
        code.
    """
    global _on_hung  # noqa: PLW0603 - one watchdog per process is the point
    if on_hung is not None:
        _on_hung = on_hung
    with _states_lock:
        if _watching.is_set():
            return
        _watching.set()
    threading.Thread(target=_watch, name="call-budgets", daemon=True).start()


def stop_telling() -> None:
    """Stop reporting calls over their budget; they are still interrupted."""
    global _on_hung  # noqa: PLW0603
    _on_hung = None


def interrupt_main_thread() -> None:
    """Let a signal interrupt calls on the main thread, which serves the event loop.

    Call it on that thread.
    """
    global _signalled  # noqa: PLW0603 - a process has one main thread
    signal.signal(_SIGNAL, _end_here)
    _signalled = True


def _end_here(_number: int, _frame: FrameType | None) -> None:
    call = current_state().call
    if call is not None and call.told_at is not None:
        raise OverdueError


def are_stuck() -> bool:
    """Return whether a given-up thread is still running, which would keep the process from exiting."""
    return any(state.call is not None and state.call.given_up for state in _all_states())


def _all_states() -> list[ThreadState]:
    with _states_lock:
        return list(_states)


def _watch() -> None:
    pause = threading.Event()
    while not pause.wait(LOOK_SECONDS):
        try:
            look()
        except Exception:
            log.exception("the calls into addons could not be looked at")


def look() -> None:
    """Interrupt every call that is over its budget, and give up the threads of those that did not stop."""
    now = clock.monotonic()
    for state in _all_states():
        call = state.call
        if call is None or call.given_up or call.paused_at is not None:
            continue
        if call.told_at is None:
            late = now - call.began - call.seconds
            if late >= 0 and (late > DATABASE_SECONDS or not _waits_for_database(state.ident)):
                _tell(state, call, now)
        elif now - call.told_at >= GRACE_SECONDS and not _is_interrupted(state.ident):
            _give_up(state, call)


def _waits_for_database(ident: int) -> bool:
    """Return whether the addon is waiting for the database, so that it isn't hanging itself."""
    frame = sys._current_frames().get(ident)
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith(_DATABASE):
            return True
        if not module.startswith(_WAITING):
            return False
        frame = frame.f_back
    return False


def _is_interrupted(ident: int) -> bool:
    return _signalled and ident == threading.main_thread().ident


def _tell(state: ThreadState, call: Call, now: float) -> None:
    frame = sys._current_frames().get(state.ident)
    where = "".join(traceback.format_stack(frame)[-6:]) if frame is not None else ""
    with state.lock:
        if state.call is not call:
            return
        call.told_at = now
        if _is_interrupted(state.ident):
            signal.pthread_kill(state.ident, _SIGNAL)
        else:
            _raise_in(state.ident, OverdueError)
    log.error(
        "addon %s: %s has not returned after %g s; it is ended. %s", call.slug, call.what, call.seconds, where
    )
    if _on_hung is not None:
        threading.Thread(target=_on_hung, args=(call, where), name="hung-call", daemon=True).start()


def _give_up(state: ThreadState, call: Call) -> None:
    with state.lock:
        if state.call is not call:
            return
        call.given_up = True
        releases = state.releases[::-1]
    log.error("addon %s: %s cannot be ended; another thread goes on in its place", call.slug, call.what)
    threading.Thread(target=_release_all, args=(releases,), name="given-up", daemon=True).start()


def _release_all(releases: list[Callable[[], object]]) -> None:
    for release in releases:
        try:
            release()
        except Exception:
            log.exception("what a thread that was given up holds could not be released")


def _raise_in(ident: int, error: type[BaseException]) -> None:
    """Raise *error* in a thread as soon as it runs Python code, in place of one not raised yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))


class _TakenBackError(BaseException):
    """Raised and caught at once, in place of an error that is not to be raised any more."""


def _take_back() -> None:
    """Cancel an error that was not raised in this thread yet.

    Setting none would do that too, but CPython then lets every thread look for one at each call and turn of a
    loop, which is half as fast and never ends where it is traced, until some error was raised.
    """
    with suppress(_TakenBackError):
        _raise_in(threading.get_ident(), _TakenBackError)
        while True:
            pass
