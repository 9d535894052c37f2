"""Short texts for durations and times. ``host/static/js/inbox-time.js`` writes the same."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import ngettext

from host.web.languages import gettext as _
from host.web.languages import local, reader

MINUTE, HOUR, DAY = 60, 3600, 86_400


def short(length: timedelta) -> str:
    """Return *length* in one unit, rounded down: ``5 d``, ``23 h``, ``12 min``."""
    seconds = max(0, int(length.total_seconds()))
    if seconds >= 2 * DAY:
        return _("%(n)s d", n=seconds // DAY)
    if seconds >= HOUR:
        return _("%(n)s h", n=seconds // HOUR)
    return _("%(n)s min", n=seconds // MINUTE)


def exact(length: timedelta) -> str:
    """Return *length* in two units: ``5 d 3 h``, ``23 h 58 min``, ``12 min``."""
    seconds = max(0, int(length.total_seconds()))
    days, hours, minutes = seconds // DAY, seconds % DAY // HOUR, seconds % HOUR // MINUTE
    if days:
        return f"{_('%(n)s d', n=days)} {_('%(n)s h', n=hours)}"
    if hours:
        return f"{_('%(n)s h', n=hours)} {_('%(n)s min', n=minutes)}"
    return _("%(n)s min", n=minutes)


def age(at: datetime, now: datetime) -> str:
    """Return how long ago *at* was in one unit of at least days: ``today``, ``17 days``, ``11 months``."""
    days = max(0, (now - at).days)
    if days < 1:
        return _("today")
    if days < 21:
        return str(ngettext("%(num)s day", "%(num)s days", days))
    if days < 60:
        return str(ngettext("%(num)s week", "%(num)s weeks", days // 7))
    return str(ngettext("%(num)s month", "%(num)s months", days // 30))


def since(at: datetime, now: datetime) -> str:
    """Return how long ago *at* was, or its day if that is more than a day."""
    age = (now - at).total_seconds()
    if age < MINUTE:
        return _("now")
    if age < DAY:
        return short(timedelta(seconds=age))
    known = reader()
    there = known.local(at)
    if age < 6 * DAY:
        return known.date_text(there, "EEE")
    return known.date_text(there, "d MMM" if there.year == known.local(now).year else "d MMM y")


def day(at: datetime, now: datetime) -> str:
    """Return the day of *at* in the reader's time zone: Today, Yesterday, or its date."""
    known = reader()
    there = known.local(at)
    its_day, today = there.date(), known.local(now).date()
    if its_day == today:
        return _("Today")
    if its_day == today - timedelta(days=1):
        return _("Yesterday")
    return known.date_text(there, "EEEE, d MMMM" if its_day.year == today.year else "d MMMM y")


def moment(at: datetime, now: datetime) -> str:
    """Return *at* with its date, and the year if it is another: ``27 Nov, 12:06``."""
    known = reader()
    there = known.local(at)
    pattern = "d MMM" if there.year == known.local(now).year else "d MMM y"
    return f"{known.date_text(there, pattern)}, {there:%H:%M}"


def clock_time(at: datetime) -> str:
    """Return the time of day of *at* in the reader's time zone."""
    return f"{local(at):%H:%M}"


def moment_beside(at: datetime, other: datetime) -> str:
    """Return the time of day of *at*, with its day if *other* is on another day."""
    same_day = local(at).date() == local(other).date()
    return clock_time(at) if same_day else moment(at, other)
