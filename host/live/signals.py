"""Signals, which are not in the event log: find those that are new to this process."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import timedelta
from itertools import chain

from sqlalchemy.orm import Session

from host.core import clock
from host.features import registry
from host.features.live_signal import LiveSignal
from host.live.events import LATE

LOOK_SECONDS = 0.25
"""Interval of polling for signals while there are streams."""
WINDOW = 2 * LATE
"""How far back to look for signals, because clocks differ and a write may commit late."""
REMEMBERED = timedelta(minutes=5)


class Signals:
    """The signals this process has delivered."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[int, bool, float]] = {}
        """By key: version, state, and when it was last seen."""
        self._looked_at = float("-inf")

    def is_due(self) -> bool:
        """Return whether it is time to poll again."""
        return clock.monotonic() - self._looked_at >= LOOK_SECONDS

    def fresh(self, session: Session) -> list[tuple[LiveSignal, bool]]:
        """Return new signals, each with whether it is for everybody in its workspace."""
        now = self._looked_at = clock.monotonic()
        asked = registry.hooks().live_signals(session=session, since=clock.now() - WINDOW)
        found: list[tuple[LiveSignal, bool]] = []
        for signal in chain.from_iterable(asked):
            known = self._known.pop(signal.key, None)
            self._known[signal.key] = signal.version, signal.state, now
            if known is None or known[0] != signal.version:
                found.append((signal, signal.to_all or known is None or known[1] != signal.state))
        self._forget(now - REMEMBERED.total_seconds())
        return found

    def _forget(self, before: float) -> None:
        """Forget signals last seen before then; they are sorted by that time."""
        while self._known:
            key, (_version, _state, seen_at) = next(iter(self._known.items()))
            if seen_at >= before:
                return
            del self._known[key]
