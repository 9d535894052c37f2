"""The clock that all code uses for the time, so that a test can move it, the clocks of time zones, and
periods of whole days.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from datetime import time as time_of_day
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

_offset = timedelta()


def now() -> datetime:
    """Return the current time as an aware UTC datetime."""
    return datetime.now(UTC) + _offset


def offset() -> timedelta:
    """Return how far :func:`travel` has moved :func:`now`, so that other clocks can be moved as well."""
    return _offset


def steady() -> float:
    """Return seconds that never go back and include the machine's sleep, to continue another clock."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def monotonic() -> float:
    """Return seconds that never go back, for measuring durations."""
    return time.monotonic()


def from_millis(value: int) -> datetime:
    """Return the UTC datetime of *value* milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)


def to_text(at: datetime | None) -> str | None:
    """Return *at* in ISO 8601 for JSON; None stays None."""
    return None if at is None else at.isoformat()


def from_text(text: str | None) -> datetime | None:
    """Return the moment that :func:`to_text` wrote."""
    return None if text is None else datetime.fromisoformat(text)


@contextmanager
def travel(by: timedelta) -> Iterator[None]:
    """Move :func:`now` by *by* during the block (tests only)."""
    global _offset  # noqa: PLW0603 - one clock per process is the point of this module
    before = _offset
    _offset = before + by
    try:
        yield
    finally:
        _offset = before


# ---- time zones ----------------------------------------------------------------------------------------

_PLACES = tuple(
    f"{area}/"
    for area in (
        *("Africa", "America", "Antarctica", "Arctic", "Asia"),
        *("Atlantic", "Australia", "Europe", "Indian", "Pacific"),
    )
)
_STRIDE = timedelta(days=7)
"""Minimum time between two clock changes of a zone."""


@cache
def zones() -> tuple[str, ...]:
    """Return the names of the time zones to choose from: those of places, and UTC."""
    return tuple(sorted(name for name in available_timezones() if name == "UTC" or name.startswith(_PLACES)))


@cache
def zone(name: str) -> ZoneInfo:
    """Return a time zone by its name, one of :func:`zones`."""
    return ZoneInfo(name)


def local_moment(day: date, at: time_of_day, zone: tzinfo) -> datetime:
    """Return the moment at which clocks in *zone* show *at* on *day*.

    A time that does not exist because clocks go forward is moved forward by the same amount. Of a time that
    occurs twice, it returns the first.
    """
    return datetime.combine(day, at, zone).astimezone(UTC)


def typed_moment(text: str, zone: tzinfo) -> datetime:
    """Return the moment of a local time as a ``datetime-local`` field writes it.

    :raises ValueError: if it is invalid.
    """
    there = datetime.fromisoformat(text)
    if there.tzinfo is not None:
        raise ValueError("a local time has no zone")
    try:
        return local_moment(there.date(), there.time(), zone)
    except OverflowError:
        raise ValueError("a time outside the calendar") from None


def offsets(name: str, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime, timedelta]]:
    """Yield the periods between two times that have no clock change of the zone.

    Each period has a start, an end and the zone's offset from UTC. Adjacent ones may have the same offset.
    """
    there = zone(name)
    begins = since.astimezone(UTC)
    until = until.astimezone(UTC)
    while begins < until:
        ends = min(begins + _STRIDE, until)
        ahead = _ahead(begins, there)
        if _ahead(ends, there) != ahead:
            ends = _change(there, begins, ends)
        yield begins, ends, ahead
        begins = ends


def next_change(name: str, since: datetime, within: timedelta) -> tuple[datetime, timedelta] | None:
    """Return the next clock change of a zone and its size; None if there is none *within* that time."""
    before: timedelta | None = None
    for begins, _ends, ahead in offsets(name, since, since + within):
        if before is not None and ahead != before:
            return begins, ahead - before
        before = ahead
    return None


def _ahead(at: datetime, there: ZoneInfo) -> timedelta:
    return at.astimezone(there).utcoffset() or timedelta()


def _change(there: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """Return the time of the clock change between two times, to the second."""
    ahead = _ahead(before, there)
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if _ahead(middle, there) == ahead:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


# ---- periods -------------------------------------------------------------------------------------------

HOUR = timedelta(hours=1)
MOST_DAYS = 366
_YEARS = range(2000, 2200)


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days in a time zone, from *first* to *last*, both included.

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
        """Period of the same length that ends on the day before the first of these."""
        length = timedelta(days=len(self))
        return Days(self.first - length, self.last - length, self.zone)

    def bounds(self) -> list[datetime]:
        """Return the start of each day, and the end of the last one.

        Sums are per hour of UTC. In a zone that is half an hour off, a day begins with the hour that contains
        midnight.
        """
        days = [self.first + timedelta(days=number) for number in range(len(self) + 1)]
        return [
            datetime.combine(day, time_of_day(), self.zone).astimezone(UTC).replace(minute=0, second=0)
            for day in days
        ]

    def hours(self) -> list[datetime]:
        """Return the same for each hour: a day on which clocks change has 23 or 25."""
        bounds = self.bounds()
        return [bounds[0] + HOUR * number for number in range((bounds[-1] - bounds[0]) // HOUR + 1)]
