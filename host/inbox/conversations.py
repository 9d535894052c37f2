"""What use cases of one conversation share: finding it, locking it, telling browsers."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.errors import ConversationNotFoundError, ReplyKeyError
from host.inbox.models import Conversation, Direction, InternalKind, Message, Origin
from host.live.publish import publish

_KEY = re.compile(r"[0-9A-Za-z_-]{8,64}")


def check_key(reply_key: str) -> None:
    """Refuse a key of a form that the page did not make.

    :raises ReplyKeyError: if it is not 8 to 64 letters, digits, hyphens or underscores.
    """
    if not _KEY.fullmatch(reply_key):
        raise ReplyKeyError()


def locked(session: Session, workspace_id: int, conversation_id: int) -> Conversation:
    """Return a conversation of the workspace, locked until the write ends.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    query = (
        sa.select(Conversation)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    conversation = session.scalars(query).one_or_none()
    if conversation is None:
        raise ConversationNotFoundError()
    return conversation


def changed(session: Session, conversation: Conversation) -> None:
    """Tell browsers that something about *conversation* changed."""
    publish(session, conversation.workspace_id, "conversation", {"conversation": conversation.id})


def announce(session: Session, message: Message) -> None:
    """Tell browsers of a new message, note or activity line."""
    payload = {"conversation": message.conversation_id, "message": message.id}
    publish(session, message.workspace_id, "message", payload)


def add_activity(
    session: Session,
    conversation: Conversation,
    author_id: int | None,
    content: dict[str, Any],
    at: datetime,
    *,
    by: str | None = None,
) -> Message:
    """Add the line that says what somebody did to *conversation*; ``content["what"]`` names it.

    :param by: what did it, where no person did: the name of a program's key.
    """
    if by is not None:
        content = {**content, "by": by}
    message = Message(
        workspace_id=conversation.workspace_id,
        conversation_id=conversation.id,
        account_id=conversation.account_id,
        direction=Direction.INTERNAL,
        origin=Origin.API if by is not None else Origin.SYSTEM if author_id is None else Origin.AGENT,
        kind=InternalKind.ACTIVITY,
        text="",
        content=content,
        author_id=author_id,
        sent_at=at,
        created_at=at,
    )
    session.add(message)
    session.flush()
    announce(session, message)
    return message
