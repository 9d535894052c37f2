"""Record later reports about messages that the provider had accepted: failed, delayed, delivered, read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from host.core import clock
from host.core.cleaning import clean_short, external_id
from host.core.db import UTCDateTime
from host.core.statements import Statement
from host.events.writing import Happened
from host.inbox.apply import conversations, participants
from host.inbox.apply.happenings import Sent, of_state
from host.inbox.apply.incoming import (
    MOST_FITTING,
    REPORTED_WITHIN,
    Incoming,
    believable,
    not_sent_id,
    reported_at,
)
from host.inbox.apply.tables import CONVERSATIONS, IDENTITIES, MARKS, MESSAGES
from host.inbox.apply.values import (
    Bounced,
    DeliveryReport,
    Draft,
    Fitting,
    Key,
    NewMark,
    Person,
    StoredMessage,
    Thread,
)
from host.models.inbox import ARRIVED, REPORT_MARK, DeliveryState, Direction
from host.queue import replay
from host.sdk.messages import MessageBounced, MessageDelivered, MessageReceived, MessagesRead, ReportKind

CODE = "bounced"
"""Error code of a bounced message."""
COPY = "copy_bounced"
"""Error code of a message whose copy to the people in ``to`` bounced; the message itself arrived."""
DELAYED = "delayed"
"""Error code of a delayed message; it counts as sent."""
ARRIVED_FOR_SURE = "arrived"
"""Key in the content of a message that was itself reported as read, if its channel tells of deliveries."""
RECEIPTS = "receipts"
"""Key in the content of a sent message: receipts by recipient id."""

PROBABLY = "probably_about"
"""Key in the content of a report that names no message: its recipient, and how many messages fit."""
CLOSED_AT = "closed_at"
"""Key in a kept report: when nothing else could be sent to the customer, either."""
TEMPLATES = "templates"
"""Key in a kept report, and in why a customer cannot be reached: whether approved templates can."""
OTHER_IDS = "other_ids"
"""Key in a kept report: the other ids that the person it names may have."""
ONLY_TO = "only_to"
"""Key in the error of a message: the recipient of a report that names none, which only this message fits."""

KEPT = timedelta(days=1)
"""How long a report about an unknown message is kept, in case it is ours and is still being sent."""
_ON_ITS_WAY = frozenset({DeliveryState.SENDING, DeliveryState.UNKNOWN})
_ORDER = {kind: order for order, kind in enumerate(DeliveryReport)}
_went_out = Statement(
    sa.select(
        MESSAGES.c.error,
        MESSAGES.c.content,
        MESSAGES.c.state,
        *(MESSAGES.c[name] for name in Sent._fields),
    )
    .where(
        MESSAGES.c.id.in_(sa.bindparam("ids", expanding=True)),
        MESSAGES.c.state.in_((*sorted(ARRIVED), DeliveryState.FAILED)),
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
_theirs = CONVERSATIONS.alias()
_talks = sa.select(CONVERSATIONS.c.id).where(
    CONVERSATIONS.c.identity_id
    == sa.select(_theirs.c.identity_id)
    .where(_theirs.c.id == sa.bindparam("b_conversation"))
    .scalar_subquery()
)
_put_out_of_reach = (
    sa.update(IDENTITIES)
    .where(
        IDENTITIES.c.id
        == sa.select(_theirs.c.identity_id)
        .where(_theirs.c.id == sa.bindparam("b_conversation"))
        .scalar_subquery(),
        sa.or_(
            IDENTITIES.c.unreachable_since.is_(None),
            IDENTITIES.c.unreachable_since < sa.bindparam("b_at", type_=UTCDateTime()),
        ),
        # Who wrote since can be reached again.
        ~sa.exists().where(
            CONVERSATIONS.c.identity_id == IDENTITIES.c.id,
            CONVERSATIONS.c.last_inbound_at > sa.bindparam("b_at", type_=UTCDateTime()),
        ),
    )
    .values(
        unreachable_since=sa.bindparam("b_at", type_=UTCDateTime()),
        unreachable_until=sa.null(),
        unreachable=sa.bindparam("b_why", type_=IDENTITIES.c.unreachable.type),
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
    only_to = ""
    if not change.external_id:
        only = _only_fitting(draft, item, change)
        if only is None:
            return False
        change, only_to = replace(change, external_id=only), external_id(change.contact)
    key = item.account.id, external_id(change.external_id)
    message = draft.stored.get(key)
    kind = DeliveryReport(change.kind)
    error = {
        "code": {DeliveryReport.FAILED: CODE, DeliveryReport.DELAYED: DELAYED}.get(kind, ""),
        "sentence": clean_short(change.sentence, 500) or "",
        "next_step": clean_short(change.next_step, 500) or "",
        "raw": clean_short(change.raw, 1000) or "",
        **({ONLY_TO: only_to} if only_to else {}),
        **({"final": "yes"} if change.final and kind is DeliveryReport.FAILED else {}),
    }
    if change.whole_contact and kind is DeliveryReport.FAILED:
        error[CLOSED_AT] = believable(change.at, item.received_at).isoformat()
        error[TEMPLATES] = "yes" if change.templates else ""
    person = draft.told_of(item, key, change.contact)
    if message is None:
        known = item.adapter.capabilities.delivery_reports or person.id in draft.loaded.sending
        return person.id is not None and known and _keep(draft, item, key, person, kind, error)
    if message.direction == Direction.INBOUND:
        return False
    copy = ""
    if draft.owner(key) is not person:
        copy = external_id(change.contact)
        content = draft.loaded.answered.get(message.id, {})
        if copy not in participants.of_message(content, item.account):
            return False
        if kind is DeliveryReport.FAILED:
            error["code"] = COPY
    if message.state in _ON_ITS_WAY and not copy and _keep(draft, item, key, person, kind, error):
        return True
    _add(draft, item, message, kind, person.external_id, error, copy)
    return True


def as_message(draft: Draft, item: Incoming, change: MessageBounced) -> tuple[MessageReceived, Thread | None]:
    """Return a report as a message, and the conversation it is probably about if it names no message."""
    report = change.report
    assert report is not None
    if change.external_id or participants.is_forged(report.content):
        return report, None
    fitting = _fitting(draft, item, change)
    newest = next((one for one in fitting if one.external_id is not None), None)
    thread = None if newest is None else draft.threads.get(newest.conversation_id)
    if newest is None or thread is None:
        return report, None
    hint = {"to": external_id(change.contact), "fitting": len(fitting)}
    content = {**report.content, PROBABLY: hint, participants.AFTER_FORWARD: True}
    return replace(report, content=content, reply_to=newest.external_id), thread


def tell(draft: Draft, item: Incoming, change: MessageBounced) -> None:
    """Add a line that another program's message to a customer with a conversation was not delivered."""
    person = draft.people[item.account.id, external_id(change.contact)]
    key = item.account.id, not_sent_id(change.external_id)
    at = believable(change.at, item.received_at)
    erased = person.erased_at is not None and at <= person.erased_at
    if person.newest is None or erased or draft.is_here(key) or change.kind is not ReportKind.FAILED:
        return
    said = {"what": "not_delivered", "reason": clean_short(change.sentence, 500) or ""}
    draft.add(conversations.activity(person.newest, item.account, key, at, **said))


def _fitting(draft: Draft, item: Incoming, change: MessageBounced) -> list[Fitting]:
    """Return our messages that a report which names none may be about, newest first."""
    at, contact = reported_at(item, change), external_id(change.contact)
    return [
        one
        for one in draft.loaded.fitting.get((item.account.id, contact), ())
        if at - REPORTED_WITHIN <= one.went_out_at <= at
        and (
            contact in participants.addresses_in(one.content)
            or (contact == one.customer and one.direction == Direction.OUTBOUND and "to" not in one.content)
        )
    ]


def _only_fitting(draft: Draft, item: Incoming, change: MessageBounced) -> str | None:
    """Return the id of the only message that fits a report which names none, unless it may have arrived.

    It may have if it was reported as delivered or read, or if its customer wrote since.
    """
    fitting = _fitting(draft, item, change)
    if len(fitting) != 1 or change.report is None or participants.is_forged(change.report.content):
        return None
    if len(draft.loaded.fitting[item.account.id, external_id(change.contact)]) >= MOST_FITTING:
        return None  # another one may have been left out
    (only,) = fitting
    thread = draft.threads.get(only.conversation_id)
    heard = None if thread is None else thread.last_inbound_at
    wrote_since = only.customer == external_id(change.contact) and heard is not None and heard > only.sent_at
    known = only.state in {DeliveryState.SENT, DeliveryState.FAILED}
    return only.external_id if known and thread is not None and not wrote_since else None


def note_arrival(draft: Draft, item: Incoming, change: MessageDelivered | MessagesRead) -> None:
    """Record that a message was delivered or read.

    A read receipt also covers the messages before it, see :func:`host.inbox.apply.echoes.decide_read`. Only
    for the one it names does it count more than a failure.
    """
    tells = item.adapter.capabilities.delivery_reports
    key = item.account.id, external_id(change.external_id)
    person = draft.told_of(item, key, change.contact)
    if draft.is_of_another(key, person):
        if isinstance(change, MessageDelivered):
            draft.refused.append((key, item))
        return
    message = draft.stored.get(key)
    kind = DeliveryReport.READ if isinstance(change, MessagesRead) else DeliveryReport.DELIVERED
    if message is None or message.state in _ON_ITS_WAY:
        if tells:
            _keep(draft, item, key, person, kind)
        return
    if message.direction == Direction.OUTBOUND and (
        tells or (kind is DeliveryReport.READ and message.state == DeliveryState.FAILED)
    ):
        _add(draft, item, message, kind, person.external_id)


# ---- reports that come before their message was recorded as sent -------------------------------------


def _keep(
    draft: Draft,
    item: Incoming,
    key: Key,
    person: Person,
    kind: DeliveryReport,
    error: Mapping[str, str] = MappingProxyType({}),
) -> bool:
    """Keep a report until its message is recorded as sent; return False if it has been kept long enough."""
    if item.imported or draft.now - item.received_at >= KEPT:
        return False
    mark = f"{REPORT_MARK}{kind}"
    if not any((one.key, one.kind) == (key, mark) for one in draft.loaded.reports):
        others = [one.external_id for one in draft.alike(item, person.external_id) if one is not person]
        said = {**error, **({OTHER_IDS: others} if others else {})}
        values = {
            "at": item.received_at,
            "number": int(item.adapter.capabilities.delivery_reports),
            "text": json.dumps(said),
            "sources": [item.event_id] if error and item.event_id is not None else [],
        }
        draft.early.setdefault((key, mark), NewMark(person, key, mark, values))
    return True


def note_kept(draft: Draft) -> frozenset[Key]:
    """Record the kept reports whose message is recorded as sent.

    :return: the messages that get their id in this batch, and whose reports are to be applied after it.
    """
    by_id = {person.id: person for person in draft.people.values() if person.id is not None}
    overtaken = {key for key, _ in draft.early if key in draft.new or key in draft.confirmed}
    for mark in draft.loaded.reports:
        message, person = draft.loaded.messages.get(mark.key), by_id.get(mark.identity_id)
        if message is None:
            overtaken |= {mark.key} if mark.key in draft.new or mark.key in draft.confirmed else set()
            continue
        if person is None or message.state in _ON_ITS_WAY:
            continue
        draft.reported.append(mark.id)
        error, owner = json.loads(mark.text), draft.owner(mark.key)
        others = error.pop(OTHER_IDS, ())
        theirs = owner is person or (owner is not None and owner.external_id in others)
        if message.direction != Direction.INBOUND and theirs:
            kind = DeliveryReport(mark.kind.removeprefix(REPORT_MARK))
            draft.bounced.setdefault(
                (message.id, person.external_id, kind),
                _report(message, kind, person.external_id, error, tells=bool(mark.number)),
            )
    return frozenset(overtaken)


def kept_marks(draft: Draft) -> list[NewMark]:
    """Return the reports to keep, of customers who are stored or written in this batch."""
    used = {id(message.thread.person) for message in draft.new.values()}
    return [mark for mark in draft.early.values() if mark.person.id is not None or id(mark.person) in used]


def give_up_kept(session: Session, most: int) -> bool:
    """Remove kept reports whose message never came; return whether there may be more.

    Those that can be shown as a message are applied again, which does that.
    """
    old = MARKS.c.kind.startswith(REPORT_MARK, autoescape=True), MARKS.c.at <= clock.now() - KEPT
    rows = session.execute(sa.select(MARKS.c.id, MARKS.c.sources).where(*old).limit(most)).all()
    if rows:
        session.execute(sa.delete(MARKS).where(MARKS.c.id.in_([row.id for row in rows])))
        for row in rows:
            if row.sources:
                replay.apply_again(session, row.sources)
    return len(rows) == most


# ---- applying ----------------------------------------------------------------------------------------


def _add(
    draft: Draft,
    item: Incoming,
    message: StoredMessage,
    kind: DeliveryReport,
    person: str,
    error: Mapping[str, str] = MappingProxyType({}),
    copy: str = "",
) -> None:
    # By our clock, the report is about an attempt before the last one.
    if message.attempted_at is not None and item.received_at < message.attempted_at:
        return
    tells = item.adapter.capabilities.delivery_reports
    draft.bounced[message.id, person, kind] = _report(message, kind, person, error, tells=tells, copy=copy)


def _report(
    message: StoredMessage,
    kind: DeliveryReport,
    person: str,
    error: Mapping[str, str],
    *,
    tells: bool,
    copy: str = "",
) -> Bounced:
    error = dict(error)
    closed_at, templates = clock.from_text(error.pop(CLOSED_AT, None)), bool(error.pop(TEMPLATES, ""))
    said = Bounced(message, error, copy, person, kind, tells=tells)
    return said._replace(closed_at=closed_at, templates=templates)


def write(connection: Connection, bounced: Sequence[Bounced]) -> Iterator[Happened]:
    """Write *bounced* and yield the events.

    The final state does not depend on the order of the reports or on repeats: that the customer read a
    message counts more than a failure, and a failure more than a delivery or a later message having been
    read. Who is told of a failure and answers in another way must not be told afterwards that all was
    well.
    """
    if not bounced:
        return
    rows = _went_out.rows(connection, {"ids": sorted({one.message.id for one in bounced})})
    recount = set()
    for error, content, state, *ids in rows:
        sent = Sent(*ids)
        now = _Note(error, dict(content or {}), state)
        of_it = [one for one in bounced if one.message.id == sent.id]
        for one in sorted(of_it, key=lambda one: _ORDER[one.kind]):
            now = _noted(now, one, sent)
        if now == (error, content or {}, state):
            continue
        connection.execute(
            _annotate,
            {"b_id": sent.id, "b_error": now.error, "b_content": now.content, "b_state": now.state},
        )
        if now.state == state:
            place = sent.account_id, sent.conversation_id, sent.id
            yield Happened(sent.workspace_id, "", "changed", *place)
            continue
        if DeliveryState.FAILED in {now.state, state}:
            recount.add(sent.conversation_id)
        if now.state == DeliveryState.FAILED:
            yield from _out_of_reach(connection, of_it, sent)
        # That it was sent was already told before it failed.
        before = DeliveryState.SENT if state == DeliveryState.FAILED else state
        yield from of_state(sent, now.state, before, now.error)
    if recount:
        connection.execute(_count, {"ids": sorted(recount)})


def _out_of_reach(connection: Connection, of_it: Sequence[Bounced], sent: Sent) -> Iterator[Happened]:
    """Close the composer to the customer of a message that failed, if a report says that nothing arrives."""
    for one in of_it:
        if one.closed_at is None or one.copy:
            continue
        place = {"b_conversation": sent.conversation_id}
        why = {**one.error, **({TEMPLATES: True} if one.templates else {})}
        values = {**place, "b_at": one.closed_at, "b_why": why}
        if connection.execute(_put_out_of_reach, values).rowcount:
            for id_ in connection.scalars(_talks, place):
                yield Happened(sent.workspace_id, topic="conversation", conversation_id=id_)


class _Note(NamedTuple):
    """Columns of a message that reports change."""

    error: dict[str, str] | None
    content: dict[str, Any]
    state: str


def _noted(now: _Note, one: Bounced, sent: Sent) -> _Note:
    if one.kind in {DeliveryReport.DELIVERED, DeliveryReport.READ} and not one.copy:
        return _arrived(now, one, sent)
    if one.kind is DeliveryReport.FAILED and not one.copy:
        return _failed(now, one, sent)
    if now.state == DeliveryState.FAILED:
        return now
    code = (now.error or {}).get("code", "")
    if one.kind is DeliveryReport.FAILED:
        before = (now.error or {}).get("to", "").split(", ") if code == COPY else []
        people = dict.fromkeys(filter(None, (*before, one.copy)))
        return now._replace(error={**one.error, "to": ", ".join(people)})
    if one.kind is DeliveryReport.DELAYED:
        # The final state takes precedence.
        return now._replace(error={**one.error, "to": one.copy}) if code in {"", DELAYED} else now
    arrived = code == DELAYED and (now.error or {}).get("to", "") == one.copy
    receipts = now.content.get(RECEIPTS)
    receipts = {**receipts} if isinstance(receipts, Mapping) else {}
    if receipts.get(one.person) != DeliveryReport.READ:
        receipts[one.person] = str(one.kind)
    return now._replace(error=None if arrived else now.error, content={**now.content, RECEIPTS: receipts})


def _failed(now: _Note, one: Bounced, sent: Sent) -> _Note:
    # A read receipt of a later message only suggests that this one arrived, too.
    implied = one.tells and now.state == DeliveryState.READ and not now.content.get(ARRIVED_FOR_SURE)
    went_out = now.state in {DeliveryState.SENT, DeliveryState.DELIVERED} or implied
    if sent.direction != Direction.OUTBOUND or not went_out:
        return now
    return now._replace(error=one.error, state=DeliveryState.FAILED)


def _arrived(now: _Note, one: Bounced, sent: Sent) -> _Note:
    """Return *now* after a report that the message itself was delivered or read."""
    read = one.kind is DeliveryReport.READ
    if not read and (sent.direction != Direction.OUTBOUND or now.state == DeliveryState.FAILED):
        return now
    code = (now.error or {}).get("code", "")
    over = now.state == DeliveryState.FAILED or (code == DELAYED and not (now.error or {}).get("to", ""))
    content = {**now.content, ARRIVED_FOR_SURE: True} if one.tells and read else now.content
    state = now.state
    if read:
        state = DeliveryState.READ
    elif state != DeliveryState.READ:
        state = DeliveryState.DELIVERED
    return now._replace(error=None if over else now.error, content=content, state=state)
