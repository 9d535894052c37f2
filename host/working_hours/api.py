"""Business hours of the workspace and of its teams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Annotated

from msgspec import Meta, field

from host.api.http.call import Call
from host.api.http.declare import Moment, Router, Wire
from host.core import db
from host.inbox.teams import teams
from host.inbox.teams.errors import TeamNotFoundError
from host.users.actor import UnitOfWork
from host.users.api_keys import Scope
from host.users.workspaces import SavedMeanwhileError
from host.working_hours import hours
from host.working_hours.hours import DAY_KEYS, ExceptionalDays, HoursError, LoadedHours, Span, Spans

routes = Router("Hours", read=Scope.SETTINGS_READ, write=Scope.SETTINGS_WRITE)

TIME = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
MOST = 1000
"""Limit for list items read; fewer may be stored."""


class OpenHours(Wire, frozen=True):
    """An opening of a day, from one time to another."""

    starts: Annotated[str, Meta(pattern=TIME, description="Local time.", examples=["09:00"])]
    ends: Annotated[
        str, Meta(pattern=TIME, description="`24:00`: to the end of the day.", examples=["17:30"])
    ]


Day = Annotated[
    list[OpenHours],
    Meta(max_length=MOST, description="At most six, without overlaps; empty: closed."),
]


class Week(Wire, frozen=True):
    """The hours of each day of the week."""

    monday: Day
    tuesday: Day
    wednesday: Day
    thursday: Day
    friday: Day
    saturday: Day
    sunday: Day


class HoursException(Wire, frozen=True):
    """Days with hours that differ from the week."""

    first: date
    last: Annotated[date, Meta(description="The same day, or up to a year later.")]
    hours: Day
    name: Annotated[str, Meta(max_length=1000, description="The reason, in at most 80 characters.")] = ""
    yearly: Annotated[
        bool,
        Meta(description="Repeats each year, unless another exception covers the day."),
    ] = False


class BusinessHours(Wire, frozen=True):
    """The working hours of a workspace or a team."""

    week: Annotated[
        Week | None,
        Meta(
            description=(
                "Null: no hours of its own. A team then uses the workspace's hours; a workspace is "
                "always open."
            )
        ),
    ]
    exceptions: list[HoursException]
    timezone: Annotated[str, Meta(description="An IANA time zone.", examples=["Europe/Berlin"])]
    version: Annotated[int, Meta(description="Increases with each change.")]
    open: Annotated[bool, Meta(description="Whether it is open now, according to the hours in effect.")]
    until: Annotated[
        Moment | None,
        Meta(description="When that changes; null: not within 400 days."),
    ]


class UpdateHours(Wire, frozen=True):
    """Hours that replace the current ones."""

    week: Annotated[
        Week | None, Meta(description="Null: no hours of its own; exceptions and time zone are ignored.")
    ]
    exceptions: Annotated[
        list[HoursException], Meta(max_length=MOST, description="At most 200, without overlaps.")
    ] = field(default_factory=list)
    timezone: Annotated[
        str, Meta(max_length=64, description="An IANA time zone.", examples=["Europe/Berlin"])
    ] = "UTC"
    version: Annotated[
        Annotated[int, Meta(ge=0, le=2**31)] | None,
        Meta(description="The version you read. If the hours have changed since, nothing is saved."),
    ] = None


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _spans(day: Sequence[OpenHours]) -> Spans:
    return tuple(Span(_minutes(one.starts), _minutes(one.ends)) for one in day)


def _shown(spans: Spans) -> list[OpenHours]:
    return [OpenHours(starts=hours.time_text(one.starts), ends=hours.time_text(one.ends)) for one in spans]


def _answer(call: Call, loaded: LoadedHours, team_id: int | None) -> BusinessHours:
    kept = loaded.own(call.workspace_id, team_id)
    holds = loaded.of(call.workspace_id, team_id)
    is_open = holds.is_open(call.now)
    return BusinessHours(
        week=None if kept.week is None else Week(**dict(zip(DAY_KEYS, map(_shown, kept.week), strict=True))),
        exceptions=[HoursException.of(one, hours=_shown(one.spans)) for one in kept.exceptions],
        timezone=kept.timezone,
        version=kept.version,
        open=is_open,
        until=holds.closes_at(call.now) if is_open else holds.opens_at(call.now),
    )


def _read(call: Call, team_id: int | None) -> BusinessHours:
    with db.read() as session:
        if team_id is not None:
            teams.get(session, call.workspace_id, team_id)
        return _answer(call, hours.load(session, [call.workspace_id]), team_id)


def _write(call: Call, team_id: int | None, body: UpdateHours) -> BusinessHours:
    def saved(work: UnitOfWork) -> BusinessHours:
        if team_id is not None:
            teams.get(work.session, work.workspace_id, team_id)
        hours.save(
            work,
            team_id,
            week=None if body.week is None else [_spans(getattr(body.week, key)) for key in DAY_KEYS],
            exceptions=[
                ExceptionalDays(one.first, one.last, _spans(one.hours), one.name, one.yearly)
                for one in body.exceptions
            ],
            timezone=body.timezone,
            version=body.version,
        )
        return _answer(call, hours.load(work.session, [work.workspace_id]), team_id)

    return call.write(saved)


_NINE_TO_FIVE = [{"starts": "09:00", "ends": "17:00"}]
_EXAMPLES = {
    "An office": {
        "timezone": "Europe/Berlin",
        "week": {key: _NINE_TO_FIVE if at < 5 else [] for at, key in enumerate(DAY_KEYS)},
        "exceptions": [
            {"first": "2026-12-24", "last": "2026-12-27", "hours": [], "name": "Holidays", "yearly": True}
        ],
    },
    "No hours of its own": {"week": None},
}


@routes.get("/hours", "Get the hours of the workspace", limited=True)
def get_hours(call: Call) -> BusinessHours:
    """The hours of the workspace, and whether it is open now."""
    return _read(call, None)


@routes.put(
    "/hours", "Set the hours of the workspace", errors=(HoursError, SavedMeanwhileError), examples=_EXAMPLES
)
def set_hours(call: Call, body: UpdateHours) -> BusinessHours:
    """Replaces all hours. Enter hours past midnight as two: to `24:00`, and from `00:00` on the next day.

    Invalid hours are refused with their place: `week.monday`, `exceptions[0]`.
    """
    return _write(call, None, body)


@routes.get("/teams/{team_id}/hours", "Get the hours of a team", limited=True, errors=(TeamNotFoundError,))
def get_team_hours(call: Call, team_id: int) -> BusinessHours:
    """The team's own hours, if it has any, and whether it is open now according to the hours in effect."""
    return _read(call, team_id)


@routes.put(
    "/teams/{team_id}/hours",
    "Set the hours of a team",
    errors=(HoursError, SavedMeanwhileError, TeamNotFoundError),
    examples=_EXAMPLES,
)
def set_team_hours(call: Call, team_id: int, body: UpdateHours) -> BusinessHours:
    """Sets hours of its own or, with `week` null, uses those of the workspace."""
    return _write(call, team_id, body)
