"""Which events start a run, or are answers in one.

The consumer of the event log only notes that a message may concern a sequence. What it does is decided later,
under the locks of the conversation. A message that then concerns none is handed to rules and assistants.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from collections.abc import Sequence as Many
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.conditions import finders, folded, found_in
from host.automation.deciding import TOO_LATE, RunKind, Sent, sent_as
from host.automation.runs import row_of
from host.core import db
from host.events.kinds.conversations import (
    CONVERSATION_CLOSED,
    CONVERSATION_HANDLER_CHANGED,
    CONVERSATION_MARKED_SPAM,
)
from host.events.kinds.messages import MESSAGE_EDITED, MESSAGE_RECEIVED, MESSAGE_SENT, OfMessage
from host.events.models import ActorKind
from host.events.reading import Recorded
from host.features import registry
from host.features.startable_sequence import StartableSequence
from host.models.automation import AutomationRun, RunState
from host.models.inbox import Conversation, Direction, Message
from host.sdk.messages import MessageKind
from host.sequences import answers, runner
from host.sequences.body import Body
from host.sequences.models import Sequence, SequenceAnswer, SequenceRun, SequenceState, SequenceVersion

_STOPS = frozenset(
    {MESSAGE_SENT, CONVERSATION_CLOSED, CONVERSATION_HANDLER_CHANGED, CONVERSATION_MARKED_SPAM}
)
"""Events after which a run is checked for what people did."""


_IS_LIVE_VERSION = sa.and_(
    SequenceVersion.sequence_id == Sequence.id, SequenceVersion.number == Sequence.live_version
)


class LiveSequence(msgspec.Struct, frozen=True):
    """A live sequence.

    :param version: its published version.
    """

    id: int
    workspace_id: int
    version: int
    body: Body


def live(session: Session, workspaces: Collection[int]) -> tuple[dict[int, list[LiveSequence]], bool]:
    """Return the live sequences of *workspaces*, in order, and whether any has ever been published there."""
    query = (
        sa.select(
            *(Sequence.id, Sequence.workspace_id, Sequence.state, SequenceVersion.number),
            sa.cast(SequenceVersion.body, sa.Text),
        )
        .join(SequenceVersion, _IS_LIVE_VERSION)
        .where(Sequence.workspace_id.in_(db.padded(workspaces)))
        .order_by(Sequence.workspace_id, Sequence.position, Sequence.id)
    )
    found: dict[int, list[LiveSequence]] = defaultdict(list)
    rows = session.execute(query).all()
    for id_, workspace_id, state, version, text in rows:
        body = runner.body_in(text) if state == SequenceState.LIVE else None
        if body is not None:
            found[workspace_id].append(LiveSequence(id_, workspace_id, version, body))
    return found, bool(rows)


def startable(session: Session, workspace_id: int) -> dict[int, StartableSequence]:
    """Return the sequences of a workspace by id, in order, in one statement."""
    query = (
        sa.select(*(Sequence.id, Sequence.name, Sequence.state), sa.cast(SequenceVersion.body, sa.Text))
        .outerjoin(SequenceVersion, _IS_LIVE_VERSION)
        .where(Sequence.workspace_id == workspace_id)
        .order_by(Sequence.position, Sequence.id)
    )
    found = {}
    for id_, name, state, text in session.execute(query):
        body = runner.body_in(text) if text is not None and state == SequenceState.LIVE else None
        found[id_] = StartableSequence(name, body is not None, body is not None and body.starts.programs)
    return found


def taken(
    session: Session, events: Many[Recorded], now: datetime, since: datetime
) -> tuple[list[Mapping[str, Any]], set[int]]:
    """Return the runs to write for *events*, and the ids of the events that sequences take first."""
    about = [one for one in events if _counts(one, since)]
    if not about:
        return [], set()
    sequences, any_ = live(session, {one.workspace_id for one in about})
    if not any_:
        return [], set()
    talks = {one.conversation_id for one in about if one.conversation_id is not None}
    active = _active(session, talks)
    received = [one for one in about if one.kind == MESSAGE_RECEIVED]
    messages = _messages(session, received)
    replies = registry.hooks().answer_sequences(session=session, events=received) or {}
    _forget_edited(session, about)
    rows: list[Mapping[str, Any]] = []
    ours: set[int] = set()
    for event in about:
        in_run = event.conversation_id in active
        if event.kind != MESSAGE_RECEIVED:
            if in_run and event.kind in _STOPS and _is_peoples(event):
                facts = {"closed": event.kind == CONVERSATION_CLOSED}
                rows.append(row_of(event, RunKind.SEQUENCE_CHECK, 0, 0, now, facts=facts))
            continue
        message = messages.get(event.message_id or 0)
        if message is None or sent_as(message.kind) is Sent.NOTHING:
            continue
        if in_run:
            rows.append(row_of(event, RunKind.SEQUENCE_MESSAGE, 0, 0, now))
            ours.add(event.id)
            continue
        if event.facts(OfMessage).late or now - min(event.at, message.sent_at) > TOO_LATE:
            continue  # an answer may come late, but nothing starts
        there = sequences.get(event.workspace_id, ())
        asked, campaign = replies.get(event.id, (0, 0))
        start = _of_campaign(there, asked, message) or _start(there, message)
        if start is not None:
            known, by = start
            rows.append(row_of(event, RunKind.SEQUENCE, known.id, known.version, now, facts={"by": by}))
            if by == "campaign":
                rows.append(row_of(event, RunKind.ANSWER, campaign, 0, now))  # it notes the answer
            ours.add(event.id)
            active.add(event.conversation_id or 0)  # what follows may be an answer
    return rows, ours


def _counts(event: Recorded, since: datetime) -> bool:
    if event.conversation_id is None or event.cause_id is not None or event.occurred_at < since:
        return False
    if event.kind in {MESSAGE_RECEIVED, MESSAGE_EDITED}:
        return event.message_id is not None
    return event.kind in _STOPS


def _forget_edited(session: Session, events: Iterable[Recorded]) -> None:
    """Delete the answers that runs keep from messages that were edited since: they no longer say that."""
    edited = [one.message_id for one in events if one.kind == MESSAGE_EDITED and one.message_id is not None]
    if edited:
        session.execute(sa.delete(SequenceAnswer).where(SequenceAnswer.message_id.in_(db.padded(edited))))


def _is_peoples(event: Recorded) -> bool:
    """Return whether people did it: here, or in the provider's app."""
    return event.kind != MESSAGE_SENT or event.actor_kind != ActorKind.SYSTEM


def _active(session: Session, conversations: Collection[int]) -> set[int]:
    """Return the conversations with a run, or with one that is about to start."""
    runs = sa.select(SequenceRun.conversation_id).where(
        SequenceRun.conversation_id.in_(db.padded(conversations)), SequenceRun.active_contact_id.is_not(None)
    )
    due = sa.select(AutomationRun.conversation_id).where(
        AutomationRun.conversation_id.in_(db.padded(conversations)),
        AutomationRun.kind == RunKind.SEQUENCE,
        AutomationRun.state == RunState.DUE,
        AutomationRun.outcome.is_(None),
    )
    return {*session.scalars(runs), *session.scalars(due)}


class Heard(msgspec.Struct, frozen=True):
    """A message that may start a sequence.

    :param first: whether nobody wrote before it in the conversation, nor elsewhere.
    """

    kind: str
    text: str
    content: Mapping[str, Any]
    account_id: int
    sent_at: datetime
    first: bool


def _messages(session: Session, events: Iterable[Recorded]) -> dict[int, Heard]:
    ids = [one.message_id for one in events if one.message_id is not None]
    if not ids:
        return {}
    this, other = Message.__table__.alias(), Message.__table__.alias()
    talks = Conversation.__table__.alias()
    others = Conversation.__table__.alias()
    before = sa.exists().where(other.c.conversation_id == this.c.conversation_id, other.c.id < this.c.id)
    elsewhere = sa.exists().where(others.c.identity_id == talks.c.identity_id, others.c.id < talks.c.id)
    query = (
        sa.select(
            *(this.c.id, this.c.kind, this.c.text, this.c.content, this.c.account_id, this.c.sent_at),
            sa.not_(sa.or_(before, elsewhere)).label("first"),
        )
        .join_from(this, talks, talks.c.id == this.c.conversation_id)
        .where(
            this.c.id.in_(db.padded(ids)),
            this.c.direction == Direction.INBOUND,
            this.c.imported_at.is_(None),
            this.c.unsent_at.is_(None),
        )
    )
    return {
        id_: Heard(kind, text or "", content or {}, account, sent_at, bool(first))
        for id_, kind, text, content, account, sent_at, first in session.execute(query)
    }


def _of_campaign(
    sequences: Iterable[LiveSequence], sequence_id: int, message: Heard
) -> tuple[LiveSequence, str] | None:
    """Return the sequence of the campaign whose private reply a message answers, if it is live there."""
    for known in sequences:
        accounts = known.body.accounts
        if known.id == sequence_id and (not accounts or message.account_id in accounts):
            return known, "campaign"
    return None


def _start(sequences: Iterable[LiveSequence], message: Heard) -> tuple[LiveSequence, str] | None:
    """Return the sequence that a message starts, and by what."""
    for known in sequences:
        by = started_by(known.body, message)
        if by:
            return known, by
    return None


def started_by(body: Body, message: Heard) -> str:
    """Return by what a message starts a sequence, as :attr:`SequenceRun.started_by`; empty: it does not."""
    if body.accounts and message.account_id not in body.accounts:
        return ""
    starts = body.starts
    payload = message.content.get("payload")
    if isinstance(payload, str) and answers.is_of_sequence(payload):
        return ""  # an answer to a question that is not asked any more
    is_tap = message.kind == MessageKind.POSTBACK or "payload" in message.content
    if is_tap:
        said = folded(message.text).strip()
        return "tap" if said and said in {folded(one).strip() for one in starts.taps} else ""
    if starts.refs and _ref(message.content) in starts.refs:
        return "ref"
    if starts.story_replies and message.kind == MessageKind.STORY_REPLY:
        return "story"
    if starts.words and found_in(message.text, finders(starts.words)):
        return "words"
    return "first" if starts.first and message.first else ""


def _ref(content: Mapping[str, Any]) -> str:
    referral = content.get("referral")
    found = referral.get("ref") if isinstance(referral, Mapping) else None
    return found if isinstance(found, str) else ""
