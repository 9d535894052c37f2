"""Choose the message that a reply quotes."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.models.inbox import Direction, Message
from host.sdk.channel import QuotedMessage


def to_quote(
    session: Session, conversation_id: int, account_id: int, reply_id: int | None = None
) -> QuotedMessage | None:
    """Return the newest message by or to the customer, leaving out other participants' messages.

    :param reply_id: the message that quotes it, if that is already stored.
    """
    query = sa.select(Message.text, Message.sent_at, Message.direction).where(
        Message.conversation_id == conversation_id,
        Message.account_id == account_id,
        Message.direction != Direction.INTERNAL,
        Message.external_id.is_not(None),
        Message.writer_id.is_(None),
        Message.unsent_at.is_(None),
        Message.hidden_at.is_(None),
    )
    if reply_id is not None:
        query = query.where(Message.id != reply_id)
    row = session.execute(query.order_by(Message.sent_at.desc(), Message.id.desc()).limit(1)).first()
    if row is None or not row.text.strip():
        return None
    return QuotedMessage(row.text, row.sent_at, ours=row.direction == Direction.OUTBOUND)
