"""The conversations behind a figure: each of its spans, and how many were left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.core.backports.values import replace
from host.inbox.list_positions import Position, earlier_than, position_text
from host.models.channels import ChannelAccount
from host.models.inbox import Contact, ContactIdentity, Conversation
from host.models.users import User
from host.reports.counting import hour_of
from host.reports.figures import CLOSED_WITHIN, Figure, Selection, conditions, of
from host.reports.models import AUTOMATION, CAMPAIGN, Span, SpanEnd, SpanKind

_WAITS = {
    Figure.FIRST: [SpanKind.FIRST],
    Figure.NEXT: [SpanKind.NEXT],
    Figure.MISSED: [SpanKind.FIRST, SpanKind.NEXT],
    Figure.LATE: [SpanKind.FIRST, SpanKind.NEXT],
}


class Sort(StrEnum):
    """The order of a figure's spans."""

    NEWEST = "newest"
    SLOWEST = "slowest"


MEASURED = frozenset({Figure.FIRST, Figure.NEXT, Figure.RESOLVE, Figure.LATE})
"""The figures whose spans have a duration, so that they can be sorted by it."""


class Opened(msgspec.Struct, frozen=True):
    """One span and its conversation.

    :param conversation_id: None: that conversation was deleted.
    :param who: name of the member who ended it; empty: nobody of the team.
    :param by: who did if it was nobody: ``automation`` or ``campaign``; else empty.
    :param seconds: duration; None: it is still open.
    """

    id: int
    conversation_id: int | None
    customer: str
    account: str
    who: str
    started_at: datetime
    ended_at: datetime | None
    closed: bool
    seconds: int | None
    window_until: datetime | None
    target_seconds: int | None = None
    by: str = ""

    @property
    def late(self) -> int:
        """Seconds by which it missed the response target of its account; 0: not late, or no target."""
        if self.seconds is None or self.target_seconds is None or self.closed:
            return 0
        return max(0, self.seconds - self.target_seconds)


class Page(msgspec.Struct, frozen=True):
    """Some spans of a figure.

    :param next: start of the next page, as text for an address; None: this is the last.
    """

    rows: Sequence[Opened]
    next: str | None


class LeftOut(msgspec.Struct, frozen=True):
    """The spans a figure does not count, although they began or ended in its days.

    :param closed: waits that a closing ended: nobody was answered.
    :param going_on: spans that have not ended yet.
    :param automatically: conversations that automation closed: nobody resolved them.
    """

    closed: int
    going_on: int
    automatically: int


def list_opened(
    session: Session,
    figure: Figure,
    chosen: Selection,
    now: datetime,
    *,
    most: int,
    before: Position | None = None,
    slower: tuple[int, int] | None = None,
    sort: Sort = Sort.NEWEST,
    within: int | None = None,
) -> Page:
    """Return the spans of *figure*.

    :param before: position of the last span of the page before, by time; *slower*: by duration, its seconds
        and its id.
    :param sort: the slowest first only for figures in :data:`MEASURED`; late answers by how late they were.
    :param within: of resolutions, only those of this class of :data:`CLOSED_WITHIN`.
    """
    start, *_, end = chosen.days.bounds()
    at = {Figure.OPENED: Span.started_at, Figure.MISSED: Span.window_until}.get(figure, Span.ended_at)
    by_hour = at is Span.ended_at
    took = Span.seconds - Span.target_seconds if figure is Figure.LATE else Span.seconds
    by_length = sort is Sort.SLOWEST and figure in MEASURED
    order = [took.desc()] if by_length else [*([Span.hour.desc()] if by_hour else []), at.desc()]
    query = (
        sa.select(
            Span.id,
            Conversation.id,
            sa.func.coalesce(
                Contact.name, ContactIdentity.name, ContactIdentity.username, ContactIdentity.external_id
            ),
            ChannelAccount.handle,
            User.name,
            Span.started_at,
            Span.ended_at,
            Span.ended_by,
            Span.seconds,
            Span.window_until,
            Span.target_seconds,
            Span.user_id,
            took,
            at,
        )
        .outerjoin(Conversation, Conversation.id == Span.conversation_id)
        .outerjoin(Contact, Contact.id == Conversation.contact_id)
        .outerjoin(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .outerjoin(ChannelAccount, ChannelAccount.id == Span.account_id)
        .outerjoin(User, User.id == Span.user_id)
        .where(*conditions(figure, chosen, start, end, now), *_class(within))
        .order_by(*order, Span.id.desc())
        .limit(most + 1)
    )
    if by_length and slower is not None:
        seconds, id_ = slower
        query = query.where(took <= seconds, sa.or_(took < seconds, Span.id < id_))
    elif not by_length and before is not None:
        query = query.where(*earlier_than(before, at, Span.id))
        if by_hour:
            query = query.where(Span.hour <= hour_of(before[0]))
    found = db.read_rows(session, query)
    if len(found) <= most:
        return Page([_opened(row) for row in found], None)
    last = found[most - 1]
    following = f"{int(last[-2])}-{last[0]}" if by_length else position_text((last[-1], last[0]))
    return Page([_opened(row) for row in found[:most]], following)


def _opened(row: Any) -> Opened:
    id_, conversation_id, customer, account, who, started_at, ended_at, ended_by, seconds, *ends = row
    until, target, user_id, _took, _at = ends
    closed = ended_by == SpanEnd.CLOSED
    return Opened(
        id_,
        conversation_id,
        customer or "",
        account or "",
        who or "",
        started_at,
        ended_at,
        closed,
        seconds,
        until,
        target,
        {AUTOMATION: "automation", CAMPAIGN: "campaign"}.get(user_id, ""),
    )


def _class(within: int | None) -> list[sa.ColumnElement[bool]]:
    if within is None:
        return []
    ends = [int(end.total_seconds()) for end in CLOSED_WITHIN]
    found: list[sa.ColumnElement[bool]] = []
    if within > 0:
        found.append(Span.seconds > ends[within - 1])
    if within < len(ends):
        found.append(Span.seconds <= ends[within])
    return found


def count_opened(
    session: Session, figure: Figure, chosen: Selection, now: datetime, *, within: int | None = None
) -> int:
    """Return how many spans *figure* has."""
    start, *_, end = chosen.days.bounds()
    query = sa.select(sa.func.count()).select_from(Span)
    return session.scalar(query.where(*conditions(figure, chosen, start, end, now), *_class(within))) or 0


def count_left_out(session: Session, figure: Figure, chosen: Selection) -> LeftOut:
    """Return what *figure* left out, for all people, as the person it would have counted for is unknown."""
    start, *_, end = chosen.days.bounds()
    everybody = replace(chosen, user_id=None)
    kinds = _WAITS.get(figure, [SpanKind.RESOLVE])
    mine = [*of(everybody, Span), Span.kind.in_(kinds)]
    closed = sa.select(sa.func.count()).where(
        *mine, Span.ended_by == SpanEnd.CLOSED, Span.hour >= start, Span.hour < end
    )
    automatically = closed.where(Span.user_id < 0)
    if figure is Figure.MISSED:
        closed = closed.where(Span.ended_at <= Span.window_until)
    going_on = sa.select(sa.func.count()).where(
        *mine, Span.ended_at.is_(None), Span.started_at >= start, Span.started_at < end
    )
    return LeftOut(
        (session.scalar(closed) or 0) if figure in _WAITS else 0,
        (session.scalar(going_on) or 0) if figure is not Figure.OPENED else 0,
        (session.scalar(automatically) or 0) if figure is Figure.RESOLVE else 0,
    )
