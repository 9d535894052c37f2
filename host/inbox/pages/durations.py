"""Lengths of time and times of day in few letters. ``host/static/js/inbox-time.js`` writes the same."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import format_datetime, to_user_timezone
from flask_babel import gettext as _

MINUTE, HOUR, DAY = 60, 3600, 86_400


def short(length: timedelta) -> str:
    """Return *length* in one unit, rounded down: ``5 d``, ``23 h``, ``12 min``."""
    seconds = max(0, int(length.total_seconds()))
    if seconds >= 2 * DAY:
        return str(_("%(n)s d", n=seconds // DAY))
    if seconds >= HOUR:
        return str(_("%(n)s h", n=seconds // HOUR))
    return str(_("%(n)s min", n=seconds // MINUTE))


def exact(length: timedelta) -> str:
    """Return *length* in two units: ``5 d 3 h``, ``23 h 58 min``, ``12 min``."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // DAY, seconds % DAY // HOUR, seconds % HOUR // MINUTE
    if days:
        return f"{_('%(n)s d', n=days)} {_('%(n)s h', n=hours)}"
    if hours:
        return f"{_('%(n)s h', n=hours)} {_('%(n)s min', n=minutes)}"
    return str(_("%(n)s min", n=minutes))


def since(at: datetime, now: datetime) -> str:
    """Return how long ago *at* was, or for more than a day which day it was."""
    age = (now - at).total_seconds()
    if age < MINUTE:
        return str(_("now"))
    if age < DAY:
        return short(timedelta(seconds=age))
    if age < 6 * DAY:
        return str(format_datetime(at, "EEE"))
    same_year = to_user_timezone(at).year == to_user_timezone(now).year
    return str(format_datetime(at, "d MMM" if same_year else "d MMM y"))


def day(at: datetime, now: datetime) -> str:
    """Return the day of *at* in the reader's zone: Today, Yesterday, or its date."""
    local, today = to_user_timezone(at).date(), to_user_timezone(now).date()
    if local == today:
        return str(_("Today"))
    if local == today - timedelta(days=1):
        return str(_("Yesterday"))
    return str(format_datetime(at, "EEEE, d MMMM" if local.year == today.year else "d MMMM y"))


def moment(at: datetime, now: datetime) -> str:
    """Return *at* as a time that may lie days ahead or back: ``27 Nov, 12:06``."""
    same_year = to_user_timezone(at).year == to_user_timezone(now).year
    return str(format_datetime(at, "d MMM, HH:mm" if same_year else "d MMM y, HH:mm"))


def clock_time(at: datetime) -> str:
    """Return the time of day of *at* in the reader's zone."""
    return str(format_datetime(at, "HH:mm"))


def moment_beside(at: datetime, other: datetime) -> str:
    """Return the time of day of *at*, with its day where that is not the day of *other*."""
    same_day = to_user_timezone(at).date() == to_user_timezone(other).date()
    return clock_time(at) if same_day else moment(at, other)
