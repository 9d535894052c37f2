"""What the team has looked at."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.conversations import changed, locked
from host.inbox.models import Direction, Message


def mark_read(session: Session, *, workspace_id: int, conversation_id: int, until: int) -> bool:
    """Note that somebody has looked at a conversation up to the message *until*. Return whether that is news.

    What arrived after it stays unread. It counts for the whole team.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    conversation = locked(session, workspace_id, conversation_id)
    if not conversation.unread_count:
        return False
    later = (
        session.scalar(
            sa.select(sa.func.count())
            .select_from(Message)
            .where(
                Message.conversation_id == conversation.id,
                Message.id > until,
                Message.direction == Direction.INBOUND,
            )
        )
        or 0
    )
    if later >= conversation.unread_count:
        return False
    conversation.unread_count = later
    session.flush()
    changed(session, conversation)
    return True
