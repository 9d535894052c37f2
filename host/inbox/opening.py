"""Having the team look at a conversation again."""

from __future__ import annotations

from datetime import datetime

from host.inbox.batch import Batch
from host.inbox.cleaning import external_id
from host.inbox.models import ConversationStatus, Direction, InternalKind, Origin
from host.inbox.rows import Fresh, Thread


def announce(
    batch: Batch, thread: Thread, fresh: Fresh, received_at: datetime, *, opens_window: bool
) -> None:
    """Count *fresh* as unread, open its conversation, and begin the time to reply in anew."""
    if thread.status == ConversationStatus.CLOSED:
        reopen(batch, thread, fresh, received_at)
    thread.unread += 1
    if opens_window and (thread.last_inbound_at is None or thread.last_inbound_at < fresh.sent_at):
        thread.last_inbound_at = fresh.sent_at
    thread.changed = True


def reopen(batch: Batch, thread: Thread, cause: Fresh, received_at: datetime) -> None:
    """Open a closed conversation, with the assignee it had, and say so in it."""
    at = cause.sent_at
    if thread.closed_at is not None and at < thread.closed_at:
        at = max(received_at, thread.closed_at)
    thread.status = ConversationStatus.OPEN
    thread.closed_at = None
    thread.changed = True
    batch.add(
        Fresh(
            thread=thread,
            account=cause.account,
            external_id=external_id(f"reopened:{cause.external_id}"),
            direction=Direction.INTERNAL,
            origin=Origin.SYSTEM,
            kind=InternalKind.ACTIVITY,
            text="",
            content={"what": "reopened_by_message"},
            sent_at=at,
        )
    )
