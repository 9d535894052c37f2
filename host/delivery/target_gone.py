"""Take back a message that, by the provider's refusal of an answer to it, no longer exists."""

from __future__ import annotations

import logging

import sqlalchemy as sa

from host.core import clock, db
from host.core.cleaning import external_id
from host.inbox.apply.changes import Incoming, apply_changes
from host.models.inbox import ContactIdentity, Conversation, Message
from host.sdk.channel import AccountRef, ChannelAdapter
from host.sdk.messages import MessageUnsent

log = logging.getLogger(__name__)


def take_back(account: AccountRef, adapter: ChannelAdapter, message: str) -> None:
    """Treat a message of the provider as unsent, whoever wrote it; nothing if it is not stored.

    The refusal itself is recorded elsewhere: nothing is raised.

    :param message: its external id.
    """
    now, stored = clock.now(), external_id(message)
    query = (
        sa.select(ContactIdentity.external_id)
        .join(Conversation, Conversation.identity_id == ContactIdentity.id)
        .join(Message, Message.conversation_id == Conversation.id)
        .where(Message.account_id == account.id, Message.external_id == stored, Message.unsent_at.is_(None))
    )
    try:
        with db.read() as session:
            contact = session.scalar(query)
        if contact is not None:
            change = MessageUnsent(contact, stored, now)
            item = Incoming(account, adapter, change, now, f"gone:{stored}", delivered=False)
            db.write(apply_changes, [item])
    except Exception:
        log.exception("message %s is not taken back, although its provider no longer has it", stored)
