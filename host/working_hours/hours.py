"""Working hours of a workspace and its teams: a week, exceptions, and a time zone.

A workspace is open whenever its clocks show a time within that day's hours. A time that clocks skip is never
open, and a time that they show twice is open twice.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.cleaning import clean
from host.core.errors import InvalidError, NotFoundError
from host.inbox.teams.models import Team
from host.models.users import Workspace
from host.users import last_owners
from host.users.actor import UnitOfWork
from host.users.workspaces import SavedMeanwhileError
from host.working_hours.models import BusinessHours

DAY = 24 * 60
"""Minutes of a day on the clock."""
AHEAD = timedelta(days=400)
"""Limit for looking up openings: more than a year, with its exceptions."""
_A_DAY = timedelta(days=1)


class Span(NamedTuple):
    """Hours of a day in minutes after midnight, the end not included; 1440: to the end of the day."""

    starts: int
    ends: int


Spans = tuple[Span, ...]
Week = tuple[Spans, ...]
"""Seven days, Monday first."""


class Exceptions(Protocol):
    """The hours of days that differ from the week."""

    def get(self, day: date, /) -> Spans | None:
        """Return the hours of a day, empty if it is closed, or None if the week's hours apply."""


class Hours(msgspec.Struct, frozen=True):
    """Working hours.

    :param exceptions: hours by day, which override the week; a dict works.
    :param timezone: a name of :func:`host.core.clock.zones`.
    """

    week: Week
    exceptions: Exceptions
    timezone: str

    def is_open(self, at: datetime) -> bool:
        """Return whether it is open at that time."""
        there = at.astimezone(clock.zone(self.timezone))
        minute = there.hour * 60 + there.minute
        return any(starts <= minute < ends for starts, ends in self.on(there.date()))

    def opens_at(self, at: datetime) -> datetime | None:
        """Return the next time it is open, possibly *at*, or None if there is none within :data:`AHEAD`."""
        if self.is_open(at):
            return at
        return next((opens for opens, _closes in self._pieces(at, at + AHEAD)), None)

    def closes_at(self, at: datetime) -> datetime | None:
        """Return the closing time of the opening that contains *at*, or None.

        None if it is closed then, or stays open for :data:`AHEAD`. Adjacent hours are one opening.
        """
        opens, closes = next(self.openings(at, at + AHEAD), (None, None))
        return closes if opens == at and closes != at + AHEAD else None

    def after(self, since: datetime, length: timedelta) -> datetime | None:
        """Return the time by which it was open for *length*, or None if that is beyond :data:`AHEAD`."""
        left = length
        for opens, closes in self._pieces(since, since + AHEAD):
            if closes - opens >= left:
                return opens + left
            left -= closes - opens
        return None

    def worked(self, since: datetime, until: datetime) -> timedelta:
        """Return the open time between two times; zero unless *until* is later."""
        return sum((closes - opens for opens, closes in self.openings(since, until)), timedelta())

    def openings(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield opening and closing times between two moments, in UTC and in order."""
        last: tuple[datetime, datetime] | None = None
        for opens, closes in self._pieces(since, until):
            if last is not None and opens <= last[1]:
                last = last[0], max(closes, last[1])
                continue
            if last is not None:
                yield last
            last = opens, closes
        if last is not None:
            yield last

    def on(self, day: date) -> Spans:
        """Return the hours of a day."""
        exceptional = self.exceptions.get(day)
        return self.week[day.weekday()] if exceptional is None else exceptional

    def _pieces(self, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield openings, split at midnight and where clocks change."""
        for begins, ends, ahead in clock.offsets(self.timezone, since, until):
            midnight = datetime.combine((begins + ahead).date(), time(), UTC) - ahead
            while midnight < ends:
                for starts, stops in self.on((midnight + ahead).date()):
                    opens = max(midnight + timedelta(minutes=starts), begins)
                    closes = min(midnight + timedelta(minutes=stops), ends)
                    if opens < closes:
                        yield opens, closes
                midnight += _A_DAY


class WorkedTime:
    """An index of openings: the open time between any two times of a period.

    :param since: the beginning of the period; *until*: its end.
    """

    def __init__(self, work: Hours, since: datetime, until: datetime) -> None:
        self._opens: list[datetime] = []
        self._closes: list[datetime] = []
        self._sums = [timedelta()]
        """The total open time before each opening."""
        for opens, closes in work.openings(since, until):
            self._opens.append(opens)
            self._closes.append(closes)
            self._sums.append(self._sums[-1] + (closes - opens))

    def between(self, since: datetime, until: datetime) -> timedelta:
        """Return the open time, like :meth:`Hours.worked`."""
        return max(self._before(until) - self._before(since), timedelta())

    def _before(self, at: datetime) -> timedelta:
        begun = bisect_right(self._opens, at)
        if not begun:
            return timedelta()
        return self._sums[begun] - max(self._closes[begun - 1] - at, timedelta())


ALL_DAY: Spans = (Span(0, DAY),)
CLOSED: Spans = ()
ALWAYS = Hours((ALL_DAY,) * 7, {}, "UTC")
"""The default: always open."""


# ---- stored form -----------------------------------------------------------------------------------------


class ExceptionalDays(msgspec.Struct, frozen=True):
    """Days with hours that differ from the week.

    :param spans: the hours of each day; empty: closed.
    :param yearly: whether it repeats each year, except on days with another exception.
    """

    first: date
    last: date
    spans: Spans
    name: str = ""
    yearly: bool = False

    def plain(self) -> list[Any]:
        """Return its stored form."""
        return [
            self.first.isoformat(),
            self.last.isoformat(),
            [list(one) for one in self.spans],
            self.name,
            self.yearly,
        ]

    @classmethod
    def of(cls, stored: Sequence[Any]) -> ExceptionalDays:
        first, last, spans, name, yearly = stored[:5]
        return cls(
            date.fromisoformat(first), date.fromisoformat(last), _spans_of(spans), str(name), bool(yearly)
        )


class _Days(msgspec.Struct, frozen=True):
    """A lookup of exceptions by day: those of the day itself override yearly ones.

    :param once: those that do not repeat, in order, without overlaps.
    :param firsts: the first day of each of them.
    """

    once: Sequence[ExceptionalDays]
    firsts: Sequence[date]
    yearly: Sequence[ExceptionalDays]

    def get(self, day: date, /) -> Spans | None:
        at = bisect_right(self.firsts, day) - 1
        if at >= 0 and day <= self.once[at].last:
            return self.once[at].spans
        return next((one.spans for one in self.yearly if falls_on(one, day)), None)


def falls_on(one: ExceptionalDays, day: date) -> bool:
    """Return whether an exception covers a day."""
    if not one.yearly:
        return one.first <= day <= one.last
    if day < one.first:
        return False
    first, last, there = ((of.month, of.day) for of in (one.first, one.last, day))
    return first <= there <= last if first <= last else there >= first or there <= last


def by_day(exceptions: Sequence[ExceptionalDays]) -> Exceptions:
    """Return exceptions as :class:`Hours` takes them."""
    if not exceptions:
        return {}
    once = sorted((one for one in exceptions if not one.yearly), key=lambda one: one.first)
    return _Days(once, [one.first for one in once], [one for one in exceptions if one.yearly])


class StoredHours(msgspec.Struct, frozen=True):
    """The hours that were set for a workspace or a team.

    :param week: None: those of the workspace apply, or :data:`ALWAYS`.
    :param version: the version that a form must name to change them; 0: never set.
    """

    week: Week | None = None
    exceptions: tuple[ExceptionalDays, ...] = ()
    timezone: str = "UTC"
    version: int = 0

    def hours(self) -> Hours | None:
        """Return the hours, or None if it has none of its own."""
        if self.week is None:
            return None
        return Hours(self.week, by_day(self.exceptions), self.timezone)


class LoadedHours(msgspec.Struct, frozen=True):
    """The hours of several workspaces and their teams."""

    kept: Mapping[tuple[int, int | None], StoredHours]

    def own(self, workspace_id: int, team_id: int | None = None) -> StoredHours:
        """Return the hours that were set for a team, or for the workspace."""
        return self.kept.get((workspace_id, team_id)) or StoredHours()

    def of(self, workspace_id: int, team_id: int | None = None) -> Hours:
        """Return the hours in effect: the team's own, else the workspace's, else :data:`ALWAYS`."""
        own = self.own(workspace_id, team_id).hours()
        if own is None and team_id is not None:
            own = self.own(workspace_id).hours()
        return own or ALWAYS


def load(session: Session, workspace_ids: Collection[int]) -> LoadedHours:
    """Return the hours of workspaces and all their teams. One statement."""
    query = sa.select(BusinessHours).where(BusinessHours.workspace_id.in_(sorted(set(workspace_ids))))
    return LoadedHours({(row.workspace_id, row.team_id): _kept(row) for row in session.scalars(query)})


def of_workspace(session: Session, workspace_id: int) -> Hours:
    """Return the hours of a workspace, :data:`ALWAYS` by default."""
    return load(session, [workspace_id]).of(workspace_id)


def of_team(session: Session, workspace_id: int, team_id: int | None) -> Hours:
    """Return the hours of a team: its own, else those of the workspace."""
    return load(session, [workspace_id]).of(workspace_id, team_id)


def teams_of(session: Session, workspace_id: int) -> list[tuple[int, str]]:
    """Return the ids and names of the teams of a workspace, by name."""
    query = sa.select(Team.id, Team.name).where(Team.workspace_id == workspace_id)
    return [(row.id, row.name) for row in session.execute(query.order_by(Team.name, Team.id))]


def _kept(row: BusinessHours) -> StoredHours:
    known = (
        row.timezone in clock.zones()
    )  # this machine may have fewer time zones than the one where it was chosen
    return StoredHours(
        None if row.week is None or not known else tuple(_spans_of(day) for day in row.week),
        tuple(ExceptionalDays.of(one) for one in row.exceptions),
        row.timezone if known else "UTC",
        row.version,
    )


def _spans_of(stored: Sequence[Sequence[int]]) -> Spans:
    return tuple(Span(int(starts), int(ends)) for starts, ends in stored)


# ---- saving --------------------------------------------------------------------------------------------

MOST_SPANS = 6
"""Maximum number of spans in a day, such as a morning and an afternoon."""
MOST_EXCEPTIONS = 200
LONGEST = 366
"""Maximum number of days in one exception."""
LONGEST_NAME = 80
LONGEST_TEXT = 200
"""Maximum length of the text with a day's hours, in characters."""
FIRST_YEAR, LAST_YEAR = 2000, 2200

DAY_KEYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
DAY_NAMES = (
    *(_l("Monday"), _l("Tuesday"), _l("Wednesday"), _l("Thursday")),
    *(_l("Friday"), _l("Saturday"), _l("Sunday")),
)


class HoursError(InvalidError):
    """Hours are invalid. The sentence and *field* name the day or the exception."""

    code = "hours"
    default_next_step = _l("Nothing was saved.")
    program_step = ""


class NotHoursError(ValueError):
    """A text is not hours; its argument is the invalid part."""


_TIME = r"([0-9]{1,2})(?:[:.]([0-9]{2}))?"
_SPAN = re.compile(rf"{_TIME}\s*[-\u2010-\u2015\u2212]\s*{_TIME}")


def spans_in(text: str) -> Spans:
    """Parse hours as people type them: ``9 - 12:30, 13.30 - 18``. An empty text means closed.

    An end at 0:00 is the end of the day.

    :raises NotHoursError: if a part of it is not hours, or a time is invalid.
    """
    if len(text) > LONGEST_TEXT:
        raise NotHoursError(f"{text[:20]}…")
    found = []
    for part in filter(None, (part.strip() for part in re.split(r"[,;]", text))):
        match = _SPAN.fullmatch(part)
        if match is None:
            raise NotHoursError(part)
        hour, minute, last_hour, last_minute = (int(one or 0) for one in match.groups())
        starts, ends = hour * 60 + minute, last_hour * 60 + last_minute
        if max(minute, last_minute) > 59 or starts >= DAY or ends > DAY:
            raise NotHoursError(part)
        found.append(Span(starts, ends or DAY))
    return tuple(found)


def time_text(minutes: int) -> str:
    """Return minutes after midnight as a time: ``09:00``, at the end of the day ``24:00``."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def text_of(spans: Spans) -> str:
    """Return hours as :func:`spans_in` reads them; empty: closed."""
    return ", ".join(f"{time_text(one.starts)} – {time_text(one.ends)}" for one in spans)


def checked(
    week: Sequence[Spans], exceptions: Sequence[ExceptionalDays], timezone: str, now: datetime
) -> tuple[Week, tuple[ExceptionalDays, ...]]:
    """Validate a week and exceptions, and return them sorted.

    :raises HoursError: if something is invalid, with its place.
    """
    if timezone not in clock.zones():
        raise HoursError(
            _l("Choose one of the time zones. Nothing was saved."), next_step="", field="timezone"
        )
    kept = tuple(
        _checked_spans(spans, name, f"week.{key}")
        for spans, name, key in zip(week, DAY_NAMES, DAY_KEYS, strict=True)
    )
    if len(exceptions) > MOST_EXCEPTIONS:
        raise HoursError(
            _l("You can add up to %(most)s exceptions.", most=MOST_EXCEPTIONS),
            field="exceptions",
            limit=MOST_EXCEPTIONS,
        )
    others = [_checked_exception(one, at) for at, one in enumerate(exceptions)]
    _check_apart(others)
    if Hours(kept, by_day(others), timezone).opens_at(now) is None:
        raise HoursError(_l("With these hours you would be closed for the whole next year."), field="week")
    return kept, tuple(sorted(others, key=lambda one: (one.first, one.last)))


def _checked_spans(spans: Spans, place: object, field: str) -> Spans:
    """Validate the hours of a day and return them sorted.

    :param place: the day, as the sentence names it.
    """
    if len(spans) > MOST_SPANS:
        raise HoursError(
            _l("%(day)s has more than %(most)s time ranges.", day=place, most=MOST_SPANS),
            field=field,
            limit=MOST_SPANS,
        )
    for one in spans:
        if not (0 <= one.starts < DAY and 0 < one.ends <= DAY):
            raise HoursError(_l("%(day)s has an invalid time.", day=place), field=field)
        if one.ends <= one.starts:
            raise HoursError(
                _l("%(day)s: %(span)s ends before it begins.", day=place, span=text_of((one,))),
                next_step=_l(
                    "Nothing was saved. Split hours past midnight in two: until 24:00, and from 00:00 on "
                    "the next day."
                ),
                field=field,
            )
    found = tuple(sorted(spans))
    for one, other in pairwise(found):
        if other.starts < one.ends:
            raise HoursError(
                _l(
                    "%(day)s: %(one)s and %(other)s overlap.",
                    day=place,
                    one=text_of((one,)),
                    other=text_of((other,)),
                ),
                field=field,
            )
    return found


def days_text(one: ExceptionalDays) -> str:
    """Return the days of an exception as programs write them."""
    return str(one.first) if one.first == one.last else f"{one.first} – {one.last}"


def _checked_exception(one: ExceptionalDays, at: int) -> ExceptionalDays:
    place, field = days_text(one), f"exceptions[{at}]"
    if one.last < one.first:
        raise HoursError(_l("The exception %(days)s ends before it begins.", days=place), field=field)
    if not FIRST_YEAR <= one.first.year <= one.last.year <= LAST_YEAR:
        raise HoursError(
            _l(
                "The exception %(days)s must be between the years %(first)s and %(last)s.",
                days=place,
                first=FIRST_YEAR,
                last=LAST_YEAR,
            ),
            field=field,
        )
    if (one.last - one.first).days >= LONGEST:
        raise HoursError(
            _l("The exception %(days)s is longer than %(most)s days.", days=place, most=LONGEST),
            field=field,
            limit=LONGEST,
        )
    name = " ".join(clean(one.name).split())
    if len(name) > LONGEST_NAME:
        raise HoursError(
            _l(
                "The name of the exception %(days)s is longer than %(most)s characters.",
                days=place,
                most=LONGEST_NAME,
            ),
            field=field,
            limit=LONGEST_NAME,
        )
    return ExceptionalDays(one.first, one.last, _checked_spans(one.spans, place, field), name, one.yearly)


def _check_apart(exceptions: Sequence[ExceptionalDays]) -> None:
    """Refuse two exceptions of one day, or two yearly ones.

    :raises HoursError: naming both.
    """
    at = {id(one): place for place, one in enumerate(exceptions)}
    for yearly in (False, True):
        taken: dict[object, ExceptionalDays] = {}
        for one in (one for one in exceptions if one.yearly == yearly):
            for step in range((one.last - one.first).days + 1):
                day = one.first + timedelta(days=step)
                other = taken.setdefault((day.month, day.day) if yearly else day, one)
                if other is not one:
                    raise HoursError(
                        _l(
                            "The exceptions %(one)s and %(other)s overlap.",
                            one=days_text(other),
                            other=days_text(one),
                        ),
                        field=f"exceptions[{at[id(one)]}]",
                    )


def save(
    work: UnitOfWork,
    team_id: int | None,
    *,
    week: Sequence[Spans] | None,
    exceptions: Sequence[ExceptionalDays] = (),
    timezone: str = "UTC",
    version: int | None = None,
) -> None:
    """Save the hours of a workspace or a team.

    :param week: None: no hours of its own; *exceptions* and *timezone* are ignored then.
    :param version: the version the person saw; None: any.
    :raises NotFoundError: if there is no such workspace, or it has no such team.
    :raises SavedMeanwhileError: if the hours have a newer version.
    :raises HoursError: as :func:`checked`.
    """
    session, workspace_id = work.session, work.workspace_id
    last_owners.lock_workspace(session, workspace_id)
    query = sa.select(Workspace.name).where(Workspace.id == workspace_id)
    if team_id is not None:
        query = sa.select(Team.name).where(Team.id == team_id, Team.workspace_id == workspace_id)
    name = session.scalar(query.with_for_update())
    if name is None:
        raise NotFoundError()
    of_team = BusinessHours.team_id.is_(None) if team_id is None else BusinessHours.team_id == team_id
    mine = sa.select(BusinessHours).where(BusinessHours.workspace_id == workspace_id, of_team)
    row = session.scalars(mine.execution_options(populate_existing=True)).one_or_none()
    before = StoredHours() if row is None else _kept(row)
    if version is not None and version != before.version:
        raise SavedMeanwhileError()
    after = StoredHours(version=before.version + 1)
    if week is not None:
        after = StoredHours(*checked(week, exceptions, timezone, work.now), timezone, after.version)
    different = changes(before, after)
    if not different:
        return
    if row is None:
        row = BusinessHours(workspace_id=workspace_id, team_id=team_id)
        session.add(row)
    row.week = None if after.week is None else [[list(one) for one in day] for day in after.week]
    row.exceptions = [one.plain() for one in after.exceptions]
    row.timezone, row.version = after.timezone, after.version
    session.flush()
    work.audit("hours.changed", name, details=different)


def changes(before: StoredHours, after: StoredHours) -> dict[str, str]:
    """Return the changed fields, in words for the audit log."""
    if after.week is None:
        return {} if before.week is None else {"own": "no"}
    found = {} if before.week is not None else {"own": "yes"}
    week = before.week or (None,) * 7
    for key, old, new in zip(DAY_KEYS, week, after.week, strict=True):
        if old != new:
            found[key] = text_of(new) or "closed"
    if before.timezone != after.timezone or "own" in found:
        found["timezone"] = after.timezone
    for name, some, others in (
        ("exceptions", after.exceptions, before.exceptions),
        ("exceptions_gone", before.exceptions, after.exceptions),
    ):
        if different := [days_text(one) for one in some if one not in others]:
            found[name] = ", ".join(different)[:200]
    return found
