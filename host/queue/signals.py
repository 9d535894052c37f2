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
import sqlalchemy as sa

from host.core import clock, db
from host.core.ports import GenerationSource
from host.models.inbox import Direction, Message
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import MessageKind

log = logging.getLogger(__name__)

MOST_WAITING = 200
AGAIN_SECONDS = 5.0
"""Seconds before a customer may be shown again that an agent types."""
MOST_REMEMBERED = 5_000
_ABOUT_ANOTHER = (MessageKind.REACTION, MessageKind.EDIT, MessageKind.UNSEND)
"""Kinds of lines about a message that isn't here."""


class Signal(StrEnum):
    TYPING = "typing"
    STOPPED = "stopped"
    SEEN = "seen"


class _Waiting(msgspec.Struct, frozen=True):
    account: AccountRef
    contact: str
    signal: Signal
    conversation_id: int | None


class Signals:
    """The queue, and the customers who were recently shown that an agent types or stopped."""

    def __init__(self) -> None:
        self.on_end: Callable[[AccountRef, Exception | None], None] | None = None
        """Called after each signal, with the account and the error it ended in, if any."""
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(MOST_WAITING)
        self._lock = threading.Lock()
        self._typing: dict[tuple[int, str], tuple[Signal, float]] = {}

    def offer(
        self, account: AccountRef, contact: str, signal: Signal, conversation_id: int | None = None
    ) -> bool:
        """Queue *signal* unless it was just sent or too many wait; return whether it was queued.

        Never blocks.

        :param conversation_id: for channels that name the customer's newest message; None: without it.
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
                self._queue.put_nowait(_Waiting(account, contact, signal, conversation_id))
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
            if adapter is None:
                return
            _act(adapter, waiting)
        except Exception as error:  # noqa: BLE001 - the signal is dropped whatever went wrong
            log.info(
                "a customer of account %s was not shown %s: %s", waiting.account.id, waiting.signal, error
            )
            self._end(waiting.account, error)
        else:
            self._end(waiting.account, None)

    def _end(self, account: AccountRef, error: Exception | None) -> None:
        if self.on_end is None:
            return
        try:
            self.on_end(account, error)
        except sa.exc.SQLAlchemyError as problem:
            log.info("how a signal of account %s ended was not stored: %s", account.id, problem)


def _act(adapter: ChannelAdapter, waiting: _Waiting) -> None:
    def newest() -> str | None:
        return _newest(waiting.conversation_id)

    if waiting.signal is Signal.SEEN:
        adapter.mark_seen_until(waiting.account, waiting.contact, newest)
    else:
        adapter.show_typing_after(waiting.account, waiting.contact, waiting.signal is Signal.TYPING, newest)


def _newest(conversation_id: int | None) -> str | None:
    """Return the external id of the customer's newest message in a conversation."""
    if conversation_id is None:
        return None
    query = (
        sa.select(Message.external_id)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == Direction.INBOUND,
            Message.external_id.is_not(None),
            Message.unsent_at.is_(None),
            Message.kind.not_in(_ABOUT_ANOTHER),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    with db.read() as session:
        return session.scalar(query)


_signals = Signals()


def current() -> Signals:
    """Return this process's signals."""
    return _signals
