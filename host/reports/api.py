"""The figures of the Reports page, as an API."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import sqlalchemy as sa
from msgspec import Meta

from host.api.http.call import Call
from host.api.http.declare import Id, Router, Wire
from host.api.http.errors import QueryError
from host.channels.api.accounts import AccountNotFoundError, find_account
from host.core import db
from host.core.clock import MOST_DAYS, Days
from host.inbox.teams import teams
from host.inbox.teams.errors import TeamNotFoundError
from host.models.users import Membership
from host.reports import figures
from host.reports.figures import MOST_DAYS_BY_HOUR, Selection, Times, Totals
from host.users.api_keys import Scope
from host.web.languages import gettext as _

routes = Router("Reports", read=Scope.REPORTS_READ)

USUAL_DAYS = 28


class Took(Wire, frozen=True):
    """A duration in whole seconds; null if it was not measured."""

    count: Annotated[int, Meta(description="Number of durations measured.")]
    half_within: Annotated[int | None, Meta(description="The median.")]
    nine_in_ten_within: Annotated[int | None, Meta(description="The 90th percentile.")]


class Numbers(Wire, frozen=True):
    """The figures of one period. Figures of what customers do are null for one person."""

    received: Annotated[int | None, Meta(description="Messages of customers.")]
    sent: Annotated[int, Meta(description="Messages of the team that the provider accepted.")]
    created: Annotated[int | None, Meta(description="Conversations started.")]
    reopened: Annotated[int, Meta(description="Conversations reopened.")]
    closed: Annotated[int, Meta(description="Conversations closed.")]
    first_response: Annotated[Took, Meta(description="Time until the team's first response.")]
    next_responses: Annotated[Took, Meta(description="Time until each later response.")]
    resolution: Annotated[Took, Meta(description="Time from start or reopening until closed.")]
    windows_missed: Annotated[int, Meta(description="Reply windows that ended without a response.")]
    answers_with_target: Annotated[
        int, Meta(description="Responses on accounts that had a response time when the customer wrote.")
    ]
    answers_in_time: Annotated[int, Meta(description="Number of these that were on time.")]
    sent_automatically: Annotated[
        int, Meta(description="Number of `sent` that automation sent, without campaigns.")
    ]
    sent_by_campaigns: Annotated[int, Meta(description="Number of `sent` that campaigns sent.")]
    closed_automatically: Annotated[
        int, Meta(description="Number of `closed` that automation and campaigns closed.")
    ]


class Step(Wire, frozen=True):
    """The figures of one day or one hour."""

    begins: Annotated[datetime, Meta(description="When the day or the hour begins.")]
    figures: Numbers


class Analytics(Wire, frozen=True):
    """The figures of a range of days."""

    total: Numbers
    before: Annotated[
        Numbers | None,
        Meta(description="Figures of the preceding days, as many; null: counting began later."),
    ]
    windows: Annotated[int, Meta(description="Reply windows that ended, missed or not.")]
    series: Annotated[list[Step], Meta(description="Each day or hour, earliest first.")]
    counting_since: Annotated[datetime | None, Meta(description="Null: nothing counted yet.")]


class AnalyticsQuery(Wire, frozen=True):
    """The days and the filters."""

    from_: Annotated[date | None, Meta(description="The first day.")] = msgspec.field(
        name="from", default=None
    )
    to: Annotated[date | None, Meta(description="The last day, included. Omitted: today.")] = None
    zone: Annotated[
        str,
        Meta(
            max_length=64,
            description="The IANA time zone of the days.",
            examples=["Europe/Berlin"],
        ),
    ] = "UTC"
    account: Annotated[Id | None, Meta(description="The id of an account.")] = None
    agent: Annotated[Id | None, Meta(description="The id of a person. Only their work is counted.")] = None
    team: Annotated[
        Id | None,
        Meta(description="The id of a team. Only what happened while it had the conversation is counted."),
    ] = None
    business_hours: Annotated[
        bool,
        Meta(
            description=(
                "Whether first response, next responses and resolution only count the business hours "
                "of each conversation's team."
            )
        ),
    ] = False
    by: Annotated[
        Literal["day", "hour"],
        Meta(description=f"The steps of the series. Hours are limited to {MOST_DAYS_BY_HOUR} days."),
    ] = "day"


@routes.get(
    "/analytics",
    "Get figures",
    limited=True,
    errors=(AccountNotFoundError,),
    fields={AccountNotFoundError: "account"},
)
def get_analytics(call: Call, query: AnalyticsQuery) -> Analytics:
    """The same figures as on the Reports page; `docs/reports.md` defines each.

    The range is `from` to `to`, both included, and at most 366 days. The default is the last 28 days,
    including today.
    """
    days = _days(query, call.now)
    with db.read() as session:
        if query.account is not None:
            find_account(session, call, query.account, field="account")
        if query.agent is not None:
            member = sa.select(Membership.user_id).where(
                Membership.workspace_id == call.workspace_id, Membership.user_id == query.agent
            )
            if session.scalar(member) is None:
                raise QueryError(_("Person not found in this workspace."), field="agent")
        if query.team is not None:
            try:
                teams.get(session, call.workspace_id, query.team)
            except TeamNotFoundError as error:
                raise QueryError(_("Team not found in this workspace."), field="team") from error
        accounts = None if call.accounts is None else sorted(call.accounts)
        if query.account is not None:
            accounts = [query.account]
        chosen = Selection(
            call.workspace_id,
            days,
            accounts,
            query.agent,
            query.business_hours,
            query.team,
        )
        found = figures.read_figures(session, chosen, call.now, by_hour=query.by == "hour")
    return Analytics(
        total=_numbers(found.total),
        before=None if found.before is None else _numbers(found.before),
        windows=found.windows,
        series=[Step(begins=at, figures=_numbers(one)) for at, one in found.steps],
        counting_since=found.since,
    )


def _days(query: AnalyticsQuery, now: datetime) -> Days:
    try:
        zone = ZoneInfo(query.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise QueryError(_("Time zone not found."), field="zone") from None
    try:
        last = query.to or now.astimezone(zone).date()
        days = Days(query.from_ or last - timedelta(days=USUAL_DAYS - 1), last, zone)
    except (ValueError, OverflowError):
        raise QueryError(
            _("Choose a period of 1 to %(n)s days.", n=MOST_DAYS),
            field="from",
            limit=MOST_DAYS,
        ) from None
    if query.by == "hour" and len(days) > MOST_DAYS_BY_HOUR:
        raise QueryError(
            _("Hourly figures are limited to %(n)s days.", n=MOST_DAYS_BY_HOUR),
            field="by",
            limit=MOST_DAYS_BY_HOUR,
        )
    return days


def _numbers(found: Totals) -> Numbers:
    return Numbers.of(
        found,
        sent=found.sent or 0,
        reopened=found.reopened or 0,
        first_response=_took(found.first),
        next_responses=_took(found.next),
        resolution=_took(found.resolve),
        windows_missed=found.missed,
        answers_with_target=found.promised,
        answers_in_time=found.in_time,
    )


def _took(found: Times) -> Took:
    return Took(count=found.count, half_within=found.half, nine_in_ten_within=found.nine)
