"""Every delay, limit and timeout of outgoing webhooks."""

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
"""Delays after each failed attempt but the last: eight attempts within about 28 hours."""
TRIES = len(DELAYS) + 1
JITTER = 0.1

SECONDS = 15.0
"""Timeout of a request in seconds, including the connection."""
WORDS = 500
"""Maximum number of characters kept of an answer, and of bytes read of one."""
TRIES_KEPT = 16

OFF_AFTER = timedelta(days=5)
"""Time without a successful delivery after which an endpoint is disabled."""
OLD_SECRET = timedelta(hours=24)
"""How long requests are also signed with the previous secret."""
KEPT = timedelta(days=30)
"""How long deliveries are kept."""

MOST_ENDPOINTS = 20
"""Maximum number of endpoints in a workspace."""

MOST_OPEN = 16
"""Maximum number of requests a process has open, or answered and not stored, not counting slow ones."""
SLOW_SECONDS = 0.5
"""Time in seconds after which an open request counts as slow."""
MOST_THREADS = 64
"""Maximum number of requests a process has open, including slow ones."""
MOST_OF_ENDPOINT = 6
"""Maximum number of concurrent requests to one endpoint.

It starts with two; an endpoint that just failed gets one.
"""
PER_LEASE = 8
"""Maximum number of deliveries a thread sends from one lane before other lanes get their turn."""
REST_SECONDS = 30.0
"""Longest time in seconds for which a process pauses a repeatedly failing endpoint."""


def delay(attempts: int) -> timedelta | None:
    """Return the delay after failed attempt number *attempts*; None after the last."""
    if attempts >= TRIES:
        return None
    return DELAYS[attempts - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load


def rest(failures: int) -> float:
    """Return the pause of an endpoint in seconds after *failures* failures in a row."""
    return 0.0 if failures < 2 else min(2.0 ** min(failures - 2, 10), REST_SECONDS)
