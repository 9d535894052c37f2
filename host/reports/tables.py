"""The figures of a range of days by person, team, account, channel, or hour of the day."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.reports.figures import (
    COUNTS,
    SPANS,
    Bucket,
    Figure,
    Selection,
    Totals,
    conditions,
    measured,
    of,
    promises,
    sums_of,
)
from host.reports.models import ReportHour, ReportTeamHour, Span


class Grouping(StrEnum):
    """The grouping of a table's rows."""

    PERSON = "person"
    TEAM = "team"
    ACCOUNT = "account"
    CHANNEL = "channel"
    HOUR = "hour"


Key = int | str


def read_table(
    session: Session, chosen: Selection, now: datetime, by: Grouping, channels: Mapping[int, str]
) -> dict[Key, Totals]:
    """Return the figures of *chosen* by person (0: nobody of the team), team (0: none), account, channel, or
    hour (0 to 23).

    Always six statements, or seven by team. Groups without any data are left out.

    :param channels: the channel of each account.
    """
    start, *_, end = chosen.days.bounds()
    zone = chosen.days.zone
    groups: dict[Grouping, Callable[[Any], Key]] = {
        Grouping.PERSON: int,
        Grouping.TEAM: lambda team: team or 0,
        Grouping.ACCOUNT: int,
        Grouping.CHANNEL: lambda account: channels.get(account, ""),
        Grouping.HOUR: lambda at: at.astimezone(zone).hour,
    }
    group = groups[by]
    found: dict[Key, Bucket] = {}

    def at(value: Any) -> Bucket:
        return found.setdefault(group(value), Bucket())

    model = ReportTeamHour if by is Grouping.TEAM else sums_of(chosen)
    sums = sa.select(*(sa.func.sum(getattr(model, name)) for name in COUNTS))
    where = *of(chosen, model), model.hour >= start, model.hour < end
    column = _column(model, by)
    for *counts, value in db.read_rows(session, sums.add_columns(column).where(*where).group_by(column)):
        here = at(value)
        for name, count in zip(COUNTS, counts, strict=True):
            here.counts[name] += int(count)
    if (
        by is Grouping.TEAM and chosen.team_id is None
    ):  # of no team is what is in all sums and not in those of teams
        whole = sa.select(*(sa.func.sum(getattr(ReportHour, name)) for name in COUNTS))
        where = *of(chosen, ReportHour), ReportHour.hour >= start, ReportHour.hour < end
        (counts,) = db.read_rows(session, whole.where(*where))
        for name, count in zip(COUNTS, counts, strict=True):
            of_teams = sum(one.counts[name] for one in found.values())
            at(0).counts[name] = int(count or 0) - of_teams
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
        .where(*conditions(Figure.MISSED, chosen, start, end, now))
        .group_by(missed_by)
    )
    for value, count in db.read_rows(session, missed):
        at(value).missed += count
    of_person = by is Grouping.PERSON or chosen.user_id is not None
    return {key: one.totals(of_person=of_person) for key, one in found.items() if not one.is_empty(of_person)}


def _column(model: type[Span | ReportHour | ReportTeamHour], by: Grouping) -> Any:
    if by is Grouping.HOUR:
        return model.hour
    if by is Grouping.TEAM:
        return cast(Any, model).team_id
    return model.user_id if by is Grouping.PERSON else model.account_id
