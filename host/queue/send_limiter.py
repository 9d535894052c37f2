"""Start calls to a provider only within the adapter's limits.

:mod:`host.queue.limit_counters` counts the calls. Each process remembers here which accounts wait for a
limit, so that a short wait costs almost nothing: the lanes of such an account stay due and are not claimed,
except as many as can send within :data:`MOMENT`. A longer wait is stored with the account, where every
process sees it.

It also knows how many of the process's senders each account has, so that an account whose provider hangs
leaves the others theirs.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from host.core import clock
from host.queue import policy, wakeups
from host.queue.limit_counters import LimitCounters
from host.sdk.channel import SendLimit

MOMENT = 0.05
"""Seconds a worker may wait for a limit while it holds a lane. Releasing the lane costs two writes."""
LEAVING_MARGIN = 0.01
"""Seconds by which the second window, counted when a call leaves, is longer than its limit: half the margin
of the first window, so that a call that passed the first is rarely held by the second."""
HELD_AT_MOST = 2.0
"""Most seconds a call is held while its connection is open. On a busy machine the calls of a whole second may
leave late, right before those of the next second."""
FAILING_SENDERS = 2
"""Most senders of a process that an account has from its first failure until its provider answers."""
FORGOTTEN_AFTER = 3.0
"""Seconds after which a shortage that was not noted again ends."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A call must wait until *until* for *limit*."""

    until: datetime
    limit: SendLimit

    @property
    def seconds(self) -> float:
        return (self.until - clock.now()).total_seconds()


@dataclass(slots=True)
class _Short:
    """An account that recently had to wait for its own limit; times in seconds since 1970."""

    since: float
    seen: float
    closed_until: float
    in_hand_most: int
    sentence: str


class SendLimiter:
    """The limits in one process. Thread-safe.

    :param url: where calls are counted; see :class:`host.queue.limit_counters.LimitCounters`.
    """

    def __init__(self, url: str = "memory://") -> None:
        self._counters = LimitCounters(url)
        self._leaving = LimitCounters("memory://", LEAVING_MARGIN)
        self._lock = threading.Lock()
        self._short: dict[int, _Short] = {}
        self._in_hand: dict[str, int] = {}
        self._at_work: dict[str, int] = {}
        self._failing: set[int] = set()
        self._turns: dict[str, float] = {}
        self._refusals: dict[int, int] = {}

    # Called by the heartbeat

    def look(self, sharers: int) -> datetime | None:
        """Check the storage of the counters; return since when it has not responded, or None.

        :param sharers: number of processes that count there; while it is unavailable, each takes its share.
        """
        self._counters.sharers = max(1, sharers)
        self._counters.look()
        return self._counters.away_since

    # Called by workers before a call

    def check(self, account_id: int, limits: Sequence[SendLimit], channel: str) -> Waits | None:
        """Return the limit that a call must wait for; None if it may start now or within :data:`MOMENT`."""
        if not limits:
            return None
        wait, limit = self._counters.check(limits, channel)
        return None if limit is None else self._waits(account_id, limit, wait)

    def take_turn(
        self, account_id: int, limits: Sequence[SendLimit], channel: str, lane: str = ""
    ) -> Waits | None:
        """Count one call that starts now; return None if it may start. Sleeps if the wait is at most
        :data:`MOMENT`.

        :param lane: the key of the worker's lane, if any; see :meth:`put_down`.
        """
        waited, ends = False, clock.monotonic() + MOMENT
        while limits:
            wait, limit = self._counters.take(limits, channel)
            if limit is None:
                break
            waits = self._waits(account_id, limit, wait)
            if waits is not None:
                return waits
            if clock.monotonic() + wait > ends:
                return Waits(clock.now() + timedelta(seconds=wait), limit)
            waited = True
            time.sleep(wait)
        self.put_down(lane)
        if not waited and account_id in self._short:
            # More calls are allowed than are made: wake idle threads.
            wakeups.wake_later(wakeups.OUT, MOMENT / 5)
        return None

    def leave(self, limits: Sequence[SendLimit], channel: str) -> None:
        """Hold a call right before its first byte until it is within *limits* again.

        After it was counted, a call reads its credentials and connects. That takes one millisecond or fifty,
        so calls may leave closer together than they were counted. They are therefore counted again when they
        leave. This is done for short limits only; for longer ones the difference does not matter.
        """
        brief = [one for one in limits if one.seconds < policy.WAIT_SHOWN.total_seconds()]
        ends = clock.monotonic() + HELD_AT_MOST
        while brief:
            wait, limit = self._leaving.take(brief, channel)
            if limit is None or clock.monotonic() + wait > ends:
                return
            time.sleep(wait)

    def _waits(self, account_id: int, limit: SendLimit, wait: float) -> Waits | None:
        now = clock.now()
        if limit.whole_account and wait < policy.WAIT_SHOWN.total_seconds():
            self._note_short(account_id, limit, now.timestamp(), wait)
        if wait <= MOMENT:
            return None
        if not limit.whole_account:
            wait = self._turn(limit, now.timestamp(), wait)
        wakeups.wake_later(wakeups.OUT, wait - MOMENT / 2)
        return Waits(now + timedelta(seconds=wait), limit)

    def _note_short(self, account_id: int, limit: SendLimit, now: float, wait: float) -> None:
        most = max(1, math.ceil(limit.amount / limit.seconds * MOMENT))
        with self._lock:
            known = self._short.get(account_id)
            since = now if known is None or now - known.seen > FORGOTTEN_AFTER else known.since
            self._short[account_id] = _Short(since, now, now + wait, most, limit.sentence)

    def _turn(self, limit: SendLimit, now: float, wait: float) -> float:
        """Return when to retry for a limit that does not stop the whole account; retries are spread out."""
        with self._lock:
            if len(self._turns) > 10_000:
                self._turns = {key: at for key, at in self._turns.items() if at > now}
            turn = max(now + wait, self._turns.get(limit.key, 0.0) + limit.seconds / limit.amount)
            turn = min(turn, now + wait + limit.seconds)
            self._turns[limit.key] = turn
        return turn - now

    # Called by claims

    def pick_up(self, lane: str, account_id: int) -> None:
        """Note that a worker is processing a lane and may be about to call."""
        with self._lock:
            self._in_hand[lane] = self._at_work[lane] = account_id

    def finish(self, lane: str) -> None:
        """Note that it has finished with the lane."""
        with self._lock:
            self._in_hand.pop(lane, None)
            self._at_work.pop(lane, None)

    def put_down(self, lane: str) -> None:
        """Note that it is calling now."""
        with self._lock:
            self._in_hand.pop(lane, None)

    def closed(self) -> frozenset[int]:
        """Return the accounts whose other lanes could not send within :data:`MOMENT`, or that have as many
        senders as they may while their provider fails.
        """
        if not self._short and not self._failing:
            return frozenset()
        now = clock.now().timestamp()
        with self._lock:
            at_work = list(self._at_work.values())
            failing = {one for one in self._failing if at_work.count(one) >= FAILING_SENDERS}
            for account_id in [one for one, short in self._short.items() if now - short.seen > _kept(short)]:
                del self._short[account_id]
            held = list(self._in_hand.values())
            return frozenset(
                failing.union(
                    one
                    for one, short in self._short.items()
                    if now + MOMENT < short.closed_until or held.count(one) >= short.in_hand_most
                )
            )

    def with_at_least(self, senders: int) -> frozenset[int]:
        """Return the accounts that have that many of the process's senders."""
        with self._lock:
            if len(self._at_work) < senders:
                return frozenset()
            counts = Counter(self._at_work.values())
        return frozenset(one for one, count in counts.items() if count >= senders)

    def waiting(self, since: timedelta) -> dict[int, str]:
        """Return the accounts that have been waiting for a limit for at least *since*, with that limit."""
        now = clock.now().timestamp()
        with self._lock:
            return {
                one: short.sentence
                for one, short in self._short.items()
                if now - short.since >= since.total_seconds() and now - short.seen <= _kept(short)
            }

    # Called with the provider's answers

    def refused(self, account_id: int) -> int:
        """Note that the provider limits an account; return the number of such refusals in a row."""
        with self._lock:
            self._refusals[account_id] = times = self._refusals.get(account_id, 0) + 1
        return times

    def accepted(self, account_id: int) -> None:
        """Note that the provider accepted a message of an account."""
        if account_id in self._refusals:
            with self._lock:
                self._refusals.pop(account_id, None)
        self.answered(account_id)

    def failed(self, account_id: int) -> None:
        """Note that the provider of an account is away, or fails: it gets :data:`FAILING_SENDERS` senders."""
        with self._lock:
            self._failing.add(account_id)

    def answered(self, account_id: int) -> None:
        """Note that the provider of an account answered a call."""
        if account_id in self._failing:
            with self._lock:
                self._failing.discard(account_id)
            wakeups.wake_later(wakeups.OUT, 0)


def _kept(short: _Short) -> float:
    """Return for how many seconds a shortage is remembered: until it ends, plus :data:`FORGOTTEN_AFTER`."""
    return short.closed_until - short.seen + FORGOTTEN_AFTER


_url = "memory://"
_limiter: SendLimiter | None = None
_making = threading.Lock()


def use(url: str) -> None:
    """Use the counters at *url* from now on."""
    global _url, _limiter
    with _making:
        _url, _limiter = url, None


def forget_counts() -> None:
    """Drop all counts: the clock was moved back, so they lie in the future."""
    use(_url)


def current() -> SendLimiter:
    """Return the limiter of this process, which the first call creates."""
    global _limiter  # noqa: PLW0603
    if _limiter is None:
        with _making:
            _limiter = _limiter or SendLimiter(_url)
    return _limiter
