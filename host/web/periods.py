"""The days that the address of a page gives with ``from`` and ``to``."""

from __future__ import annotations

from datetime import date, timedelta

from flask import request
from flask_babel import lazy_gettext as _l

from host.core.clock import MOST_DAYS, Days
from host.core.errors import InvalidError
from host.web.languages import gettext as _
from host.web.languages import reader

USUAL_DAYS = 28
RECENT = (7, USUAL_DAYS, 90)


def given_days(today: date) -> Days:
    """Return the days in the address; by default, the four weeks up to today.

    :raises InvalidError: for days out of order, or too many.
    """
    try:
        last = date.fromisoformat(request.args.get("to") or today.isoformat())
        usual = last - timedelta(days=USUAL_DAYS - 1)
        return Days(date.fromisoformat(request.args.get("from") or usual.isoformat()), last, reader().zone)
    except (ValueError, OverflowError):
        raise InvalidError(
            _l("Reports are not available for this period."),
            next_step=_l(
                "Choose a start date that is not after the end date, and at most %(n)s days.", n=MOST_DAYS
            ),
        ) from None


def recent_days(days: Days, today: date) -> list[tuple[int, str | None, bool]]:
    """Return the numbers of days up to *today* that a page offers with one press.

    Each with the ``from`` of its address, which the usual one needs none of, and whether *days* are these.
    """
    return [
        (
            count,
            None if count == USUAL_DAYS else (today - timedelta(days=count - 1)).isoformat(),
            days.last == today and len(days) == count,
        )
        for count in RECENT
    ]


def said_days(days: Days, today: date) -> str:
    """Return *days* in words, as their reader writes dates: with the year where it isn't this one.

    The field for a date is drawn by the browser, in its own language.
    """
    known = reader()
    year = "" if days.first.year == days.last.year == today.year else " y"
    first, last = (known.date_text(day, f"d MMMM{year}") for day in (days.first, days.last))
    return first if len(days) == 1 else _("%(first)s to %(last)s", first=first, last=last)
