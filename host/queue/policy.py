"""Every delay, limit and patience of the queue and of delivery."""

from __future__ import annotations

import random
from datetime import timedelta

LEASE = timedelta(seconds=30)
RENEW_AFTER = timedelta(seconds=10)
"""A lease held this long is renewed, and again after as long."""

SWEEP_SECONDS = 1.5
"""How late work is found whose wake-up was lost."""
RENEW_SECONDS = 5.0
WAIT_FOR_CHANNEL = timedelta(hours=1)
"""When a lane is looked at again that waits for something that wakes it by itself: an addon, a reconnect."""

GIVE_WAY_SECONDS = 0.02
"""Longest pause between two claims of received events while more requests come in."""

INBOUND_LANES = 32
EVENTS_PER_LANE = 20
EVENTS_PER_CLAIM = 80
"""About how many events are applied in one write, where lanes hold many each: whoever writes next, or whose
message comes next, waits for it. Twice as many cost a tenth less, and their wait is half as long again."""
SENDS_PER_CLAIM = 20

EVENT_TRIES = 5
EVENT_DELAYS = (
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(seconds=35),
    timedelta(seconds=65),
)
"""Between the tries of a failing event: two minutes in all."""
STALE_AFTER = timedelta(days=7)
"""A signed event older than this by the provider's time is journalled and not applied."""

SEND_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 15, 30, 60, 120, 300, 600, 900))
"""Between tries of a message that certainly was not sent; the last one repeats."""
WAIT_SHOWN = timedelta(seconds=2)
"""A wait for a limit at least as long is told to the agent; a shorter one is over before it is read."""
LIMIT_KNOWN = timedelta(seconds=30)
"""For how long operators are told that a queue waits for a limit, after it was last seen to."""
REFUSALS_IN_A_ROW = 2
"""How often an account is refused, without a time and with nothing taken in between, before it rests."""
LONGEST_RETRY_AFTER = timedelta(hours=24)
GIVE_UP_AFTER = timedelta(days=3)
"""How long a message is tried on a channel whose reply window never closes."""

ECHO_PATIENCE = timedelta(seconds=90)
READING_GAP = timedelta(seconds=60)
LOOK_UP_PATIENCE = timedelta(minutes=15)
"""How long the provider's thread is tried to be read before a person has to look."""
ABSENT_READINGS = 2
REFERENCES = 20

PROFILE_DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 360, 1440))
PROFILE_CLAIM = timedelta(minutes=5)
PROFILE_FRESH = timedelta(days=7)
"""A profile older than that is asked for again when its customer writes."""
PICTURE_FRESH = timedelta(days=1)
"""A picture whose address has ended makes its profile due again at most this often."""

REACTION_CLAIM = timedelta(minutes=3)
REACTION_TRIES = 6
"""How often a reaction is sent while it is not confirmed."""

RAW_KEPT = timedelta(days=30)
KEYS_KEPT = timedelta(days=90)
LIVE_KEPT = timedelta(days=1)

REFUSALS_FLUSH_SECONDS = 2.0
REFUSALS_AUDIT_EVERY = timedelta(hours=1)
REFUSALS_AUDIT_MOST = 500
"""Most audit lines about refused requests an hour, however many addresses try."""


def event_delay(attempts: int) -> timedelta:
    """Return how long an event waits after its try number *attempts* failed."""
    return EVENT_DELAYS[min(attempts, len(EVENT_DELAYS)) - 1]


def send_delay(attempts: int) -> timedelta:
    """Return how long a message waits after its try number *attempts*, with a fifth of jitter either way."""
    base = SEND_DELAYS[min(max(attempts, 1), len(SEND_DELAYS)) - 1]
    return base * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing


def profile_delay(failures: int) -> timedelta:
    """Return when to ask for a profile again after *failures* in a row."""
    return PROFILE_DELAYS[min(max(failures, 1), len(PROFILE_DELAYS)) - 1]
