"""Choose the message that a reply quotes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.apply.participants import AFTER_FORWARD, addresses_in
from host.models.inbox import Direction, Message
from host.sdk.channel import ChannelAdapter, QuotedMessage

MOST_LOOKED_AT = 20
"""Number of newest messages searched for one to quote."""


def reader(adapter: ChannelAdapter, customer: str) -> str:
    """Return how recipients name the customer with the id *customer*: by the address they are reached at."""
    copies = adapter.capabilities.copies
    return customer if copies is None else copies.clean(customer) or customer


def to_quote(
    session: Session,
    conversation_id: int,
    account_id: int,
    customer: str,
    content: Mapping[str, Any],
    reply_id: int | None = None,
) -> QuotedMessage | None:
    """Return the newest message, leaving out those of other participants that the customer must not read.

    These are the ones they did not send to the customer, if the reply goes to the customer.

    :param customer: as :func:`reader` returns them.
    :param content: of the reply, with its recipients.
    :param reply_id: the message that quotes it, if that is already stored.
    """
    query = sa.select(
        Message.text, Message.sent_at, Message.direction, Message.writer_id, Message.content
    ).where(
        Message.conversation_id == conversation_id,
        Message.account_id == account_id,
        Message.direction != Direction.INTERNAL,
        Message.external_id.is_not(None),
        Message.unsent_at.is_(None),
        Message.hidden_at.is_(None),
    )
    if reply_id is not None:
        query = query.where(Message.id != reply_id)
    newest = query.order_by(Message.sent_at.desc(), Message.id.desc()).limit(MOST_LOOKED_AT)
    reads = "to" not in content or customer in addresses_in(content)
    for row in session.execute(newest):
        if row.writer_id is not None and (
            AFTER_FORWARD in row.content or (reads and customer not in addresses_in(row.content))
        ):
            continue
        author = row.content.get("author") if row.writer_id is not None else None
        named = (str(author.get("name") or ""), str(author.get("address") or "")) if author else ("", "")
        ours = row.direction == Direction.OUTBOUND
        return QuotedMessage(row.text, row.sent_at, ours, named) if row.text.strip() else None
    return None
