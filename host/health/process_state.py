"""The state of this process for probes: whether it serves, its revision, its database."""

from __future__ import annotations

import logging
import threading

import msgspec

from host.core import clock, db, migrations

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""Timeout of a probe for the database, in seconds."""
FRESH_SECONDS = 1.0
"""Lifetime of a cached answer about the database, in seconds."""


class ProcessState(msgspec.Struct, frozen=True):
    """The state of a process, as probes report it.

    :param serving: whether it has started and is not shutting down.
    :param generation: the number of the revision it runs; 0 if no addon was ever activated.
    :param failures: addons that should run but do not.
    :param loop_held: longest time in seconds the event loop was blocked within the last minute.
    :param streams: number of browsers with an event stream.
    :param delivering: for a delivery process, whether all its threads run; None for others.
    :param keeps_webhooks: whether it keeps webhooks as files while it does not serve yet.
    :param put_off: webhooks it answered with 503, for their providers to retry.
    """

    serving: bool
    generation: int | None
    failures: int
    loop_held: float = 0.0
    streams: int = 0
    delivering: bool | None = None
    keeps_webhooks: bool = False
    put_off: int = 0


class DatabaseState(msgspec.Struct, frozen=True):
    """Whether the database answers and has the tables of this version."""

    answers: bool = False
    migrated: bool = False


class DatabaseProbe:
    """A database check in a separate thread, so that the caller doesn't hang with it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._found = DatabaseState()
        self._found_at = float("-inf")
        self._failed = 0

    def state(self) -> DatabaseState:
        """Return a result at most a second old, or "does not answer" after two seconds."""
        with self._lock:
            if clock.monotonic() - self._found_at < FRESH_SECONDS:
                return self._found
            if self._asking is None or not self._asking.is_alive():
                self._asking = threading.Thread(target=self._ask, name="probe", daemon=True)
                self._asking.start()
            asking = self._asking
        asking.join(PATIENCE_SECONDS)
        return DatabaseState() if asking.is_alive() else self._found

    def _ask(self) -> None:
        try:
            with db.read() as session:
                found = DatabaseState(True, not migrations.is_behind(session.connection()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the database is of no use
            self._failed += 1
            if self._failed == 1:
                log.warning("a probe could not use the database: %s", db.describe(error)[1])
            found = DatabaseState()
        else:
            if self._failed:
                log.warning("probes can use the database again; %d in a row could not", self._failed)
            self._failed = 0
        self._found, self._found_at = found, clock.monotonic()
