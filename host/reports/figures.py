"""Figures of a range of days: the amount of work and how long customers waited.

Counts are read from the hourly sums, times from the spans. Both are assigned to the time they ended. The
number of queries is the same for any number of days.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.core import db
from host.core.backports.values import replace
from host.core.clock import HOUR, Days
from host.events import reading
from host.inbox.labels.models import ConversationLabel
from host.models.inbox import Conversation
from host.reports.models import AUTOMATION, CAMPAIGN, ReportHour, ReportTeamHour, Span, SpanEnd, SpanKind
from host.working_hours import hours

MOST_DAYS_BY_HOUR = 31

CLOSED_WITHIN = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1), timedelta(days=3))
"""Upper bounds of the classes of the time until closed; the last class is unbounded."""
COUNTS = ("received", "sent", "created", "reopened", "closed")
_APART = {
    "sent_automatically": ("sent", (AUTOMATION,)),
    "sent_by_campaigns": ("sent", (CAMPAIGN,)),
    "closed_automatically": ("closed", (AUTOMATION, CAMPAIGN)),
}
"""By count: the sum it is a part of, and in place of whose id it was counted."""
ALL_COUNTS = (*COUNTS, *_APART)
_OF_NOBODY = frozenset({"received", "created"})
"""Events by customers: not attributed to any member of the team."""

NO_LABEL = 0
"""The label of a :class:`Selection` of conversations that have none."""
LABEL = ConversationLabel.label_id
"""Labels as the column to group spans by: a span counts for each label of its conversation."""
_Labelled = aliased(ConversationLabel)  # the query around may join both itself
_Existing = aliased(Conversation)


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
"""For each measured time, its spans and the event that must have ended them."""


class Selection(msgspec.Struct, frozen=True):
    """The selection of events to count.

    :param accounts: ids of accounts of the workspace; None: all of them.
    :param user_id: only actions of this person; None: of everyone.
    """

    workspace_id: int
    days: Days
    accounts: Sequence[int] | None = None
    user_id: int | None = None
    in_hours: bool = False
    """Whether times count only the working hours of each conversation's team, instead of clock time."""
    team_id: int | None = None
    """Only events of conversations that this team had then; None: all."""
    label_id: int | None = None
    """Only spans of conversations that have this label now, or :data:`NO_LABEL`; None: all. The hourly sums
    are not known by label."""


class Times(msgspec.Struct, frozen=True):
    """Percentiles of a duration, in whole seconds.

    :param tenth: the 10th percentile; *half*: the median; *nine*: the 90th. None without any values.
    """

    count: int = 0
    tenth: int | None = None
    half: int | None = None
    nine: int | None = None

    @classmethod
    def of(cls, seconds: Sequence[int]) -> Times:
        """Return the percentiles of the sorted *seconds*.

        Each is an existing value, without interpolation.
        """
        if not seconds:
            return NONE
        tenth, half, nine = (seconds[math.ceil(len(seconds) * part / 10) - 1] for part in (1, 5, 9))
        return cls(len(seconds), tenth, half, nine)


NONE = Times()


class Totals(msgspec.Struct, frozen=True):
    """The figures of one period.

    None: not available for one person, as customers did it, or not by label, as only spans are.
    """

    received: int | None
    sent: int | None
    """All that were sent, automatic ones too; :attr:`answers` are those of the team."""
    created: int | None
    reopened: int | None
    closed: int
    """By label, only those with a resolution; else by anybody, automatically too."""
    sent_automatically: int
    """Without those of campaigns."""
    sent_by_campaigns: int
    closed_automatically: int
    """With those of campaigns."""
    first: Times
    next: Times
    resolve: Times
    missed: int
    promised: int = 0
    """Answers on accounts that had a response target when the customer wrote."""
    in_time: int = 0
    """The number of these within the target."""
    began: int | None = None
    """By label: resolution spans that began, in place of *created* and *reopened*."""

    @property
    def answers(self) -> int | None:
        """Messages sent by the team: its people, its programs, and in the provider's app."""
        if self.sent is None:
            return None
        return self.sent - self.sent_automatically - self.sent_by_campaigns

    @property
    def closed_by_team(self) -> int:
        """Conversations that the team closed."""
        return self.closed - self.closed_automatically

    @property
    def late(self) -> int:
        """Answers that took longer than the response target of their account."""
        return self.promised - self.in_time

    @property
    def opened(self) -> int | None:
        """Conversations that began or were reopened."""
        return self.began if self.created is None else self.created + (self.reopened or 0)


class Figures(msgspec.Struct, frozen=True):
    """The figures of a range of days.

    :param before: the same for the preceding period; None: the event log does not reach back that far.
    :param steps: each day, or each hour, with its start.
    :param windows: number of reply windows that ended, answered or not.
    :param week: customers' messages by day of the week, Monday first, and hour; None as in :class:`Totals`.
    :param until_closed: conversations closed, by the classes of :data:`CLOSED_WITHIN`; always in clock time.
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
    """The data found for one period."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ALL_COUNTS, 0))
    seconds: dict[str, list[int]] = field(default_factory=lambda: {kind: [] for kind in SpanKind})
    missed: int = 0
    promised: int = 0
    in_time: int = 0
    began: int = 0

    def is_empty(self, of_person: bool) -> bool:
        """Return whether nothing happened; *of_person* as in :meth:`totals`."""
        counted = [self.counts[name] for name in COUNTS if not (of_person and name in _OF_NOBODY)]
        began = 0 if of_person else self.began
        return not (any(counted) or any(self.seconds.values()) or self.missed or began)

    def totals(self, *, of_person: bool, of_label: bool = False) -> Totals:
        """Return the totals of the data.

        :param of_person: whether to leave out events by customers.
        :param of_label: whether to leave out the hourly sums, and take what spans tell instead.
        """
        counts: dict[str, Any] = dict(self.counts)
        if of_person:
            counts |= dict.fromkeys(_OF_NOBODY)
        if of_label:
            counts |= dict.fromkeys(COUNTS) | dict.fromkeys(_APART, 0)
            counts["closed"] = len(self.seconds[SpanKind.RESOLVE])
        times = {kind: Times.of(sorted(self.seconds[kind])) for kind in SpanKind}
        return Totals(
            **counts,
            first=times[SpanKind.FIRST],
            next=times[SpanKind.NEXT],
            resolve=times[SpanKind.RESOLVE],
            missed=self.missed,
            promised=self.promised,
            in_time=self.in_time,
            began=self.began if of_label and not of_person else None,
        )


def _sum(buckets: Sequence[Bucket]) -> Bucket:
    return Bucket(
        {name: sum(one.counts[name] for one in buckets) for name in ALL_COUNTS},
        {kind: [value for one in buckets for value in one.seconds[kind]] for kind in SpanKind},
        sum(one.missed for one in buckets),
        sum(one.promised for one in buckets),
        sum(one.in_time for one in buckets),
        sum(one.began for one in buckets),
    )


def read_figures(session: Session, chosen: Selection, now: datetime, *, by_hour: bool = False) -> Figures:
    """Return the figures of the days in *chosen*.

    :param now: reply windows that end later are not missed yet.
    :param by_hour: whether the steps are hours, for at most :data:`MOST_DAYS_BY_HOUR` days.
    """
    bounds = chosen.days.hours() if by_hour else chosen.days.bounds()
    earlier, start, end = chosen.days.before.bounds()[0], bounds[0], bounds[-1]
    edges = [earlier, *bounds]
    buckets = [Bucket() for _ in bounds]  # the first is of the days before

    def at(moment: datetime) -> Bucket:
        return buckets[bisect_right(edges, moment) - 1]

    week = [[0] * 24 for _ in range(7)]
    of_person, of_label = chosen.user_id is not None, chosen.label_id is not None
    if of_label:
        began = sa.select(Span.started_at).where(*conditions(Figure.OPENED, chosen, earlier, end, now))
        for (started_at,) in db.read_rows(session, began):
            at(started_at).began += 1
    for hour, *counts in () if of_label else db.read_rows(session, _sums(chosen, earlier, end)):
        here = at(hour)
        for name, count in zip(ALL_COUNTS, counts, strict=True):
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
    whole = _sum(buckets[1:])
    until_closed = whole.seconds[SpanKind.RESOLVE]
    if chosen.in_hours:  # the classes are opened as lists, which go by the clock
        clocks = replace(chosen, in_hours=False)
        found = measured(session, Figure.RESOLVE, Span.hour, clocks, start, end, now)
        until_closed = [one for _hour, seconds in found for one in seconds]
    return Figures(
        total=whole.totals(of_person=of_person, of_label=of_label),
        before=buckets[0].totals(of_person=of_person, of_label=of_label) if known else None,
        steps=[
            (begins, bucket.totals(of_person=of_person, of_label=of_label))
            for begins, bucket in zip(bounds, buckets[1:], strict=False)
        ],
        windows=session.scalar(windows) or 0,
        week=None if of_person or of_label else week,
        until_closed=_classes(until_closed),
        since=since,
    )


def counting_since(session: Session, workspace_id: int) -> datetime | None:
    """Return when the event log of a workspace begins; None without events. Sums outlive the events."""
    events = reading.TABLE.c
    first = (
        sa.select(events.at)
        .where(events.workspace_id == workspace_id, events.kind.is_not(None))
        .order_by(events.id)
        .limit(1)
    )
    hour = sa.select(sa.func.min(ReportHour.hour)).where(ReportHour.workspace_id == workspace_id)
    found = session.execute(sa.select(first.scalar_subquery(), hour.scalar_subquery())).one()
    return min((at for at in found if at is not None), default=None)


def conditions(
    figure: Figure, chosen: Selection, start: datetime, end: datetime, now: datetime
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for the spans of a figure, used for both counting and listing."""
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
        # What automation closed, nobody resolved.
        *([Span.user_id >= 0] if figure is Figure.RESOLVE else []),
    ]


def _promised(chosen: Selection, start: datetime, end: datetime) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for answers whose account had a response target when the customer wrote."""
    return [
        *of(chosen, Span),
        Span.target_seconds.is_not(None),
        Span.kind.in_([SpanKind.FIRST, SpanKind.NEXT]),
        Span.ended_by == SpanEnd.ANSWERED,
        Span.hour >= start,
        Span.hour < end,
    ]


def promises(by: Any, chosen: Selection, start: datetime, end: datetime) -> sa.Select[Any]:
    """Select, by the column *by* of spans, the answers with a response target and those within it."""
    in_time = sa.func.sum(sa.case((Span.seconds <= Span.target_seconds, 1), else_=0))
    query = sa.select(by, sa.func.count(), in_time).select_from(spans_by(by))
    return query.where(*_promised(chosen, start, end)).group_by(by)


def spans_by(by: Any) -> Any:
    """Return what to select from to group spans by the column *by*: spans, for :data:`LABEL` with labels."""
    if by is not LABEL:
        return Span
    return sa.join(Span, ConversationLabel, ConversationLabel.conversation_id == Span.conversation_id)


def sums_of(chosen: Selection) -> type[ReportHour | ReportTeamHour]:
    """Return the table with the sums of *chosen*."""
    return ReportHour if chosen.team_id is None else ReportTeamHour


def of(chosen: Selection, model: type[Span | ReportHour | ReportTeamHour]) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that limit rows of *model* to the accounts, person, team and label of *chosen*.

    :class:`ReportHour` has no team, and only spans have labels.
    """
    found: list[sa.ColumnElement[bool]] = [model.workspace_id == chosen.workspace_id]
    if chosen.accounts is not None:
        found.append(model.account_id.in_(db.padded(chosen.accounts)) if chosen.accounts else sa.false())
    if chosen.user_id is not None:
        found.append(model.user_id == chosen.user_id)
    if chosen.team_id is not None and model is not ReportHour:
        found.append(cast(Any, model).team_id == chosen.team_id)
    if chosen.label_id is not None and model is Span:
        found += _labelled(chosen.label_id)
    return found


def _labelled(label_id: int) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for spans of conversations that have a label, or :data:`NO_LABEL`."""
    if label_id != NO_LABEL:
        having = sa.select(_Labelled.conversation_id).where(_Labelled.label_id == label_id)
        # Not EXISTS: SQLite begins with the few conversations of a label, where that is faster.
        return [Span.conversation_id.in_(having)]
    labelled = sa.select(_Labelled.label_id).where(_Labelled.conversation_id == Span.conversation_id)
    # The labels of a deleted conversation are unknown.
    there = sa.select(_Existing.id).where(_Existing.id == Span.conversation_id)
    return [~labelled.exists(), there.exists()]


def _windows(chosen: Selection, start: datetime, end: datetime) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for waits whose reply window, once open, ended in the period."""
    return [
        *of(chosen, Span),
        Span.window_until >= start,
        Span.window_until < end,
        Span.window_until > Span.started_at,
    ]


def counts_of(model: type[ReportHour | ReportTeamHour]) -> list[sa.ColumnElement[int]]:
    """Return the sums of *model* for each of :data:`ALL_COUNTS`."""
    return [
        *(sa.func.sum(getattr(model, name)) for name in COUNTS),
        *(
            sa.func.sum(sa.case((model.user_id.in_(whose), getattr(model, name)), else_=0))
            for name, whose in _APART.values()
        ),
    ]


def _sums(chosen: Selection, start: datetime, end: datetime) -> sa.Select[*tuple[Any, ...]]:
    model = sums_of(chosen)
    return (
        sa.select(model.hour, *counts_of(model))
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
    """Yield the durations in seconds of ended spans, with the value of *by*, a column of spans or
    :data:`LABEL`.

    Spans are combined in one row per hour: a row for each of 200,000 spans would take five times as long, and
    MariaDB truncates concatenated text at one megabyte. In working hours, each span is a row.
    """
    where = conditions(figure, chosen, start, end, now)
    if chosen.in_hours:
        yield from _worked(session, by, chosen.workspace_id, where)
        return
    seconds = sa.func.aggregate_strings(sa.cast(Span.seconds, sa.String(20)), ",")
    columns: list[Any] = [by, seconds]
    groups = [Span.hour] if by is Span.hour else [Span.hour, by]
    query = sa.select(*columns).select_from(spans_by(by)).where(*where).group_by(*groups)
    for value, text in db.read_rows(session, query):
        yield value, [int(one) for one in text.split(",")]


def _worked(
    session: Session, by: Any, workspace_id: int, where: Sequence[sa.ColumnElement[bool]]
) -> Iterator[tuple[Any, Sequence[int]]]:
    """Yield the same in the working hours of the current team of the conversation, else of the workspace."""
    columns: list[Any] = [by, Span.started_at, Span.ended_at, Conversation.team_id]
    of_team = Conversation.id == Span.conversation_id
    query = sa.select(*columns).select_from(spans_by(by)).outerjoin(Conversation, of_team).where(*where)
    rows = list(db.read_rows(session, query))
    if not rows:
        return
    since, until = min(row[1] for row in rows), max(row[2] for row in rows)
    loaded = hours.load(session, [workspace_id])
    clocks: dict[int | None, hours.WorkedTime] = {}
    for value, started_at, ended_at, team_id in rows:
        if team_id not in clocks:
            clocks[team_id] = hours.WorkedTime(loaded.of(workspace_id, team_id), since, until)
        yield value, [int(clocks[team_id].between(started_at, ended_at).total_seconds())]


def _classes(seconds: Sequence[int]) -> list[int]:
    ends = [within.total_seconds() for within in CLOSED_WITHIN]
    found = [0] * (len(ends) + 1)
    for one in seconds:
        found[sum(one > end for end in ends)] += 1
    return found
