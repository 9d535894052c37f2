"""What was read from a provider's history, as it comes into the inbox: quietly, and opening no window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from host.inbox.batch import Batch
from host.inbox.incoming import Incoming
from host.inbox.models import ConversationStatus, Direction
from host.inbox.opening import reopen
from host.inbox.rows import Thread

WAITING = timedelta(days=7)
"""A customer who had the last word within this time still waits: no reply window is longer."""


def begin(thread: Thread, item: Incoming) -> None:
    """Let a conversation made of what was said long ago begin closed."""
    if item.imported:
        thread.status = ConversationStatus.CLOSED
        thread.closed_at = item.received_at


def wake(batch: Batch, items: Sequence[Incoming]) -> None:
    """Open the conversations in which, as the history tells, a customer waits for an answer."""
    if not any(item.imported for item in items):
        return
    for thread in {id(fresh.thread): fresh.thread for fresh in batch.fresh.values()}.values():
        last = thread.last
        if (
            last is None
            or last.imported_at is None
            or last.direction != Direction.INBOUND
            or last.sent_at < batch.now - WAITING
            or thread.status != ConversationStatus.CLOSED
        ):
            continue
        if thread.id is None:
            thread.status, thread.closed_at = ConversationStatus.OPEN, None
        elif thread.closed_at is None or thread.closed_at < last.sent_at:
            reopen(batch, thread, last, batch.now)
