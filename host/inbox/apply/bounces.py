"""Record later reports about messages that the provider had accepted: failed, delayed, read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from host.core.cleaning import clean_short, external_id
from host.core.statements import Statement
from host.events.writing import Happened
from host.inbox.apply import participants
from host.inbox.apply.happenings import Sent, of_state
from host.inbox.apply.incoming import Incoming
from host.inbox.apply.tables import CONVERSATIONS, MESSAGES
from host.inbox.apply.values import Bounced, Draft
from host.models.inbox import DeliveryState, Direction
from host.sdk.messages import MessageBounced, ReportKind

CODE = "bounced"
"""Error code of a bounced message."""
COPY = "copy_bounced"
"""Error code of a message whose copy to the people in ``to`` bounced; the message itself arrived."""
DELAYED = "delayed"
"""Error code of a delayed message; it counts as sent."""
RECEIPTS = "receipts"
"""Key in the content of a sent message: receipts by recipient id."""

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
        MESSAGES.c.error,
        MESSAGES.c.content,
        MESSAGES.c.state,
        *(MESSAGES.c[name] for name in Sent._fields),
    )
    .where(
        MESSAGES.c.id.in_(sa.bindparam("ids", expanding=True)),
        MESSAGES.c.state.in_((DeliveryState.SENT, DeliveryState.READ)),
    )
    .order_by(MESSAGES.c.id)
    .with_for_update()
)
_annotate = (
    sa.update(MESSAGES)
    .where(MESSAGES.c.id == sa.bindparam("b_id"))
    .values(
        error=sa.bindparam("b_error", type_=MESSAGES.c.error.type),
        content=sa.bindparam("b_content", type_=MESSAGES.c.content.type),
        state=sa.bindparam("b_state"),
    )
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
    """Record that a message bounced; return False if the report must be shown as a message instead."""
    key = item.account.id, external_id(change.external_id)
    message = draft.stored.get(key)
    if message is None or message.direction == Direction.INBOUND:
        return False
    copy = ""
    if draft.owner(key) is not draft.people[item.account.id, external_id(change.contact)]:
        copy = external_id(change.contact)
        content = draft.loaded.answered.get(message.id, {})
        if copy not in participants.of_message(content, item.account):
            return False
    # By our clock, the report is about an attempt before the last one.
    if message.attempted_at is not None and item.received_at < message.attempted_at:
        return True
    code = {ReportKind.FAILED: COPY if copy else CODE, ReportKind.DELAYED: DELAYED}.get(change.kind, "")
    error = {
        "code": code,
        "sentence": clean_short(change.sentence, 500) or "",
        "next_step": clean_short(change.next_step, 500) or "",
        "raw": clean_short(change.raw, 1000) or "",
    }
    person = external_id(change.contact)
    draft.bounced[message.id, person, change.kind] = Bounced(message, error, copy, person, change.kind)
    return True


def write(connection: Connection, bounced: Sequence[Bounced]) -> Iterator[Happened]:
    """Write *bounced* and yield the events. Messages not in state *sent* stay, because reports may repeat."""
    failed = [one for one in bounced if one.kind is ReportKind.FAILED and not one.copy]
    yield from _annotated(connection, [one for one in bounced if one not in failed])
    errors = {one.message.id: one.error for one in failed}
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


def _annotated(connection: Connection, bounced: Sequence[Bounced]) -> Iterator[Happened]:
    """Record bounced copies, delays and receipts on their messages, which stay sent or become read."""
    if not bounced:
        return
    rows = _went_out.rows(connection, {"ids": sorted({one.message.id for one in bounced})})
    for error, content, state, *ids in rows:
        sent = Sent(*ids)
        now = _Note(error, dict(content or {}), state)
        for one in bounced:
            if one.message.id == sent.id:
                now = _noted(now, one)
        connection.execute(
            _annotate,
            {"b_id": sent.id, "b_error": now.error, "b_content": now.content, "b_state": now.state},
        )
        if now.state != state:
            yield from of_state(sent, now.state, state)
        elif (now.error, now.content) != (error, content):
            place = sent.account_id, sent.conversation_id, sent.id
            yield Happened(sent.workspace_id, "", "changed", *place)


class _Note(NamedTuple):
    """Columns of a message that reports change."""

    error: dict[str, str] | None
    content: dict[str, Any]
    state: str


def _noted(now: _Note, one: Bounced) -> _Note:
    code = (now.error or {}).get("code", "")
    if one.kind is ReportKind.FAILED:
        before = (now.error or {}).get("to", "").split(", ") if code == COPY else []
        people = dict.fromkeys(filter(None, (*before, one.copy)))
        return now._replace(error={**one.error, "to": ", ".join(people)})
    if one.kind is ReportKind.DELAYED:
        # The final state takes precedence.
        return now._replace(error={**one.error, "to": one.copy}) if code in {"", DELAYED} else now
    arrived = code == DELAYED and (now.error or {}).get("to", "") == one.copy
    if one.kind is ReportKind.READ and not one.copy:
        return now._replace(error=None if arrived else now.error, state=DeliveryState.READ)
    receipts = now.content.get(RECEIPTS)
    receipts = {**receipts} if isinstance(receipts, Mapping) else {}
    if receipts.get(one.person) != ReportKind.READ:
        receipts[one.person] = str(one.kind)
    return now._replace(error=None if arrived else now.error, content={**now.content, RECEIPTS: receipts})
