"""Mark messages of ours that came back after the provider had taken them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from host.core.cleaning import clean_short, external_id
from host.core.statements import Statement
from host.inbox.apply import participants
from host.inbox.apply.happenings import Sent, of_state
from host.inbox.apply.incoming import Incoming
from host.inbox.apply.tables import CONVERSATIONS, MESSAGES
from host.inbox.apply.values import Bounced, Draft
from host.models.inbox import DeliveryState, Direction
from host.record.writing import Happened
from host.sdk.messages import MessageBounced

CODE = "bounced"
"""The code of the error such a message has."""
COPY = "copy_bounced"
"""The code of the error of a message of which a copy came back, to those whom ``to`` names; it did arrive."""

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
_went_out = Statement(
    sa.select(
        *(MESSAGES.c[name] for name in ("id", "workspace_id", "account_id", "conversation_id", "error"))
    )
    .where(
        MESSAGES.c.id.in_(sa.bindparam("ids", expanding=True)),
        MESSAGES.c.direction == Direction.OUTBOUND,
        MESSAGES.c.state.in_((DeliveryState.SENT, DeliveryState.READ)),
    )
    .order_by(MESSAGES.c.id)
    .with_for_update()
)
_note_copy = (
    sa.update(MESSAGES)
    .where(MESSAGES.c.id == sa.bindparam("b_id"))
    .values(error=sa.bindparam("b_error", type_=MESSAGES.c.error.type))
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
    if message is None or message.direction != Direction.OUTBOUND:
        return False
    copy = ""
    if draft.owner(key) is not draft.people[item.account.id, external_id(change.contact)]:
        copy = external_id(change.contact)
        content = draft.loaded.answered.get(message.id, {})
        if copy not in participants.of_message(content, item.account):
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
    draft.bounced[message.id, copy] = Bounced(message, error, copy)
    return True


def write(connection: Connection, bounced: Sequence[Bounced]) -> Iterator[Happened]:
    """Write *bounced* and yield what happened. What is no longer *sent* stays: a report may come twice."""
    yield from _copies(connection, [one for one in bounced if one.copy])
    errors = {one.message.id: one.error for one in bounced if not one.copy}
    if not errors:
        return
    rows = _arrived.rows(connection, {"ids": sorted(errors)})
    if not rows:
        return
    connection.execute(_fail, [{"b_id": row[1], "b_error": errors[row[1]]} for row in rows])
    told = [(Sent(*row[1:]), row[0]) for row in rows]
    connection.execute(_count, {"ids": sorted({sent.conversation_id for sent, _ in told})})
    for sent, before in told:
        yield from of_state(sent, DeliveryState.FAILED, before)


def _copies(connection: Connection, bounced: Sequence[Bounced]) -> Iterator[Happened]:
    """Note whose copies came back, and yield that their messages look different. They stay as sent."""
    if not bounced:
        return
    rows = _went_out.rows(connection, {"ids": sorted({one.message.id for one in bounced})})
    for id_, workspace_id, account_id, conversation_id, known in rows:
        theirs = [one for one in bounced if one.message.id == id_]
        before = known.get("to", "").split(", ") if known and known.get("code") == COPY else []
        people = dict.fromkeys(filter(None, (*before, *(one.copy for one in theirs))))
        error = {**theirs[-1].error, "code": COPY, "to": ", ".join(people)}
        connection.execute(_note_copy, {"b_id": id_, "b_error": error})
        yield Happened(workspace_id, "", "changed", account_id, conversation_id, id_)
