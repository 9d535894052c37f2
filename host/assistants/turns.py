"""Create turns from customers' messages, and end those that are overtaken.

The event log's consumer calls :func:`note` with each batch; if no account has an assistant, that costs one
index look-up. A turn is unique to the newest message, so processing an event twice creates it once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.assistants import assistants
from host.assistants.models import (
    Assistant,
    AssistantAccount,
    AssistantTurn,
    AssistantVersion,
    Mode,
    TurnOutcome,
    TurnState,
)
from host.assistants.values import Body
from host.automation import buttons, handover_phrases
from host.automation.deciding import DEEPEST, TOO_LATE, Sent, sent_as
from host.automation.facts import PEOPLE, UNSAID
from host.core import db
from host.core.ports import AdapterDirectory
from host.core.statements import Statement
from host.events.kinds.conversations import CONVERSATION_CLOSED, CONVERSATION_MARKED_SPAM
from host.events.kinds.messages import MESSAGE_RECEIVED, MESSAGE_SENT, MESSAGE_UNSENT, OfMessage
from host.events.reading import Recorded
from host.events.writing import show_conversations
from host.inbox.comments.posts import below_private_only
from host.models.inbox import Conversation, Direction, Message, Origin

LONGEST_WAIT = timedelta(seconds=30)
"""Time after which messages of a customer who keeps writing are read anyway."""
GROWS = 0.5
"""Growth of the pause with each further message."""
SAID_BY_OTHERS = (*PEOPLE, Origin.API)
"""Authors whose message answers a customer in place of the assistant."""
_TURNS = cast(sa.Table, AssistantTurn.__table__)


class Attached(msgspec.Struct, frozen=True):
    """An account with its assistant."""

    account_id: int
    workspace_id: int
    assistant_id: int
    name: str
    version: int
    mode: Mode
    answers_on: frozenset[str]
    body: Body
    model_id: int | None
    stopped: bool


def attached(session: Session, accounts: Collection[int]) -> dict[int, Attached]:
    """Return those of *accounts* whose assistant is not off. One statement."""
    if not accounts:
        return {}
    found = {}
    for row in _attached.rows(session.connection(), {"accounts": db.padded(accounts)}):
        account_id, workspace_id, assistant_id, name, version, mode, takes, body, model_id, stopped = row
        kept = assistants.read(body)
        if kept is not None:
            found[account_id] = Attached(
                account_id,
                workspace_id,
                assistant_id,
                name,
                version,
                Mode(mode),
                frozenset(takes),
                kept,
                model_id,
                stopped is not None,
            )
    return found


_attached = Statement(
    sa.select(
        AssistantAccount.account_id,
        AssistantAccount.workspace_id,
        Assistant.id,
        Assistant.name,
        Assistant.version,
        AssistantAccount.mode,
        AssistantAccount.answers_on,
        AssistantVersion.body,
        Assistant.model_id,
        Assistant.stopped_at,
    )
    .join(Assistant, Assistant.id == AssistantAccount.assistant_id)
    .join(
        AssistantVersion,
        sa.and_(AssistantVersion.assistant_id == Assistant.id, AssistantVersion.number == Assistant.version),
    )
    .where(
        AssistantAccount.account_id.in_(sa.bindparam("accounts", expanding=True)),
        AssistantAccount.mode != Mode.OFF,
    )
)


# ---- the event log -------------------------------------------------------------------------------------


def note(
    session: Session,
    events: Sequence[Recorded],
    directory: AdapterDirectory,
    now: datetime,
    since: datetime,
) -> None:
    """Create and end turns for *events*.

    :param since: earlier messages are left to people.
    """
    about = [one for one in events if one.conversation_id is not None and one.kind in _KINDS]
    wanted = attached(session, {one.account_id for one in about if one.account_id is not None})
    if not wanted:
        return
    mine = [one for one in about if one.account_id in wanted]
    _end(session, mine, now)
    fresh = [one for one in mine if one.occurred_at >= since and _begins(one, now)]
    _begin(session, fresh, wanted, directory, now)


_KINDS = {
    MESSAGE_RECEIVED,
    MESSAGE_SENT,
    MESSAGE_UNSENT,
    CONVERSATION_CLOSED,
    CONVERSATION_MARKED_SPAM,
}


def _begins(event: Recorded, now: datetime) -> bool:
    return (
        event.kind == MESSAGE_RECEIVED
        and event.message_id is not None
        and event.depth < DEEPEST
        and not event.facts(OfMessage).late
        and now - event.at < TOO_LATE
    )


def _begin(
    session: Session,
    events: Sequence[Recorded],
    wanted: dict[int, Attached],
    directory: AdapterDirectory,
    now: datetime,
) -> None:
    """Create a turn for the newest message of each conversation, replacing open ones."""
    by_message = {one.message_id: one for one in events}
    rows = session.execute(
        sa.select(
            *(Message.id, Message.conversation_id, Message.kind, Message.text, Message.content),
            *(Message.unsent_at, Message.imported_at),
        )
        .where(Message.id.in_(by_message), Message.direction == Direction.INBOUND)
        .order_by(Message.conversation_id, Message.sent_at, Message.id)
    ).all()
    newest = {row.conversation_id: row for row in rows if sent_as(row.kind) is not Sent.NOTHING}
    before = _open_of(session, list(newest))
    # An assistant answers in public, so it is silent where only private replies are possible.
    silent = below_private_only(session, directory, list(newest))
    taps = [row.id for row in newest.values() if sent_as(row.kind) is Sent.TAP]
    answered = buttons.answered(session, taps)
    made = []
    for conversation_id, row in newest.items():
        event = by_message[row.id]
        its = wanted[event.account_id or 0]
        if its.stopped or row.imported_at is not None or row.unsent_at is not None:
            continue
        older = [one for one in before[conversation_id] if one.message_id < row.id]
        _discard(session, [one.id for one in older], "newer", now)
        if sent_as(row.kind) not in its.answers_on or conversation_id in silent or row.id in answered:
            continue
        unread = [one for one in older if one.state in {TurnState.WAITING, TurnState.THINKING}]
        first = min((one.first_at for one in unread), default=now)
        tap = handover_phrases.is_asked(row.text) or _is_button(row.content)
        made.append(
            {
                **_EMPTY,
                "workspace_id": its.workspace_id,
                "assistant_id": its.assistant_id,
                "version": its.version,
                "account_id": its.account_id,
                "conversation_id": conversation_id,
                "message_id": row.id,
                "mode": its.mode,
                "first_at": first,
                "due_at": now if tap else due(now, first, its.body.pause, len(unread)),
                "cause_id": event.id,
                "root_id": event.root_id or event.id,
                "depth": event.depth + 1,
                "created_at": now,
            }
        )
    if made:
        session.execute(db.insert_ignore(_TURNS, session.get_bind().dialect.name), made)
        show_conversations(session, {(one["workspace_id"], one["conversation_id"]) for one in made})


_EMPTY: dict[str, Any] = {
    "messages": 0,
    "state": TurnState.WAITING,
    "fence": 0,
    "attempts": 0,
    "text": "",
    "sources": [],
    "offers": [],
    "tokens_in": 0,
    "tokens_out": 0,
    "cost": 0,
    "took_ms": 0,
}


def due(now: datetime, first: datetime, pause: int, already: int) -> datetime:
    """Return when a customer's messages are read.

    :param first: time of the first of them.
    :param already: number of messages before this one; the pause grows with them.
    """
    length = timedelta(seconds=pause * (1 + GROWS * min(already, 4)))
    return max(now, min(now + length, first + LONGEST_WAIT))


def _is_button(content: Any) -> bool:
    payload = content.get("payload") if isinstance(content, dict) else None
    return payload == handover_phrases.PERSON_PAYLOAD or handover_phrases.topic_of(payload) is not None


def _open_of(session: Session, conversations: Collection[int]) -> dict[int, list[Any]]:
    """Return the unfinished turns by conversation."""
    found: dict[int, list[Any]] = defaultdict(list)
    if conversations:
        query = sa.select(
            *(AssistantTurn.id, AssistantTurn.conversation_id, AssistantTurn.message_id),
            *(AssistantTurn.state, AssistantTurn.mode, AssistantTurn.first_at, AssistantTurn.workspace_id),
        ).where(AssistantTurn.conversation_id.in_(conversations), AssistantTurn.state.in_(assistants.OPEN))
        for row in session.execute(query):
            found[row.conversation_id].append(row)
    return found


def _end(session: Session, events: Sequence[Recorded], now: datetime) -> None:
    """End turns that were overtaken: a person answered, or the conversation was closed."""
    ending = [one for one in events if one.kind != MESSAGE_RECEIVED]
    found = _open_of(session, {one.conversation_id for one in ending if one.conversation_id is not None})
    if not found:
        return
    sent = {one.message_id for one in ending if one.kind == MESSAGE_SENT}
    query = sa.select(Message.id, Message.origin).where(
        Message.id.in_(sent), Message.origin.in_(SAID_BY_OTHERS)
    )
    by_others = {row.id: row.origin for row in session.execute(query)} if sent else {}
    by_people = {id_ for id_, origin in by_others.items() if origin in PEOPLE}
    for event in ending:
        theirs = found[event.conversation_id or 0]
        if event.kind == MESSAGE_SENT:
            if event.message_id not in by_others:
                continue
            mine = [one for one in theirs if one.message_id < (event.message_id or 0)]
            beside = {"answered_id": event.message_id} if event.message_id in by_people else {}
            ready = {one.id: one.mode for one in mine if one.state == TurnState.READY}
            shown = [id_ for id_, mode in ready.items() if mode != Mode.SHADOW]
            _discard(session, shown, "answered", now, outcome=TurnOutcome.WRITTEN, **beside)
            # Nobody saw the suggestion, so nobody decided about it.
            _discard(session, ready.keys() - set(shown), "answered", now, **beside)
            # A turn in shadow mode continues: its answer is later shown next to the person's.
            going_on = {one.id for one in mine if (one.mode, one.state) == (Mode.SHADOW, TurnState.THINKING)}
            rest = {one.id for one in mine} - ready.keys() - going_on
            _discard(session, rest, "answered", now)
        elif event.kind == MESSAGE_UNSENT:
            _discard(session, [one.id for one in theirs], "taken_back", now, text="", sources=[], offers=[])
            assistants.forget_cases(session, [event.conversation_id or 0])
        elif event.kind == CONVERSATION_CLOSED:
            _discard(session, [one.id for one in theirs], "closed_by_team", now)
        else:
            _discard(session, [one.id for one in theirs], "spam", now)
    changed = {(one.workspace_id, one.conversation_id or 0) for one in ending}
    show_conversations(session, {one for one in changed if found[one[1]]})


def _discard(session: Session, ids: Collection[int], reason: str, now: datetime, **more: Any) -> None:
    if ids:
        assistants.discard(session, AssistantTurn.id.in_(ids), reason, now, **more)


# ---- checks at every step ------------------------------------------------------------------------------


def newest_inbound(session: Session, conversation_id: int) -> int | None:
    """Return the id of the customer's newest message with content, or None."""
    query = (
        sa.select(Message.id)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == Direction.INBOUND,
            Message.kind.not_in(_SAYS_NOTHING),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
    )
    return session.scalar(query)


_SAYS_NOTHING = [kind for kind in UNSAID if sent_as(kind) is Sent.NOTHING]


def is_answered(session: Session, conversation_id: int, message_id: int) -> bool:
    """Return whether someone else has answered since a message, or is about to."""
    query = sa.select(Message.id).where(*_by_somebody(conversation_id, message_id, SAID_BY_OTHERS))
    return session.scalar(query.limit(1)) is not None


def _by_somebody(
    conversation_id: int, message_id: int, origins: Collection[str]
) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Message.conversation_id == conversation_id,
        Message.id > message_id,
        Message.direction == Direction.OUTBOUND,
        Message.origin.in_(origins),
        sa.or_(Message.state.is_(None), Message.state != "cancelled"),
        Message.imported_at.is_(None),
    )


def set_beside(session: Session, turn: AssistantTurn, now: datetime) -> None:
    """Store which answer of a person a turn in shadow mode is compared with."""
    query = sa.select(Message.id).where(*_by_somebody(turn.conversation_id, turn.message_id, PEOPLE))
    turn.answered_id = session.scalar(query.order_by(Message.id).limit(1))
    turn.state, turn.reason, turn.done_at, turn.due_at = TurnState.DISCARDED, "answered", now, None
    session.flush()


def locked_turn(session: Session, turn_id: int) -> AssistantTurn | None:
    """Return a turn, locked until the write ends."""
    query = sa.select(AssistantTurn).where(AssistantTurn.id == turn_id)
    return session.scalars(query.with_for_update().execution_options(populate_existing=True)).one_or_none()


def conversation_of(session: Session, conversation_id: int) -> Conversation | None:
    """Return the current state of a conversation."""
    return session.get(Conversation, conversation_id, populate_existing=True)
