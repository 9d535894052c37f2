"""Limits on guessing passwords: per user and address, per address, and for the whole desk.

A user is never locked out by what others try. A user's limit counts one address at a time; a browser they
signed in with before, and a session they are in, count by themselves, whoever else is at that address. All of
it is the same for people who do not exist, so that nobody learns who does.
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
RARE = parse_many("1/10minutes")
"""What each person has at an address where there were more wrong passwords than that."""
ADDRESS_AT_MOST = parse_many("120/minute; 600/hour")
EVERYBODY = parse_many("1200/minute")
SECOND = parse_many("30/hour; 100/day")
"""Second factors tried for one person, from wherever: who gets so far knows the password already."""
BEGUN = parse_many("120/minute")
"""Challenges, and journeys to the sign-in provider, begun from one address."""
LINKS = parse_many("3/hour")
"""Links to choose a password mailed to one person; of more that are asked for nothing is said."""
LINKS_OF_ADDRESS = parse_many("20/hour")


class Throttle:
    """Counts wrong passwords in the storage at *url*; in memory while that does not answer."""

    def __init__(self, url: str) -> None:
        self._storage = storage_from_string(url)
        self._limiter = MovingWindowRateLimiter(self._storage)
        self._spare = MovingWindowRateLimiter(MemoryStorage())
        errors = self._storage.base_exceptions
        self._down: tuple[type[Exception], ...] = errors if isinstance(errors, tuple) else (errors,)

    def enter(self, who: str, address: str, known: str = "") -> None:
        """Count a try of *who* from *address* before the password is looked at.

        :param known: names a browser or a session that is *who*'s already: it is counted by itself.
        :raises TooManyError: if it has to wait; says how long.
        """
        try:
            self._enter(self._limiter, who, address, known)
        except self._down:
            log.warning("the storage of limits does not answer; counting in this process")
            self._enter(self._spare, who, address, known)

    def _enter(self, limiter: MovingWindowRateLimiter, who: str, address: str, known: str) -> None:
        if not known:
            self._look_at_address(limiter, who, network_of(address))
        # Counted first and forgiven on success: many tries at once must not all pass the test.
        key = _person(who, address, known)
        for limit in PERSON_AND_ADDRESS:
            if not limiter.hit(limit, *key):
                raise self._refusal(limiter, limit, *key)

    def _look_at_address(self, limiter: MovingWindowRateLimiter, who: str, network: str) -> None:
        """Refuse where an address, or everybody together, was wrong too often."""
        for limit in EVERYBODY:
            if not limiter.test(limit, "everybody"):
                raise self._refusal(limiter, limit, "everybody")
        for limit in ADDRESS_AT_MOST:
            if not limiter.test(limit, "address at most", network):
                raise self._refusal(limiter, limit, "address at most", network)
        exceeded = [limit for limit in ADDRESS if not limiter.test(limit, "address", network)]
        if not exceeded:
            return
        # Colleagues share an address with whoever guesses there: each still has a try now and then, and
        # using it counts once, however many limits are exceeded.
        used_up = [limit for limit in RARE if not limiter.hit(limit, "rare", who, network)]
        if used_up:
            either = (exceeded[-1], "address", network), (used_up[-1], "rare", who, network)
            raise min((self._refusal(limiter, *one) for one in either), key=lambda error: error.retry_after)

    def enter_second(self, who: str, address: str, known: str = "") -> None:
        """Count a try of *who*'s second factor, apart from their passwords; *known* as in :meth:`enter`.

        A million codes are few: without a limit for the person, many addresses would find one.

        :raises TooManyError: if it has to wait; says how long.
        """
        self.enter(_second(who), address, known)
        if known:
            return
        try:
            self._enter_second(self._limiter, who)
        except self._down:
            self._enter_second(self._spare, who)

    def _enter_second(self, limiter: MovingWindowRateLimiter, who: str) -> None:
        for limit in SECOND:
            if not limiter.hit(limit, "second", who):
                raise self._refusal(limiter, limit, "second", who)

    def begin(self, address: str) -> None:
        """Count what is begun at *address* by who is not signed in: the desk keeps a row of it for a while.

        :raises TooManyError: if there was too much of it.
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
        """Forget the tries from there of a user who had the second factor; those from elsewhere stay."""
        self.forgive(_second(who), address, known)

    def failed(self, address: str, known: str = "") -> None:
        """Count a wrong password against the address and the desk, unless it is of a *known* browser."""
        if known:
            return
        try:
            self._failed(self._limiter, address)
        except self._down:
            self._failed(self._spare, address)

    def _failed(self, limiter: MovingWindowRateLimiter, address: str) -> None:
        for limit in ADDRESS:
            limiter.hit(limit, "address", network_of(address))
        for limit in ADDRESS_AT_MOST:
            limiter.hit(limit, "address at most", network_of(address))
        for limit in EVERYBODY:
            limiter.hit(limit, "everybody")

    def ask(self, who: str, address: str) -> bool:
        """Count that somebody at *address* asked for a link for *who*; return whether one may be mailed.

        :raises TooManyError: if too many were asked for from there.
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
                    _("Too many links were asked for from here."),
                    next_step=_("Try again later, or ask an admin of the desk."),
                    retry_after=round(ends - time.time()),
                )
        return all(limiter.hit(limit, "links", who) for limit in LINKS)

    def forgive(self, who: str, address: str, known: str = "") -> None:
        """Forget the tries of a user who knew the password."""
        for limiter in (self._limiter, self._spare):
            for key, limits in (
                (_person(who, address, known), PERSON_AND_ADDRESS),
                (("rare", who, network_of(address)), RARE),
            ):
                for limit in limits:
                    try:
                        limiter.clear(limit, *key)
                    except self._down:
                        log.warning(
                            "the storage of limits does not answer; tries are forgotten when they age"
                        )

    def _refusal(self, limiter: MovingWindowRateLimiter, limit: RateLimitItem, *key: str) -> TooManyError:
        wait = max(1, round(limiter.get_window_stats(limit, *key).reset_time - time.time()))
        minutes = -(-wait // 60)
        return TooManyError(
            _("There were too many wrong codes.")
            if key[1].startswith(_SECOND) or key[0] == "second"
            else _("There were too many wrong passwords."),
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
