"""The figures of a range of days by person, team, label, account, channel, or hour of the day."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.reports.figures import (
    ALL_COUNTS,
    COUNTS,
    LABEL,
    SPANS,
    Bucket,
    Figure,
    Selection,
    Times,
    Totals,
    conditions,
    counts_of,
    measured,
    of,
    promises,
    spans_by,
    sums_of,
)
from host.reports.models import ReportHour, ReportTeamHour, Span


class Grouping(StrEnum):
    """The grouping of a table's rows."""

    PERSON = "person"
    TEAM = "team"
    LABEL = "label"
    ACCOUNT = "account"
    CHANNEL = "channel"
    HOUR = "hour"


Key = int | str


def read_table(
    session: Session, chosen: Selection, now: datetime, by: Grouping, channels: Mapping[int, str]
) -> dict[Key, Totals]:
    """Return the figures of *chosen* by person (0: nobody of the team, negative: automation), team (0: none),
    label, account, channel, or hour (0 to 23).

    Always six statements, or seven by team; with a label in *chosen* five, or six by label. Groups without
    any data are left out. A conversation counts for each label it has now.

    :param channels: the channel of each account.
    """
    start, *_, end = chosen.days.bounds()
    zone = chosen.days.zone
    groups: dict[Grouping, Callable[[Any], Key]] = {
        Grouping.PERSON: int,
        Grouping.TEAM: lambda team: team or 0,
        Grouping.LABEL: int,
        Grouping.ACCOUNT: int,
        Grouping.CHANNEL: lambda account: channels.get(account, ""),
        Grouping.HOUR: lambda at: at.astimezone(zone).hour,
    }
    group = groups[by]
    found: dict[Key, Bucket] = {}

    def at(value: Any) -> Bucket:
        return found.setdefault(group(value), Bucket())

    of_label = by is Grouping.LABEL or chosen.label_id is not None
    if by is Grouping.LABEL:
        began = sa.select(LABEL, sa.func.count()).select_from(spans_by(LABEL))
        where = conditions(Figure.OPENED, chosen, start, end, now)
        for value, count in db.read_rows(session, began.where(*where).group_by(LABEL)):
            at(value).began += count
    if not of_label:
        for value, counts in _sums(session, chosen, by, start, end):
            here = at(value)
            for name, count in counts.items():
                here.counts[name] += count
    for figure, (kind, _ended_by) in SPANS.items():
        for value, seconds in measured(session, figure, _column(Span, by), chosen, start, end, now):
            at(value).seconds[kind] += seconds
    for value, promised, in_time in db.read_rows(session, promises(_column(Span, by), chosen, start, end)):
        here = at(value)
        here.promised += promised
        here.in_time += int(in_time)
    missed_by = Span.window_until if by is Grouping.HOUR else _column(Span, by)
    missed = (
        sa.select(missed_by, sa.func.count())
        .select_from(spans_by(missed_by))
        .where(*conditions(Figure.MISSED, chosen, start, end, now))
        .group_by(missed_by)
    )
    for value, count in db.read_rows(session, missed):
        at(value).missed += count
    of_person = by is Grouping.PERSON or chosen.user_id is not None
    return {
        key: one.totals(of_person=of_person, of_label=of_label)
        for key, one in found.items()
        if not one.is_empty(of_person)
    }


def read_before(session: Session, chosen: Selection, now: datetime) -> dict[Key, Times]:
    """Return the first responses of the days before those of *chosen*, by label. One statement."""
    start, *_, end = chosen.days.before.bounds()
    found: dict[Key, list[int]] = {}
    for label_id, seconds in measured(session, Figure.FIRST, LABEL, chosen, start, end, now):
        found.setdefault(label_id, []).extend(seconds)
    return {label_id: Times.of(sorted(seconds)) for label_id, seconds in found.items()}


def _sums(
    session: Session, chosen: Selection, by: Grouping, start: datetime, end: datetime
) -> Iterator[tuple[Any, dict[str, int]]]:
    """Yield the hourly sums with the value of their group."""
    model = ReportTeamHour if by is Grouping.TEAM else sums_of(chosen)
    sums = sa.select(*counts_of(model))
    where = *of(chosen, model), model.hour >= start, model.hour < end
    column = _column(model, by)
    of_teams = dict.fromkeys(ALL_COUNTS, 0)
    for *row, value in db.read_rows(session, sums.add_columns(column).where(*where).group_by(column)):
        counts = {name: int(count) for name, count in zip(ALL_COUNTS, row, strict=True)}
        of_teams = {name: of_teams[name] + count for name, count in counts.items()}
        # A row of automation is no part of another one.
        yield value, {name: counts[name] for name in COUNTS} if by is Grouping.PERSON else counts
    if by is Grouping.TEAM and chosen.team_id is None:
        # Of no team is what is in all sums and not in those of teams.
        whole = sa.select(*counts_of(ReportHour))
        where = *of(chosen, ReportHour), ReportHour.hour >= start, ReportHour.hour < end
        (row,) = db.read_rows(session, whole.where(*where))
        yield 0, {name: int(count or 0) - of_teams[name] for name, count in zip(ALL_COUNTS, row, strict=True)}


def _column(model: type[Span | ReportHour | ReportTeamHour], by: Grouping) -> Any:
    if by is Grouping.HOUR:
        return model.hour
    if by is Grouping.LABEL:
        return LABEL
    if by is Grouping.TEAM:
        return cast(Any, model).team_id
    return model.user_id if by is Grouping.PERSON else model.account_id
