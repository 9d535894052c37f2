"""Threads on which other threads wait. They are replaced if a call into an addon hangs in them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

from host.core.call_budget import GivenUpError, ThreadState, current_state, releasing, watch

P = ParamSpec("P")
R = TypeVar("R")


class ReplaceableThread:
    """A thread like :class:`threading.Thread`; if it is given up, a new one continues in its place."""

    def __init__(self, *, target: Callable[..., object], name: str, args: tuple[object, ...] = ()) -> None:
        self._run = partial(target, *args)
        self._name = name
        self._thread = self._new()

    def _new(self) -> threading.Thread:
        return threading.Thread(target=self._work, name=self._name, daemon=True)

    def _work(self) -> None:
        with suppress(GivenUpError), releasing(self._replace):
            self._run()

    def _replace(self) -> None:
        self._thread = self._new()
        self._thread.start()

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has finished."""
        self._thread.join(timeout)

    def is_alive(self) -> bool:
        """Return whether it is still running."""
        return self._thread.is_alive()


class ReplacingPool(ThreadPoolExecutor):
    """A thread pool that replaces given-up threads; callers waiting for them get an error."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        future: Future[R] = Future()
        super().submit(self._work, future, partial(fn, *args, **kwargs))
        return future

    def _work(self, future: Future[R], function: Callable[[], R]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        state = current_state()
        state.given_up = (
            False  # the work that was taken over is done; this is now an additional thread of the pool
        )
        with suppress(InvalidStateError):  # the caller already got an error
            try:
                with releasing(partial(self._replace, future, state)):
                    result = function()
            except BaseException as error:  # noqa: BLE001 - for whoever waits
                future.set_exception(error)
            else:
                future.set_result(result)

    def _replace(self, future: Future[Any], state: ThreadState) -> None:
        call = state.call
        with suppress(InvalidStateError):
            future.set_exception(GivenUpError() if call is None else call.error())
        self._max_workers += 1
        self._adjust_thread_count()


def run_apart(function: Callable[[], R], name: str) -> R:
    """Run *function* in a separate thread and return its result, so that a hanging call holds no lock here.

    :raises HungCallError: if a call in it was given up.
    """
    return start_apart(copy_context().run, name, function).result()


def start_apart(function: Callable[P, R], name: str, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    """Run *function* in a separate thread; its result is an error if a call in it is given up."""
    watch()
    done: Future[R] = Future()

    def work() -> None:
        state = current_state()

        def tell() -> None:
            call = state.call
            done.set_exception(GivenUpError() if call is None else call.error())

        try:
            with releasing(tell):
                result = function(*args, **kwargs)
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            with suppress(InvalidStateError):
                done.set_exception(error)
        else:
            done.set_result(result)

    threading.Thread(target=work, name=name, daemon=True).start()
    return done
