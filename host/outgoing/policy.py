"""Every delay, limit and time-out of outgoing webhooks."""

from __future__ import annotations

import random
from datetime import timedelta

DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
"""Delays after each failed try but the last: eight tries within about 28 hours."""
TRIES = len(DELAYS) + 1
JITTER = 0.1

SECONDS = 15.0
"""How long an endpoint may take to answer, the connection included."""
WORDS = 500
"""Most characters kept of an answer, and most bytes read of one."""
TRIES_KEPT = 16

OFF_AFTER = timedelta(days=5)
"""An endpoint to which nothing got through for this long is switched off."""
OLD_SECRET = timedelta(hours=24)
"""How long requests are signed with the secret before the last one, too."""
KEPT = timedelta(days=30)
"""How long what was sent is kept."""

MOST_ENDPOINTS = 20
"""Most endpoints of a workspace."""

MOST_OPEN = 16
"""Most requests a process has open, or answered and not written; those that take long not counted."""
SLOW_SECONDS = 0.5
"""A request open for longer than this takes long."""
MOST_THREADS = 64
"""Most requests a process has open, those that take long included."""
MOST_OF_ENDPOINT = 6
"""Most of these to one endpoint. It begins with two; one that just failed gets a single one."""
PER_LEASE = 8
"""Most deliveries a thread sends from one lane before others get their turn."""
REST_SECONDS = 30.0
"""The longest an endpoint that fails again and again is left alone by a process."""


def delay(attempts: int) -> timedelta | None:
    """Return how long to wait after try number *attempts* failed; None: it was the last."""
    if attempts >= TRIES:
        return None
    return DELAYS[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load


def rest(failures: int) -> float:
    """Return how many seconds an endpoint is left alone after so many failures in a row."""
    return 0.0 if failures < 2 else min(2.0 ** (failures - 2), REST_SECONDS)
