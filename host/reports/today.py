"""Messages of the day, and who answered how soon, for the Today page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa
from flask_babel import ngettext
from sqlalchemy.orm import Session

from host.core.ids import read_id
from host.features.today import TodayAsked, TodayRow, TodaySection
from host.models.inbox import Conversation
from host.models.users import User
from host.reports.figures import Times
from host.reports.models import ReportHour, Span, SpanEnd, SpanKind
from host.web.formats import duration
from host.web.languages import gettext as _

_BEGUN, _ANSWERED = "begun", "answered-"
_WAITS = (SpanKind.FIRST, SpanKind.NEXT)


def rows(session: Session, asked: TodayAsked) -> list[TodayRow]:
    """Return the rows of reports. Three statements."""
    return [*_messages(session, asked), *_began(session, asked), *_people(session, asked)]


def _messages(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield the customers' messages, beside those of a week ago up to this hour. One statement."""
    hour, (week, until) = ReportHour.hour, asked.week
    today = sa.func.sum(sa.case((hour >= asked.since, ReportHour.received), else_=0))
    before = sa.func.sum(sa.case((hour < asked.since, ReportHour.received), else_=0))
    query = sa.select(today, before).where(
        ReportHour.workspace_id == asked.workspace_id,
        hour >= week,
        sa.or_(hour >= asked.since, hour <= until),
        *asked.seen(ReportHour.account_id),
    )
    number, past = (int(one or 0) for one in session.execute(query).one())
    if number:
        detail = _("%(num)s by this hour a week ago", num=past) if past else ""
        yield TodayRow(
            TodaySection.CAME, 10, _("Messages from customers"), number, key="wrote", detail=detail
        )


def _begun_spans(asked: TodayAsked) -> list[sa.ColumnElement[bool]]:
    return [
        Span.workspace_id == asked.workspace_id,
        Span.kind == SpanKind.RESOLVE,
        Span.started_at >= asked.since,
        *asked.seen(Span.account_id),
    ]


def _began(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield the conversations that began or were reopened. One statement."""
    query = sa.select(sa.func.count(Span.conversation_id.distinct())).where(*_begun_spans(asked))
    number = session.scalar(query)
    if number:
        name = _("Conversations started or reopened")
        yield TodayRow(TodaySection.CAME, 15, name, number, key=_BEGUN)


def _answers(asked: TodayAsked) -> list[sa.ColumnElement[bool]]:
    return [
        Span.workspace_id == asked.workspace_id,
        Span.kind.in_(_WAITS),
        Span.ended_by == SpanEnd.ANSWERED,
        Span.hour >= asked.since,
        *asked.seen(Span.account_id),
    ]


def _people(session: Session, asked: TodayAsked) -> Iterator[TodayRow]:
    """Yield who answered in how many conversations, and how soon at first. One statement."""
    first = sa.case((Span.kind == SpanKind.FIRST, sa.cast(Span.seconds, sa.String(20))))
    answers = (
        sa.select(
            Span.user_id,
            sa.func.count(Span.conversation_id.distinct()).label("talks"),
            sa.func.aggregate_strings(first, ",").label("seconds"),
        )
        .where(*_answers(asked))
        .group_by(Span.user_id)
        .subquery()
    )
    query = sa.select(answers.c.user_id, User.name, answers.c.talks, answers.c.seconds)
    query = query.outerjoin(User, User.id == answers.c.user_id)
    for user_id, name, talks, text in session.execute(query):
        times = Times.of(sorted(int(one) for one in text.split(","))) if text else Times()
        yield TodayRow(
            TodaySection.ANSWERED,
            -talks if user_id else 1,
            name or (_("Nobody on the team") if not user_id else _("Deleted")),
            talks,
            key=f"{_ANSWERED}{user_id}",
            detail=_how_soon(times),
            own=bool(name),
        )


def _how_soon(times: Times) -> str:
    if times.half is None:
        return ""
    said = ngettext(
        "first response after %(time)s",
        "first response after %(time)s (median of %(num)s)",
        times.count,
        time=duration(times.half),
    )
    return str(said)


def conversations(session: Session, asked: TodayAsked, key: str, most: int) -> Sequence[int] | None:
    """Return the newest conversations behind a number of this module."""
    if key == _BEGUN:
        where = _begun_spans(asked)
    elif key == f"{_ANSWERED}0":
        where = [*_answers(asked), Span.user_id == 0]
    elif key.startswith(_ANSWERED) and (user_id := read_id(key.removeprefix(_ANSWERED))) is not None:
        where = [*_answers(asked), Span.user_id == user_id]
    else:
        return None
    here = sa.select(Span.conversation_id).where(*where)
    order = Conversation.last_message_at.desc(), Conversation.id.desc()
    query = sa.select(Conversation.id).where(Conversation.id.in_(here))
    return session.scalars(query.order_by(*order).limit(most)).all()
