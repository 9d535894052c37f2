"""Shut a serving or delivering process down: once, in order, and in a known time."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import NoReturn, Protocol

from host.core import call_budget, logs
from host.core.config import Exit, is_supervised
from host.process import systemd

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 15.0
"""How long requests, deliveries and jobs that are under way may take to be finished."""
WORKER_PATIENCE_SECONDS = 70.0
"""The same for a process that only delivers: the longest a provider is waited for."""
CLOSING_SECONDS = 4.0
"""How long what does not end by then is waited for once more while everything is closed."""
HURRY_SECONDS = 1.0
"""The same after a second signal."""
GRACE_SECONDS = 25
"""When a server kills a worker process that is still there. Shorter than the 30 s most supervisors give."""

_DRAINED = 0
"""The server has answered all its requests. Told in the place of a signal's number."""
_RESTED = 254
"""No delivery and no job is under way any more."""
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


def begin_anew() -> NoReturn:
    """End this process for its supervisor to start it anew; without one, run it again here."""
    if is_supervised():
        _exit(Exit.BUSY)
    log.warning("Lobby starts again in this process")
    _flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - as it was started


def _flush() -> None:
    logs.tell_repeats()
    sys.stdout.flush()


def _exit(code: int) -> NoReturn:
    """End the process without waiting for threads that do not end."""
    _flush()
    os._exit(code)


class Endable(Protocol):
    """What :class:`host.process.serving.HostApplication` is to this module."""

    def retire(self) -> None:
        """Begin nothing new beside requests."""

    def rest(self, seconds: float) -> None:
        """Wait for what is under way beside requests."""

    def close(self, *, patience: float) -> None:
        """Stop everything and write down what is left to write."""


class Shutdown:
    """Shuts this process down on SIGTERM, on SIGINT, or when its server asks.

    At the first signal the application retires, while the server finishes its requests by itself. When both
    are done, or after *patience*, or at a second SIGINT or a SIGQUIT, the application is closed. If its
    server has not finished by then, the process exits: requests under way are cut off. More SIGTERMs change
    nothing: supervisors send them to a process and its parent alike, and the parent passes its own on.

    One thread does all of it, so that nothing happens twice and signal handlers have nothing to wait for.

    :param application: what to end; None: it is not there yet, see :meth:`of`.
    :param patience: seconds; default: :data:`PATIENCE_SECONDS`.
    :param drained: there is no server with requests to wait for.
    """

    def __init__(
        self, application: Endable | None = None, *, patience: float | None = None, drained: bool = False
    ) -> None:
        self._application = application
        self._patience = PATIENCE_SECONDS if patience is None else patience
        self._drained = drained
        self._told: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._stop: Callable[[], object] | None = None
        self._begun = False
        self._ended = threading.Event()
        self._replacing = False
        threading.Thread(target=self._run, name="ending", daemon=True).start()

    def hear_signals(self) -> None:
        """Take notice of this process's signals from now on. To be called on its first thread."""
        for number in _SIGNALS:
            signal.signal(number, self.told)
        # Nothing has to be reloaded, and by itself a process would end.
        text = "SIGHUP does nothing: Lobby reloads addons by itself; restart it to change settings"
        signal.signal(signal.SIGHUP, lambda *_: log.info(text))

    def stops(self, stop: Callable[[], None]) -> None:
        """Have *stop*, of a server, called on the running loop once there is a signal, or was one before."""
        self._stop = partial(asyncio.get_running_loop().call_soon_threadsafe, stop)
        if self._begun:
            self._stop()

    def of(self, application: Endable) -> None:
        """Say what there is to end. A process told before that exits at once."""
        self._application = application

    def told(self, number: int, frame: FrameType | None = None) -> None:
        """Take notice of a signal. Does nothing a signal handler may not do.

        :param frame: where the signal came; None: it is no signal, but the process itself.
        """
        if frame is not None:
            self._replacing = False  # whoever ends the process does not want another one
        self._told.put(number)
        if number in _SIGNALS:
            self._begun = True
            if self._stop is not None:
                with suppress(RuntimeError):  # the loop has come to its own end
                    self._stop()

    def replace(self) -> None:
        """End as at SIGTERM, and have the process begin anew; see :func:`begin_anew`."""
        if not self._begun:
            self._replacing = True
            self.told(signal.SIGTERM)

    def finish(self) -> None:
        """Say that the server is done with its requests; return when the application is closed."""
        self._told.put(_DRAINED)
        self._ended.wait()

    def wait(self) -> None:
        """Return when the application is closed."""
        self._ended.wait()

    # The thread

    def _run(self) -> None:
        try:
            cut = self._end()
            if self._replacing:
                begin_anew()
        finally:
            self._ended.set()
        if cut or call_budget.are_stuck():
            _exit(0)

    def _end(self) -> bool:
        """Wait to be told, and end the application; return whether the server has not come to its own end."""
        number = self._told.get()
        while number not in _SIGNALS and number != _DRAINED:
            number = self._told.get()
        systemd.notify(systemd.STOPPING)
        application = self._application
        if application is None:
            return number != _DRAINED
        began = time.monotonic()
        threading.Thread(target=self._retire, args=(application,), name="retiring", daemon=True).start()
        missing, hurry = self._wait_for_both(number, began + self._patience)
        if _DRAINED in missing:
            log.warning("stopping: requests that are still under way are cut off")
        if _RESTED in missing:
            log.warning("stopping: a delivery or a job is cut off; what was being sent is looked for later")
        try:
            application.close(patience=HURRY_SECONDS if hurry else CLOSING_SECONDS)
        except Exception:
            log.exception("not everything could be closed")
        log.info("stopped after %.1f s", time.monotonic() - began)
        return _DRAINED in missing

    def _wait_for_both(self, number: int, until: float) -> tuple[set[int], bool]:
        """Return what was not done in time, and whether a second signal came."""
        missing = {_RESTED} if self._drained else {_DRAINED, _RESTED}
        interrupts = 0
        while True:
            missing.discard(number)
            interrupts += number == signal.SIGINT
            if number == signal.SIGQUIT or interrupts > 1:
                return missing, True
            if not missing:
                return missing, False
            try:
                number = self._told.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return missing, False

    def _retire(self, application: Endable) -> None:
        try:
            application.retire()
            application.rest(self._patience)
        except Exception:
            log.exception("what is under way could not be waited for")
        finally:
            self._told.put(_RESTED)
