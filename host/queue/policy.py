"""Every delay, limit and timeout of the queue and of delivery."""

from __future__ import annotations

import random
from datetime import timedelta

LEASE = timedelta(seconds=8)
"""Longest time until the customers of a process that froze or died are served by another."""
RENEW_AFTER = timedelta(seconds=2)
"""How often a held lease is renewed."""
UNRENEWED_LEASE = timedelta(seconds=30)
"""A lease that is not renewed during its work: that of lanes of outgoing webhooks."""

SWEEP_SECONDS = 1.5
"""How often workers poll for due work, in case a wake-up was lost."""
RENEW_SECONDS = 1.0

LOCK_PATIENCE = 0.25
"""Seconds that a write of many lanes waits for a locked row before each lane is tried alone."""
LONE_PATIENCE = 0.05
"""Seconds that a write of one lane waits for a locked row."""
SET_ASIDE_DELAYS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.0)
"""Seconds until a lane with a locked row is retried; the last one repeats."""
HELD_OF_ACCOUNT = 2
"""Number of an account's lanes with locked rows after which the others wait untried: the account's row may be
locked.
"""

WAIT_FOR_FILES = timedelta(seconds=30)
"""How long a lane waits for the store of files."""
WAIT_FOR_CHANNEL = timedelta(hours=1)
"""How long a lane waits for an addon or a reconnect, either of which wakes it earlier."""

GIVE_WAY_SECONDS = 0.02
"""Longest pause between two claims of events while more requests arrive."""

INBOUND_LANES = 32
EVENTS_PER_LANE = 20
EVENTS_PER_CLAIM = 80
"""Approximate number of events applied in one write if lanes hold many each.

The next writer and the next message wait for it. Twice as many would cost a tenth less, but make both wait
half as long again.
"""
SENDS_PER_CLAIM = 20
SHARED_SENDERS = 4
"""Fewest senders of a process that are shared between accounts, see :mod:`host.delivery.worker`."""

EVENT_TRIES = 5
EVENT_DELAYS = (
    timedelta(seconds=5),
    timedelta(seconds=15),
    timedelta(seconds=35),
    timedelta(seconds=65),
)
"""Delays between the tries of a failing event: two minutes in all."""
SEND_DELAYS = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 15, 30, 60, 120, 300, 600, 900))
"""Delays between tries of a message that certainly was not sent; the last one repeats."""
WAITED = timedelta(seconds=1)
"""A message that waited longer than this is shown in its thread at the time it was handed over."""
WAIT_SHOWN = timedelta(seconds=2)
"""A wait for a limit of at least this length is shown to the agent; a shorter one ends too soon."""
LIMIT_KNOWN = timedelta(seconds=30)
"""How long operators see that a queue waits for a limit after it last had to wait."""
REFUSALS_IN_A_ROW = 2
"""Number of consecutive refusals without a time after which an account pauses."""
FAILURES_IN_A_ROW = 2
"""Number of consecutive failures of an account after which its provider counts as unavailable."""
PROBE_LEAST, PROBE_MOST = timedelta(seconds=5), timedelta(seconds=8)
"""Interval between tries of one reply while the provider is unavailable: at first, and later."""
PROBE_SELDOM = timedelta(seconds=60)
"""This interval for a provider that answers but has failed for :data:`LONG_AWAY`: each try has a cost."""
LONG_AWAY = timedelta(hours=1)
PARKED = timedelta(minutes=5)
"""How long a lane waits for an unavailable provider, whose return wakes it earlier."""
RECOVERED_GAP = timedelta(seconds=4)
"""Wait between two readings if the first one was delayed because the provider was unavailable."""
LONGEST_RETRY_AFTER = timedelta(hours=24)
HOLD_DELAYS = timedelta(hours=1)
"""Time after an account was held back in which that is given as the reason for a late reply."""
GIVE_UP_AFTER = timedelta(days=3)
"""How long a message is tried on a channel whose reply window never closes."""

ECHO_PATIENCE = timedelta(seconds=90)
READING_GAP = timedelta(seconds=60)
TRANSIENT_PAUSES = tuple(timedelta(seconds=seconds) for seconds in (15, 30, 45))
"""Both of these waits if the provider reported that an attempt failed temporarily: after the first, second
and third in a row. Each may be followed by one more, so that most disturbances end before the last.
"""
LOOK_UP_PATIENCE = timedelta(minutes=15)
"""How long to try to read the provider's thread before a person must check it."""
ABSENT_READINGS = 2
REFERENCES = 20

PROFILE_DELAYS = tuple(timedelta(minutes=minutes) for minutes in (1, 10, 60, 360, 1440))
PROFILE_CLAIM = timedelta(minutes=5)
PROFILE_FRESH = timedelta(days=7)
"""A profile older than this is fetched again when its customer writes."""
PICTURE_FRESH = timedelta(days=1)
"""A picture whose address has expired makes the profile due again, at most this often."""

REACTION_CLAIM = timedelta(minutes=3)
REACTION_TRIES = 6
"""Number of tries of an unconfirmed reaction."""

LIVE_KEPT = timedelta(days=1)

REFUSALS_FLUSH_SECONDS = 2.0
REFUSALS_AUDIT_EVERY = timedelta(hours=1)
REFUSALS_AUDIT_MOST = 500
"""Most audit lines about refused requests an hour, however many addresses try."""


def event_delay(attempts: int) -> timedelta:
    """Return the delay of an event after its failed try number *attempts*."""
    return EVENT_DELAYS[min(attempts, len(EVENT_DELAYS)) - 1]


def send_delay(attempts: int) -> timedelta:
    """Return the delay of a message after its try number *attempts*, with up to 20 % jitter either way."""
    base = SEND_DELAYS[min(max(attempts, 1), len(SEND_DELAYS)) - 1]
    return base * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, guards nothing


def probe_delay(away: timedelta, *, unreachable: bool) -> timedelta:
    """Return the delay before the next try of a provider that has been *away* so long, minus up to 20 %
    jitter.

    :param unreachable: whether no connection can be made: then a try costs nothing.
    """
    seldom = away > LONG_AWAY and not unreachable
    base = PROBE_SELDOM if seldom else max(PROBE_LEAST, min(PROBE_MOST, away / 2))
    return base * random.uniform(0.8, 1.0)  # noqa: S311 - spreads load, guards nothing


def echo_patience(transient: int, *, answered: bool = False) -> timedelta:
    """Return how long to wait for the echo of an unconfirmed message after so many consecutive transient
    failures.

    :param answered: whether the provider answered, so that it is no longer processing the message.
    """
    return _pause(transient, answered, ECHO_PATIENCE)


def reading_gap(transient: int, *, answered: bool = False) -> timedelta:
    """Return the wait between two readings; the arguments are those of :func:`echo_patience`."""
    return _pause(transient, answered, READING_GAP)


def _pause(transient: int, answered: bool, otherwise: timedelta) -> timedelta:
    if 0 < transient <= len(TRANSIENT_PAUSES):
        return TRANSIENT_PAUSES[transient - 1]
    return TRANSIENT_PAUSES[0] if answered and not transient else otherwise


def may_resend(resent: bool, transient: int) -> bool:
    """Return whether an unconfirmed message that is absent may be resent after so many transient failures."""
    return not resent or 0 < transient <= len(TRANSIENT_PAUSES)


def profile_delay(failures: int) -> timedelta:
    """Return the delay before refetching a profile after *failures* in a row."""
    return PROFILE_DELAYS[min(max(failures, 1), len(PROFILE_DELAYS)) - 1]
