"""Undo a waiting reply, or send it early.

A person's reply stays in the outbox for some seconds, as configured for the workspace. Undoing it deletes its
messages, reverts the effects of answering, and returns the content to its author. A worker that has begun to
send wins: undoing takes the same locks on lane and entry, so a reply is either sent or undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ForbiddenError
from host.events.writing import show
from host.inbox import conversation_actions
from host.inbox.conversations import check_message, locked_conversation, publish_conversation
from host.inbox.reply import take_lane
from host.inbox.unsent import resending, scheduled
from host.inbox.unsent.prior_state import put_back
from host.media import uploads
from host.models.inbox import Attachment, Conversation, ConversationStatus, DeliveryState, Message
from host.models.queue import OutboxEntry
from host.queue import outbox
from host.search import postings
from host.users.actor import UnitOfWork

CLOSE, SNOOZE = "close", "snooze"
"""Changes that can be made when sending, by their name in the form."""


class NotYoursError(ForbiddenError):
    """Only its author can undo a reply."""

    code = "not_yours"
    default_sentence = _l("Only the colleague who wrote this reply can undo it. Nothing was undone.")
    default_next_step = _l("Cancel it instead if it must not be sent.")


@dataclass(frozen=True, slots=True)
class TakenBack:
    """A reply that was undone.

    :param draft: its content: ``text``, ``reply_to``, ``composer`` (data of the page's scripts), and
        ``mode``, ``private`` for a private reply.
    """

    conversation_id: int
    draft: dict[str, Any] = field(repr=False)


def undo(work: UnitOfWork, conversation_id: int, message_id: int) -> TakenBack:
    """Undo a person's reply that no worker has begun to send, with all its parts; return its content.

    :raises MessageNotFoundError: if the conversation has no such message.
    :raises NotYoursError: if somebody else wrote it.
    :raises StateMovedOnError: if it is being sent, or was not queued as undoable.
    """
    session, workspace_id = work.session, work.workspace_id
    check_message(session, work.workspace_id, conversation_id, message_id, accounts=work.accounts)
    reply_key = scheduled.key_of(session, conversation_id, message_id)
    take_lane(session, workspace_id, conversation_id)
    parts = _parts(session, conversation_id, reply_key)
    if not parts or any(message.state != DeliveryState.QUEUED for _entry, message in parts):
        raise outbox.StateMovedOnError()
    if any(message.author_id != work.author_id for _entry, message in parts):
        raise NotYoursError()
    kept = parts[0][0].undo
    if not kept or any(entry.attempts for entry, _message in parts):
        raise outbox.StateMovedOnError()
    conversation = locked_conversation(work, conversation_id)
    messages = [message for _entry, message in parts]
    ids = [message.id for message in messages]
    draft = {"text": "\n".join(one.text for one in messages if one.text), **kept.get("draft", {})}
    resending.leave_list(session, conversation, messages)
    _remove(session, workspace_id, ids)
    for one in ids:
        show(session, workspace_id, "gone", conversation_id=conversation_id, message_id=one)
    if "state" in kept:
        _reopen(work, conversation, kept, messages[0].created_at)
        put_back(session, conversation, kept["state"], work.now)
    scheduled.note_next(session, conversation)
    publish_conversation(session, conversation)
    return TakenBack(conversation_id, draft)


def _parts(session: Session, conversation_id: int, reply_key: str) -> Sequence[sa.Row[OutboxEntry, Message]]:
    query = (
        sa.select(OutboxEntry, Message)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(Message.conversation_id == conversation_id, Message.reply_key == reply_key)
        .order_by(OutboxEntry.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.execute(query).all()


def _remove(session: Session, workspace_id: int, ids: Sequence[int]) -> None:
    """Delete unsent messages. Their uploads become available again."""
    keys = list(
        session.scalars(
            sa.select(Attachment.storage_key).where(
                Attachment.message_id.in_(ids), Attachment.storage_key.is_not(None)
            )
        )
    )
    uploads.give_back(session, workspace_id, [key for key in keys if key is not None])
    session.execute(sa.delete(Attachment).where(Attachment.message_id.in_(ids)))
    session.execute(sa.delete(OutboxEntry).where(OutboxEntry.message_id.in_(ids)))
    session.execute(sa.delete(Message).where(Message.id.in_(ids)))
    session.expire_all()
    postings.forget_messages(session, list(ids))


def _reopen(work: UnitOfWork, conversation: Conversation, kept: dict[str, Any], sent: datetime) -> None:
    """Undo the side effects of sending, unless somebody changed them since."""
    if kept.get("then") == CLOSE and conversation.closed_at == sent:
        conversation_actions.set_fields(work, conversation.id, {"status": ConversationStatus.OPEN})
        conversation.waiting_since = None
    elif kept.get("then") == SNOOZE and conversation.snooze_kind is not None:
        conversation_actions.set_fields(work, conversation.id, {"snooze": None})
        conversation.woken_at = None


def send_now(work: UnitOfWork, conversation_id: int, message_id: int) -> None:
    """Send an undoable or scheduled reply now, with those that wait before it.

    :raises MessageNotFoundError: if the conversation has no such message.
    :raises StateMovedOnError: if it no longer waits.
    """
    session = work.session
    check_message(session, work.workspace_id, conversation_id, message_id, accounts=work.accounts)
    reply_key = scheduled.key_of(session, conversation_id, message_id)
    if scheduled.release(session, conversation_id, reply_key, work.now, anyway=True):
        return
    entry = outbox.locked_entry(session, message_id, DeliveryState.QUEUED)
    if not entry.open or entry.not_before is None:
        raise outbox.StateMovedOnError()
    last = max(part.id for part, _message in _parts(session, conversation_id, reply_key))
    query = (
        sa.select(OutboxEntry)
        .where(
            OutboxEntry.lane == entry.lane,
            OutboxEntry.open.is_(True),
            OutboxEntry.not_before.is_not(None),
            OutboxEntry.id <= last,
        )
        .order_by(OutboxEntry.id)
        .with_for_update()
    )
    for one in session.scalars(query).all():
        one.not_before = one.next_at = None
        session.flush()
        message = session.get_one(Message, one.message_id)
        show(
            session,
            work.workspace_id,
            "changed",
            conversation_id=message.conversation_id,
            message_id=message.id,
        )
