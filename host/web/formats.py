"""Format numbers, sizes and durations for pages."""

from __future__ import annotations

from flask_babel import format_decimal
from flask_babel import gettext as _


def number(value: float) -> str:
    """Return *value* with a useful number of digits."""
    return str(format_decimal(round(value, 2 if value < 1 else 1 if value < 10 else 0)))


def whole(value: float) -> str:
    """Return a count, with the separators of the reader's language."""
    return str(format_decimal(round(value, 1)))


def duration(seconds: float | None) -> str:
    """Return a duration in one unit: ``12 ms``, ``1.4 s``, ``3 min``."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return str(_("%(n)s ms", n=format_decimal(round(seconds * 1000, 1 if seconds < 0.01 else 0))))
    if seconds < 120:
        return str(_("%(n)s s", n=format_decimal(round(seconds, 1 if seconds < 10 else 0))))
    if seconds < 7200:
        return str(_("%(n)s min", n=round(seconds / 60)))
    return str(_("%(n)s h", n=round(seconds / 3600)))


def size(count: float) -> str:
    """Return bytes in one unit: ``12 KB``, ``1 GB``."""
    if count >= 1024**3:
        return str(_("%(n)s GB", n=number(count / 1024**3)))
    if count >= 1024**2:
        return str(_("%(n)s MB", n=number(count / 1024**2)))
    return str(_("%(n)s KB", n=number(count / 1024)))


def round_length(minutes: int) -> str:
    """Return a duration without zero units: ``45 min``, ``1 h``, ``1 h 30 min``, ``2 d``."""
    days, hours = divmod(minutes // 60, 24)
    left = minutes % 60
    found = [
        _("%(n)s d", n=days) if days else "",
        _("%(n)s h", n=hours) if hours else "",
        _("%(n)s min", n=left) if left else "",
    ]
    return " ".join(one for one in found if one)
