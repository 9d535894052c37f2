"""Time zones of calendar files: names of the IANA, of Windows, and rules that a file brings along.

No rule is expanded: the offset at one moment is looked for in that year and the one before it.
"""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

MAX_DAY = timedelta(days=1)
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


@dataclass(slots=True)
class Observance:
    """One part of a zone: its offset from an onset on, which may come back each year.

    :ivar onset: local time without a zone; None if it could not be read.
    :ivar month: and *week*, *day*: when the onset comes back each year, such as the last Sunday of March:
        3, -1, 6. *month* is 0 for an onset that does not come back.
    :ivar until: last year in which it comes back.
    :ivar fits: whether its rule was understood.
    """

    onset: datetime | None = None
    offset: timedelta | None = None
    month: int = 0
    week: int = 0
    day: int = 0
    until: int = 9999
    further: list[datetime] = field(default_factory=list)
    fits: bool = True

    def take_rule(self, rule: Mapping[str, Sequence[object]]) -> None:
        """Take the rule by which it comes back, as the library reads it."""
        try:
            (month,), (day,) = rule["BYMONTH"], rule["BYDAY"]
            number, name = str(day)[:-2], str(day)[-2:]
            self.month, self.week, self.day = int(str(month)), int(number), _DAYS.index(name)
            until = rule.get("UNTIL")
            if until:
                self.until = until[0].year  # type: ignore[attr-defined]
            self.fits = (
                str(rule["FREQ"][0]) == "YEARLY"
                and 1 <= self.month <= 12
                and 1 <= abs(self.week) <= 5
                and [int(str(one)) for one in rule.get("INTERVAL", [1])] == [1]
                and set(rule) <= {"FREQ", "INTERVAL", "BYMONTH", "BYDAY", "UNTIL", "WKST"}
            )
        except Exception:  # noqa: BLE001  # whatever a stranger wrote there
            self.fits = False

    def latest(self, at: datetime) -> datetime | None:
        """Return its last onset up to *at*, local times; None if there is none."""
        if self.onset is None:
            return None
        found = [self.onset, *self.further]
        if self.month:
            found += [
                again
                for year in (at.year - 1, at.year)
                if self.onset.year < year <= self.until and (again := self._in(year)) is not None
            ]
        return max((one for one in found if one <= at), default=None)

    def _in(self, year: int) -> datetime | None:
        assert self.onset is not None
        last = calendar.monthrange(year, self.month)[1]
        days = [
            number for number in range(1, last + 1) if calendar.weekday(year, self.month, number) == self.day
        ]
        place = self.week - 1 if self.week > 0 else self.week
        if not -len(days) <= place < len(days):
            return None
        return self.onset.replace(year=year, month=self.month, day=days[place])


def moment(
    local: datetime, name: str, given: Mapping[str, Sequence[Observance]]
) -> tuple[datetime, str] | None:
    """Return the time in UTC of a local time in the zone *name*, and the zone's name for people.

    :param given: the zones that the file brings along, by name.
    :return: None if the zone is unknown, or the time out of range.
    """
    known = named(name)
    if known is not None:
        return _in_utc(local, ZoneInfo(known)), known
    offset = _offset(local, given.get(name, ()))
    return None if offset is None else ((local - offset).replace(tzinfo=UTC), name)


def _in_utc(local: datetime, zone: tzinfo) -> datetime:
    return local.replace(tzinfo=zone).astimezone(UTC)


def _offset(local: datetime, observances: Sequence[Observance]) -> timedelta | None:
    usable = [one for one in observances if one.offset is not None and abs(one.offset) < MAX_DAY]
    if not usable or len(usable) < len(observances) or not all(one.fits for one in usable):
        return None
    begun = [(latest, place) for place, one in enumerate(usable) if (latest := one.latest(local)) is not None]
    if begun:
        return usable[max(begun)[1]].offset
    return usable[0].offset if len(usable) == 1 else None


def named(name: str) -> str | None:
    """Return the IANA name of the zone *name*: an IANA name, one of Windows, or a path that ends in one."""
    wanted = name.strip().strip('"')
    if wanted in _known():
        return wanted
    windows = _of_windows().get(wanted)
    if windows is not None:
        return windows if windows in _known() else None
    # /freeassociation.sourceforge.net/Europe/Berlin, /mozilla.org/20050126_1/America/Argentina/Salta
    pieces = wanted.split("/")[-3:]
    ends = ("/".join(pieces[place:]) for place in range(len(pieces) - 1))
    return next((one for one in ends if one in _known()), None) if wanted.startswith("/") else None


@cache
def _known() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _of_windows() -> dict[str, str]:
    from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

    return dict(WINDOWS_TO_OLSON)
