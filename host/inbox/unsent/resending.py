"""Actions on an unsent reply: resend it, cancel it, edit it while it waits.

A worker that has begun to send a message wins: each action takes the worker's lock on the outbox entry, and
is refused if the message is in another state by then.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.cleaning import clean_written
from host.core.errors import ConflictError
from host.inbox import outcome
from host.inbox.comments import private_reply, threads
from host.inbox.composition import sender_address
from host.inbox.conversations import publish_changed_message, publish_conversation
from host.inbox.drafts import MAX_LENGTH, parts_of
from host.inbox.errors import EmptyTextError, TooLongError, UnknownChannelError
from host.inbox.reply import answer, show_in_list
from host.inbox.unsent.scheduled import note_next
from host.models.channels import ChannelAccount, ref
from host.models.inbox import Conversation, DeliveryState, Direction, InternalKind, Message
from host.models.queue import OutboxEntry
from host.queue import outbox
from host.sdk.channel import ChannelAdapter, ProviderProblem
from host.sdk.i18n import noop
from host.sdk.messages import MessageKind
from host.search import postings


class NotEditableError(ConflictError):
    """The message is not a text, or was already handed to the provider."""

    code = "not_editable"
    title = _l("It cannot be edited")
    default_sentence = _l("Only a text that has not been sent can be edited.")
    default_next_step = _l("Cancel it and write another.")


class CommentDeletedError(ConflictError):
    """The comment that the message answers was deleted."""

    code = "comment_deleted"
    title = _l("The comment was deleted")
    default_sentence = _l("The comment was deleted, so this can’t be sent anymore.")
    default_next_step = ""


AGAIN_CANCELLED = ProviderProblem(
    code="cancelled",
    sentence=noop("Resending was canceled. It may have arrived earlier."),
    next_step=noop("Press Check to find out."),
)


def retry(session: Session, message_id: int, sender: str = "", adapter: ChannelAdapter | None = None) -> None:
    """Queue a failed message again, with the parts of its reply that were held back because of it.

    :param sender: the account's address to send them from; empty to keep the earlier one.
    :raises NotSendableError, UnknownChannelError: as :func:`host.inbox.composition.sender_address.change`.
    :raises NotInOutboxError: if the message has no outbox entry.
    :raises StateMovedOnError: if it is no longer failed.
    :raises PrivateReplyUsedError: if it is a private reply that another one has replaced.
    :raises CommentDeletedError: if the comment that it answers was deleted.
    """
    entry = outbox.locked_entry(session, message_id, DeliveryState.FAILED)
    message = session.get_one(Message, message_id)
    if threads.answers_deleted(session, message):
        raise CommentDeletedError()
    if message.content.get("private") is True:
        private_reply.take(session, message)
    if sender:
        sender_address.change(
            session, message, adapter, ref(session.get_one(ChannelAccount, message.account_id)), sender
        )
    entry.attempts = 0
    entry.resent = False
    _queue_again(session, entry)
    outcome.release_rest(session, message_id)


def send_again(session: Session, message_id: int) -> None:
    """Queue an unconfirmed message again, although the provider may have it already.

    :raises NotInOutboxError: if the message has no outbox entry.
    :raises StateMovedOnError: if it is no longer unconfirmed.
    :raises CommentDeletedError: if the comment that it answers was deleted.
    """
    entry = outbox.locked_entry(session, message_id, DeliveryState.UNKNOWN)
    if threads.answers_deleted(session, session.get_one(Message, message_id)):
        raise CommentDeletedError()
    entry.resent = True
    _queue_again(session, entry)


def send_anyway(session: Session, message_id: int) -> None:
    """Send a part that was held back because an earlier one was not sent, with the parts after it.

    :raises NotInOutboxError: if the message has no outbox entry.
    :raises StateMovedOnError: if it no longer waits.
    """
    entry = outbox.locked_entry(session, message_id, DeliveryState.QUEUED)
    if entry.open or entry.not_before is not None:
        raise outbox.StateMovedOnError()
    message = session.get_one(Message, message_id)
    first = (entry.waiting or {}).get("sentence") in outcome.STAYS
    outcome.release_rest(session, message_id, itself=True)
    if first:
        # Only now does it answer the customer.
        conversation = conversation_of(session, message)
        answer(session, conversation, message, message.author_id)


def cancel(session: Session, message_id: int) -> None:
    """Cancel a waiting message. If it was unconfirmed before it was queued again, it is unconfirmed again.

    :raises NotInOutboxError: if the message has no outbox entry.
    :raises StateMovedOnError: if it no longer waits.
    """
    entry = outbox.locked_entry(session, message_id, DeliveryState.QUEUED)
    planned = entry.not_before is not None and not entry.open
    entry.open = False
    entry.next_at = entry.not_before = None
    entry.waiting = entry.undo = None
    session.flush()
    if entry.resent:
        outcome.record_unknown(session, message_id, AGAIN_CANCELLED)
        return
    outcome.record_cancelled(session, message_id)
    message = session.get_one(Message, message_id)
    conversation = conversation_of(session, message)
    if planned:
        message.sent_at = clock.now()  # it is no longer scheduled
        note_next(session, conversation)
    else:
        leave_list(session, conversation, [message])


def edit(session: Session, message_id: int, text: str, adapter: ChannelAdapter | None) -> None:
    """Change the text of an unsent message.

    :raises NotInOutboxError: if the message has no outbox entry.
    :raises StateMovedOnError: if it no longer waits.
    :raises NotEditableError: if it is not a text, or may already have reached the customer.
    :raises UnknownChannelError: if no active addon provides the channel (*adapter* is None).
    :raises EmptyTextError: if the text is blank.
    :raises TooLongError: if it does not fit in one message of the channel.
    """
    entry = outbox.locked_entry(session, message_id, DeliveryState.QUEUED)
    message = session.get_one(Message, message_id, with_for_update=True, populate_existing=True)
    if message.kind != MessageKind.TEXT or entry.resent:
        raise NotEditableError()
    if adapter is None:
        raise UnknownChannelError()
    words = clean_written(text)
    if not words:
        raise EmptyTextError(_l("The text is empty, so nothing was changed."))
    if len(words) > MAX_LENGTH:
        raise TooLongError(limit=MAX_LENGTH)
    private = adapter.capabilities.private_replies if message.content.get("private") is True else None
    most = adapter.capabilities.text_limit if private is None else private.text_limit_bytes
    parts_of(words, most, "reject")
    message.text = words
    _reword_draft(session, message)
    session.flush()
    postings.forget_messages(session, [message_id])
    conversation = conversation_of(session, message)
    if _is_last(conversation, message):
        show_in_list(conversation, message)
        publish_conversation(session, conversation)
    publish_changed_message(session, message)


def _reword_draft(session: Session, message: Message) -> None:
    """Update the draft that undoing the reply of *message* restores."""
    first = session.scalars(
        sa.select(OutboxEntry)
        .join(Message, Message.id == OutboxEntry.message_id)
        .where(
            Message.conversation_id == message.conversation_id,
            Message.reply_key == message.reply_key,
            Message.position == 0,
        )
    ).one_or_none()
    if first is not None and first.undo:
        draft = {name: value for name, value in first.undo.get("draft", {}).items() if name != "text"}
        first.undo = {**first.undo, "draft": draft}


def leave_list(session: Session, conversation: Conversation, messages: Sequence[Message]) -> None:
    """Restore the list's preview from before *messages*, which will not be sent."""
    if not any(_is_last(conversation, message) for message in messages):
        return
    query = (
        sa.select(Message)
        .where(
            Message.conversation_id == conversation.id,
            Message.direction != Direction.INTERNAL,
            Message.id.not_in([message.id for message in messages]),
            Message.sent_at <= clock.now(),
            sa.or_(Message.state.is_(None), Message.state != DeliveryState.CANCELLED),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    before = session.scalars(query).one_or_none()
    if before is not None:
        show_in_list(conversation, before)
    else:  # as if nobody had written
        conversation.last_direction, conversation.last_kind = Direction.INTERNAL, InternalKind.ACTIVITY
        conversation.last_preview, conversation.last_author_id = "", None
    session.flush()
    publish_conversation(session, conversation)


def conversation_of(session: Session, message: Message) -> Conversation:
    """Return the conversation of *message*, locked after the outbox entry, as workers do."""
    return session.get_one(
        Conversation, message.conversation_id, with_for_update=True, populate_existing=True
    )


def _is_last(conversation: Conversation, message: Message) -> bool:
    """Return whether the list may show *message* as the conversation's last one."""
    return (conversation.last_message_at, conversation.last_direction) == (message.sent_at, message.direction)


def _queue_again(session: Session, entry: OutboxEntry) -> None:
    entry.open = True
    entry.next_at = None
    entry.readings = 0
    entry.transient = 0
    entry.waiting = None
    session.flush()
    outcome.record_queued(session, entry.message_id)
