"""Scheduled replies: they wait outside the lane until their time, then become its last entries.

So other messages are sent without delay, and the customer receives everything in the order of the thread,
which shows a planned reply at its time.

A worker's scheduled job releases due replies. A reply that must not be sent if the customer writes first is
held back and marked in the thread until a person decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import ConflictError
from host.inbox import outcome
from host.inbox.conversations import (
    add_activity,
    locked_conversation,
    publish_changed_message,
    publish_conversation,
)
from host.inbox.errors import MessageNotFoundError, UnknownChannelError
from host.inbox.reply import answer, check_send_time, take_lane
from host.models.inbox import Conversation, DeliveryState, Direction, Message
from host.models.queue import OutboxEntry
from host.queue import outbox
from host.sdk.channel import ChannelAdapter
from host.users.actor import DESK, UnitOfWork

PORTION = 50
"""Maximum number of replies handled by one round of the job."""


class NotForLaterError(ConflictError):
    """The message is no longer scheduled."""

    code = "not_for_later"
    title = _l("No longer scheduled")
    default_sentence = _l("This reply is no longer scheduled. Nothing was changed.")
    default_next_step = _l("Reload the conversation and look again.")
    program_step = _l("Get the message to see its state.")


def _waiting() -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the outbox entry of a scheduled message."""
    return [
        OutboxEntry.not_before.is_not(None),
        OutboxEntry.open.is_(False),
        Message.state == DeliveryState.QUEUED,
    ]


def _wrote_since() -> sa.ColumnElement[bool]:
    """Return the condition that the customer wrote after a reply was scheduled."""
    theirs = sa.orm.aliased(Message)
    return (
        sa.select(theirs.id)
        .where(
            theirs.conversation_id == Message.conversation_id,
            theirs.id > Message.id,
            theirs.direction == Direction.INBOUND,
            theirs.imported_at.is_(None),
        )
        .exists()
    )


def is_due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*: each scheduled reply is looked up, the earliest first."""
    not_sent = (
        sa.select(Message.id)
        .where(Message.id == OutboxEntry.message_id, Message.state == DeliveryState.QUEUED, _is_time(now))
        .correlate(OutboxEntry)
    )
    return (
        sa.select(OutboxEntry.not_before)
        .where(
            OutboxEntry.not_before.is_not(None),
            OutboxEntry.open.is_(False),
            not_sent.scalar_subquery().is_not(None),
        )
        .order_by(OutboxEntry.not_before)
    )


def _is_time(now: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a scheduled reply is to be released or held back at *now*."""
    return sa.or_(OutboxEntry.not_before <= now, sa.and_(OutboxEntry.unless_written, _wrote_since()))


def release_due() -> int:
    """Move due replies into their lanes, and hold back those whose customer wrote first.

    Return their number. Each reply is one write, so it is handled once even with several workers, or if one
    dies.
    """
    now = clock.now()
    with db.read() as session:
        found = due(session, now)
    return sum(db.write(release, conversation_id, reply_key, now) for conversation_id, reply_key in found)


def due(session: Session, now: datetime) -> Sequence[tuple[int, str]]:
    """Return conversation and reply key of scheduled replies to release or hold back, earliest first."""
    query = (
        sa.select(Message.conversation_id, Message.reply_key)
        .join(OutboxEntry, OutboxEntry.message_id == Message.id)
        .where(*_waiting(), _is_time(now))
        .order_by(OutboxEntry.not_before, OutboxEntry.id)
        .limit(PORTION)
    )
    return list(dict.fromkeys((row.conversation_id, row.reply_key) for row in session.execute(query)))


def release(
    session: Session, conversation_id: int, reply_key: str, now: datetime, *, anyway: bool = False
) -> bool:
    """Release a scheduled reply, or hold it back because the customer wrote first.

    Return whether it was still scheduled and due.

    :param anyway: whether to send it early and even if the customer wrote, because a person requested it.
    """
    workspace_id = session.scalar(
        sa.select(Conversation.workspace_id).where(Conversation.id == conversation_id)
    )
    if workspace_id is None:
        return False
    recipient = take_lane(session, workspace_id, conversation_id)
    parts = _parts(session, conversation_id, reply_key)
    if not parts or (not anyway and not _is_due(session, parts, now)):
        return False
    work = UnitOfWork(session, workspace_id, DESK, now)
    conversation = locked_conversation(work, conversation_id)
    if not anyway and parts[0][0].unless_written and _customer_wrote(session, parts):
        _hold_back(session, parts, outcome.WROTE_FIRST, now)
        add_activity(work, conversation, {"what": "held_for_message"})
        note_next(session, conversation)
        return True
    messages = [message for _entry, message in parts]
    for entry, _message in parts:
        session.delete(entry)
    session.flush()
    for message in messages:
        message.sent_at = now
        session.flush()
        outbox.enqueue(session, message, recipient)
        publish_changed_message(session, message)
    answer(session, conversation, messages[-1], messages[-1].author_id)
    note_next(session, conversation)
    return True


def _parts(session: Session, conversation_id: int, reply_key: str) -> Sequence[sa.Row[OutboxEntry, Message]]:
    """Lock and return the waiting parts of a scheduled reply: entries with their messages, in order."""
    query = (
        sa.select(OutboxEntry, Message)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(*_waiting(), Message.conversation_id == conversation_id, Message.reply_key == reply_key)
        .order_by(OutboxEntry.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return session.execute(query).all()


def _is_due(session: Session, parts: Sequence[sa.Row[OutboxEntry, Message]], now: datetime) -> bool:
    entry = parts[0][0]
    assert entry.not_before is not None
    return entry.not_before <= now or (entry.unless_written and _customer_wrote(session, parts))


def _customer_wrote(session: Session, parts: Sequence[sa.Row[OutboxEntry, Message]]) -> bool:
    query = sa.select(Message.id).where(Message.id == parts[0][1].id, _wrote_since())
    return session.scalar(query) is not None


def _hold_back(
    session: Session, parts: Sequence[sa.Row[OutboxEntry, Message]], why: str, now: datetime
) -> None:
    for entry, message in parts:
        entry.not_before = None
        message.sent_at = now  # below the customer's message, where the team sees it
        session.flush()
        outcome.record_waiting(session, message.id, {"sentence": why, "until": None})


def waiting_in(session: Session) -> Sequence[int]:
    """Return the conversations that have, or had, scheduled replies."""
    query = sa.select(Conversation.id).where(Conversation.scheduled_at.is_not(None))
    return session.scalars(query.order_by(Conversation.id)).all()


def keep_here(session: Session, conversation_id: int, now: datetime) -> None:
    """Hold back a conversation's scheduled replies until a person sends them.

    After the desk was restored, they may have been sent, changed or undone since the backup.
    """
    workspace_id = session.scalar(
        sa.select(Conversation.workspace_id).where(Conversation.id == conversation_id)
    )
    assert workspace_id is not None
    take_lane(session, workspace_id, conversation_id)
    keys = session.scalars(
        sa.select(Message.reply_key)
        .join(OutboxEntry, OutboxEntry.message_id == Message.id)
        .where(*_waiting(), Message.conversation_id == conversation_id)
        .order_by(OutboxEntry.id)
    ).all()
    conversation = locked_conversation(UnitOfWork(session, workspace_id, DESK, now), conversation_id)
    for key in dict.fromkeys(keys):
        _hold_back(session, _parts(session, conversation_id, key or ""), outcome.RESTORED, now)
    note_next(session, conversation)


def note_next(session: Session, conversation: Conversation) -> None:
    """Store the time of the next scheduled reply of a locked conversation."""
    query = (
        sa.select(sa.func.min(OutboxEntry.not_before))
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(*_waiting(), Message.conversation_id == conversation.id)
    )
    session.flush()
    conversation.scheduled_at = session.scalar(query)
    session.flush()
    publish_conversation(session, conversation)


def change_time(
    work: UnitOfWork,
    conversation_id: int,
    message_id: int,
    *,
    at: datetime,
    unless_written: bool,
    adapter: ChannelAdapter | None,
) -> None:
    """Reschedule a reply with all its parts.

    :raises NotForLaterError: if it is no longer scheduled.
    :raises UnknownChannelError: if no active addon provides the channel (*adapter* is None).
    :raises SendTimeError: as :func:`host.inbox.reply.queue_parts`.
    """
    session = work.session
    reply_key = key_of(session, conversation_id, message_id)
    take_lane(session, work.workspace_id, conversation_id)
    parts = _parts(session, conversation_id, reply_key)
    if not parts:
        raise NotForLaterError()
    conversation = locked_conversation(work, conversation_id)
    if adapter is None:
        raise UnknownChannelError()
    check_send_time(session, conversation, adapter, at, work.now)
    for entry, message in parts:
        entry.not_before, entry.unless_written, message.sent_at = at, unless_written, at
        session.flush()
        publish_changed_message(session, message)
    note_next(session, conversation)


def key_of(session: Session, conversation_id: int, message_id: int) -> str:
    """Return the reply key of a message of ours.

    :raises MessageNotFoundError: if the conversation has no such message.
    """
    query = sa.select(Message.reply_key).where(
        Message.id == message_id, Message.conversation_id == conversation_id
    )
    reply_key = session.scalar(query)
    if reply_key is None:
        raise MessageNotFoundError()
    return reply_key
