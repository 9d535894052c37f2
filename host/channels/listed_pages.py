"""Pages that a provider lists for an account, such as posts or templates, cached for a short time."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from host.core import clock
from host.core.errors import NotFoundError
from host.sdk.channel import AccountRef, ProviderProblem

log = logging.getLogger(__name__)

P = TypeVar("P")
T = TypeVar("T")

KEPT = timedelta(minutes=2)
"""How long a page is cached."""
REFUSED = timedelta(seconds=15)
"""How long a problem is cached, so that opening the list again and again doesn't use up a limit."""
MOST = 200
"""Maximum number of cached pages."""
LONGEST_CURSOR = 1000


class ListedPages(Generic[P]):
    """The pages of one kind, of all accounts.

    :param kind: the type of a page.
    :param failed: the problem if the addon raises, or returns something else.
    """

    def __init__(self, kind: type[P], failed: ProviderProblem) -> None:
        self._kind, self._failed = kind, failed
        self._lock = threading.Lock()
        self._pages: OrderedDict[tuple[int, str], tuple[datetime, P | ProviderProblem]] = OrderedDict()
        # A page is requested once at a time, however many people wait for it.
        self._asking = tuple(threading.Lock() for _ in range(8))

    def page(self, account: AccountRef, after: str, ask: Callable[[], object]) -> P | ProviderProblem:
        """Return a page from the cache or, by *ask*, from the provider. Call it outside any transaction.

        :param after: the cursor of the page; empty for the first.
        :raises NotFoundError: if *after* is not a cursor.
        """
        if len(after) > LONGEST_CURSOR or not after.isprintable():
            raise NotFoundError()
        key = account.id, after
        with self._asking[hash(key) % len(self._asking)]:
            found = self._recall(key)
            if found is None:
                found = self.ask(account, ask, self._kind)
                self._remember(key, found)
        return found

    def ask(self, account: AccountRef, ask: Callable[[], object], wanted: type[T]) -> T | ProviderProblem:
        """Return what the adapter of *account* answers, or the problem if it raises or answers otherwise."""
        try:
            found = ask()
        except Exception:
            log.exception("the adapter of %s raised while listing", account.channel)
            return self._failed
        return found if isinstance(found, wanted | ProviderProblem) else self._failed

    def cached(self, account_id: int) -> list[P]:
        """Return the pages of an account that are cached now."""
        now = clock.now()
        with self._lock:
            return [
                found
                for (id_, _after), (until, found) in self._pages.items()
                if id_ == account_id and until > now and isinstance(found, self._kind)
            ]

    def clear(self) -> None:
        """Forget all pages."""
        with self._lock:
            self._pages.clear()

    def _recall(self, key: tuple[int, str]) -> P | ProviderProblem | None:
        with self._lock:
            found = self._pages.get(key)
        return None if found is None or found[0] <= clock.now() else found[1]

    def _remember(self, key: tuple[int, str], found: P | ProviderProblem) -> None:
        kept = REFUSED if isinstance(found, ProviderProblem) else KEPT
        with self._lock:
            self._pages[key] = clock.now() + kept, found
            self._pages.move_to_end(key)
            while len(self._pages) > MOST:
                self._pages.popitem(last=False)
