"""Forward messages of a conversation to somebody else, through an account that supports it.

A forward is an internal message with a delivery state: the team sees who forwarded what to whom, the customer
sees nothing. The forwarded messages are read when the forward is sent, so content erased by then is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import Directory
from host.core.cleaning import clean_written
from host.core.errors import ConflictError
from host.events.kinds.conversations import CONVERSATION_FORWARDED
from host.inbox.composition.forwarded_form import Forms, PassedForm, content_id
from host.inbox.conversations import (
    check_key,
    get_conversation,
    locked_conversation,
    message_of,
    record_conversation,
)
from host.inbox.drafts import MAX_FILES, MAX_LENGTH
from host.inbox.errors import AlreadySentError, MessageNotFoundError, TooLongError
from host.inbox.sendable import NotSendableError, named_address
from host.media import uploads
from host.media.limits import megabytes
from host.models.channels import AccountState, ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import (
    ARRIVED,
    Attachment,
    Contact,
    ContactIdentity,
    Conversation,
    DeliveryState,
    Direction,
    InternalKind,
    Message,
    Origin,
    is_sent_along,
)
from host.queue import outbox
from host.sdk.channel import AccountRef, ChannelAdapter, ForwardedMessage
from host.sdk.messages import OWN_ADDRESS, AttachmentRole, MessageKind, OutgoingPart
from host.users.actor import UnitOfWork
from host.users.reach import Accounts

MOST = 200
"""Maximum number of messages forwarded at once: the newest."""
_SAID = tuple(sorted(ARRIVED))
_PASSED_ON = re.compile(r"\s*fwd?\s?:", re.IGNORECASE)


class NoForwarderError(ConflictError):
    """No account of the workspace can forward messages."""

    code = "no_forwarder"
    title = _l("Messages cannot be forwarded")
    default_sentence = _l("This workspace has no email account you can use, so nothing was forwarded.")
    default_next_step = _l("Connect one under Settings, Channels.")
    program_step = ""


class Forwarder(msgspec.Struct, frozen=True):
    """An account that can forward messages."""

    account: AccountRef
    adapter: ChannelAdapter

    @property
    def most_bytes(self) -> int | None:
        """Maximum total bytes of all files; None for no limit."""
        return self.adapter.capabilities.files_bytes

    @property
    def most_people(self) -> int:
        """Maximum number of addresses of one forward."""
        copies = self.adapter.capabilities.copies
        return 1 if copies is None else copies.most


class ForwardContent(msgspec.Struct, frozen=True):
    """The content of a forward.

    :param messages: oldest first; *left_out*: the number of earlier ones not included.
    :param files: files that can be sent; *missing*: names of those not stored here.
    """

    messages: Sequence[Message]
    files: Sequence[Attachment] = ()
    missing: Sequence[str] = ()
    left_out: int = 0

    @property
    def size(self) -> int:
        """Total size of the files in bytes."""
        return sum(file.size or 0 for file in self.files)


class PassedOn(msgspec.Struct, frozen=True):
    """A forward as the channel receives it."""

    part: OutgoingPart
    messages: tuple[ForwardedMessage, ...]


def forwarders(
    session: Session, directory: Directory, workspace_id: int, accounts: Accounts, first: int | None = None
) -> list[Forwarder]:
    """Return the accounts that can forward messages of *workspace_id*, of any channel.

    :param accounts: the accounts the person sees; None for all.
    :param first: the id of the account to list first if it can forward.
    """
    able = _able(directory)
    query = (
        sa.select(ChannelAccount)
        .where(*_connected(workspace_id, able, accounts))
        .order_by(ChannelAccount.id != (first or 0), ChannelAccount.id)
    )
    found = session.scalars(query) if able else ()
    return [Forwarder(account_ref(row), able[row.channel]) for row in found]


def can_forward(session: Session, directory: Directory, workspace_id: int, accounts: Accounts) -> bool:
    """Return whether :func:`forwarders` returns any, without reading all accounts."""
    able = _able(directory)
    query = sa.select(ChannelAccount.id).where(*_connected(workspace_id, able, accounts)).limit(1)
    return bool(able) and session.scalar(query) is not None


def _able(directory: Directory) -> dict[str, ChannelAdapter]:
    """Return the adapters that can forward messages, by the keys of their channels."""
    pairs = zip(directory.keys, directory.adapters, strict=True)
    return {key: adapter for key, adapter in pairs if adapter.capabilities.forwards}


def _connected(
    workspace_id: int, channels: Collection[str], accounts: Accounts
) -> list[sa.ColumnElement[bool]]:
    found = [
        ChannelAccount.workspace_id == workspace_id,
        ChannelAccount.state == AccountState.CONNECTED,
        ChannelAccount.channel.in_(channels),
    ]
    return found if accounts is None else [*found, ChannelAccount.id.in_(accounts)]


def chosen(session: Session, conversation: Conversation, message_id: int | None) -> ForwardContent:
    """Return the content of a forward: one message, or all messages of *conversation* without notes.

    :raises MessageNotFoundError: if there is nothing to forward.
    """
    query = (
        sa.select(Message)
        .where(
            Message.conversation_id == conversation.id,
            Message.direction != Direction.INTERNAL,
            sa.or_(Message.state.is_(None), Message.state.in_(_SAID)),
            Message.unsent_at.is_(None),
            Message.hidden_at.is_(None),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
    )
    if message_id is not None:
        query = query.where(Message.id == message_id)
    found = session.scalars(query.limit(MOST)).all()[::-1]
    if not found:
        raise MessageNotFoundError(_l("There are no messages to forward."))
    left_out = 0
    if len(found) == MOST:
        total = session.scalar(sa.select(sa.func.count()).select_from(query.subquery())) or 0
        left_out = total - MOST
    files = _files(session, [one.id for one in found])
    kept = [one for one in files if one.storage_key]
    return ForwardContent(
        found, kept, [one.name or one.kind for one in files if not one.storage_key], left_out
    )


def _files(session: Session, ids: Sequence[int]) -> Sequence[Attachment]:
    query = sa.select(Attachment).where(Attachment.message_id.in_(ids), is_sent_along())
    return session.scalars(query.order_by(Attachment.message_id, Attachment.id)).all()


def subject_of(session: Session, conversation: Conversation) -> str:
    """Return the subject of a forward."""
    about = " ".join((conversation.subject or "").split()) or _name_of(session, conversation)
    return about if _PASSED_ON.match(about) else f"Fwd: {about}".strip()


def forward(
    work: UnitOfWork,
    conversation_id: int,
    message_id: int | None,
    *,
    account_id: int | None,
    to: Sequence[str],
    note: str,
    files: bool,
    reply_key: str,
    directory: Directory,
) -> Message:
    """Queue a forward to *to*, and return its line in the conversation.

    A repeated *reply_key* returns the existing line.

    :param message_id: the message to forward; None for the conversation.
    :param account_id: the account to send from; None for that of the conversation, or the first that can.
    :param to: addresses, also as ``Ana Lima <ana@example.org>``.
    :param files: whether to include the files of the messages.
    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises MessageNotFoundError: if there is no such message, or as :func:`chosen`.
    :raises NoForwarderError: if no such account can.
    :raises NotSendableError: codes ``forward_address``, ``forward_own``, ``forward_customer``,
        ``forward_nobody``, ``too_many_recipients``, ``forward_too_large``, ``too_many_files``.
    :raises TooLongError: if the note is too long.
    :raises ReplyKeyError, AlreadySentError: as :func:`host.inbox.reply.queue_parts`.
    """
    session, workspace_id, accounts = work.session, work.workspace_id, work.accounts
    conversation = get_conversation(session, workspace_id, conversation_id, accounts=accounts)
    if message_id is not None:
        message_of(session, conversation, message_id)
    check_key(reply_key)
    able = forwarders(session, directory, workspace_id, accounts, conversation.account_id)
    forwarder = next((one for one in able if account_id in {None, one.account.id}), None)
    if forwarder is None:
        raise NoForwarderError()
    people = _people(session, conversation, forwarder, to)
    text = clean_written(note)
    if len(text) > MAX_LENGTH:
        raise TooLongError(limit=MAX_LENGTH)
    # In the lock order of every write: the lane, then the conversation.
    outbox.take_lane(session, forwarder.account.id, people[0]["address"])
    conversation = locked_conversation(work, conversation_id)
    asked = {"to": people, "whole": message_id is None, "files": files}
    before = session.scalars(
        sa.select(Message).where(Message.conversation_id == conversation.id, Message.reply_key == reply_key)
    ).first()
    if before is not None:
        same = before.kind == InternalKind.FORWARD and before.text == text
        of_one = message_id is None or before.content.get("messages") == [message_id]
        if not same or not of_one or any(before.content.get(name) != value for name, value in asked.items()):
            raise AlreadySentError()
        return before
    found = chosen(session, conversation, message_id)
    if files:
        _check_files(found, forwarder)
    message = Message(
        workspace_id=workspace_id,
        conversation_id=conversation.id,
        account_id=forwarder.account.id,
        direction=Direction.INTERNAL,
        origin=Origin.API if work.author_id is None else Origin.AGENT,
        kind=InternalKind.FORWARD,
        text=text,
        content={
            **asked,
            "subject": subject_of(session, conversation),
            "messages": [one.id for one in found.messages],
            "left_out": found.left_out,
            **({} if work.by is None else {"by": work.by}),
        },
        author_id=work.author_id,
        reply_key=reply_key,
        position=0,
        state=DeliveryState.QUEUED,
        sent_at=work.now,
        created_at=work.now,
    )
    session.add(message)
    session.flush()
    outbox.enqueue(session, message, people[0]["address"])
    record_conversation(work, conversation, CONVERSATION_FORWARDED, message_id=message.id)
    return message


def _people(
    session: Session, conversation: Conversation, forwarder: Forwarder, to: Sequence[str]
) -> list[dict[str, str]]:
    """Return the recipients of a forward without duplicates."""
    copies = forwarder.adapter.capabilities.copies
    customer = session.get_one(ContactIdentity, conversation.identity_id).external_id
    known = session.get_one(Contact, conversation.contact_id).email
    found: dict[str, str] = {}
    for one in to:
        named = None if copies is None else named_address(one, copies.clean)
        if copies is None or named is None:
            raise NotSendableError(
                "forward_address",
                _l("“%(address)s” is not a valid email address. Nothing was forwarded.", address=one[:120]),
                next_step=_l("Correct or remove it."),
                field="to",
            )
        name, address = named
        if address in {customer, copies.clean(known or "")}:
            raise NotSendableError(
                "forward_customer",
                _l("“%(address)s” is the customer’s own address. Nothing was forwarded.", address=address),
                next_step=_l("Write a reply instead."),
                field="to",
            )
        if forwarder.adapter.id_for_address(forwarder.account, address) is None:
            raise NotSendableError(
                "forward_own",
                _l(
                    "“%(address)s” is the sending address. Nothing was forwarded.",
                    address=address,
                ),
                next_step=_l("Choose another recipient."),
                field="to",
            )
        found.setdefault(address, name)
    if not found:
        raise NotSendableError(
            "forward_nobody",
            _l("No recipient was given. Nothing was forwarded."),
            next_step=_l("Enter an email address."),
            field="to",
        )
    if len(found) > forwarder.most_people:
        raise NotSendableError(
            "too_many_recipients",
            _l(
                "You added %(count)s recipients; a message can be forwarded to %(most)s.",
                most=forwarder.most_people,
                count=len(found),
            ),
            next_step=_l("Remove some of them."),
            field="to",
            limit=forwarder.most_people,
        )
    return [{"name": name, "address": address} for address, name in found.items()]


def _check_files(found: ForwardContent, forwarder: Forwarder) -> None:
    most = forwarder.most_bytes
    if most is not None and found.size > most:
        raise NotSendableError(
            "forward_too_large",
            _l(
                "The files total %(size)s; an email can have %(most)s. Nothing was forwarded.",
                size=megabytes(found.size),
                most=megabytes(most),
            ),
            next_step=_l("Forward without the files, or forward single messages."),
            field="files",
            limit=most,
        )
    if len(found.files) > MAX_FILES:
        raise NotSendableError(
            "too_many_files",
            _l(
                "You attached %(count)s files; at most %(most)s can be sent at once.",
                count=len(found.files),
                most=MAX_FILES,
            ),
            next_step=_l("Forward without the files, or forward single messages."),
            field="files",
            limit=MAX_FILES,
        )


# ---- for the worker ----------------------------------------------------------------------------------


def passed_on(session: Session, message: Message) -> PassedOn:
    """Return the forward *message* as the channel receives it, without content deleted since."""
    ids = message.content.get("messages") or []
    query = (
        sa.select(Message)
        .where(
            Message.id.in_(ids),
            Message.conversation_id == message.conversation_id,
            Message.unsent_at.is_(None),
            Message.hidden_at.is_(None),
        )
        .order_by(Message.sent_at, Message.id)
    )
    rows = session.scalars(query).all()
    conversation = session.get_one(Conversation, message.conversation_id)
    identity = session.get_one(ContactIdentity, conversation.identity_id)
    customer = _name_of(session, conversation), _address(identity.external_id)
    wanted = message.content.get("files") is True
    along: list[Attachment] = []
    missing: dict[int, list[str]] = {}
    for file in _files(session, [one.id for one in rows]):
        if wanted and file.storage_key:
            along.append(file)
        else:
            missing.setdefault(file.message_id, []).append(file.name or file.kind)
    whole = message.content.get("whole") is True
    reader, stored = Forms(along), _forms(session, [one.id for one in rows])
    made = []
    for one in rows:
        quoted_from = _quoted_from(one) if whole else None
        form = reader.of(one, stored.get(one.id), without_quote=quoted_from is not None)
        lacking = tuple(missing.get(one.id, ()))
        made.append(
            _forwarded(session, one, customer, conversation.subject or "", lacking, quoted_from, form)
        )
    content = {name: value for name, value in message.content.items() if name in {"to", "subject"}}
    files = tuple(
        replace(uploads.outgoing(one, MessageKind(one.kind)), content_id=content_id(one)) for one in along
    )
    return PassedOn(OutgoingPart(MessageKind.TEXT, message.text, content, files), tuple(made))


def _forms(session: Session, ids: Sequence[int]) -> dict[int, Attachment]:
    query = sa.select(Attachment).where(
        Attachment.message_id.in_(ids), Attachment.role == AttachmentRole.FORMATTED
    )
    return {one.message_id: one for one in session.scalars(query.order_by(Attachment.id.desc()))}


def _quoted_from(message: Message) -> int | None:
    """Return the index from which the text only quotes earlier messages, or None."""
    place = message.content.get("quoted_from")
    is_place = isinstance(place, int) and message.edited_at is None and 0 < place < len(message.text)
    return place if is_place else None


def _forwarded(
    session: Session,
    message: Message,
    customer: tuple[str, str],
    subject: str,
    missing: tuple[str, ...],
    quoted_from: int | None,
    form: PassedForm,
) -> ForwardedMessage:
    account = session.get_one(ChannelAccount, message.account_id)
    ours = account.name, _address(str(message.content.get(OWN_ADDRESS) or account.external_id))
    is_ours = message.direction == Direction.OUTBOUND
    author, text = (ours if is_ours else _author(message.content) or customer), message.text
    if quoted_from is not None:
        text = text[:quoted_from].rstrip()  # the messages it quotes are included above
    to = [customer] if is_ours else _pairs(message.content.get("to")) or [ours]
    return ForwardedMessage(
        author=author[0],
        address=author[1],
        to=tuple(to),
        sent_at=message.sent_at,
        subject=subject,
        text=text,
        ours=is_ours,
        missing=missing,
        html=form.html,
        pictures=form.pictures,
    )


def _author(content: Mapping[str, Any]) -> tuple[str, str] | None:
    found = _pairs([content.get("author")])
    return found[0] if found else None


def _pairs(given: object) -> list[tuple[str, str]]:
    listed = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    return [(str(one.get("name") or ""), str(one.get("address") or "")) for one in listed][:50]


def _address(external_id: str) -> str:
    return external_id if "@" in external_id else ""


def _name_of(session: Session, conversation: Conversation) -> str:
    identity = session.get_one(ContactIdentity, conversation.identity_id)
    contact = session.get_one(Contact, conversation.contact_id)
    return contact.name or identity.name or identity.username or contact.email or identity.external_id
