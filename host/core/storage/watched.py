"""Watch a store, so that requests don't wait for one that does not answer.

A page that waits for a file holds a thread. While a store is unavailable, requests for its files fail
immediately with the reason, which leaves the threads for pages.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import BinaryIO

import msgspec

from host.core import clock
from host.core.storage.base import Readable, Staged, Store, StoreAwayError

log = logging.getLogger(__name__)

EVERY_SECONDS = 15.0
"""Interval in seconds at which a store's marker is read."""
SOON_SECONDS = 5.0
"""This interval while it is unavailable."""
PATIENCE_SECONDS = 12.0
"""Time in seconds after which a store counts as unavailable: a hanging share reports no error."""


class Away(msgspec.Struct, frozen=True):
    """The reason a store is unavailable, and since when."""

    words: str
    since: datetime


class WatchedStore:
    """A store whose files are not requested while it is unavailable.

    It becomes unavailable when it fails to return a file or its marker, until it returns its marker again. A
    full disk can still be read.

    :param marker: the marker the store must have; None: any.
    """

    def __init__(self, store: Store, marker: Callable[[], str | None] = lambda: None) -> None:
        self._store = store
        self._expected = marker
        self.place = store.place
        self._away: Away | None = None
        self._stopping = threading.Event()
        self._watching: threading.Thread | None = None
        self._asking: threading.Thread | None = None

    @property
    def away(self) -> Away | None:
        """Why the store is unavailable; None if it answers, as far as is known."""
        return self._away

    # The store

    def stage(self, stream: Readable, *, most: int) -> Staged:
        self._refuse_if_away()
        return self._store.stage(stream, most=most)

    def open_stored(self, key: str) -> BinaryIO:
        self._refuse_if_away()
        with self._noting():
            return self._store.open_stored(key)

    def size(self, key: str) -> int | None:
        self._refuse_if_away()
        with self._noting():
            return self._store.size(key)

    def remove(self, key: str, *, in_use: Callable[[], bool]) -> bool:
        self._refuse_if_away()
        return self._store.remove(key, in_use=in_use)

    def keys(self, shard: str, *, older_than: float | None) -> list[str]:
        self._refuse_if_away()
        return self._store.keys(shard, older_than=older_than)

    def marker(self) -> str | None:
        return self._store.marker()

    def mark(self, text: str) -> None:
        self._store.mark(text)

    # Watching

    def start(self) -> None:
        """Start watching."""
        self._stopping.clear()
        self._watching = threading.Thread(target=self._watch, name="files", daemon=True)
        self._watching.start()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()
        if self._watching is not None:
            self._watching.join()
            self._watching = None

    def look(self, patience: float = PATIENCE_SECONDS) -> Away | None:
        """Read the store's marker, and return why the store is unavailable, or None.

        :param patience: timeout in seconds. Only one request is in progress at a time, even if it hangs.
        """
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, name="files-ask", daemon=True)
            self._asking.start()
        self._asking.join(patience)
        if self._asking.is_alive():
            self._note(f"{self.place} has not answered for {patience:.0f} seconds")
        return self._away

    def hangs(self) -> bool:
        """Read the store's marker, and return whether it gives no answer at all."""
        self.look()
        return self._asking is not None and self._asking.is_alive()

    def _watch(self) -> None:
        while not self._stopping.wait(EVERY_SECONDS if self._away is None else SOON_SECONDS):
            self.look()

    def _ask(self) -> None:
        try:
            found, expected = self._store.marker(), self._expected()
        except StoreAwayError as error:
            self._note(error.words)
        except Exception:  # the database's marker, which is the expected one
            log.debug("what marker the store has to have is not known", exc_info=True)
        else:
            if expected is not None and found != expected:
                self._note(
                    f"{self.place} is not where this desk's files are: its marker is another's or missing"
                )
            elif self._away is not None:
                log.warning("files: %s answers again", self.place)
                self._away = None

    def _refuse_if_away(self) -> None:
        if self._away is not None and self._watching is not None:
            raise StoreAwayError(self._away.words)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except StoreAwayError as error:
            self._note(error.words)
            raise

    def _note(self, words: str) -> None:
        before = self._away
        if before is None or before.words != words:
            log.warning("files: %s", words)
            self._away = Away(words, clock.now() if before is None else before.since)
