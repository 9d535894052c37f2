"""The address a message is sent from, if its account has several.

It is chosen when the message is written and stored in its content, so the team sees what the channel uses. If
the account has lost the address by then, the channel refuses it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.inbox.conversations import publish_changed_message
from host.inbox.errors import UnknownChannelError
from host.inbox.sendable import NotSendableError
from host.models.inbox import DeliveryState, Direction, Message
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import OWN_ADDRESS

log = logging.getLogger(__name__)


def further(adapter: ChannelAdapter | None, account: AccountRef) -> Sequence[str]:
    """Return the further addresses of *account*; none if the channel doesn't support them."""
    if adapter is None or adapter.capabilities.copies is None:
        return ()
    try:
        return tuple(adapter.own_addresses(account))
    except Exception:
        log.exception("the adapter of %s cannot tell the addresses of an account", account.channel)
        return ()


def choices(adapter: ChannelAdapter | None, account: AccountRef) -> tuple[str, ...]:
    """Return the addresses to choose from, the account's own first; none if there is no choice."""
    others = further(adapter, account)
    return (account.external_id, *others) if others else ()


def check(adapter: ChannelAdapter, account: AccountRef, address: str) -> None:
    """Refuse to send from an address that is not the account's.

    :raises NotSendableError: code ``sender_not_own``.
    """
    own = adapter.capabilities.copies is not None and address == account.external_id
    if not own and address not in further(adapter, account):
        raise NotSendableError(
            "sender_not_own",
            _l("“%(address)s” is not an address of this account. Nothing was sent.", address=address[:120]),
            next_step=_l("Choose another address to send from."),
            field=OWN_ADDRESS,
        )


def led_from(session: Session, conversation_id: int) -> str:
    """Return the address the conversation uses; empty for the account's own.

    It comes from the customer's newest message, or from ours if they have not written yet. The account may
    have lost it since.
    """
    query = (
        sa.select(Message.content, Message.direction)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction.in_((Direction.INBOUND, Direction.OUTBOUND)),
            Message.writer_id.is_(None),
        )
        .order_by(Message.direction != Direction.INBOUND, Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    return named(found.content) if found is not None else ""


def named(content: Mapping[str, Any] | None) -> str:
    """Return the account's address that a message was written to or sent from; empty if unknown."""
    given = (content or {}).get(OWN_ADDRESS)
    return given if isinstance(given, str) else ""


def settle(
    session: Session,
    conversation_id: int,
    adapter: ChannelAdapter,
    account: AccountRef,
    messages: Sequence[Message],
) -> None:
    """Store in *messages*, before they are written, the address they are sent from.

    It is the address they name, or the further address that the conversation uses.

    :raises NotSendableError: as :func:`check`.
    """
    given = {one for one in (named(message.content) for message in messages) if one}
    for one in given:
        check(adapter, account, one)
    if given or not (others := further(adapter, account)):
        return
    usual = led_from(session, conversation_id)
    for message in messages if usual in others else ():
        message.content = {**message.content, OWN_ADDRESS: usual}


def change(
    session: Session, message: Message, adapter: ChannelAdapter | None, account: AccountRef, address: str
) -> None:
    """Change the sender address of an unsent message and of later parts of its reply.

    :raises UnknownChannelError: if no active addon provides the channel (*adapter* is None).
    :raises NotSendableError: as :func:`check`.
    """
    if adapter is None:
        raise UnknownChannelError()
    check(adapter, account, address)
    query = sa.select(Message).where(
        Message.conversation_id == message.conversation_id,
        Message.reply_key == message.reply_key,
        Message.position >= message.position,
        Message.state.in_((DeliveryState.FAILED, DeliveryState.QUEUED)),
    )
    for one in session.scalars(query.order_by(Message.id).with_for_update()):
        one.content = {**one.content, OWN_ADDRESS: address}
        session.flush()
        publish_changed_message(session, one)
