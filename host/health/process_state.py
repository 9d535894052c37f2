"""The state of this process for probes: serving or not, its generation, its database."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from host.core import clock, db, migrations

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 2.0
"""How long a probe waits for the database."""
FRESH_SECONDS = 1.0
"""How long an answer about the database is good for: many questions cost it one."""


@dataclass(frozen=True, slots=True)
class ProcessState:
    """What probes tell of a process.

    :param serving: whether it has started and was not told to end.
    :param generation: the number of the generation it runs; 0 with no addon ever switched on.
    :param failures: addons that should run and do not.
    :param loop_held: seconds the event loop was held at most within the last minute.
    :param streams: browsers that are told what changes.
    :param delivering: of a process that only delivers, whether all its threads do; None of others.
    :param keeps_webhooks: whether it keeps webhooks as files although it does not serve yet.
    :param put_off: webhooks it answered with 503, for their providers to send again.
    """

    serving: bool
    generation: int | None
    failures: int
    loop_held: float = 0.0
    streams: int = 0
    delivering: bool | None = None
    keeps_webhooks: bool = False
    put_off: int = 0


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """Whether the database answers, and has the tables of this version."""

    answers: bool = False
    migrated: bool = False


class DatabaseProbe:
    """Asks the database in a thread of its own: one that hangs must not hold the caller."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._found = DatabaseState()
        self._found_at = float("-inf")
        self._failed = 0

    def state(self) -> DatabaseState:
        """Return what was found at most a second ago, or "does not answer" after two seconds."""
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
