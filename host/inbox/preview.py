"""The one line of a conversation's last message that the list shows."""

from __future__ import annotations

from host.inbox.models import Direction
from host.inbox.rows import Fresh, Thread

LENGTH = 200


def preview(text: str) -> str:
    """Return the start of *text* as one line. What a message without text is, the list says by its kind."""
    return " ".join(text[: LENGTH * 4].split())[:LENGTH]


def show(thread: Thread, fresh: Fresh) -> None:
    """Let *fresh* be the conversation's last message, unless a later one came before it."""
    thread.changed = True
    if not empty(thread) and fresh.sent_at < thread.last_message_at:
        fresh.late = True
        return
    thread.last = fresh
    thread.last_message_at = fresh.sent_at
    thread.last_direction = fresh.direction
    thread.last_kind = fresh.kind
    thread.last_preview = preview(fresh.text)
    thread.last_author_id = None


def empty(thread: Thread) -> bool:
    """Tell whether nobody said anything in *thread* yet; it may tell of messages we do not have."""
    return thread.last_direction in {"", Direction.INTERNAL}
