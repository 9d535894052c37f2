"""Record a conversation's state before an answer, so that undoing the answer restores it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.inbox import (
    Conversation,
    ConversationRead,
    ConversationStatus,
    DeliveryState,
    Direction,
    Message,
    Origin,
)


def state_of(session: Session, conversation: Conversation) -> dict[str, Any]:
    """Return the waiting and unread state of *conversation*, as JSON."""
    reads = sa.select(ConversationRead.user_id, ConversationRead.seen_count, ConversationRead.marked).where(
        ConversationRead.conversation_id == conversation.id
    )
    return {
        "waiting_since": clock.to_text(conversation.waiting_since),
        "woken_at": clock.to_text(conversation.woken_at),
        "unread_count": conversation.unread_count,
        "read_count": conversation.read_count,
        "reads": [[user_id, seen, int(marked)] for user_id, seen, marked in session.execute(reads)],
    }


def put_back(session: Session, conversation: Conversation, before: Mapping[str, Any], now: datetime) -> None:
    """Restore the state *before*, from :func:`state_of`, of the locked *conversation*.

    A conversation that was closed since, or has another answer after the customer's question, stays answered.
    """
    since = clock.from_text(before["waiting_since"])
    if conversation.status == ConversationStatus.CLOSED or _answered(session, conversation, since, now):
        return
    if since is not None:
        conversation.waiting_since = min(since, conversation.waiting_since or since)
    if conversation.snooze_kind is None and conversation.woken_at is None:
        conversation.woken_at = clock.from_text(before["woken_at"])
    conversation.unread_count += before["unread_count"]
    conversation.read_count = min(before["read_count"], conversation.read_count)
    have = set(
        session.scalars(
            sa.select(ConversationRead.user_id).where(ConversationRead.conversation_id == conversation.id)
        )
    )
    for user_id, seen, marked in before["reads"]:
        if user_id not in have:
            values = {"user_id": user_id, "conversation_id": conversation.id, "seen_count": seen}
            session.execute(sa.insert(ConversationRead).values(**values, marked=bool(marked)))
    session.flush()


def _answered(session: Session, conversation: Conversation, since: datetime | None, now: datetime) -> bool:
    """Return whether an unscheduled message of the team follows the customer's question."""
    later = Message.sent_at >= since if since is not None else sa.true()
    query = sa.select(Message.id).where(
        Message.conversation_id == conversation.id,
        Message.direction == Direction.OUTBOUND,
        Message.origin != Origin.SYSTEM,
        sa.or_(Message.state.is_(None), Message.state != DeliveryState.CANCELLED),
        Message.imported_at.is_(None),
        Message.sent_at <= now,
        later,
    )
    return since is not None and session.scalar(query.limit(1)) is not None
