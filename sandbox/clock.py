"""The sandbox's only clock. It can be moved, so that tests need not wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """The sandbox's time: the machine's time plus an offset in seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._offset = 0.0
        self._forward = 0.0
        self.on_move: list[Callable[[], None]] = []

    @property
    def offset(self) -> float:
        """Return how many seconds ahead of the machine's clock this one is."""
        return self._offset

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return time.time() + self._offset

    def now_ms(self) -> int:
        """Return the time in whole milliseconds since the epoch."""
        return int(self.now() * 1000)

    def elapsed(self) -> float:
        """Return seconds that never go back, even when the clock is set back."""
        return time.monotonic() + self._forward

    def advance(self, seconds: float) -> None:
        """Move the clock; delayed webhooks that become due are sent immediately."""
        with self._lock:
            self._offset += seconds
            self._forward += max(seconds, 0.0)
        for listener in self.on_move:
            listener()

    def reset(self) -> None:
        """Return to the machine's time."""
        with self._lock:
            self._offset = 0.0
        for listener in self.on_move:
            listener()

    def iso(self, at: float | None = None) -> str:
        """Format a time the way the Graph API does: ``2026-09-28T22:44:49+0000``."""
        moment = datetime.fromtimestamp(self.now() if at is None else at, UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%S+0000")
