"""Send wake-ups to other processes from a separate thread, so that no write waits for a broker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

import msgspec

from host import counters
from host.core import clock, db
from host.core.config import Config
from host.queue import wakeups

log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.02
"""Minimum interval between wake-ups of a direction: the process that one wakes does all due work."""
KEEP_ALIVE_SECONDS = 10.0
BACK_OFF_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0)
ENOUGH_WAITING = 100
"""Number of pending wake-ups from which every listener is gone or busy, so another one is useless."""
COUNT_EVERY_SECONDS = 1.0


class Broker(Protocol):
    """Passes a wake-up from one process to one other. May lose or repeat wake-ups."""

    def publish(self, direction: str) -> None:
        """Publish one wake-up. May block for some seconds and raise any exception."""

    def waiting(self, direction: str) -> int:
        """Return the approximate number of wake-ups that no process has received."""

    def keep_alive(self) -> None:
        """Check that the broker responds; raise if it doesn't."""

    def receive(self, directions: Collection[str], wake: Callable[[str], None]) -> None:
        """Call *wake* for each wake-up, in the client's threads.

        Does not fail while the broker is unavailable.
        """

    def close(self) -> None:
        """Stop receiving and close the connections."""


class Heard(msgspec.Struct, frozen=True):
    """Whether the broker answers, and since when."""

    answers: bool
    since: datetime


class Announcer:
    """Sends this process's wake-ups to others, and wakes this one for theirs.

    Wake-ups are dropped while the broker is unavailable: workers also poll for due work.

    :param make: creates the broker's client; called again after a failure.
    :param directions: the directions for which this process has workers.
    """

    def __init__(self, make: Callable[[], Broker], directions: Collection[str]) -> None:
        self._make = make
        self._directions = directions
        self._ring = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._wanted: set[str] = set()
        self._counted_at: dict[str, float] = {}
        self._skip: set[str] = set()
        self._broker: Broker | None = None
        self._failures = 0
        self._heard: Heard | None = None
        self._thread: threading.Thread | None = None
        self._end_forwarding: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start sending and receiving."""
        self._stopping.clear()
        self._end_forwarding = wakeups.forward(self.send_wakeup)
        self._thread = threading.Thread(target=self._serve, name="announcer", daemon=True)
        self._thread.start()

    def stop(self, *, timeout: float = 10.0) -> None:
        """Stop and drop unsent wake-ups."""
        self._end_forwarding()
        self._stopping.set()
        self._ring.set()
        if self._thread is not None:
            # A thread that hangs in the broker's socket is abandoned: it holds no resource that others need.
            self._thread.join(timeout)
            self._thread = None

    @property
    def heard(self) -> Heard | None:
        """Return whether the broker responds; None before the first try."""
        return self._heard

    def send_wakeup(self, direction: str) -> None:
        """Send a wake-up soon. Never blocks or fails; several in a row are sent as one."""
        with self._lock:
            self._wanted.add(direction)
        self._ring.set()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                broker = self._connected()
                self._tell(broker)
            except Exception as error:  # noqa: BLE001 - whatever a broker's client raises, work continues without it
                self._note_away(error)
                pause = BACK_OFF_SECONDS[min(self._failures, len(BACK_OFF_SECONDS)) - 1]
                self._stopping.wait(pause)
                continue
            self._note_back()
            if not self._stopping.wait(COALESCE_SECONDS):
                self._ring.wait(KEEP_ALIVE_SECONDS)
        if self._broker is not None:
            try:
                self._broker.close()
            except Exception:
                log.exception("the connection to the broker could not be closed")
            self._broker = None

    def _connected(self) -> Broker:
        if self._broker is None:
            self._broker = self._make()
            self._broker.receive(self._directions, wakeups.wake_here)
        return self._broker

    def _tell(self, broker: Broker) -> None:
        self._ring.clear()
        with self._lock:
            wanted, self._wanted = self._wanted, set()
        if not wanted:
            broker.keep_alive()
        for direction in wanted:
            if not self._enough(broker, direction):
                broker.publish(direction)

    def _enough(self, broker: Broker, direction: str) -> bool:
        """Return whether enough wake-ups of *direction* are pending; checked once a second."""
        now = clock.monotonic()
        if now - self._counted_at.get(direction, float("-inf")) >= COUNT_EVERY_SECONDS:
            enough = broker.waiting(direction) >= ENOUGH_WAITING
            (self._skip.add if enough else self._skip.discard)(direction)
            self._counted_at[direction] = now
        return direction in self._skip

    def _hear(self, *, answers: bool) -> None:
        if self._heard is None or self._heard.answers != answers:
            self._heard = Heard(answers, clock.now())

    def _note_away(self, error: BaseException) -> None:
        self._hear(answers=False)
        if not self._failures:
            log.error(
                "the broker does not answer; workers find what is due by themselves, later (%s: %s)",
                type(error).__name__,
                error,
            )
        self._failures += 1

    def _note_back(self) -> None:
        self._hear(answers=True)
        if self._failures:
            log.warning("the broker answers again")
        self._failures = 0


def announcer_of(config: Config, directions: Collection[str]) -> Announcer | None:
    """Return the announcer, or None if there are no other processes (SQLite) or no broker is set."""
    if not config.broker_url or db.current().is_sqlite:
        return None

    def make() -> Broker:
        return connect(config.broker_url)

    return Announcer(make, directions)


def connect(url: str) -> Broker:
    """Return a client of the broker at *url* for this installation, whose number is in the database."""
    from host.queue.dramatiq_broker import DramatiqBroker

    return DramatiqBroker(url, f"{counters.installation():012x}", (wakeups.IN, wakeups.OUT))
