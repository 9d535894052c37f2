"""Hide a message on the desk's pages, and show it again. The provider and the customer keep it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from host import clock
from host.inbox.conversations import locked
from host.inbox.errors import MessageNotFoundError
from host.inbox.kinds import HIDDEN
from host.inbox.models import Conversation, Direction, Message
from host.inbox.preview import preview
from host.live.publish import publish


def hide(session: Session, message_id: int) -> None:
    """Let nobody of the team see what a message says. What was taken back says nothing anyway.

    :raises MessageNotFoundError: if there is none, or it is a note or an activity line.
    """
    _set(session, message_id, clock.now())


def show_again(session: Session, message_id: int) -> None:
    """Let the team see a hidden message again.

    :raises MessageNotFoundError: as :func:`hide`.
    """
    _set(session, message_id, None)


def _set(session: Session, message_id: int, hidden_at: datetime | None) -> None:
    message = session.get(Message, message_id)
    if message is None or message.direction == Direction.INTERNAL:
        raise MessageNotFoundError()
    conversation = locked(session, message.workspace_id, message.conversation_id)
    session.refresh(message)
    if message.unsent_at is not None or (message.hidden_at is None) is (hidden_at is None):
        return
    message.hidden_at = hidden_at
    if _is_listed(conversation, message):
        conversation.last_kind = HIDDEN if hidden_at else message.kind
        conversation.last_preview = "" if hidden_at else preview(message.text)
    session.flush()
    payload = {"conversation": message.conversation_id, "message": message.id}
    publish(session, message.workspace_id, "changed", payload)


def _is_listed(conversation: Conversation, message: Message) -> bool:
    """Tell whether the list shows *message* as the conversation's last one."""
    return (conversation.last_message_at, conversation.last_direction) == (message.sent_at, message.direction)
