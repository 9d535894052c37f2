"""The heartbeat of a process: every few seconds it writes its counts and a sign of life."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import __version__, recording
from host.core import clock, db
from host.core.config import Config
from host.delivery import held_lanes
from host.health.blocking import find_blockers
from host.models.health import BrokerState, Kind, Metric, Process
from host.queue import send_limiter, spool
from host.queue.announcing import Heard
from host.queue.limit_counters import place
from host.queue.wakeups import IN, OUT

log = logging.getLogger(__name__)

EVERY_SECONDS = 4.0
REST_SECONDS = 2.0
"""Minimum time in seconds between two beats."""
ALIVE = timedelta(seconds=60)
"""Age of the last report after which a process counts as dead."""
FORGOTTEN = timedelta(days=1)
"""Time for which a dead process is listed."""

_table = Process.metadata.tables["processes"]


class Heartbeat:
    """The heartbeat of one process.

    :param generation: returns the number of the revision it runs.
    :param broker: returns the last state of the broker; None: unknown, or no broker is used.
    :param beside: called with each beat, including the last one, to write other data of this process.
    """

    def __init__(
        self,
        config: Config,
        generation: Callable[[], int],
        broker: Callable[[], Heard | None],
        *,
        beside: Callable[[], object] = lambda: None,
    ) -> None:
        self._config = config
        self._generation = generation
        self._broker = broker
        self._beside = beside
        self._stopping = threading.Event()
        self._soon = threading.Event()
        self._thread: threading.Thread | None = None
        self._id = ""
        self._kind = Kind.WEB
        self._limits_away_since: datetime | None = None

    def start(self, kind: Kind) -> None:
        """Start the heartbeat."""
        self._id, self._kind = uuid.uuid4().hex, kind
        self._started_at = db.now()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="health", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write the last counts and record that this process ended normally."""
        self._stopping.set()
        self._soon.set()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        try:
            recording.flush(self._end)
            self._beside()
        except sa.exc.SQLAlchemyError:
            log.warning("the last counts of this process could not be written")

    def soon(self) -> None:
        """Trigger the next beat immediately, or after a short rest."""
        self._soon.set()

    def _run(self) -> None:
        failed = False
        while True:
            try:
                self.beat()
                failed = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next beat comes
                if not failed:
                    log.warning("health could not be written; counts are kept: %s", db.describe(error)[1])
                failed = True
            if self._stopping.wait(REST_SECONDS):
                return
            self._soon.wait(EVERY_SECONDS - REST_SECONDS)
            self._soon.clear()
            if self._stopping.is_set():
                return

    def beat(self) -> None:
        """Measure how long the oldest work has been waiting, and write everything to the database."""
        with db.read() as session:
            for direction in (IN, OUT):
                since = held_lanes.oldest_due(session, direction)
                if since is not None:
                    waited = (clock.now() - since) // timedelta(milliseconds=1)
                    recording.peak(Metric.WAITING, "", direction, waited)
            alive = _table.c.seen_at >= db.now() - ALIVE
            sharing = sa.select(sa.func.count()).where(_table.c.senders > 0, alive)
            sharers = session.scalar(sharing) or 0
            find_blockers(session)  # logs new ones, and so since when they block
        self._limits_away_since = send_limiter.current().look(sharers)
        recording.flush(self._write)
        self._beside()
        db.current().close_idle()

    def _write(self, session: Session) -> None:
        now = db.now()
        ahead = None if db.current().is_sqlite else db.clock_ahead() // timedelta(milliseconds=1)
        holding, heard = spool.measure(spool.folder_of(self._config.data)), self._broker()
        values: dict[str, Any] = {
            "generation": self._generation(),
            "seen_at": now,
            "spooled": holding.requests,
            "spooled_bytes": holding.bytes,
            "spooled_since": holding.since,
            "spool_aside": holding.aside,
            "broker": "",
            "broker_since": None,
            "limits_away_since": self._limits_away_since,
            "clock_ahead_ms": ahead,
        }
        if heard is not None:
            values["broker"] = BrokerState.ANSWERS if heard.answers else BrokerState.AWAY
            values["broker_since"] = heard.since
        updated = session.execute(sa.update(_table).where(_table.c.id == self._id).values(values))
        if not updated.rowcount:  # type: ignore[attr-defined]
            session.execute(sa.delete(_table).where(_table.c.seen_at < now - FORGOTTEN))
            born = {
                "id": self._id,
                "kind": self._kind,
                "machine": socket.gethostname()[:255],
                "pid": os.getpid(),
                "version": __version__,
                "workers": self._config.workers,
                # Sending threads are only started with receiving threads.
                "senders": self._config.senders if self._config.workers else 0,
                "counts_at": place(self._config.limits_url),
                "spool_most": self._config.spool_mb * 1024**2,
                "started_at": self._started_at,
            }
            session.execute(sa.insert(_table).values(**born, **values))

    def _end(self, session: Session) -> None:
        session.execute(sa.delete(_table).where(_table.c.id == self._id))
