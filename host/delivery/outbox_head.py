"""Read the first open reply of a lane, and build the adapter's requests from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, storage
from host.core.backports.values import replace
from host.delivery import agent_messages
from host.inbox.apply import responders
from host.inbox.apply.participants import AFTER_FORWARD
from host.inbox.comments import private_reply
from host.inbox.composition import forwarding
from host.inbox.composition.quotes import reader, to_quote
from host.inbox.contacts import marketing
from host.inbox.reply import ANNOUNCES_PERSON
from host.media import links, uploads
from host.models.automation import AutomationRun
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import (
    Attachment,
    Contact,
    ContactIdentity,
    Conversation,
    DeliveryState,
    Direction,
    Handler,
    InternalKind,
    Message,
    Origin,
)
from host.models.queue import OutboxEntry
from host.models.users import Workspace
from host.queue import policy
from host.queue.outbox import message_key
from host.sdk.channel import (
    CLOSED_ALWAYS,
    AccountRef,
    ChannelAdapter,
    ForwardedMessage,
    PrivateContext,
    ProviderProblem,
    ReplyContext,
    ReplyPolicy,
    SearchRequest,
    SendRequest,
    Threading,
)
from host.sdk.messages import MessageKind, OutgoingFile, OutgoingPart
from host.users import desk_language


class OutboxHead(msgspec.Struct, frozen=True):
    """The first open reply as read before any decision; later writes check it again."""

    entry_id: int
    message_id: int
    conversation_id: int
    state: DeliveryState
    account: AccountRef
    account_state: AccountState
    blocked_until: datetime | None
    blocked_reason: str | None
    failures: int
    failing_since: datetime | None
    probe_at: datetime | None
    recipient: str
    recipient_name: str
    part: OutgoingPart
    shown_with: int
    """Number of unsent items that it refers to by an id and that are shown with it."""
    by_person: bool
    automatic: bool
    unwanted: ProviderProblem | None
    """Why a message must no longer be sent, because of later changes; None if it may."""
    key: str
    attempts: int
    attempted_at: datetime | None
    next_at: datetime | None
    readings: int
    resent: bool
    transient: int
    waiting: dict[str, Any] | None
    written_at: datetime
    sent_at: datetime
    """Its position in the thread."""
    last_inbound_at: datetime | None
    subject: str | None
    identity_id: int
    unreachable: bool
    takes_over: bool = False
    """Whether sending it takes the conversation from another program that has it."""
    responder: Mapping[str, Any] | None = None
    """The program that had the conversation when that was decided."""
    language: str = "en"
    timezone: str = "UTC"
    forwards: tuple[ForwardedMessage, ...] = ()
    """Messages that it forwards."""
    is_forward: bool = False
    answers: PrivateContext | None = None
    """Policy data of a private reply, used instead of the reply window."""

    def files_are_there(self) -> bool:
        """Return whether every file of the message is there.

        :raises StoreAwayError: if that is currently unknown.
        """
        try:
            for file in self.part.files:
                file.open().close()
        except storage.NotStoredError:
            return False
        return True

    def may_reply(self, adapter: ChannelAdapter) -> ReplyPolicy:
        """Return whether the channel allows this message to be sent now."""
        if self.answers is not None:
            return adapter.private_policy(replace(self.answers, now=clock.now()))
        if self.part.private:
            return CLOSED_ALWAYS  # the message it answers was deleted
        context = ReplyContext(self.account, clock.now(), self.last_inbound_at, by_person=self.by_person)
        if self.part.kind is MessageKind.APPROVED_TEMPLATE:
            return adapter.approved_policy(context)
        return adapter.reply_policy(context)


def _kind(value: str) -> MessageKind:
    """Return the kind named *value*; the adapter refuses unknown ones."""
    try:
        return MessageKind(value)
    except ValueError:
        return MessageKind.UNSUPPORTED


_files = sa.select(Attachment).where(Attachment.message_id == sa.bindparam("message")).order_by(Attachment.id)


def _part(message: Message, attachments: Sequence[Attachment]) -> OutgoingPart:
    """Return the part to send: the message with its files; a card's picture becomes an address."""
    files = tuple(
        uploads.outgoing(one, _kind(one.kind), links.public_url(one))
        for one in attachments
        if one.kind != MessageKind.TEMPLATE
    )
    kind = _kind(message.kind)
    content: Mapping[str, Any] = message.content
    if kind is MessageKind.TEMPLATE and files:
        content, files = with_pictures(content, files), ()
    private = content.get("private") is True
    if private:
        content = {name: value for name, value in content.items() if name != "private"}
    return OutgoingPart(kind, message.text, content, files, message.reply_to, private)


def with_pictures(content: Mapping[str, Any], files: Sequence[OutgoingFile]) -> dict[str, Any]:
    """Return the content of a template with each ``file``, an index of *files*, replaced by its address."""
    elements = []
    for card in content.get("template", {}).get("elements", []):
        shown = {name: value for name, value in card.items() if name != "file"}
        if "file" in card:
            shown["image_url"] = files[card["file"]].url
        elements.append(shown)
    return {**content, "template": {"elements": elements}}


_head = (
    sa.select(
        OutboxEntry,
        Message,
        ChannelAccount,
        Conversation,
        ContactIdentity,
        Workspace.language,
        Workspace.timezone,
    )
    .join(Message, Message.id == OutboxEntry.message_id)
    .join(ChannelAccount, ChannelAccount.id == OutboxEntry.account_id)
    .join(Conversation, Conversation.id == Message.conversation_id)
    .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
    .join(Workspace, Workspace.id == Message.workspace_id)
    .where(OutboxEntry.lane == sa.bindparam("lane"), OutboxEntry.open.is_(True))
    .order_by(OutboxEntry.id)
    .limit(1)
)


def read_outbox_head(session: Session, lane: str) -> OutboxHead | None:
    """Return the oldest open entry of *lane*, or None."""
    row = session.execute(_head, {"lane": lane}).first()
    if row is None:
        return None
    entry, message, account, conversation, identity, language, timezone = row
    attachments = session.scalars(_files, {"message": message.id}).all()
    is_forward = message.kind == InternalKind.FORWARD
    passed_on = forwarding.passed_on(session, message) if is_forward else None
    return OutboxHead(
        entry_id=entry.id,
        message_id=message.id,
        conversation_id=conversation.id,
        state=DeliveryState(message.state or DeliveryState.FAILED),
        account=ref(account),
        account_state=AccountState(account.state),
        blocked_until=account.blocked_until,
        blocked_reason=account.blocked_reason,
        failures=account.failures,
        failing_since=account.failing_since,
        probe_at=account.probe_at,
        recipient=entry.recipient,
        recipient_name=(identity.name or "")
        if identity.external_id == entry.recipient and not is_forward
        else "",
        part=_part(message, attachments) if passed_on is None else passed_on.part,
        shown_with=sum(one.kind == MessageKind.TEMPLATE for one in attachments),
        by_person=message.origin == Origin.AGENT,
        automatic=message.origin == Origin.SYSTEM,
        unwanted=_unwanted(session, message, conversation),
        key=message_key(message),
        attempts=entry.attempts,
        attempted_at=entry.attempted_at,
        next_at=entry.next_at,
        readings=entry.readings,
        resent=entry.resent,
        transient=entry.transient,
        waiting=entry.waiting,
        written_at=message.created_at,
        sent_at=message.sent_at,
        last_inbound_at=conversation.last_inbound_at,
        subject=conversation.subject,
        identity_id=conversation.identity_id,
        # The recipient of a forward is not the customer, so nothing changes for the customer.
        unreachable=identity.unreachable_since is not None and not is_forward,
        takes_over=not is_forward
        and message.kind != MessageKind.APPROVED_TEMPLATE
        and responders.is_held(conversation, clock.now()),
        responder=conversation.responder,
        language=desk_language.of_workspace(language),
        timezone=timezone or "UTC",
        forwards=() if passed_on is None else passed_on.messages,
        is_forward=is_forward,
        answers=_answers(session, message),
    )


def _answers(session: Session, message: Message) -> PrivateContext | None:
    """Return the policy data of a private reply; None for other replies, or if the answered message is
    deleted.
    """
    if message.content.get("private") is not True or message.reply_to is None:
        return None
    query = sa.select(Message).where(
        Message.account_id == message.account_id,
        Message.external_id == message.reply_to,
        Message.unsent_at.is_(None),
    )
    answered = session.scalars(query).one_or_none()
    return None if answered is None else private_reply.context(session, answered, clock.now())


def _unwanted(session: Session, message: Message, conversation: Conversation) -> ProviderProblem | None:
    """Return why a message must no longer be sent, because of later changes; None if it may."""
    if marketing.is_marketing(message.content) and marketing.stopped(
        session, conversation.contact_id, conversation.channel, conversation.account_id
    ):
        return agent_messages.MARKETING_STOPPED
    if message.origin != Origin.SYSTEM:
        return None
    if conversation.handled_by == Handler.PERSON and not _is_notice(session, message):
        return agent_messages.PERSON_ANSWERS
    if responders.is_held(conversation, clock.now()):
        return agent_messages.ANSWERED_ELSEWHERE
    contact = session.get_one(Contact, conversation.contact_id)
    return None if contact.accepts_automatic else agent_messages.OPTED_OUT


def _is_notice(session: Session, message: Message) -> bool:
    """Return whether a message is a greeting or an away message, or announces a person: it is sent even if
    people write too.
    """
    if (message.reply_key or "").endswith(ANNOUNCES_PERSON):
        return True
    runs = sa.select(AutomationRun.sent_id, AutomationRun.facts).where(
        AutomationRun.conversation_id == message.conversation_id, AutomationRun.sent_id >= message.id
    )
    # The row of a run names only its last message; its facts name all of them.
    return any(
        sent_id == message.id or message.id in facts.get("sent", ())
        for sent_id, facts in session.execute(runs)
    )


def send_request(session: Session, head: OutboxHead, adapter: ChannelAdapter, tag: str | None) -> SendRequest:
    """Return the request for the adapter; with references only if the channel uses them for threading."""
    references: tuple[str, ...] = ()
    quoted = None
    if head.is_forward:
        pass  # it is not an answer
    elif adapter.capabilities.threading is Threading.REFERENCES:
        references = _references(session, head)
        if head.by_person:
            known = reader(adapter, head.recipient), head.part.content
            quoted = to_quote(session, head.conversation_id, head.account.id, *known, head.message_id)
    return SendRequest(
        account=head.account,
        recipient=head.recipient,
        part=head.part,
        message_key=head.key,
        tag=tag,
        attempt=head.attempts + 1,
        subject=head.subject,
        references=references,
        answers=head.answers,
        automatic=head.automatic,
        recipient_name=head.recipient_name,
        quoted=quoted,
        forwards=head.forwards,
        language=head.language,
        timezone=head.timezone,
    )


def _references(session: Session, head: OutboxHead) -> tuple[str, ...]:
    """Return the ids of the conversation's messages that the customer knows, newest first."""
    rows = session.execute(
        sa.select(Message.external_id, Message.content)
        .where(
            Message.conversation_id == head.conversation_id,
            Message.account_id == head.account.id,
            Message.direction != Direction.INTERNAL,
            Message.external_id.is_not(None),
            Message.id != head.message_id,
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(policy.REFERENCES)
    )
    return tuple(row.external_id for row in rows if AFTER_FORWARD not in (row.content or {}))


def search_request(session: Session, head: OutboxHead) -> SearchRequest:
    """Return the search request, and the messages of this conversation whose ids are already known."""
    attempted_at = head.attempted_at or head.written_at
    known = session.scalars(
        sa.select(Message.external_id).where(
            Message.conversation_id == head.conversation_id,
            Message.direction == Direction.OUTBOUND,
            Message.external_id.is_not(None),
            Message.sent_at >= attempted_at - timedelta(days=1),
        )
    )
    return SearchRequest(
        account=head.account,
        recipient=head.recipient,
        part=head.part,
        message_key=head.key,
        attempted_at=attempted_at,
        known=frozenset(one for one in known if one is not None),
    )
