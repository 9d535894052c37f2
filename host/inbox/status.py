"""Whether a conversation is open or closed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from host.inbox.conversations import add_activity, changed, locked
from host.inbox.models import ConversationStatus


def close(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    author_id: int | None,
    now: datetime,
    by: str | None = None,
) -> bool:
    """Close a conversation: nothing is left to do until the customer writes. Return whether that is news.

    :param by: what did it, where no person did.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    return _set(session, workspace_id, conversation_id, author_id, by, now, ConversationStatus.CLOSED)


def reopen(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    author_id: int | None,
    now: datetime,
    by: str | None = None,
) -> bool:
    """Open a closed conversation again. Return whether that is news.

    :param by: what did it, where no person did.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    return _set(session, workspace_id, conversation_id, author_id, by, now, ConversationStatus.OPEN)


def _set(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    author_id: int | None,
    by: str | None,
    now: datetime,
    status: ConversationStatus,
) -> bool:
    conversation = locked(session, workspace_id, conversation_id)
    if conversation.status == status:
        return False
    closing = status is ConversationStatus.CLOSED
    conversation.status = status
    conversation.closed_at = now if closing else None
    if closing:
        conversation.unread_count = 0
    session.flush()
    content = {"what": "closed" if closing else "reopened"}
    add_activity(session, conversation, author_id, content, now, by=by)
    changed(session, conversation)
    return True
