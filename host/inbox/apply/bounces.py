"""Mark messages of ours that came back after the provider had taken them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from host.core.cleaning import clean_short, external_id
from host.core.statements import Statement
from host.inbox.apply.happenings import Sent, of_state
from host.inbox.apply.incoming import Incoming
from host.inbox.apply.tables import CONVERSATIONS, MESSAGES
from host.inbox.apply.values import Bounced, Draft
from host.models.inbox import DeliveryState, Direction
from host.record.writing import Happened
from host.sdk.messages import MessageBounced

CODE = "bounced"
"""The code of the error such a message has."""

_arrived = Statement(
    sa.select(MESSAGES.c.state, *(MESSAGES.c[name] for name in Sent._fields))
    .where(
        MESSAGES.c.id.in_(sa.bindparam("ids", expanding=True)),
        MESSAGES.c.direction == Direction.OUTBOUND,
        MESSAGES.c.state == DeliveryState.SENT,
    )
    .order_by(MESSAGES.c.id)
    .with_for_update()
)
_fail = (
    sa.update(MESSAGES)
    .where(MESSAGES.c.id == sa.bindparam("b_id"))
    .values(state=DeliveryState.FAILED, error=sa.bindparam("b_error", type_=MESSAGES.c.error.type))
)
_of_it = MESSAGES.alias()
_count = (
    sa.update(CONVERSATIONS)
    .where(CONVERSATIONS.c.id.in_(sa.bindparam("ids", expanding=True)))
    .values(
        failed_count=sa.select(sa.func.count())
        .where(_of_it.c.conversation_id == CONVERSATIONS.c.id, _of_it.c.state == DeliveryState.FAILED)
        .scalar_subquery()
    )
)


def note(draft: Draft, item: Incoming, change: MessageBounced) -> bool:
    """Note that a message of ours came back; return False where its report has to be shown instead."""
    key = item.account.id, external_id(change.external_id)
    message = draft.stored.get(key)
    owner = draft.owner(key)
    if (
        message is None
        or message.direction != Direction.OUTBOUND
        or owner is not draft.people[item.account.id, external_id(change.contact)]
    ):
        return False
    # By our own clock: it tells of an attempt before the last one.
    if message.attempted_at is not None and item.received_at < message.attempted_at:
        return True
    error = {
        "code": CODE,
        "sentence": clean_short(change.sentence, 500) or "",
        "next_step": clean_short(change.next_step, 500) or "",
        "raw": clean_short(change.raw, 1000) or "",
    }
    draft.bounced[message.id] = Bounced(message, error)
    return True


def write(connection: Connection, bounced: Sequence[Bounced]) -> Iterator[Happened]:
    """Write *bounced* and yield what happened. What is no longer *sent* stays: a report may come twice."""
    if not bounced:
        return
    errors = {one.message.id: one.error for one in bounced}
    rows = _arrived.rows(connection, {"ids": sorted(errors)})
    if not rows:
        return
    connection.execute(_fail, [{"b_id": row[1], "b_error": errors[row[1]]} for row in rows])
    told = [(Sent(*row[1:]), row[0]) for row in rows]
    connection.execute(_count, {"ids": sorted({sent.conversation_id for sent, _ in told})})
    for sent, before in told:
        yield from of_state(sent, DeliveryState.FAILED, before)
