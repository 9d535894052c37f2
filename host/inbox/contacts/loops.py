"""Prevent mail loops between automatic answers.

Two systems that answer each other automatically would never stop. A message marked as automatic gets no
automatic answer. For senders without such a mark, the channel limits the automatic messages to one address
per time, see :attr:`~host.sdk.capabilities.Capabilities.automatic`, which ends any loop.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.inbox.apply.participants import AFTER_FORWARD
from host.inbox.errors import AutomaticLimitError, FromMachineError
from host.models.inbox import ContactIdentity, Conversation, DeliveryState, Direction, Message, Origin
from host.sdk.capabilities import AutomaticLimit


def check(session: Session, conversation: Conversation, limit: AutomaticLimit | None, now: datetime) -> None:
    """Refuse an automatic message to *conversation* that another machine might answer.

    :raises FromMachineError: if a machine, or the recipient of a forward, wrote the newest message.
    :raises AutomaticLimitError: if *limit* is reached for the address; None means no limit.
    """
    newest = (
        sa.select(Message.content)
        .where(Message.conversation_id == conversation.id, Message.direction == Direction.INBOUND)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    content = session.scalar(newest) or {}
    if content.get("automatic") is True:
        raise FromMachineError()
    if content.get(AFTER_FORWARD) is True:
        raise FromMachineError(
            _l("It replies to a forwarded message, so no automatic message is sent to the customer.")
        )
    if (
        limit is not None
        and _sent(session, conversation, now - timedelta(seconds=limit.seconds)) >= limit.most
    ):
        raise AutomaticLimitError()


def _sent(session: Session, conversation: Conversation, since: datetime) -> int:
    """Return the number of automatic messages to the address of *conversation* since then, on any account."""
    theirs = sa.select(ContactIdentity.external_id).where(ContactIdentity.id == conversation.identity_id)
    query = (
        sa.select(sa.func.count())
        .select_from(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(
            Conversation.workspace_id == conversation.workspace_id,
            Conversation.channel == conversation.channel,
            ContactIdentity.external_id == theirs.scalar_subquery(),
            Message.direction == Direction.OUTBOUND,
            Message.origin == Origin.SYSTEM,
            Message.created_at > since,
            Message.state.not_in((DeliveryState.CANCELLED, DeliveryState.FAILED)),
        )
    )
    return session.scalar(query) or 0
