"""Shut a serving or delivering process down: once, in order, and within a known time."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import NoReturn, Protocol

from host.core import call_budget, logs
from host.core.config import Exit, is_supervised, pass_on_socket
from host.process import systemd

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 15.0
"""Time in seconds for current requests, deliveries and jobs to finish."""
WORKER_PATIENCE_SECONDS = 70.0
"""This time for a process that only delivers: the longest timeout of a provider."""
CLOSING_SECONDS = 4.0
"""Additional time in seconds for unfinished work while everything is closed."""
HURRY_SECONDS = 1.0
"""This time after a second signal."""
GRACE_SECONDS = 25
"""Time in seconds after which a server kills a remaining worker process.

Shorter than most supervisors' 30 s.
"""

_DRAINED = 0
"""Sent in place of a signal's number: the server has answered all its requests."""
_RESTED = 254
"""Sent in place of a signal's number: no delivery or job is running."""
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


def begin_anew(listening: socket.socket | None = None) -> NoReturn:
    """Re-execute this process with *listening*, so that connections wait instead of being refused.

    Without a socket, exit for the supervisor to restart it, if there is one.
    """
    if listening is None and is_supervised():
        _exit(Exit.BUSY)
    log.warning("Lobby starts again in this process")
    _flush()
    if listening is not None:
        os.set_inheritable(listening.fileno(), True)
        pass_on_socket(listening.fileno())
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - as it was started


def _flush() -> None:
    logs.tell_repeats()
    sys.stdout.flush()


def _exit(code: int) -> NoReturn:
    """Exit the process without waiting for hanging threads."""
    _flush()
    os._exit(code)


class Endable(Protocol):
    """The part of :class:`host.process.serving.HostApplication` that this module needs."""

    def retire(self) -> None:
        """Start no new background work."""

    def rest(self, seconds: float) -> None:
        """Wait for current background work."""

    def close(self, *, patience: float) -> None:
        """Stop everything and write the remaining data."""


class Shutdown:
    """Shuts this process down on SIGTERM, on SIGINT, or when its server asks.

    At the first signal the application retires, while the server finishes its requests. When both are done,
    or after *patience*, or at a second SIGINT or a SIGQUIT, the application is closed. If its server has not
    finished by then, the process exits and requests in progress are cut off. Further SIGTERMs are ignored:
    supervisors send them to both a process and its parent, and the parent forwards its own.

    One thread does all of it, so that nothing happens twice and signal handlers never wait.

    :param application: the application to close; None: it does not exist yet, see :meth:`of`.
    :param patience: seconds; default: :data:`PATIENCE_SECONDS`.
    :param drained: whether no server has requests to wait for.
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
        self._has_rested = False
        self._listening: socket.socket | None = None
        threading.Thread(target=self._run, name="ending", daemon=True).start()

    def hear_signals(self) -> None:
        """Handle this process's signals from now on. Call it on the main thread."""
        for number in _SIGNALS:
            signal.signal(number, self.told)
        # It has nothing to reload, and by default the signal would end the process.
        text = "SIGHUP does nothing: Lobby reloads addons by itself; restart it to change settings"
        signal.signal(signal.SIGHUP, lambda *_: log.info(text))

    def stops(self, stop: Callable[[], None]) -> None:
        """Call *stop*, of a server, on the running loop at the next signal, or now if there was one."""
        self._stop = partial(asyncio.get_running_loop().call_soon_threadsafe, stop)
        if self._begun:
            self._stop()

    def keep(self, listening: socket.socket) -> None:
        """Keep a copy of the socket of a server for the process that replaces this one.

        It is closed at a signal from outside: nobody will take what comes in over it.
        """
        self._listening = listening.dup()

    def of(self, application: Endable) -> None:
        """Set the application to close. A process that already got a signal exits immediately."""
        self._application = application

    def told(self, number: int, frame: FrameType | None = None) -> None:
        """Record a signal. It is safe in a signal handler.

        :param frame: the interrupted frame; None: the call comes from the process itself.
        """
        if frame is not None:
            self._replacing = False  # the sender of the signal wants no restart
            if self._listening is not None and number in _SIGNALS:
                self._listening.close()
        self._told.put(number)
        if number in _SIGNALS:
            self._begun = True
            if self._stop is not None:
                with suppress(RuntimeError):  # the loop has already finished
                    self._stop()

    def replace(self) -> None:
        """Restart the process; see :func:`begin_anew`.

        Requests are answered until background work is done or was waited for long enough. Then the process
        ends as at SIGTERM.
        """
        if self._begun or self._replacing:
            return
        self._replacing = True
        threading.Thread(target=self._rest_and_end, name="replacing", daemon=True).start()

    def _rest_and_end(self) -> None:
        application = self._application
        if application is not None:
            self._retire_and_rest(application)
        if not self._begun:
            self._has_rested = True
            self.told(signal.SIGTERM)

    def finish(self) -> None:
        """Record that the server has finished its requests; return when the application is closed."""
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
                begin_anew(self._listening)
        finally:
            self._ended.set()
        if cut or call_budget.are_stuck():
            _exit(0)

    def _end(self) -> bool:
        """Wait for a signal, and close the application; return whether the server has not finished."""
        number = self._told.get()
        while number not in _SIGNALS and number != _DRAINED:
            number = self._told.get()
        if not (self._replacing and self._listening is not None):
            systemd.notify(systemd.STOPPING)
        application = self._application
        if application is None:
            return number != _DRAINED
        began = time.monotonic()
        if self._has_rested:
            self._told.put(_RESTED)
        else:
            threading.Thread(target=self._retire, args=(application,), name="retiring", daemon=True).start()
        missing, hurry = self._wait_for_both(number, began + self._patience)
        if _DRAINED in missing:
            log.warning("stopping: requests that are still under way are cut off")
        if _RESTED in missing:
            log.warning("stopping: a delivery or a job is cut off; what was being sent is looked for later")
        try:
            application.close(patience=HURRY_SECONDS if hurry or self._has_rested else CLOSING_SECONDS)
        except Exception:
            log.exception("not everything could be closed")
        log.info("stopped after %.1f s", time.monotonic() - began)
        return _DRAINED in missing

    def _wait_for_both(self, number: int, until: float) -> tuple[set[int], bool]:
        """Return the parts that did not finish in time, and whether a second signal came."""
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
            self._retire_and_rest(application)
        finally:
            self._told.put(_RESTED)

    def _retire_and_rest(self, application: Endable) -> None:
        try:
            application.retire()
            application.rest(self._patience)
        except Exception:
            log.exception("what is under way could not be waited for")
