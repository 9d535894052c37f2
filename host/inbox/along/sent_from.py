"""Which address of its account a message goes from, where the account has further ones.

It is decided when the message is written and stands in its content, so what the team is shown is what the
channel is told. An address that the account loses meanwhile is the channel's to refuse.
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
    """Return the addresses of *account* besides its own; none where the channel has no such."""
    if adapter is None or adapter.capabilities.copies is None:
        return ()
    try:
        return tuple(adapter.own_addresses(account))
    except Exception:
        log.exception("the adapter of %s cannot tell the addresses of an account", account.channel)
        return ()


def choices(adapter: ChannelAdapter | None, account: AccountRef) -> tuple[str, ...]:
    """Return the addresses to choose from, the account's own first; none where there is nothing to choose."""
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
            _l("“%(address)s” is no address of this account, so nothing was sent.", address=address[:120]),
            next_step=_l("Choose another address to send from."),
            field=OWN_ADDRESS,
        )


def led_from(session: Session, conversation_id: int) -> str:
    """Return which address of the account the conversation is led from; empty: from its own.

    The customer's newest message says so, or where they have written none yet, our own. The account may have
    lost it since.
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
    """Return the address of the account that a message was written to or goes from; empty: it names none."""
    given = (content or {}).get(OWN_ADDRESS)
    return given if isinstance(given, str) else ""


def settle(
    session: Session,
    conversation_id: int,
    adapter: ChannelAdapter,
    account: AccountRef,
    messages: Sequence[Message],
) -> None:
    """Note on *messages*, none of which is written yet, where they go from.

    That is the address they name, else the further one that the conversation is led from.

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
    """Let a message that was not sent, and the parts of its reply that wait behind it, go from *address*.

    :raises UnknownChannelError: if no active addon brings the channel (*adapter* is None).
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
