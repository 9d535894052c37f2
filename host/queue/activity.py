"""Know whether Lobby is in use, so that what looks for work looks less often while it is not.

The event log tells: almost everything that creates work writes an event, and every worker follows the log.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from host.core import clock

QUIET_SECONDS = 30.0
"""Time in seconds without an event after which Lobby is not in use.

Longer than agents may take back a reply, which is sent after that time.
"""
REST_SECONDS = 3.0
"""Seconds between two looks for work while it is not: how late work may be that no event announces."""


class Activity:
    """When this process last learned of an event."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at = float("-inf")

    def note(self) -> None:
        """Record an event, and end all rests."""
        with self._changed:
            self._at = clock.monotonic()
            self._changed.notify_all()

    @property
    def is_quiet(self) -> bool:
        """Whether Lobby is not in use."""
        return clock.monotonic() - self._at > QUIET_SECONDS

    def rest(self, seconds: float, ended: Callable[[], bool], *, quiet: float | None = None) -> bool:
        """Wait *seconds*; up to *quiet* while Lobby is not in use. Return what *ended* returns.

        :param quiet: seconds; None: :data:`REST_SECONDS`.
        :param ended: whether to return at once; call :meth:`note` when that changes.
        """
        began = clock.monotonic()
        with self._changed:
            while not ended():
                longer = REST_SECONDS if quiet is None else quiet
                pause = max(seconds, longer) if self.is_quiet else seconds
                left = pause - (clock.monotonic() - began)
                if left <= 0:
                    break
                self._changed.wait(left)
        return ended()


_activity = Activity()


def current() -> Activity:
    """Return what this process knows."""
    return _activity
