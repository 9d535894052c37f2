"""Choose lanes of all accounts in rotation, so that one busy account cannot starve the others."""

from __future__ import annotations

import heapq
import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from host.core import clock

# Finding the accounts that have work scans every due lane, so the list is kept for twenty times as long as
# the scan took. So a customer of a quiet account hardly waits behind a busy account's backlog.
KNOWN_FOR_TIMES = 20
KNOWN_FOR_MOST = 1.0
NOTED_MOST = 4096

_noted: dict[int, float] = {}
_noted_lock = threading.Lock()


def note_work(accounts: Iterable[int | None]) -> None:
    """Note that this process has just created work for *accounts*, which saves a query."""
    now = clock.monotonic()
    with _noted_lock:
        _noted.update(dict.fromkeys((one or 0 for one in accounts), now))
        if len(_noted) > NOTED_MOST:
            for one in [one for one, at in _noted.items() if at < now - KNOWN_FOR_MOST]:
                del _noted[one]


def _noted_since(began: float) -> set[int]:
    with _noted_lock:
        return {one for one, at in _noted.items() if at >= began}


class Candidate(NamedTuple):
    """A due lane that may be leased."""

    key: str
    account_id: int | None
    fence: int
    spooled: bool = False
    """Whether its events were stored later than they were received: :mod:`host.queue.spooled_lanes`."""
    joined: bool = False
    """Whether :mod:`host.queue.joined_lanes` has to look at it before it is leased."""


class AccountRotation:
    """The last account served in one process. Not thread-safe: claims are serial.

    :param most_events: approximate total number of events in the chosen lanes.
    """

    def __init__(self, most_events: float = float("inf")) -> None:
        self.spent = False
        """Whether the last choice stopped because its lanes probably hold *most_events*."""
        self._most_events = most_events
        self._depths: dict[int, float] = {}
        self._last = -1
        self._accounts: tuple[int, ...] = ()
        self._began = self._read_at = float("-inf")
        self._known_for = 0.0

    def needs_accounts(self) -> bool:
        """Return whether the accounts that have work should be read again."""
        return clock.monotonic() - self._read_at >= self._known_for

    def remember_accounts(self, accounts: Iterable[int | None], began: float) -> None:
        """Remember the accounts that have work; 0 stands for none.

        :param began: when reading them began (``clock.monotonic``).
        """
        self._accounts = tuple(one or 0 for one in accounts)
        self._began = began
        self._read_at = clock.monotonic()
        self._known_for = min(KNOWN_FOR_TIMES * (self._read_at - began), KNOWN_FOR_MOST)

    def next_accounts(self, most: int, but_not: Collection[int] = ()) -> Sequence[int]:
        """Return up to *most* accounts that have work, starting after the last one served."""
        accounts = _noted_since(self._began).union(self._accounts)
        return self._in_rotation(one for one in accounts if one not in but_not)[:most]

    def _in_rotation(self, accounts: Iterable[int]) -> list[int]:
        known = sorted(accounts)
        return [one for one in known if one > self._last] + [one for one in known if one <= self._last]

    def note_depths(self, depths: Mapping[int, float]) -> None:
        """Remember the average number of events in the lanes of each of these accounts."""
        self._depths.update(depths)
        for account in [one for one in depths if depths[one] <= 1]:
            del self._depths[account]

    def choose(self, candidates: Sequence[Candidate], most: int) -> list[Candidate]:
        """Return up to *most* of *candidates*, so that each account has about the same number of events.

        The number of events in a lane is not counted but estimated from the account's earlier lanes. An
        account with few events in each lane gets more lanes, so it hardly waits behind one with deep lanes.
        Within an account the order is kept. At least one candidate, if any, is returned.
        """
        queues: dict[int, deque[Candidate]] = {}
        for one in candidates:
            queues.setdefault(one.account_id or 0, deque()).append(one)
        accounts = self._in_rotation(queues)
        given = [(0.0, place) for place in range(len(accounts))]
        chosen: list[Candidate] = []
        events = 0.0
        self.spent = False
        while given and len(chosen) < most:
            mine, place = given[0]
            account = accounts[place]
            depth = self._depths.get(account, 1.0)
            if chosen and events + depth > self._most_events:
                self.spent = True
                break
            chosen.append(queues[account].popleft())
            events += depth
            if not mine:
                self._last = account
            if queues[account]:
                heapq.heapreplace(given, (mine + depth, place))
            else:
                heapq.heappop(given)
        return chosen
