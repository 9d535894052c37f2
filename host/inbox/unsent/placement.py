"""Move a message to the time it is sent, because that is where the customer sees it."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.conversations import publish_changed_message, publish_conversation
from host.inbox.reply import show_in_list
from host.models.inbox import Conversation, DeliveryState, Direction, Message, Origin
from host.models.queue import OutboxEntry


def move_to(session: Session, message_id: int, at: datetime) -> None:
    """Move a message, and those that wait after it in its conversation, to *at* in the thread.

    ``created_at`` keeps the time of writing. The message is locked, then its conversation.
    """
    session.flush()
    message = session.get_one(Message, message_id, populate_existing=True)
    # Messages queued after it are sent after it. Without this they would briefly appear above it.
    behind = (
        sa.select(Message)
        .join(OutboxEntry, OutboxEntry.message_id == Message.id)
        .where(
            Message.conversation_id == message.conversation_id,
            Message.id > message.id,
            Message.direction == Direction.OUTBOUND,
            Message.state == DeliveryState.QUEUED,
            Message.sent_at < at,
            OutboxEntry.open.is_(True),
        )
        .order_by(Message.id)
        .with_for_update(of=Message)
        .execution_options(populate_existing=True)
    )
    moved = [message, *session.scalars(behind)]
    conversation = session.get_one(
        Conversation, message.conversation_id, with_for_update=True, populate_existing=True
    )
    shown = conversation.last_message_at, conversation.last_direction
    # The list shows an automatic message only if it already does.
    listed = [one for one in moved if one.origin != Origin.SYSTEM or (one.sent_at, one.direction) == shown]
    for one in moved:
        one.sent_at = at
    session.flush()
    for one in moved:
        publish_changed_message(session, one)
    if listed and at >= conversation.last_message_at:
        show_in_list(conversation, listed[-1])
        session.flush()
        publish_conversation(session, conversation)
