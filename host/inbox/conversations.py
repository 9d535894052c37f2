"""Conversations and messages of a workspace: locked for a write, their activity lines, their live events.

Every write to one conversation begins with :func:`locked_conversation` or :func:`locked_message`. The caller
has checked that the person or the API key may act in the workspace; these check that it has the conversation.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox import queries
from host.inbox.errors import ConversationNotFoundError, MessageNotFoundError, ReplyKeyError
from host.inbox.queries import Row
from host.live.publish import publish
from host.models.inbox import Conversation, Direction, InternalKind, Message, Origin

_KEY = re.compile(r"[0-9A-Za-z_-]{8,64}")


def check_key(reply_key: str) -> None:
    """Refuse a reply key of another form than the composer's.

    :raises ReplyKeyError: if it is not 8 to 64 letters, digits, hyphens or underscores.
    """
    if not _KEY.fullmatch(reply_key):
        raise ReplyKeyError()


def conversation_row(session: Session, workspace_id: int, conversation_id: int) -> Row:
    """Return a conversation of the workspace for reading, with its contact and account.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    """
    row = queries.get_row(session, workspace_id, conversation_id)
    if row is None:
        raise ConversationNotFoundError()
    return row


def locked_conversation(session: Session, workspace_id: int, conversation_id: int) -> Conversation:
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


def locked_message(
    session: Session, workspace_id: int, message_id: int, *, conversation_id: int | None = None
) -> tuple[Conversation, Message]:
    """Return a message that the customer or the team sent, with its conversation locked until the write ends.

    :param conversation_id: the conversation it has to be in; None: any of the workspace.
    :raises ConversationNotFoundError: if the workspace has no conversation *conversation_id*.
    :raises MessageNotFoundError: if there is no such message, or it is a note or an activity line.
    """
    if conversation_id is None:
        conversation_id = session.scalar(
            sa.select(Message.conversation_id).where(
                Message.id == message_id, Message.workspace_id == workspace_id
            )
        )
    if conversation_id is None:
        raise MessageNotFoundError()
    conversation = locked_conversation(session, workspace_id, conversation_id)
    return conversation, message_of(session, conversation, message_id, populate_existing=True)


def message_of(
    session: Session, conversation: Conversation, message_id: int, *, populate_existing: bool = False
) -> Message:
    """Return a message of *conversation* that the customer or the team sent.

    :param populate_existing: read its row anew, although the session may have it.
    :raises MessageNotFoundError: if there is no such message, or it is a note or an activity line.
    """
    message = session.get(Message, message_id, populate_existing=populate_existing)
    if (
        message is None
        or message.conversation_id != conversation.id
        or message.direction == Direction.INTERNAL
    ):
        raise MessageNotFoundError()
    return message


def check_message(session: Session, workspace_id: int, conversation_id: int, message_id: int) -> None:
    """Refuse a message of another conversation. Locks nothing: the caller locks the message's outbox entry.

    :raises MessageNotFoundError: if the workspace's conversation has no such message.
    """
    message = session.get(Message, message_id)
    if message is None or message.workspace_id != workspace_id or message.conversation_id != conversation_id:
        raise MessageNotFoundError()


def publish_conversation(session: Session, conversation: Conversation) -> None:
    """Tell browsers that *conversation* changed."""
    publish(session, conversation.workspace_id, "conversation", {"conversation": conversation.id})


def publish_message(session: Session, message: Message) -> None:
    """Tell browsers of a new message, note or activity line."""
    payload = {"conversation": message.conversation_id, "message": message.id}
    publish(session, message.workspace_id, "message", payload)


def publish_changed_message(session: Session, message: Message) -> None:
    """Tell browsers that a message they show looks different now."""
    payload = {"conversation": message.conversation_id, "message": message.id}
    publish(session, message.workspace_id, "changed", payload)


def add_activity(
    session: Session,
    conversation: Conversation,
    author_id: int | None,
    content: dict[str, Any],
    at: datetime,
    *,
    by: str | None = None,
) -> Message:
    """Add an activity line to *conversation*: what was done, and who did it.

    :param author_id: the person who did it; None: a program, or the desk itself.
    :param content: ``what`` names the activity, see :data:`host.inbox.pages.message_view.ACTIVITIES`.
    :param by: the name of the API key that did it, where no person did.
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
    publish_message(session, message)
    return message
