"""What happened in some days, in figures: how much there was to do, how long customers waited.

Counts are read from the sums by the hour, times from the spans. Both are put where they ended. Everything is
read with the same few queries, whatever the number of days.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.models.inbox import Conversation
from host.models.reports import ReportHour, ReportTeamHour, Span, SpanEnd, SpanKind
from host.record import reading
from host.users import hours

HOUR = timedelta(hours=1)
MOST_DAYS = 366
MOST_DAYS_BY_HOUR = 31
_YEARS = range(2000, 2200)

CLOSED_WITHIN = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(days=3))
"""Where the classes of the time until closed end; the last class has no end."""
COUNTS = ("received", "sent", "created", "reopened", "closed")
_OF_NOBODY = frozenset({"received", "created"})
"""What customers do: counted of nobody of the team."""


class Figure(StrEnum):
    """A figure whose conversations can be opened."""

    FIRST = "first-response"
    NEXT = "next-responses"
    RESOLVE = "resolution"
    OPENED = "conversations"
    MISSED = "windows-missed"
    LATE = "late-answers"


SPANS = {
    Figure.FIRST: (SpanKind.FIRST, SpanEnd.ANSWERED),
    Figure.NEXT: (SpanKind.NEXT, SpanEnd.ANSWERED),
    Figure.RESOLVE: (SpanKind.RESOLVE, SpanEnd.CLOSED),
}
"""Of each time that is measured: its spans, and what has to have ended them."""


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days in a time zone, from *first* to *last*, both counted.

    :raises ValueError: for days that are in the wrong order, too many, or of another century.
    """

    first: date
    last: date
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        if not (self.first.year in _YEARS and self.last.year in _YEARS and 1 <= len(self) <= MOST_DAYS):
            raise ValueError("no days that could be shown")

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def before(self) -> Days:
        """As many days, up to the day before the first of these."""
        length = timedelta(days=len(self))
        return Days(self.first - length, self.last - length, self.zone)

    def bounds(self) -> list[datetime]:
        """Return when each day begins, and when the last one ends.

        Sums are by the hour of UTC. Where a zone is half an hour off it, a day begins with the hour in which
        midnight lies.
        """
        days = [self.first + timedelta(days=number) for number in range(len(self) + 1)]
        return [
            datetime.combine(day, time(), self.zone).astimezone(UTC).replace(minute=0, second=0)
            for day in days
        ]

    def hours(self) -> list[datetime]:
        """Return the same for each hour: a day when clocks are changed has 23 or 25."""
        bounds = self.bounds()
        return [bounds[0] + HOUR * number for number in range((bounds[-1] - bounds[0]) // HOUR + 1)]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is counted.

    :param accounts: ids of accounts of the workspace; None: all of them.
    :param user_id: only what this person did; None: whoever did it.
    """

    workspace_id: int
    days: Days
    accounts: Sequence[int] | None = None
    user_id: int | None = None
    in_hours: bool = False
    """Whether times are those of the business hours of each conversation's team, and not of the clock."""
    team_id: int | None = None
    """Only what happened in the conversations that this team had then; None: in all."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in whole seconds.

    :param tenth: one in ten took no longer; *half*: half of them; *nine*: nine in ten. None where none is.
    """

    count: int = 0
    tenth: int | None = None
    half: int | None = None
    nine: int | None = None

    @classmethod
    def of(cls, seconds: Sequence[int]) -> Times:
        """Return the times of *seconds*, which are sorted. Each is one of them: none lies between two."""
        if not seconds:
            return NONE
        tenth, half, nine = (seconds[math.ceil(len(seconds) * part / 10) - 1] for part in (1, 5, 9))
        return cls(len(seconds), tenth, half, nine)


NONE = Times()


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of one stretch of time. None: not known of one person, as customers did it."""

    received: int | None
    sent: int
    created: int | None
    reopened: int
    closed: int
    first: Times
    next: Times
    resolve: Times
    missed: int
    promised: int = 0
    """Answers on accounts that had a time for them when the customer wrote."""
    in_time: int = 0
    """How many of these came within it."""

    @property
    def late(self) -> int:
        """Answers that took longer than their account's time for them."""
        return self.promised - self.in_time

    @property
    def opened(self) -> int | None:
        """Conversations that began or were opened again."""
        return None if self.created is None else self.created + self.reopened


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened in some days.

    :param before: the same of as many days before; None: the record does not reach back that far.
    :param steps: each day, or each hour, with its beginning.
    :param windows: how many reply windows ended, whether anybody answered in them or not.
    :param week: customers' messages by day of the week, Monday first, and hour; None as in :class:`Totals`.
    :param until_closed: conversations closed, by the classes of :data:`CLOSED_WITHIN`; always by the clock.
    :param since: when counting began; None: nothing was counted yet.
    """

    total: Totals
    before: Totals | None
    steps: Sequence[tuple[datetime, Totals]]
    windows: int
    week: Sequence[Sequence[int]] | None
    until_closed: Sequence[int]
    since: datetime | None


@dataclass(slots=True)
class Bucket:
    """What was found of one stretch of time."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    seconds: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in SpanKind})
    missed: int = 0
    promised: int = 0
    in_time: int = 0

    def is_empty(self, of_person: bool) -> bool:
        """Tell whether nothing happened; *of_person* as in :meth:`totals`."""
        counted = [count for name, count in self.counts.items() if not (of_person and name in _OF_NOBODY)]
        return not (any(counted) or any(self.seconds.values()) or self.missed)

    def totals(self, *, of_person: bool) -> Totals:
        """Return what it adds up to.

        :param of_person: whether what customers do is not counted.
        """
        counts: dict[str, Any] = dict(self.counts)
        if of_person:
            counts |= dict.fromkeys(_OF_NOBODY)
        times = {kind: Times.of(sorted(self.seconds[kind])) for kind in SpanKind}
        return Totals(
            **counts,
            first=times[SpanKind.FIRST],
            next=times[SpanKind.NEXT],
            resolve=times[SpanKind.RESOLVE],
            missed=self.missed,
            promised=self.promised,
            in_time=self.in_time,
        )


def _sum(buckets: Sequence[Bucket]) -> Bucket:
    return Bucket(
        {name: sum(one.counts[name] for one in buckets) for name in COUNTS},
        {kind: [value for one in buckets for value in one.seconds[kind]] for kind in SpanKind},
        sum(one.missed for one in buckets),
        sum(one.promised for one in buckets),
        sum(one.in_time for one in buckets),
    )


def read_figures(session: Session, chosen: Selection, now: datetime, *, by_hour: bool = False) -> Figures:
    """Return what happened in the days of *chosen*.

    :param now: windows that end later are not missed yet.
    :param by_hour: whether the steps are hours; of at most :data:`MOST_DAYS_BY_HOUR` days.
    """
    bounds = chosen.days.hours() if by_hour else chosen.days.bounds()
    earlier, start, end = chosen.days.before.bounds()[0], bounds[0], bounds[-1]
    edges = [earlier, *bounds]
    buckets = [Bucket() for _ in bounds]  # the first is of the days before

    def at(moment: datetime) -> Bucket:
        return buckets[bisect_right(edges, moment) - 1]

    week = [[0] * 24 for _ in range(7)]
    for hour, *counts in db.read_rows(session, _sums(chosen, earlier, end)):
        here = at(hour)
        for name, count in zip(COUNTS, counts, strict=True):
            here.counts[name] += int(count)
        if hour >= start:
            there = hour.astimezone(chosen.days.zone)
            week[there.weekday()][there.hour] += int(counts[0])
    for figure, (kind, _ended_by) in SPANS.items():
        for hour, seconds in measured(session, figure, Span.hour, chosen, earlier, end, now):
            at(hour).seconds[kind] += seconds
    for hour, promised, in_time in db.read_rows(session, promises(Span.hour, chosen, earlier, end)):
        here = at(hour)
        here.promised += promised
        here.in_time += int(in_time)
    missed = sa.select(Span.window_until).where(*conditions(Figure.MISSED, chosen, earlier, end, now))
    for (until,) in db.read_rows(session, missed):
        at(until).missed += 1
    windows = sa.select(sa.func.count()).select_from(Span).where(*_windows(chosen, start, min(end, now)))
    since = counting_since(session, chosen.workspace_id)
    known = since is not None and since < earlier + HOUR
    of_person = chosen.user_id is not None
    whole = _sum(buckets[1:])
    until_closed = whole.seconds[SpanKind.RESOLVE]
    if chosen.in_hours:  # the classes are opened as lists, which go by the clock
        clocks = replace(chosen, in_hours=False)
        found = measured(session, Figure.RESOLVE, Span.hour, clocks, start, end, now)
        until_closed = [one for _hour, seconds in found for one in seconds]
    return Figures(
        total=whole.totals(of_person=of_person),
        before=buckets[0].totals(of_person=of_person) if known else None,
        steps=[
            (begins, bucket.totals(of_person=of_person))
            for begins, bucket in zip(bounds, buckets[1:], strict=False)
        ],
        windows=session.scalar(windows) or 0,
        week=None if of_person else week,
        until_closed=_classes(until_closed),
        since=since,
    )


def counting_since(session: Session, workspace_id: int) -> datetime | None:
    """Return when the record of a workspace begins; None: it has none. Sums outlive the events."""
    events = reading.TABLE.c
    first = (
        sa.select(events.at)
        .where(events.workspace_id == workspace_id, events.kind.is_not(None))
        .order_by(events.id)
        .limit(1)
    )
    hour = sa.select(sa.func.min(ReportHour.hour)).where(ReportHour.workspace_id == workspace_id)
    return min((at for at in (session.scalar(first), session.scalar(hour)) if at is not None), default=None)


def conditions(
    figure: Figure, chosen: Selection, start: datetime, end: datetime, now: datetime
) -> list[sa.ColumnElement[bool]]:
    """Return which spans a figure is made of: what is counted and what is listed are the same."""
    if figure is Figure.MISSED:
        late = sa.or_(Span.ended_at.is_(None), Span.ended_at > Span.window_until)
        return [*_windows(chosen, start, min(end, now)), late]
    if figure is Figure.OPENED:
        return [
            *of(chosen, Span),
            Span.kind == SpanKind.RESOLVE,
            Span.started_at >= start,
            Span.started_at < end,
        ]
    if figure is Figure.LATE:
        return [*_promised(chosen, start, end), Span.seconds > Span.target_seconds]
    kind, ended_by = SPANS[figure]
    return [
        *of(chosen, Span),
        Span.kind == kind,
        Span.ended_by == ended_by,
        Span.hour >= start,
        Span.hour < end,
    ]


def _promised(chosen: Selection, start: datetime, end: datetime) -> list[sa.ColumnElement[bool]]:
    """Return which spans are answers for which their account had a time when the customer wrote."""
    return [
        *of(chosen, Span),
        Span.target_seconds.is_not(None),
        Span.kind.in_([SpanKind.FIRST, SpanKind.NEXT]),
        Span.ended_by == SpanEnd.ANSWERED,
        Span.hour >= start,
        Span.hour < end,
    ]


def promises(by: Any, chosen: Selection, start: datetime, end: datetime) -> sa.Select[Any]:
    """Select by *by*, a column of spans, how many answers had a time, and how many of these came in it."""
    in_time = sa.func.sum(sa.case((Span.seconds <= Span.target_seconds, 1), else_=0))
    return sa.select(by, sa.func.count(), in_time).where(*_promised(chosen, start, end)).group_by(by)


def sums_of(chosen: Selection) -> type[ReportHour | ReportTeamHour]:
    """Return where the sums of *chosen* are."""
    return ReportHour if chosen.team_id is None else ReportTeamHour


def of(chosen: Selection, model: type[Span | ReportHour | ReportTeamHour]) -> list[sa.ColumnElement[bool]]:
    """Return what restricts rows of *model* to the accounts, the person and the team of *chosen*.

    :class:`ReportHour` knows no team.
    """
    found: list[sa.ColumnElement[bool]] = [model.workspace_id == chosen.workspace_id]
    if chosen.accounts is not None:
        found.append(model.account_id.in_(db.padded(chosen.accounts)) if chosen.accounts else sa.false())
    if chosen.user_id is not None:
        found.append(model.user_id == chosen.user_id)
    if chosen.team_id is not None and model is not ReportHour:
        found.append(cast(Any, model).team_id == chosen.team_id)
    return found


def _windows(chosen: Selection, start: datetime, end: datetime) -> list[sa.ColumnElement[bool]]:
    """Return which waits had a reply window that ended in a time; one that never was open ends nothing."""
    return [
        *of(chosen, Span),
        Span.window_until >= start,
        Span.window_until < end,
        Span.window_until > Span.started_at,
    ]


def _sums(chosen: Selection, start: datetime, end: datetime) -> sa.Select[Any]:
    model = sums_of(chosen)
    return (
        sa.select(model.hour, *(sa.func.sum(getattr(model, name)) for name in COUNTS))
        .where(*of(chosen, model), model.hour >= start, model.hour < end)
        .group_by(model.hour)
    )


def measured(
    session: Session,
    figure: Figure,
    by: Any,
    chosen: Selection,
    start: datetime,
    end: datetime,
    now: datetime,
) -> Iterator[tuple[Any, Sequence[int]]]:
    """Yield how many seconds what ended took, with the value of *by*, a column of spans.

    By the hour in one row: of 200,000 spans a row each would take five times as long, and MariaDB cuts a text
    it puts together at one megabyte. In business hours each span is a row.
    """
    where = conditions(figure, chosen, start, end, now)
    if chosen.in_hours:
        yield from _worked(session, by, chosen.workspace_id, where)
        return
    seconds = sa.func.aggregate_strings(sa.cast(Span.seconds, sa.String(20)), ",")
    columns: list[Any] = [by, seconds]
    groups = [Span.hour] if by is Span.hour else [Span.hour, by]
    for value, text in db.read_rows(session, sa.select(*columns).where(*where).group_by(*groups)):
        yield value, [int(one) for one in text.split(",")]


def _worked(
    session: Session, by: Any, workspace_id: int, where: Sequence[sa.ColumnElement[bool]]
) -> Iterator[tuple[Any, Sequence[int]]]:
    """Yield the same in the hours of the team that has the conversation now, else of the workspace."""
    columns: list[Any] = [by, Span.started_at, Span.ended_at, Conversation.team_id]
    of_team = Conversation.id == Span.conversation_id
    rows = list(db.read_rows(session, sa.select(*columns).outerjoin(Conversation, of_team).where(*where)))
    if not rows:
        return
    since, until = min(row[1] for row in rows), max(row[2] for row in rows)
    loaded = hours.load(session, [workspace_id])
    clocks: dict[int | None, hours.Worked] = {}
    for value, started_at, ended_at, team_id in rows:
        if team_id not in clocks:
            clocks[team_id] = hours.Worked(loaded.of(workspace_id, team_id), since, until)
        yield value, [int(clocks[team_id].between(started_at, ended_at).total_seconds())]


def _classes(seconds: Sequence[int]) -> list[int]:
    ends = [within.total_seconds() for within in CLOSED_WITHIN]
    found = [0] * (len(ends) + 1)
    for one in seconds:
        found[sum(one > end for end in ends)] += 1
    return found
