"""Limits on guessing passwords: per user and address, per address, and for the whole desk.

Others cannot lock a user out: a user's limit counts each address separately.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time

from flask_babel import gettext as _
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from host.core.errors import TooManyError

log = logging.getLogger("lobby.security")

# Ever longer waits: five tries a minute, but twenty an hour and fifty a day.
PERSON_AND_ADDRESS = parse_many("5/minute; 20/hour; 50/day")
ADDRESS = parse_many("30/minute; 150/hour")
EVERYBODY = parse_many("1200/minute")


class Throttle:
    """Counts wrong passwords in the storage at *url*; in memory while that does not answer."""

    def __init__(self, url: str) -> None:
        self._storage = storage_from_string(url)
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._spare = MovingWindowRateLimiter(MemoryStorage())
        errors = self._storage.base_exceptions
        self._down: tuple[type[Exception], ...] = errors if isinstance(errors, tuple) else (errors,)

    def enter(self, who: str, address: str) -> None:
        """Count a try of *who* from *address*, before the password is checked.

        :raises TooManyError: if a limit is used up; holds how long to wait.
        """
        try:
            self._enter(self._limiter, who, address)
        except self._down:
            log.warning("the storage of limits does not answer; counting in this process")
            self._enter(self._spare, who, address)

    def _enter(self, limiter: MovingWindowRateLimiter, who: str, address: str) -> None:
        network = network_of(address)
        for limit in ADDRESS:
            if not limiter.test(limit, "address", network):
                raise self._refusal(limiter, limit, "address", network)
        for limit in EVERYBODY:
            if not limiter.test(limit, "everybody"):
                raise self._refusal(limiter, limit, "everybody")
        # Count first and take it back on success: many tries at once must not all pass this check.
        for limit in PERSON_AND_ADDRESS:
            if not limiter.hit(limit, "person", who, network):
                raise self._refusal(limiter, limit, "person", who, network)

    def failed(self, address: str) -> None:
        """Count a wrong password against the address and the whole desk."""
        try:
            self._failed(self._limiter, address)
        except self._down:
            self._failed(self._spare, address)

    def _failed(self, limiter: MovingWindowRateLimiter, address: str) -> None:
        for limit in ADDRESS:
            limiter.hit(limit, "address", network_of(address))
        for limit in EVERYBODY:
            limiter.hit(limit, "everybody")

    def forgive(self, who: str, address: str) -> None:
        """Drop the tries of a user who knew the password."""
        for limiter in (self._limiter, self._spare):
            for limit in PERSON_AND_ADDRESS:
                try:
                    limiter.clear(limit, "person", who, network_of(address))
                except self._down:
                    log.warning("the storage of limits does not answer; tries are forgotten when they age")

    def _refusal(self, limiter: MovingWindowRateLimiter, limit: RateLimitItem, *key: str) -> TooManyError:
        wait = max(1, round(limiter.get_window_stats(limit, *key).reset_time - time.time()))
        minutes = -(-wait // 60)
        return TooManyError(
            _("There were too many wrong passwords."),
            next_step=_("Try again in about %(minutes)d minutes.", minutes=minutes)
            if minutes > 1
            else _("Try again in a minute."),
            retry_after=wait,
        )


def network_of(address: str) -> str:
    """Return the network that counts as one caller: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


_lock = threading.Lock()
_throttles: dict[str, Throttle] = {}


def of(url: str) -> Throttle:
    """Return the process's throttle that counts at *url*. Outlives every generation of the app."""
    with _lock:
        if url not in _throttles:
            _throttles[url] = Throttle(url)
        return _throttles[url]


def reset() -> None:
    """Drop all counts of this process; for tests."""
    with _lock:
        _throttles.clear()
