"""Offer snooze times, read them from a form, and show them as text."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask import request

from host.inbox import snoozing
from host.inbox.errors import SnoozeTimeError
from host.models.inbox import Snooze, SnoozeKind
from host.web import local_times
from host.web.languages import gettext as _
from host.web.languages import reader, zone_name

FAR = timedelta(days=6)


def offered(now: datetime) -> list[tuple[str, str, str]]:
    """Return the offered times: value of the field ``when``, name, and time in the reader's time zone."""
    times = snoozing.presets(now, reader().zone)
    return [
        (f"{key}@{at.isoformat()}", str(snoozing.PRESETS[key]), when_text(at, now))
        for key, at in times.items()
    ]


def when_text(at: datetime, now: datetime) -> str:
    """Return *at* in the reader's time zone, with its day unless that is today."""
    known = reader()
    there = known.local(at)
    if there.date() == known.local(now).date():
        return f"{there:%H:%M}"
    return f"{known.date_text(there, 'EEE d MMM')}, {there:%H:%M}"


def far(at: datetime, now: datetime, text: str) -> str:
    """Return *text*, the words of *at*, with the time zone if it is so far away that people may travel."""
    return f"{text} ({zone_name()})" if at - now >= FAR else text


def snooze_text(snooze: Snooze, now: datetime) -> str:
    """Return the end of a snooze in a few words."""
    if snooze.until is None:
        return _("Until they write")
    text = _("Until %(time)s", time=far(snooze.until, now, when_text(snooze.until, now)))
    return _("%(until)s, even if they write", until=text) if snooze.kind is SnoozeKind.FIXED else text


def snooze_from_form(now: datetime) -> Snooze:
    """Return the snooze in a form: ``when`` is a preset, ``reply``, or ``own`` with ``until``.

    A preset is the moment that the page named, or, once that has passed, what its name means now. With
    ``fixed``, a message of the customer does not end it.

    :raises SnoozeTimeError: if the form has no valid snooze.
    """
    when = request.form.get("when", "")
    if when == "reply":
        return Snooze(SnoozeKind.REPLY)
    kind = SnoozeKind.FIXED if request.form.get("fixed") == "1" else SnoozeKind.UNTIL
    if when == "own":
        try:
            return Snooze(kind, local_times.typed(request.form, "until"))
        except ValueError:
            raise SnoozeTimeError(_("That is not a valid time. Nothing was snoozed.")) from None
    key, _at, named = when.partition("@")
    presets = snoozing.presets(now, reader().zone)
    until = _named(named, now) or presets.get(key)
    if until is None:
        raise SnoozeTimeError(_("Choose a time first. Nothing was snoozed."))
    return Snooze(kind, until)


def _named(text: str, now: datetime) -> datetime | None:
    """Return the moment in the value of a preset, or None if it has passed or is none that was offered."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None and now < at <= now + snoozing.LONGEST else None


def own_time(now: datetime) -> datetime:
    """Return what the field for a custom time begins with: tomorrow morning in the reader's time zone."""
    return snoozing.presets(now, reader().zone)["tomorrow"]


def until_text(until: datetime, now: datetime) -> str:
    """Return a short text of *until* for the list."""
    known = reader()
    there = known.local(until)
    if there.date() == known.local(now).date():
        return f"{there:%H:%M}"
    return known.date_text(there, "EEE" if timedelta() < until - now < timedelta(days=6) else "d MMM")
