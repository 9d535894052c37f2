"""Log an outage of the database once in each process, not once for each thread that needs it."""

from __future__ import annotations

import logging
import threading

import sqlalchemy as sa

from host.core import clock, db

log = logging.getLogger("lobby.database")


class DatabaseOutage:
    """Whether threads of this process wait for the database."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._ended_at = float("-inf")

    def is_on(self) -> bool:
        """Return whether a thread waits for the database."""
        return self._since is not None

    def began(self, what: str, error: BaseException, tried_at: float) -> bool:
        """Note that *what* failed with *error*; return False if the reason is not an outage.

        The first of an outage is logged with its traceback.

        :param tried_at: when *what* was begun: it may end after the outage, whose error it has.
        """
        if not isinstance(error, (sa.exc.DBAPIError, sa.exc.TimeoutError)) or not db.is_away(error):
            return False
        with self._lock:
            if self._since is not None or tried_at <= self._ended_at:
                return True
            self._since = clock.monotonic()
        log.error("%s waits for the database, and so may others", what, exc_info=error)
        return True

    def over(self) -> None:
        """Note that the database has answered."""
        if self._since is None:
            return
        with self._lock:
            since, self._since = self._since, None
            self._ended_at = clock.monotonic()
        if since is not None:
            log.warning("the database answers again after %.0f s", self._ended_at - since)


_outage = DatabaseOutage()


def current() -> DatabaseOutage:
    """Return what this process knows."""
    return _outage
