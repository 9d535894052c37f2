"""Settings → Hours: pages of the working hours of the workspace and its teams."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
from babel.dates import format_interval, format_skeleton
from flask import Blueprint, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.db import db
from host.core.errors import LobbyError, NotFoundError
from host.users import workspaces
from host.web import navigation
from host.web.languages import gettext as _
from host.web.languages import number, reader
from host.web.request_helpers import Permission, flash_good, form_version, workspace_view, write
from host.working_hours import hours
from host.working_hours.hours import (
    DAY,
    DAY_KEYS,
    DAY_NAMES,
    ExceptionalDays,
    Hours,
    HoursError,
    NotHoursError,
    Span,
    Spans,
    StoredHours,
    Week,
)

bp = Blueprint("working_hours", __name__, template_folder="templates")

HOURS = "/w/<int:workspace_id>/settings/hours"
OFFICE: Week = (*((Span(540, 1020),),) * 5, (), ())
"""The week suggested if none was set: Monday to Friday, nine to five."""
MORNING, EVENING = 6 * 60, 22 * 60
"""The part of a day that bars always show."""
_SOON = timedelta(days=6)
_NUMBERED = re.compile(r"first-([0-9]{1,3})")

navigation.add_settings(
    "working_hours.workspace_hours",
    _l("Working hours"),
    order=32,
    section=navigation.PEOPLE,
    icon="clock",
    words="opening times, business hours, holidays, vacation, closed, Öffnungszeiten, Feiertage, "
    "geschlossen, Urlaub",
)


# ---- the form ------------------------------------------------------------------------------------


class ExceptionRow(msgspec.Struct, frozen=True):
    """The fields of an exception. *at* is the number in their names."""

    at: int
    first: str = ""
    last: str = ""
    open: str = ""
    name: str = ""
    yearly: bool = False
    gone: bool = False
    kept: ExceptionalDays | None = None

    @property
    def is_blank(self) -> bool:
        return not (self.first or self.last or self.open.strip() or self.name.strip())


class HoursForm(msgspec.Struct, frozen=True):
    """The fields of the form: the stored hours, or the refused input."""

    own: bool
    timezone: str
    days: tuple[str, ...]
    rows: tuple[ExceptionRow, ...]

    @property
    def blank(self) -> ExceptionRow:
        """Return the row for one more exception."""
        left = [row for row in self.rows if row.kept is None and not row.gone]
        return left[-1] if left else ExceptionRow(1 + max((row.at for row in self.rows), default=-1))

    def week(self) -> Week:
        """Return the hours of each day.

        :raises HoursError: if a text is not hours, with its day.
        """
        return tuple(
            _spans_in(text, name, f"week.{key}")
            for text, name, key in zip(self.days, DAY_NAMES, DAY_KEYS, strict=True)
        )

    def exceptions(self) -> list[ExceptionalDays]:
        """Return the kept and new exceptions.

        :raises HoursError: if a day or hours are invalid, with the place.
        """
        return [_exception_of(row, at) for at, row in enumerate(self.staying)]

    @property
    def staying(self) -> list[ExceptionRow]:
        return [row for row in self.rows if not row.gone and not row.is_blank]

    def place(self, problem: LobbyError | None) -> str:
        """Return the name of the field with the problem: a day, ``exception-3``, or empty."""
        field = (problem.field or "") if problem else ""
        if field.startswith("exceptions["):
            return f"exception-{self.staying[int(field[11:-1])].at}"
        return field.removeprefix("week.")


def _typed_of(kept: StoredHours, usual: Week, zone: str) -> HoursForm:
    week = kept.week or usual
    return HoursForm(
        kept.week is not None,
        zone,
        tuple(hours.text_of(spans) for spans in week),
        tuple(
            ExceptionRow(
                at, str(one.first), str(one.last), hours.text_of(one.spans), one.name, one.yearly, kept=one
            )
            for at, one in enumerate(kept.exceptions)
        ),
    )


def _typed(kept: StoredHours) -> HoursForm:
    """Read the form of this request; *kept* are the hours it was rendered from."""
    form = request.form
    numbers = sorted({int(found[1]) for name in form if (found := _NUMBERED.fullmatch(name))})
    return HoursForm(
        form.get("own") == "1",
        form.get("timezone", ""),
        tuple(form.get(key, "") for key in DAY_KEYS),
        tuple(
            ExceptionRow(
                at,
                form.get(f"first-{at}", ""),
                form.get(f"last-{at}", ""),
                form.get(f"open-{at}", ""),
                form.get(f"name-{at}", ""),
                f"yearly-{at}" in form,
                f"gone-{at}" in form,
                kept.exceptions[at] if at < len(kept.exceptions) else None,
            )
            for at in numbers
        ),
    )


def _spans_in(text: str, place: object, field: str) -> Spans:
    try:
        return hours.spans_in(text)
    except NotHoursError as error:
        raise HoursError(
            _("%(day)s: “%(part)s” isn't a valid time range.", day=place, part=str(error)[:40]),
            next_step=_(
                "Nothing was saved. Enter hours like 09:00 – 12:30, 13:30 – 18:00, or leave the day empty."
            ),
            field=field,
        ) from None


def _exception_of(row: ExceptionRow, at: int) -> ExceptionalDays:
    field = f"exceptions[{at}]"
    try:
        first = date.fromisoformat(row.first)
        last = date.fromisoformat(row.last) if row.last else first
    except ValueError:
        raise HoursError(_("The exception needs a start date."), field=field) from None
    return ExceptionalDays(first, last, _spans_in(row.open, row.first, field), row.name, row.yearly)


# ---- contents of the page ---------------------------------------------------------------------------------


class DayAxis(msgspec.Struct, frozen=True):
    """The part of a day that the bars show, in minutes after midnight."""

    starts: int
    ends: int

    @property
    def width(self) -> int:
        return self.ends - self.starts

    @property
    def ticks(self) -> list[int]:
        """Return the positions of lines: every second hour, every third for a whole day."""
        step = 180 if self.width == DAY else 120
        return [minute - self.starts for minute in range(self.starts, self.ends + 1, step)]

    @property
    def labels(self) -> list[str]:
        return [f"{(self.starts + tick) // 60:02}" for tick in self.ticks]


class Day(msgspec.Struct, frozen=True):
    """A day of the week: its bar and its text.

    :param bars: start on the axis, and width.
    :param now: the position of the current time, if the day is today.
    """

    key: str
    name: str
    short: str
    text: str
    bars: list[tuple[int, int]]
    today: bool
    now: int | None


class OpenState(msgspec.Struct, frozen=True):
    """Whether it is open, with the text of its chip."""

    open: bool
    words: str


class ClockChange(msgspec.Struct, frozen=True):
    """The next clock change. *while_open*: whether it is within an opening."""

    day: str
    by: str
    while_open: bool
    longer: bool


class TeamRow(msgspec.Struct, frozen=True):
    """A team in the list. *weekly*: the length of its own week; empty: no hours of its own."""

    id: int
    name: str
    weekly: str
    state: OpenState


def state_of(work: Hours, now: datetime) -> OpenState:
    """Return whether it is open now and until when, in its own time zone."""
    if work.is_open(now):
        closes = work.closes_at(now)
        if closes is None:
            return OpenState(True, _("Always open"))
        return OpenState(True, _("Open until %(when)s", when=_when(closes, now, work.timezone)))
    opens = work.opens_at(now)
    if opens is None:
        return OpenState(False, _("Closed"))
    return OpenState(False, _("Closed until %(when)s", when=_when(opens, now, work.timezone)))


def _when(at: datetime, now: datetime, timezone: str) -> str:
    there, today = (one.astimezone(clock.zone(timezone)) for one in (at, now))
    said = f"{there:%H:%M}"  # as the hours are typed
    if there.date() == today.date():
        return said
    skeleton = "EEE" if at - now < _SOON else "MMMEd" if there.year == today.year else "yMMMEd"
    return f"{format_skeleton(skeleton, there, locale=_locale())} {said}"


def _locale() -> str:
    return str(reader().locale or "en")


def _axis(week: Sequence[Spans]) -> DayAxis:
    spans = [one for day in week for one in day]
    starts = min([MORNING, *(one.starts for one in spans)]) // 120 * 120
    ends = -(-max([EVENING, *(one.ends for one in spans)]) // 120) * 120
    return DayAxis(0, DAY) if (starts, ends) == (0, DAY) else DayAxis(starts, ends)


def _days(typed: HoursForm, now: datetime) -> tuple[DayAxis, list[Day]]:
    drawn = [_drawn(text) for text in typed.days]
    axis = _axis(drawn)
    zone = typed.timezone if typed.timezone in clock.zones() else "UTC"
    there = now.astimezone(clock.zone(zone))
    minute = there.hour * 60 + there.minute - axis.starts
    locale = reader().locale
    found = []
    for at, (key, text, spans) in enumerate(zip(DAY_KEYS, typed.days, drawn, strict=True)):
        today = at == there.weekday()
        found.append(
            Day(
                key,
                str(DAY_NAMES[at]),
                locale.days["format"]["abbreviated"][at] if locale else key[:3].capitalize(),
                text,
                [(one.starts - axis.starts, one.ends - one.starts) for one in spans],
                today,
                minute if today and 0 <= minute <= axis.width else None,
            )
        )
    return axis, found


def _drawn(text: str) -> Spans:
    """Return the spans in a text for its bar; none if it is not hours."""
    try:
        return tuple(one for one in hours.spans_in(text) if one.starts < one.ends)
    except NotHoursError:
        return ()


def days_of(one: ExceptionalDays, today: date) -> str:
    """Return the days of an exception in the reader's language, with the year if it is not this one."""
    year = "" if one.yearly or one.first.year == one.last.year == today.year else "y"
    first, last = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (one.first, one.last))
    if first == last:
        skeleton = "MMMd" if one.yearly else f"{year}MMMEd"
        return str(format_skeleton(skeleton, first, locale=_locale()))
    return str(format_interval(first, last, f"{year}MMMd", locale=_locale()))


def _is_past(one: ExceptionalDays, today: date) -> bool:
    return not one.yearly and one.last < today


def _change(work: Hours, now: datetime) -> ClockChange | None:
    found = clock.next_change(work.timezone, now, hours.AHEAD)
    if found is None:
        return None
    at, by = found
    minutes = int(by.total_seconds()) // 60
    size, sign = abs(minutes), "+" if minutes > 0 else "−"
    said = f"{sign}{size // 60} h" if size % 60 == 0 else f"{sign}{size} min"
    there = at.astimezone(clock.zone(work.timezone))
    near = work.openings(at - abs(by), at + abs(by))
    return ClockChange(
        str(format_skeleton("MMMEd", there, locale=_locale())),
        said,
        next(near, None) is not None,
        minutes < 0,
    )


def _zone_words(timezone: str, now: datetime) -> str:
    """Return the offset of a time zone from UTC, and its current time."""
    there = now.astimezone(clock.zone(timezone))
    minutes = int((there.utcoffset() or timedelta()).total_seconds()) // 60
    ahead = f"UTC{'+' if minutes >= 0 else '−'}{abs(minutes) // 60}"
    if minutes % 60:
        ahead += f":{abs(minutes) % 60:02}"
    return _("%(zone)s, now %(time)s", zone=ahead, time=f"{there:%H:%M}")


def weekly(week: Week) -> str:
    """Return the length of a week, in words."""
    minutes = sum(one.ends - one.starts for day in week for one in day)
    return _("%(hours)s h a week", hours=number(round(minutes / 60, 1) if minutes % 60 else minutes // 60))


# ---- the pages -----------------------------------------------------------------------------------------


@bp.get(HOURS)
@workspace_view(Permission.READ)
def workspace_hours(workspace_id: int) -> ResponseReturnValue:
    """Show the hours of the workspace, and which teams have their own."""
    return _page(workspace_id, None)


@bp.post(HOURS)
@workspace_view(Permission.HOURS)
def save_hours(workspace_id: int) -> ResponseReturnValue:
    """Save the hours of the workspace."""
    return _save(workspace_id, None)


@bp.get(f"{HOURS}/teams/<int:team_id>")
@workspace_view(Permission.READ)
def team_hours(workspace_id: int, team_id: int) -> ResponseReturnValue:
    """Show the hours of a team: its own, or those of the workspace."""
    return _page(workspace_id, team_id)


@bp.post(f"{HOURS}/teams/<int:team_id>")
@workspace_view(Permission.HOURS)
def save_team_hours(workspace_id: int, team_id: int) -> ResponseReturnValue:
    """Save the hours of a team, or remove them so that those of the workspace apply."""
    return _save(workspace_id, team_id)


def _save(workspace_id: int, team_id: int | None) -> ResponseReturnValue:
    version = form_version()
    with db.read() as session:
        typed = _typed(hours.load(session, [workspace_id]).own(workspace_id, team_id))
    try:
        write(
            hours.save,
            team_id,
            week=typed.week() if typed.own else None,
            exceptions=typed.exceptions() if typed.own else (),
            timezone=typed.timezone,
            version=version,
        )
    except NotFoundError:
        raise
    except LobbyError as error:
        return _page(workspace_id, team_id, typed, error)
    flash_good(_("Saved."))
    if team_id is None:
        return redirect(url_for("working_hours.workspace_hours"), 303)
    return redirect(url_for("working_hours.team_hours", team_id=team_id), 303)


def _page(
    workspace_id: int, team_id: int | None, typed: HoursForm | None = None, problem: LobbyError | None = None
) -> ResponseReturnValue:
    now = clock.now()
    with db.read() as session:
        team = _team_name(session, workspace_id, team_id)
        loaded = hours.load(session, [workspace_id])
        teams = hours.teams_of(session, workspace_id) if team_id is None else []
        zone = workspaces.settings(session, workspace_id).timezone
    kept = loaded.own(workspace_id, team_id)
    above = loaded.own(workspace_id) if team_id is not None else StoredHours()
    work = loaded.of(workspace_id, team_id)
    if typed is None:
        chosen = (
            [kept.timezone] if kept.week else [above.timezone] if above.week else [zone, str(reader().zone)]
        )
        known = next((one for one in chosen if one in clock.zones()), "UTC")
        typed = _typed_of(kept, above.week or OFFICE, known)
    axis, days = _days(typed, now)
    today = now.astimezone(clock.zone(work.timezone)).date()
    rows = [row for row in typed.rows if row.kept is not None]
    page = render_template(
        "working_hours/hours.html",
        team=team,
        team_id=team_id,
        typed=typed,
        version=kept.version,
        axis=axis,
        days=days,
        coming=[
            (row, days_of(row.kept, today)) for row in rows if row.kept and not _is_past(row.kept, today)
        ],
        past=[(row, days_of(row.kept, today)) for row in rows if row.kept and _is_past(row.kept, today)],
        state=state_of(work, now),
        own=kept.week is not None,
        zones=clock.zones(),
        zone_words=_zone_words(work.timezone, now),
        change=None if kept.week is None else _change(work, now),
        teams=[_team_row(loaded, workspace_id, id_, name, now) for id_, name in teams],
        usual=loaded.of(workspace_id),
        time_text=hours.time_text,
        text_of=hours.text_of,
        problem=problem,
        place=typed.place(problem),
        may=g.workspace.may(Permission.HOURS) and not g.workspace.archived,
    )
    return page, 200 if problem is None else problem.status


def _team_name(session: Session, workspace_id: int, team_id: int | None) -> str:
    """Return the name of a team; empty for the workspace.

    :raises NotFoundError: if the workspace has no such team.
    """
    if team_id is None:
        return ""
    found = dict(hours.teams_of(session, workspace_id))
    if team_id not in found:
        raise NotFoundError()
    return found[team_id]


def _team_row(
    loaded: hours.LoadedHours, workspace_id: int, team_id: int, name: str, now: datetime
) -> TeamRow:
    own = loaded.own(workspace_id, team_id).week
    return TeamRow(
        team_id, name, "" if own is None else weekly(own), state_of(loaded.of(workspace_id, team_id), now)
    )
