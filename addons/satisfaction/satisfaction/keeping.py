"""The addon's table: closings, questions, scores and comments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.sdk import db
from host.sdk.db import host_table
from host.sdk.events import DeskEvent

from .models import Outcome, SatisfactionAnswer

COUNTS_FOR = timedelta(days=30)
"""How long after the question a tap is kept as an answer."""
COMMENTS_FOR = timedelta(minutes=10)
"""How long after the tap a text is kept as the comment."""

_conversations = host_table("conversations")
_identities = host_table("contact_identities")
_messages = host_table("messages")
_ASKED = (Outcome.ASKING, Outcome.ASKED)
_ASKED_OR_WILL_BE = (*_ASKED, Outcome.WAITING)
PORTION = 50
"""Most customers asked in one run of the job."""
WINDOW_CLOSED = ("window_closed", "people_only")
"""Reasons of docs/sdk/desk.md for a reply that the reply window doesn't allow."""
OPTED_OUT = "opted_out"
"""The reason for a reply to a customer who wants no automated messages."""
Row = SatisfactionAnswer


@dataclass(frozen=True, slots=True)
class Answer:
    """A question to a customer, with their answer unless *score* is None."""

    asked_at: datetime
    score: int | None
    comment: str


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a workspace for a period, by the time of the closings.

    :param scores: how often each score was given.
    :param comments: those that were not deleted since.
    :param window_closed: customers not asked because the reply window was closed; *recently*: because they
        had been asked recently; *opted_out* of automated messages; *reopened*: because the conversation was
        opened again; *other*: for another reason.
    """

    asked: int
    scores: Mapping[int, int]
    comments: int
    window_closed: int
    recently: int
    opted_out: int
    reopened: int
    other: int

    @property
    def answered(self) -> int:
        return sum(self.scores.values())

    @property
    def rate(self) -> float | None:
        """The share of the asked that answered; None if nobody was asked."""
        return self.answered / self.asked if self.asked else None

    @property
    def average(self) -> float | None:
        """The average score; None without any."""
        total = sum(score * count for score, count in self.scores.items())
        return round(total / self.answered, 2) if self.answered else None

    @property
    def closings(self) -> int:
        """How often a customer was asked or might have been."""
        return self.asked + self.window_closed + self.recently + self.opted_out + self.reopened + self.other


def begin(
    session: Session, event: DeskEvent, now: datetime, days: int, hindrance: Outcome | None
) -> tuple[int, str]:
    """Return the id of the row of a closing and its outcome: ``asking`` if the customer has to be asked.

    A closing that is passed again keeps its row. One that can still be undone is ``waiting`` until then.

    :param days: the customer is not asked again within these.
    :param hindrance: why they are not asked anyway; None: they may be.
    """
    known = session.execute(sa.select(Row.id, Row.outcome).where(Row.event_id == event.id)).one_or_none()
    if known is not None:
        return known.id, known.outcome
    # It was opened again since an earlier closing, so that one no longer waits.
    superseded = sa.update(Row).where(
        Row.conversation_id == event.conversation_id, Row.outcome == Outcome.WAITING
    )
    session.execute(superseded.values(outcome=Outcome.REOPENED))
    waits = event.undo_until is not None and event.undo_until > now
    outcome = hindrance or (Outcome.WAITING if waits else Outcome.ASKING)
    if hindrance is None and _asked_since(session, event, now - timedelta(days=days)):
        outcome = Outcome.RECENTLY
    row = Row(
        workspace_id=event.workspace_id,
        conversation_id=event.conversation_id,
        contact_id=event.contact_id,
        event_id=event.id,
        outcome=outcome,
        asked_at=event.undo_until if outcome == Outcome.WAITING else now,
    )
    session.add(row)
    session.flush()
    return row.id, outcome


def _asked_since(session: Session, event: DeskEvent, since: datetime) -> bool:
    theirs = sa.select(_conversations.c.id).where(_conversations.c.contact_id == event.contact_id)
    query = sa.select(Row.id).where(
        sa.or_(Row.contact_id == event.contact_id, Row.conversation_id.in_(theirs)),
        Row.outcome.in_(_ASKED_OR_WILL_BE),
        Row.asked_at > since,
    )
    return session.scalar(query.limit(1)) is not None


def could_ask(workspace_id: int, conversations: Collection[int], since: datetime) -> frozenset[int]:
    """Return those of *conversations* whose customers would be asked if they were closed.

    They are open, no spam, and their customers were not asked after *since*.
    """
    asked = sa.select(Row.id).where(
        Row.contact_id == _conversations.c.contact_id,
        Row.outcome.in_(_ASKED_OR_WILL_BE),
        Row.asked_at > since,
    )
    query = sa.select(_conversations.c.id).where(
        _conversations.c.workspace_id == workspace_id,
        _conversations.c.id.in_(conversations),
        _conversations.c.status != "closed",
        _conversations.c.spam_at.is_(None),
        ~asked.exists(),
    )
    with db.read() as session:
        return frozenset(session.scalars(query))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A closing whose customer is to be asked now."""

    id: int
    workspace_id: int
    conversation_id: int
    due_at: datetime


def due(now: datetime) -> list[Waiting]:
    """Return closings that can no longer be undone, the oldest first."""
    query = (
        sa.select(Row.id, Row.workspace_id, Row.conversation_id, Row.asked_at)
        .where(Row.outcome == Outcome.WAITING, Row.asked_at <= now)
        .order_by(Row.asked_at, Row.id)
        .limit(PORTION)
    )
    with db.read() as session:
        return [Waiting(*row) for row in session.execute(query)]


def take(session: Session, row_id: int, outcome: str, now: datetime) -> bool:
    """Give a waiting closing its outcome; return False if it no longer waits."""
    row = session.get(Row, row_id, with_for_update=True, populate_existing=True)
    if row is None or row.outcome != Outcome.WAITING:
        return False
    row.outcome, row.asked_at = outcome[:64], now
    return True


def settle(session: Session, row_id: int, outcome: str) -> None:
    """Store the outcome of asking."""
    session.execute(sa.update(Row).where(Row.id == row_id).values(outcome=outcome[:64]))


def answer(session: Session, event: DeskEvent, row_id: int, score: int) -> bool:
    """Keep the score of a tap, and return whether this tap gave it. The first one counts."""
    row = session.get(Row, row_id, with_for_update=True)
    if row is None or row.conversation_id != event.conversation_id or row.outcome not in _ASKED:
        return False
    if row.score is None and event.at <= row.asked_at + COUNTS_FOR:
        row.score, row.answered_at = score, event.at
        session.flush()
    # The same tap, passed again.
    return row.score == score and row.answered_at == event.at


def awaits_comment(event: DeskEvent) -> bool:
    """Return whether the customer gave a score shortly before a message, and no comment since."""
    with db.read() as session:
        row = session.scalars(_scored_before(event)).one_or_none()
        return row is not None and row.comment_message_id is None


def comment(session: Session, event: DeskEvent, text: str) -> None:
    """Keep a text as the comment if one is awaited."""
    row = session.scalars(_scored_before(event)).one_or_none()
    if row is not None and row.comment_message_id is None:
        row.comment, row.comment_message_id = text, event.message_id


def _scored_before(event: DeskEvent) -> sa.Select[Any]:
    return (
        sa.select(Row)
        .where(
            Row.conversation_id == event.conversation_id,
            Row.answered_at <= event.at,
            Row.answered_at >= event.at - COMMENTS_FOR,
        )
        .order_by(Row.answered_at.desc(), Row.id.desc())
        .limit(1)
    )


def forget(session: Session, *, message: int | None = None, contact: int | None = None) -> None:
    """Delete the comment of a message, or all comments of a contact. Scores stay."""
    where = Row.comment_message_id == message
    if contact is not None:
        theirs = sa.select(_conversations.c.id).where(_conversations.c.contact_id == contact)
        where = sa.or_(Row.contact_id == contact, Row.conversation_id.in_(theirs))
    session.execute(sa.update(Row).where(where).values(comment=None))


def tidy() -> None:
    """Delete comments whose messages were deleted, such as at the end of the time that messages are kept."""
    db.write(_tidy)


def _tidy(session: Session) -> None:
    there = sa.select(_messages.c.id).where(_messages.c.id == Row.comment_message_id)
    gone = sa.update(Row).where(Row.comment.is_not(None), ~there.exists()).values(comment=None)
    session.execute(gone.execution_options(synchronize_session=False))


# ---- reading -------------------------------------------------------------------------------------------


def of_conversation(conversation_id: int) -> list[Answer]:
    """Return what the customer was asked in a conversation, the newest first."""
    return _answers(Row.conversation_id == conversation_id)


def of_contact(contact_id: int, identities: Iterable[tuple[str, str]]) -> list[Answer]:
    """Return what a contact was asked, the newest first.

    :param identities: channel and external id of those that the reader may see.
    """
    seen = [
        sa.and_(_conversations.c.channel == channel, _identities.c.external_id == external_id)
        for channel, external_id in identities
    ]
    theirs = (
        sa.select(_conversations.c.id)
        .join(_identities, _identities.c.id == _conversations.c.identity_id)
        .where(_conversations.c.contact_id == contact_id, sa.or_(sa.false(), *seen))
    )
    return _answers(Row.conversation_id.in_(theirs))


def _answers(where: sa.ColumnElement[bool]) -> list[Answer]:
    query = (
        sa.select(Row.asked_at, Row.score, Row.comment)
        .where(where, Row.outcome == Outcome.ASKED)
        .order_by(Row.asked_at.desc(), Row.id.desc())
        .limit(20)
    )
    with db.read() as session:
        return [Answer(row.asked_at, row.score, row.comment or "") for row in session.execute(query)]


def last_scores(contacts: Collection[int]) -> Mapping[int, int]:
    """Return the newest score of each of *contacts* that gave one."""
    query = (
        sa.select(_conversations.c.contact_id, Row.score)
        .join(Row, Row.conversation_id == _conversations.c.id)
        .where(_conversations.c.contact_id.in_(contacts), Row.score.is_not(None))
        .order_by(Row.answered_at, Row.id)
    )
    with db.read() as session:
        return {row.contact_id: row.score for row in session.execute(query)}


def figures(
    workspace_id: int, since: datetime, until: datetime, accounts: Collection[int] | None = None
) -> Figures:
    """Return the figures of a workspace for closings from *since* to before *until*.

    :param accounts: only closings of conversations on these; None: on all.
    """
    query = (
        sa.select(
            Row.outcome,
            Row.score,
            sa.func.count().label("closings"),
            sa.func.count(Row.comment).label("comments"),
        )
        .where(Row.workspace_id == workspace_id, Row.asked_at >= since, Row.asked_at < until)
        .group_by(Row.outcome, Row.score)
    )
    if accounts is not None:
        query = query.join(_conversations, _conversations.c.id == Row.conversation_id)
        query = query.where(_conversations.c.account_id.in_(accounts))
    with db.read() as session:
        rows = session.execute(query).all()
    found: Counter[str] = Counter()
    for row in rows:
        if row.outcome == Outcome.WAITING:
            continue
        found[row.outcome] += row.closings
    asked = [row for row in rows if row.outcome == Outcome.ASKED]
    return Figures(
        asked=found.pop(Outcome.ASKED, 0),
        scores={row.score: row.closings for row in asked if row.score is not None},
        comments=sum(row.comments for row in asked),
        window_closed=sum(found.pop(one, 0) for one in WINDOW_CLOSED),
        recently=found.pop(Outcome.RECENTLY, 0),
        opted_out=found.pop(OPTED_OUT, 0),
        reopened=found.pop(Outcome.REOPENED, 0),
        other=found.total(),
    )
