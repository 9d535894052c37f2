"""Show customers that an agent types, or has read their message.

A separate thread sends these signals from a short queue in memory. Callers don't wait for it. A signal that
fails is logged and dropped, because it is useless later.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from enum import StrEnum

import msgspec

from host.core import clock
from host.core.ports import GenerationSource
from host.sdk.channel import AccountRef, ChannelAdapter

log = logging.getLogger(__name__)

MOST_WAITING = 200
AGAIN_SECONDS = 5.0
"""Seconds before a customer may be shown again that an agent types."""
MOST_REMEMBERED = 5_000


class Signal(StrEnum):
    TYPING = "typing"
    STOPPED = "stopped"
    SEEN = "seen"


class _Waiting(msgspec.Struct, frozen=True):
    account: AccountRef
    contact: str
    signal: Signal


class Signals:
    """The queue, and the customers who were recently shown that an agent types or stopped."""

    def __init__(self) -> None:
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._typing: dict[tuple[int, str], tuple[Signal, float]] = {}

    def offer(self, account: AccountRef, contact: str, signal: Signal) -> bool:
        """Queue *signal* unless it was just sent or too many wait; return whether it was queued.

        Never blocks.
        """
        key = (account.id, contact)
        now = clock.monotonic()
        with self._lock:
            last, at = self._typing.get(key, (None, 0.0))
            if signal is Signal.TYPING and last is signal and now - at < AGAIN_SECONDS:
                return False
            if signal is Signal.STOPPED and last is not Signal.TYPING:
                return False
            try:
                self._queue.put_nowait(_Waiting(account, contact, signal))
            except queue.Full:
                return False
            if signal is not Signal.SEEN:
                if len(self._typing) >= MOST_REMEMBERED:
                    self._typing.clear()
                self._typing[key] = (signal, now)
        return True

    def serve(self, generation: GenerationSource) -> None:
        """Send queued signals until :meth:`stop`."""
        while (waiting := self._queue.get()) is not None:
            self._tell(waiting, generation)

    def stop(self) -> None:
        """Make :meth:`serve` return; waiting signals are dropped."""
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        self._queue.put(None)

    def flush(self, generation: GenerationSource) -> int:
        """Send all waiting signals in the calling thread; return their number."""
        told = 0
        while not self._queue.empty():
            waiting = self._queue.get_nowait()
            if waiting is not None:
                self._tell(waiting, generation)
                told += 1
        return told

    def clear(self) -> None:
        """Drop waiting signals, and forget those already sent."""
        with self._lock:
            self._typing.clear()
        while not self._queue.empty():
            self._queue.get_nowait()

    def _tell(self, waiting: _Waiting, generation: GenerationSource) -> None:
        try:
            adapter = generation().directory.adapter(waiting.account.channel)
            if adapter is not None:
                _act(adapter, waiting)()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nobody is told
            log.info(
                "a customer of account %s was not shown %s: %s", waiting.account.id, waiting.signal, error
            )


def _act(adapter: ChannelAdapter, waiting: _Waiting) -> Callable[[], None]:
    if waiting.signal is Signal.SEEN:
        return lambda: adapter.mark_seen(waiting.account, waiting.contact)
    return lambda: adapter.show_typing(waiting.account, waiting.contact, waiting.signal is Signal.TYPING)


_signals = Signals()


def current() -> Signals:
    """Return this process's signals."""
    return _signals
