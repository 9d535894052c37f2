"""The route of Lobby's API with the figures of a workspace."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import msgspec

from host.sdk.api import ApiCall, ApiRefusalError, ApiRoute, ApiScope, ApiStruct

from . import keeping

LONGEST = timedelta(days=366)


class Period(ApiStruct, frozen=True):
    """The first and the last day, in UTC."""

    from_: date = msgspec.field(name="from")
    to: date


class NotAsked(ApiStruct, frozen=True):
    """Closings after which the customer was not asked, by reason."""

    window_closed: int
    asked_recently: int
    other: int


class SatisfactionReport(ApiStruct, frozen=True):
    """Figures of the closings in the period. The average is null without a score."""

    asked: int
    answered: int
    average: float | None
    not_asked: NotAsked


def report(call: ApiCall) -> SatisfactionReport:
    """Return the figures of a period."""
    period: Period = call.query
    if period.to < period.from_:
        raise ApiRefusalError("The last day is before the first.", field="to")
    if period.to - period.from_ >= LONGEST:
        raise ApiRefusalError(f"The period is longer than {LONGEST.days} days.", field="to")
    since, until = _start(period.from_), _start(period.to) + timedelta(days=1)
    found = keeping.figures(call.workspace_id, since, until)
    return SatisfactionReport(
        asked=found.asked,
        answered=found.answered,
        average=found.average,
        not_asked=NotAsked(
            window_closed=found.window_closed,
            asked_recently=found.recently,
            other=found.opted_out + found.reopened + found.other,
        ),
    )


def _start(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


ROUTES = [
    ApiRoute(
        method="GET",
        path="report",
        name="get_satisfaction_report",
        summary="Get satisfaction figures",
        run=report,
        scope=ApiScope.CONVERSATIONS_READ,
        query=Period,
        answer=SatisfactionReport,
        about="Closings of up to 366 days, in UTC: questions, answers, and why others were not asked.",
    )
]
