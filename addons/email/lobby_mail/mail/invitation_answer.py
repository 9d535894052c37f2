"""Write the answer to an invitation: a REPLY of iTIP (RFC 5546), sent as RFC 6047 says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from ..composing import line

_STATES = {"accepted": "ACCEPTED", "tentative": "TENTATIVE", "declined": "DECLINED"}


def reply(answer: Mapping[str, Any], at: datetime, name: str = "") -> str | None:
    """Return the calendar file of an answer, with the line ends of a text; None if *answer* is none.

    It names the event as the invitation did. DTSTAMP is the time of the answer, by which an organiser tells
    which of two answers is the later one.

    :param answer: ``content["invitation_answer"]``.
    :param name: of whoever was invited, beside the address.
    """
    from icalendar import Calendar, Event, vCalAddress

    given = answer.get("event")
    state = _STATES.get(str(answer.get("answer")))
    attendee = answer.get("attendee")
    if (
        not isinstance(given, Mapping)
        or state is None
        or not isinstance(attendee, str)
        or not given.get("uid")
    ):
        return None
    event = Event()
    event.add("uid", str(given["uid"]))
    event.add("dtstamp", at)
    event.add("sequence", int(given.get("sequence") or 0))
    organiser = given.get("organiser") or {}
    to = vCalAddress(f"mailto:{organiser.get('address', '')}")
    if organiser.get("name"):
        to.params["CN"] = _parameter(organiser["name"])
    event["organizer"] = to
    guest = vCalAddress(f"mailto:{attendee}")
    guest.params["PARTSTAT"] = state
    if name:
        guest.params["CN"] = _parameter(name)
    event.add("attendee", guest)
    for written, key in (("dtstart", "starts"), ("dtend", "ends"), ("recurrence-id", "occurrence")):
        moment = _moment(given.get(key))
        if moment is not None:
            event.add(written, moment)
    if given.get("title"):
        event.add("summary", str(given["title"]))
    calendar = Calendar()
    calendar.add("prodid", "-//Lobby//Invitations//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "REPLY")
    calendar.add_component(event)
    return str(calendar.to_ical().decode()).replace("\r\n", "\n")


def _moment(text: object) -> date | datetime | None:
    if not isinstance(text, str) or not text:
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        return None


def _parameter(text: object) -> str:
    """Return a text that a parameter can hold: its quotes cannot be escaped."""
    return line(str(text), 100).replace('"', "'")
