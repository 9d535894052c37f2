"""Limits on guessing passwords: per user and address, per address, and for the whole desk.

Attempts by others never lock out a user. A user's limit applies per address; browsers they signed in with
before, and their current sessions, are counted separately from everyone else at that address. Unknown users
are treated the same, so that the response doesn't reveal which users exist.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Iterable

from flask_babel import gettext as _
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from host.core.errors import TooManyError

log = logging.getLogger("lobby.security")

# Increasing waits: five tries a minute, but only twenty an hour and fifty a day.
PERSON_AND_ADDRESS = parse_many("5/minute; 20/hour; 50/day")
ADDRESS = parse_many("30/minute; 150/hour")
RARE = parse_many("1/10minutes")
"""Tries left for each person at an address with too many wrong passwords."""
ADDRESS_AT_MOST = parse_many("120/minute; 600/hour")
_MOST = "address at most"
EVERYBODY = parse_many("1200/minute")
SECOND = parse_many("30/hour; 100/day")
"""Tries at one person's second factor, from anywhere: such an attacker already knows the password."""
BEGUN = parse_many("120/minute")
"""Challenges and visits to the sign-in provider started from one address."""
LINKS = parse_many("3/hour")
"""Password links mailed to one person; further requests are silently ignored."""
LINKS_OF_ADDRESS = parse_many("20/hour")


class Throttle:
    """A counter of wrong passwords in the storage at *url*; in memory while that is unavailable."""

    def __init__(self, url: str) -> None:
        self._storage = storage_from_string(url)
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._spare = MovingWindowRateLimiter(MemoryStorage())
        errors = self._storage.base_exceptions
        self._down: tuple[type[Exception], ...] = errors if isinstance(errors, tuple) else (errors,)

    def enter(self, who: str, address: str, known: str = "") -> TooManyError | None:
        """Count a try of *who* from *address* before the password is checked.

        Return None, or the refusal that everyone at the address gets now, if it had too many wrong passwords.
        Only the right password then gets in, so a wrong one is answered with that refusal.

        :param known: name of a browser or session that already belongs to *who*, which is counted separately.
        :raises TooManyError: if the try has to wait; carries for how long.
        """
        try:
            return self._enter(self._limiter, who, address, known)
        except self._down:
            log.warning("the storage of limits does not answer; counting in this process")
            return self._enter(self._spare, who, address, known)

    def _enter(
        self, limiter: MovingWindowRateLimiter, who: str, address: str, known: str
    ) -> TooManyError | None:
        refusal = None
        if not known:
            refusal = self._look_at_address(limiter, who, network_of(address))
        # Count first and reset on success: many concurrent tries must not all pass the check.
        key = _person(who, address, known)
        for limit in PERSON_AND_ADDRESS:
            if not limiter.hit(limit, *key):
                raise self._refusal(limiter, limit, *key)
        return refusal

    def _look_at_address(
        self, limiter: MovingWindowRateLimiter, who: str, network: str
    ) -> TooManyError | None:
        """Refuse the try if an address, or everyone together, had too many wrong passwords.

        Return the refusal of an address that has reached its most, for a person who still has a try there.
        """
        for limit in EVERYBODY:
            if not limiter.test(limit, "everybody"):
                raise self._refusal(limiter, limit, "everybody")
        exceeded = [
            (limit, name, network)
            for name, limits in (("address", ADDRESS), (_MOST, ADDRESS_AT_MOST))
            for limit in limits
            if not limiter.test(limit, name, network)
        ]
        if not exceeded:
            return None
        # Colleagues may share an address with an attacker: each still has an occasional try, which is counted
        # once even if several limits are exceeded.
        used_up = [limit for limit in RARE if not limiter.hit(limit, "rare", who, network)]
        if used_up:
            either = exceeded[-1], (used_up[-1], "rare", who, network)
            raise min((self._refusal(limiter, *one) for one in either), key=lambda error: error.retry_after)
        return self._refusal(limiter, *exceeded[-1]) if exceeded[-1][1] == _MOST else None

    def give_back(self, who: str, address: str) -> None:
        """Let *who* have the try that :meth:`enter` counted again: the password was not checked."""
        self._clear(("rare", who, network_of(address)), RARE)

    def enter_second(self, who: str, address: str, known: str = "") -> TooManyError | None:
        """Count a try of *who*'s second factor, separately from their passwords, as :meth:`enter` does.

        With only a million codes, an attacker with many addresses would find one without a limit per person.

        :raises TooManyError: if the try has to wait; carries for how long.
        """
        refusal = self.enter(_second(who), address, known)
        if not known:
            try:
                self._enter_second(self._limiter, who)
            except self._down:
                self._enter_second(self._spare, who)
        return refusal

    def _enter_second(self, limiter: MovingWindowRateLimiter, who: str) -> None:
        for limit in SECOND:
            if not limiter.hit(limit, "second", who):
                raise self._refusal(limiter, limit, "second", who)

    def begin(self, address: str) -> None:
        """Count a step started at *address* while signed out, for which the desk stores a row temporarily.

        :raises TooManyError: if there were too many.
        """
        try:
            self._begin(self._limiter, network_of(address))
        except self._down:
            self._begin(self._spare, network_of(address))

    def _begin(self, limiter: MovingWindowRateLimiter, network: str) -> None:
        for limit in BEGUN:
            if not limiter.hit(limit, "begun", network):
                ends = limiter.get_window_stats(limit, "begun", network).reset_time
                raise TooManyError(retry_after=round(ends - time.time()))

    def forgive_second(self, who: str, address: str, known: str = "") -> None:
        """Reset the tries from this address of a user who passed the second factor; others are kept."""
        self.forgive(_second(who), address, known)

    def failed(self, address: str, known: str = "") -> None:
        """Count a wrong password for the address and the desk, unless it is from a *known* browser."""
        if known:
            return
        try:
            self._failed(self._limiter, address)
        except self._down:
            self._failed(self._spare, address)

    def _failed(self, limiter: MovingWindowRateLimiter, address: str) -> None:
        for limit in ADDRESS:
            limiter.hit(limit, "address", network_of(address))
        # Tries beyond an address's most count for nobody else: one address must not use up the desk's limit.
        counted = [limiter.hit(limit, _MOST, network_of(address)) for limit in ADDRESS_AT_MOST]
        if all(counted):
            for limit in EVERYBODY:
                limiter.hit(limit, "everybody")

    def ask(self, who: str, address: str) -> bool:
        """Count a request from *address* for a link for *who*; return whether one may be mailed.

        :raises TooManyError: if there were too many from that address.
        """
        try:
            return self._ask(self._limiter, who, address)
        except self._down:
            return self._ask(self._spare, who, address)

    def _ask(self, limiter: MovingWindowRateLimiter, who: str, address: str) -> bool:
        for limit in LINKS_OF_ADDRESS:
            if not limiter.hit(limit, "links of address", network_of(address)):
                ends = limiter.get_window_stats(limit, "links of address", network_of(address)).reset_time
                raise TooManyError(
                    _("Too many password links were requested from here."),
                    next_step=_("Try again later, or ask a desk admin."),
                    retry_after=round(ends - time.time()),
                )
        return all(limiter.hit(limit, "links", who) for limit in LINKS)

    def forgive(self, who: str, address: str, known: str = "") -> None:
        """Reset the tries of a user who knew the password."""
        self._clear(_person(who, address, known), PERSON_AND_ADDRESS)
        self._clear(("rare", who, network_of(address)), RARE)

    def _clear(self, key: tuple[str, ...], limits: Iterable[RateLimitItem]) -> None:
        for limiter in (self._limiter, self._spare):
            for limit in limits:
                try:
                    limiter.clear(limit, *key)
                except self._down:
                    log.warning("the storage of limits does not answer; tries are forgotten when they age")

    def _refusal(self, limiter: MovingWindowRateLimiter, limit: RateLimitItem, *key: str) -> TooManyError:
        wait = max(1, round(limiter.get_window_stats(limit, *key).reset_time - time.time()))
        minutes = -(-wait // 60)
        return TooManyError(
            _("Too many incorrect codes.")
            if key[1].startswith(_SECOND) or key[0] == "second"
            else _("Too many incorrect passwords."),
            next_step=_("Try again in about %(minutes)d minutes.", minutes=minutes)
            if minutes > 1
            else _("Try again in a minute."),
            retry_after=wait,
        )


_SECOND = "second factor of "


def _second(who: str) -> str:
    return _SECOND + who


def _person(who: str, address: str, known: str) -> tuple[str, str, str]:
    return ("known", who, known) if known else ("person", who, network_of(address))


def network_of(address: str) -> str:
    """Return the network that counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
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
    """Return the process's throttle that counts at *url*. It is shared by all revisions of the app."""
    with _lock:
        if url not in _throttles:
            _throttles[url] = Throttle(url)
        return _throttles[url]


def reset() -> None:
    """Drop all counts of this process; for tests."""
    with _lock:
        _throttles.clear()
