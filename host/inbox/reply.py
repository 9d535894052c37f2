"""Reply to a customer: write the messages together with their outbox entries. Workers send them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.inbox import conversation_actions, variables
from host.inbox.apply import responders
from host.inbox.apply.conversations import preview, words_of
from host.inbox.comments import private_reply
from host.inbox.composition import sender_address
from host.inbox.contacts import loops, marketing
from host.inbox.conversations import check_key, locked_conversation, publish_conversation, publish_message
from host.inbox.drafts import MAX_LENGTH, Draft, Overflow, Planned, parts_of, plan
from host.inbox.errors import (
    AccountDisconnectedError,
    AlreadySentError,
    AnsweredElsewhereError,
    AnsweredMeanwhileError,
    ClosedMeanwhileError,
    ContactUnreachableError,
    ConversationNotFoundError,
    HandledByPersonError,
    OptedOutError,
    PeopleOnlyError,
    ReplyKeyError,
    SendTimeError,
    UnknownChannelError,
    WindowClosedError,
)
from host.inbox.sendable import check_asks
from host.inbox.unsent.prior_state import state_of
from host.media import uploads
from host.models.channels import AccountState, ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import (
    Attachment,
    Contact,
    ContactIdentity,
    Conversation,
    ConversationStatus,
    DeliveryState,
    Direction,
    Handler,
    InternalKind,
    Message,
    Origin,
)
from host.models.media import Upload
from host.models.queue import OutboxEntry
from host.models.users import Workspace
from host.queue import outbox
from host.sdk.channel import AccountRef, ChannelAdapter, ReplyContext, ReplyPolicy, ReplyState
from host.sdk.messages import OWN_ADDRESS, MessageKind
from host.users.actor import DESK, UnitOfWork
from host.web.message_kinds import HIDDEN

__all__ = [
    "AT_ONCE",
    "MAX_LENGTH",
    "Draft",
    "Hold",
    "Overflow",
    "check_may_send",
    "check_send_time",
    "parts_of",
    "policy_for",
    "preview_parts",
    "queue_parts",
]

FURTHEST = timedelta(days=60)
"""How far ahead a reply may be scheduled."""
MARGIN = timedelta(minutes=1)
"""How long before its end a reply window counts as closed for scheduled replies."""
UNDONE_BEFORE = timedelta(seconds=5)
"""A reply is sent this long before the reply window ends, even if its undo time is not over."""


ANNOUNCES_PERSON = "-handoff"
"""End of the key of a message that says that people answer from now on. It is sent although they do."""


class Voice(StrEnum):
    """On whose behalf a message is sent.

    Only messages from people reach customers who opted out of automated messages.
    """

    PERSON = "person"
    """A person, or a program that speaks for people."""
    AUTOMATION = "automation"
    """An automatic answer. It is not sent in conversations that a person handles."""
    NOTICE = "notice"
    """A greeting or an away message. It does not count as an answer: the customer keeps waiting, their
    messages stay unread, and the handler stays the same.
    """


class Hold(msgspec.Struct, frozen=True):
    """How long a reply is held before it is sent.

    :param at: the scheduled time; None if it is not scheduled.
    :param unless_written: whether a scheduled reply is held back if the customer writes first.
    :param undo: content that undoing restores for its author, see :mod:`host.inbox.unsent.undo`. If set,
        an unscheduled reply waits for the workspace's undo time; None sends it immediately.
    """

    at: datetime | None = None
    unless_written: bool = True
    undo: Mapping[str, Any] | None = None


AT_ONCE = Hold()


@dataclass(slots=True)
class HeldLocks:
    """Locks held by a write that sends several messages to one customer, lane first.

    :param recipient: the customer's id, from :func:`take_lane`.
    :param is_answered: whether the write has already recorded that the customer was answered.
    """

    conversation: Conversation
    recipient: str
    is_answered: bool = False


def policy_for(
    adapter: ChannelAdapter,
    account: AccountRef,
    last_inbound_at: datetime | None,
    now: datetime,
    *,
    by_person: bool = True,
    approved: bool = False,
) -> ReplyPolicy:
    """Return the reply window of a conversation: whether a reply may be sent now, and until when.

    :param approved: whether the reply is an approved template, which the window does not limit.
    """
    context = ReplyContext(account, now, last_inbound_at, by_person)
    return adapter.approved_policy(context) if approved else adapter.reply_policy(context)


def queue_parts(
    work: UnitOfWork,
    conversation_id: int,
    drafts: Sequence[Draft],
    *,
    reply_key: str,
    adapter: ChannelAdapter | None,
    overflow: Overflow = "split",
    by_person: bool = True,
    voice: Voice = Voice.PERSON,
    seen_id: int | None = None,
    hold: Hold = AT_ONCE,
    held: HeldLocks | None = None,
) -> list[Message]:
    """Queue *drafts* as messages to the customer, in order; all of them, or none.

    A repeated *reply_key* returns the existing messages.

    :param by_person: whether a person sends it; on some channels only a person may write late.
    :param voice: on whose behalf it is sent, which determines the conversation's handler.
    :param seen_id: the newest message the sender has seen; None skips the check for newer answers.
    :param hold: whether it can be undone, or is scheduled.
    :param held: locks this write already holds; None for none.
    :raises SendTimeError: if the scheduled time is past, too far ahead, or outside the reply window.
    :raises AnsweredMeanwhileError: if somebody else answered the customer since *seen_id*.
    :raises ClosedMeanwhileError: if a person writes, and somebody else closed it since *seen_id*.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises UnknownChannelError: if no active addon provides the channel (*adapter* is None).
    :raises ReplyKeyError: if *reply_key* is not 8 to 64 letters, digits, hyphens or underscores.
    :raises AlreadySentError: if *reply_key* was used for something else.

    :raises UnfilledError: if a person left a placeholder of a canned reply unfilled.

    It also raises the errors of :func:`host.inbox.drafts.plan`, :func:`check_asks`, :func:`check_may_send`
    and :func:`host.inbox.composition.sender_address.settle`.
    """
    check_key(reply_key)
    if overflow not in {"split", "truncate", "reject"}:
        raise ReplyKeyError()
    session, now = work.session, work.now
    undone_until = until_when_undone(work, hold)
    held = held or _lock(work, conversation_id, undone_until)
    recipient, conversation = held.recipient, held.conversation
    if adapter is None:
        raise UnknownChannelError()
    before = _made_before(session, conversation, reply_key)
    planned = _planned(session, conversation, drafts, adapter, overflow, by_person=by_person)
    if before and not _same(session, work.workspace_id, before, planned):
        raise AlreadySentError()
    if before:
        return before
    if seen_id is not None:
        _check_unchanged(session, conversation, seen_id, work.author_id)
    policy = _check_planned(
        session, conversation, planned, adapter, now, by_person=by_person, voice=voice, at=hold.at
    )
    if hold.at is None and undone_until is not None and policy.until is not None:
        undone_until = max(now, min(undone_until, policy.until - UNDONE_BEFORE))
        outbox.take_lane(session, conversation.account_id, recipient, undone_until)
    taken = {
        one.id: one
        for one in uploads.attach(
            session, work.workspace_id, [one for part in planned for one in part.uploads]
        )
    }
    # The first message may set another subject, which later messages of the conversation keep.
    subjects = [part.content["subject"] for part in planned if "subject" in part.content]
    conversation.subject = next(iter(subjects), conversation.subject)
    messages = [
        Message(
            workspace_id=work.workspace_id,
            conversation_id=conversation.id,
            account_id=conversation.account_id,
            direction=Direction.OUTBOUND,
            origin=Origin.AGENT if by_person else Origin.SYSTEM,
            kind=part.kind,
            text=part.text,
            content=dict(part.content),
            reply_to=part.reply_to,
            author_id=work.author_id,
            reply_key=reply_key,
            position=position,
            state=DeliveryState.QUEUED,
            sent_at=hold.at or _below_the_last(conversation, now),
            created_at=now,
        )
        for position, part in enumerate(planned)
    ]
    account = account_ref(session.get_one(ChannelAccount, conversation.account_id))
    sender_address.settle(session, conversation.id, adapter, account, messages)
    files = [[taken[one] for one in part.uploads] for part in planned]
    if voice is not Voice.NOTICE:
        # For scheduled replies too: nobody else should answer before they are sent.
        # The event names a person or Lobby, never the program whose message takes the conversation.
        taking = work if work.by is None else replace(work, actor=DESK)
        conversation_actions.handle(taking, conversation, Handler(voice), because="reply")
    if hold.at is not None:
        _keep(session, conversation, recipient, messages, files, hold)
        return messages
    undo = None if undone_until is None else {**(hold.undo or {}), "state": state_of(session, conversation)}
    entries = _write(session, conversation, recipient, messages, files, undone_until)
    _keep_undo(entries[0], undo)
    if voice is Voice.NOTICE:
        publish_conversation(session, conversation)
        return messages
    answer(session, conversation, messages[-1], work.author_id, again=held.is_answered)
    held.is_answered = True
    if by_person and work.author_id is not None:
        _assign(work, conversation)
    return messages


def _below_the_last(conversation: Conversation, now: datetime) -> datetime:
    """Return *now*, or the time of the team's last message if it moved past that while this write waited.

    A reply that waited is shown at the time it was sent, see :mod:`host.inbox.unsent.placement`.
    """
    if conversation.last_direction != Direction.OUTBOUND:
        return now
    return max(now, conversation.last_message_at)


def preview_parts(
    session: Session,
    conversation: Conversation,
    drafts: Sequence[Draft],
    adapter: ChannelAdapter,
    now: datetime,
    *,
    overflow: Overflow = "split",
    by_person: bool = True,
    voice: Voice = Voice.PERSON,
    seen_id: int | None = None,
    at: datetime | None = None,
) -> list[Planned]:
    """Return the messages that :func:`queue_parts` would queue for a program or a person. It writes nothing.

    It raises what :func:`queue_parts` would, except for a wrong or used reply key.

    :param at: the time to send it; None: now.
    """
    planned = _planned(session, conversation, drafts, adapter, overflow, by_person=by_person)
    if seen_id is not None:
        _check_unchanged(session, conversation, seen_id, None)
    _check_planned(session, conversation, planned, adapter, now, by_person=by_person, voice=voice, at=at)
    uploads.unsent(session, conversation.workspace_id, [one for part in planned for one in part.uploads])
    account = account_ref(session.get_one(ChannelAccount, conversation.account_id))
    for address in {sender_address.named(part.content) for part in planned} - {""}:
        sender_address.check(adapter, account, address)
    return planned


def _planned(
    session: Session,
    conversation: Conversation,
    drafts: Sequence[Draft],
    adapter: ChannelAdapter,
    overflow: Overflow,
    *,
    by_person: bool,
) -> list[Planned]:
    check_asks([draft.content for draft in drafts], adapter.withdrawn_asks)
    planned = plan(session, conversation, drafts, adapter.capabilities, overflow)
    if by_person:
        # A program's text may contain braces; only people can fill in a canned reply's placeholders.
        _check_filled(drafts)
    return planned


def _check_planned(
    session: Session,
    conversation: Conversation,
    planned: Sequence[Planned],
    adapter: ChannelAdapter,
    now: datetime,
    *,
    by_person: bool,
    voice: Voice,
    at: datetime | None,
) -> ReplyPolicy:
    """Raise if *planned* can't be sent now, or at the time *at*; otherwise return the reply window."""
    private = planned[0].reply_to if planned[0].private else None
    approved = all(one.kind is MessageKind.APPROVED_TEMPLATE for one in planned)
    if any(marketing.is_marketing(one.content) for one in planned):
        _check_wants_marketing(session, conversation)
    policy = check_may_send(
        session,
        conversation,
        adapter,
        now,
        by_person=by_person,
        voice=voice,
        private=private,
        approved=approved,
    )
    if at is not None:
        check_send_time(
            session, conversation, adapter, at, now, private=private is not None, approved=approved
        )
    return policy


def _lock(work: UnitOfWork, conversation_id: int, at: datetime | None) -> HeldLocks:
    """Lock the lane of the customer, then the conversation.

    :param at: as for :func:`take_lane`.
    """
    recipient = take_lane(work.session, work.workspace_id, conversation_id, at)
    return HeldLocks(locked_conversation(work, conversation_id), recipient)


def _keep_undo(entry: OutboxEntry, undo: Mapping[str, Any] | None) -> None:
    if undo is not None:  # setting None to None would cost a statement
        entry.undo = dict(undo)


def _check_filled(drafts: Sequence[Draft]) -> None:
    for draft in drafts:
        variables.check_filled(draft.text)
        template = draft.content.get("template")
        if isinstance(template, Mapping):
            variables.check_filled(str(template.get("text", "")))


def _check_unchanged(
    session: Session, conversation: Conversation, seen_id: int, author_id: int | None
) -> None:
    """Raise if the sender has not seen that the team answered, or that it closed the conversation.

    Programs are not told of the closing: they may close a conversation and then write in it.

    Every answer locks the conversation, so the second of two concurrent answers finds the first.
    """
    query = sa.select(Message.id, Message.author_id).where(
        Message.conversation_id == conversation.id,
        Message.id > seen_id,
        Message.direction == Direction.OUTBOUND,
        Message.origin != Origin.SYSTEM,  # automatic messages are no answer
        sa.or_(Message.state.is_(None), Message.state != DeliveryState.CANCELLED),
        Message.imported_at.is_(None),
    )
    newer = [row.id for row in session.execute(query) if author_id is None or row.author_id != author_id]
    closed = [] if author_id is None else _closed_since(session, conversation, seen_id, author_id)
    if newer:
        raise AnsweredMeanwhileError(sorted([*newer, *closed]), closed=bool(closed))
    if closed:
        raise ClosedMeanwhileError(closed)


def _closed_since(session: Session, conversation: Conversation, seen_id: int, author_id: int) -> list[int]:
    """Return the id of the line that says that somebody else closed *conversation*, if it is new and true."""
    if conversation.status != ConversationStatus.CLOSED:
        return []
    query = sa.select(Message.id, Message.author_id, Message.content).where(
        Message.conversation_id == conversation.id,
        Message.id > seen_id,
        Message.kind == InternalKind.ACTIVITY,
    )
    closing = [row for row in session.execute(query) if row.content.get("what") == "closed"]
    last = max(closing, key=lambda row: row.id, default=None)
    return [] if last is None or last.author_id == author_id else [last.id]


def _assign(work: UnitOfWork, conversation: Conversation) -> None:
    """Assign an unassigned conversation to the author of the reply, if the workspace is configured to."""
    if conversation.assignee_id is not None:
        return
    if work.session.get_one(Workspace, work.workspace_id).assigns_on_reply:
        conversation_actions.set_fields(work, conversation.id, {"assignee_id": work.author_id})


def until_when_undone(work: UnitOfWork, hold: Hold) -> datetime | None:
    """Return until when a reply sent now can be undone; None if it is sent at once."""
    if hold.undo is None:
        return None
    seconds = work.session.get_one(Workspace, work.workspace_id).undo_seconds
    return work.now + timedelta(seconds=seconds) if seconds > 0 else None


def take_lane(session: Session, workspace_id: int, conversation_id: int, at: datetime | None = None) -> str:
    """Lock the lane of the customer, which senders lock before the conversation; return the customer's id.

    :param at: when the lane is due; None for now.
    """
    query = (
        sa.select(Conversation.account_id, ContactIdentity.external_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(Conversation.id == conversation_id, Conversation.workspace_id == workspace_id)
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise ConversationNotFoundError()
    outbox.take_lane(session, found.account_id, found.external_id, at)
    recipient: str = found.external_id
    return recipient


def _made_before(session: Session, conversation: Conversation, reply_key: str) -> list[Message]:
    query = (
        sa.select(Message)
        .where(Message.conversation_id == conversation.id, Message.reply_key == reply_key)
        .order_by(Message.position)
    )
    return list(session.scalars(query))


def _same(
    session: Session, workspace_id: int, messages: Sequence[Message], planned: Sequence[Planned]
) -> bool:
    """Return whether *messages* are the result of *planned*, including files."""
    kept: dict[int, list[str | None]] = {}
    ids = [message.id for message in messages]
    query = sa.select(Attachment.message_id, Attachment.storage_key).where(Attachment.message_id.in_(ids))
    for message_id, key in session.execute(query.order_by(Attachment.id)):
        kept.setdefault(message_id, []).append(key)
    named = [one for part in planned for one in part.uploads]
    keys: dict[str, str] = {}
    if named:
        rows = sa.select(Upload.uuid, Upload.storage_key).where(
            Upload.workspace_id == workspace_id, Upload.uuid.in_(named)
        )
        keys = {row.uuid: row.storage_key for row in session.execute(rows)}

    def of_message(one: Message, named: bool) -> tuple[Any, ...]:
        # If the sender chose no address of the account, one was added.
        content = {name: value for name, value in one.content.items() if named or name != OWN_ADDRESS}
        return one.kind, one.text, content, one.reply_to, kept.get(one.id, [])

    def of_part(one: Planned) -> tuple[Any, ...]:
        return str(one.kind), one.text, one.content, one.reply_to, [keys.get(each) for each in one.uploads]

    return len(messages) == len(planned) and all(
        of_message(message, OWN_ADDRESS in part.content) == of_part(part)
        for message, part in zip(messages, planned, strict=True)
    )


def check_may_send(
    session: Session,
    conversation: Conversation,
    adapter: ChannelAdapter,
    now: datetime,
    *,
    by_person: bool = True,
    voice: Voice = Voice.PERSON,
    private: str | None = None,
    approved: bool = False,
) -> ReplyPolicy:
    """Raise if nothing can be sent to the customer of *conversation* now; otherwise return the reply window.

    :param voice: as for :func:`queue_parts`.
    :param private: external id of the message to answer privately, or None.
    :param approved: as for :func:`policy_for`.

    :raises PrivateReplyUsedError, PrivateReplyEndedError: as :func:`host.inbox.comments.private_reply.check`.

    :raises AccountDisconnectedError: if the account is disconnected.
    :raises ContactUnreachableError: if the provider refuses messages to this customer.
    :raises WindowClosedError: if the reply window is closed.
    :raises PeopleOnlyError: if it is open for people only, and *by_person* is false.
    :raises HandledByPersonError: for an automatic answer if a person handles the conversation.
    :raises AnsweredElsewhereError: for an automated message if another program has the conversation.
    :raises OptedOutError: for an automated message if the customer opted out or is blocked.
    :raises FromMachineError, AutomaticLimitError: for an automated message, see
        :mod:`host.inbox.contacts.loops`.
    """
    if voice is Voice.AUTOMATION and conversation.handled_by == Handler.PERSON:
        raise HandledByPersonError()
    if voice is not Voice.PERSON:
        if responders.is_held(conversation, now):
            raise AnsweredElsewhereError()
        contact = session.get_one(Contact, conversation.contact_id)
        if not contact.accepts_automatic:
            raise OptedOutError()
        loops.check(session, conversation, adapter.capabilities.automatic, now)
    account = session.get_one(ChannelAccount, conversation.account_id)
    if account.state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError()
    _check_reach(session, conversation, now, approved=approved)
    if private is not None:
        policy = private_reply.check(session, conversation, private, adapter, now)
    else:
        last = conversation.last_inbound_at
        policy = policy_for(adapter, account_ref(account), last, now, by_person=by_person, approved=approved)
    if policy.state is ReplyState.CLOSED:
        raise WindowClosedError(policy.sentence or None)
    if policy.state is ReplyState.PEOPLE_ONLY and not by_person:
        raise PeopleOnlyError()
    return policy


def _check_wants_marketing(session: Session, conversation: Conversation) -> None:
    if marketing.stopped(session, conversation.contact_id, conversation.channel, conversation.account_id):
        raise OptedOutError(
            _l("This person stopped marketing messages of yours, so this template wasn't sent."),
            next_step=_l("Choose a template that isn't marketing, or wait until they allow it again."),
        )


def _check_reach(session: Session, conversation: Conversation, now: datetime, *, approved: bool) -> None:
    columns = sa.select(
        ContactIdentity.unreachable_since, ContactIdentity.unreachable_until, ContactIdentity.unreachable
    ).where(ContactIdentity.id == conversation.identity_id)
    since, until, why = session.execute(columns).one()
    why = why or {}
    if since is None or (until is not None and until <= now) or (approved and why.get("templates") is True):
        return
    raise ContactUnreachableError(why.get("sentence") or None, next_step=why.get("next_step") or None)


def check_send_time(
    session: Session,
    conversation: Conversation,
    adapter: ChannelAdapter,
    at: datetime,
    now: datetime,
    *,
    private: bool = False,
    approved: bool = False,
) -> None:
    """Raise unless a reply may be sent at *at*, as far as is known *now*.

    :raises SendTimeError: with the reason.
    """
    if private:
        raise SendTimeError(_l("A private reply cannot be scheduled."))
    if at <= now:
        raise SendTimeError()
    if at > now + FURTHEST:
        raise SendTimeError(_l("You can schedule up to 60 days ahead. Nothing was scheduled."))
    account = account_ref(session.get_one(ChannelAccount, conversation.account_id))
    # Sending takes some time.
    last = conversation.last_inbound_at
    then = policy_for(adapter, account, last, at + MARGIN, by_person=False, approved=approved)
    if then.state is ReplyState.CLOSED:
        raise SendTimeError(
            _l("The reply window will be closed by then. Nothing was scheduled."),
            next_step=_l("Choose a time before it closes."),
        )
    if then.state is ReplyState.PEOPLE_ONLY:
        raise SendTimeError(
            _l("Only a person can reply by then. Nothing was scheduled."),
            next_step=_l("Choose an earlier time, or reply yourself then."),
        )


def _write(
    session: Session,
    conversation: Conversation,
    recipient: str,
    messages: Sequence[Message],
    files: Sequence[Sequence[uploads.Upload]],
    not_before: datetime | None,
) -> list[OutboxEntry]:
    entries = []
    for message, theirs in zip(messages, files, strict=True):
        # Flushed one by one, because messages are sent and shown in the order of their ids.
        session.add(message)
        session.flush()
        for upload in theirs:
            uploads.add_to_message(session, message.id, upload)
        if message.content.get("private") is True:
            private_reply.take(session, message)
        entries.append(outbox.enqueue(session, message, recipient, not_before=not_before))
        publish_message(session, message)
    return entries


def _keep(
    session: Session,
    conversation: Conversation,
    recipient: str,
    messages: Sequence[Message],
    files: Sequence[Sequence[uploads.Upload]],
    hold: Hold,
) -> None:
    """Store a scheduled reply: no worker sends it earlier, and the customer counts as waiting until then."""
    entries = _write(session, conversation, recipient, messages, files, hold.at)
    for entry in entries:
        entry.open, entry.next_at, entry.unless_written = False, None, hold.unless_written
    entries[0].undo = dict(hold.undo or {}) or None
    at = conversation.scheduled_at
    conversation.scheduled_at = hold.at if at is None or hold.at is None else min(at, hold.at)
    session.flush()
    publish_conversation(session, conversation)


def answer(
    session: Session,
    conversation: Conversation,
    message: Message,
    author_id: int | None,
    *,
    again: bool = False,
) -> None:
    """Record that *message* answers the customer of the locked *conversation*.

    :param again: whether this write has already recorded an answer.
    """
    if not again:
        conversation_actions.read_by_all(session, conversation, author_id)
    conversation.woken_at = None  # it has been handled
    _show(session, conversation, message)


def _show(session: Session, conversation: Conversation, message: Message) -> None:
    """Show *message* in the list if it is the last one."""
    if message.sent_at >= conversation.last_message_at:
        show_in_list(conversation, message)
    session.flush()
    publish_conversation(session, conversation)


def show_in_list(conversation: Conversation, message: Message) -> None:
    """Make *message* the one shown for *conversation* in the list."""
    hidden, unsent = message.hidden_at is not None, message.unsent_at is not None
    conversation.last_message_at = message.sent_at
    conversation.last_direction = message.direction
    conversation.last_kind = MessageKind.UNSEND if unsent else HIDDEN if hidden else message.kind
    conversation.last_preview = "" if hidden or unsent else preview(words_of(message.text, message.content))
    conversation.last_author_id = message.author_id
