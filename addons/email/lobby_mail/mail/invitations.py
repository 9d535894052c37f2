"""Read the invitation in a mail: the events of a calendar file (RFC 5545), and what it asks for (RFC 5546).

Only the lines that are shown are parsed, each by itself; the library's own reading of whole calendars keeps
the time zones of strangers for the life of the process. A rule for repetitions is never expanded.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from ..addresses import normal, without_tag
from ..composing import line
from . import calendar_zones, charsets

log = logging.getLogger(__name__)

MAX_BYTES = 1_000_000
MAX_EVENTS = 100
KEPT = 10
"""Maximum number of events kept of a file; the others are only counted."""
MAX_LINE = 8_000
"""Maximum characters of a line that is parsed; longer ones are left out, such as attached files."""
MAX_LINES = 50_000
MAX_PARSED = 5_000, 200_000
"""Maximum lines and characters that are parsed; what comes after them is not read."""
MAX_PEOPLE = 1_000
MAX_ZONES = 50
MAX_OBSERVANCES = 300
TYPES = frozenset({"text/calendar", "application/ics", "text/x-vcalendar"})
_METHODS = frozenset({"publish", "request", "reply", "add", "cancel", "refresh", "counter", "declinecounter"})
_STATES = frozenset({"accepted", "tentative", "declined", "delegated", "needs-action"})
_ANSWERS = frozenset({"accepted", "tentative", "declined", "delegated"})
_UNITS = {"DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NAME = re.compile(r"[ \t]*([A-Za-z-]{1,20})[ \t]*[;:]")
_OF_EVENTS = frozenset(
    {
        *("UID", "SEQUENCE", "SUMMARY", "LOCATION", "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE"),
        *("RECURRENCE-ID", "ORGANIZER", "ATTENDEE", "STATUS", "COMMENT"),
    }
)
_OF_ZONES = frozenset({"TZID", "DTSTART", "TZOFFSETTO", "RRULE", "RDATE"})
_WANTED = _OF_EVENTS | _OF_ZONES | {"BEGIN", "END", "METHOD"}
_LONGEST_UID = 1_000

Property = tuple[Mapping[str, Any], str]


@dataclass(slots=True)
class _Event:
    own: dict[str, Property] = field(default_factory=dict)
    people: list[Property] = field(default_factory=list)


@dataclass(slots=True)
class _File:
    method: str = ""
    events: list[_Event] = field(default_factory=list)
    zones: dict[str, list[calendar_zones.Observance]] = field(default_factory=dict)


def _library() -> Any:
    """Return the library, imported with the first invitation."""
    import icalendar

    return icalendar


def is_one(content_type: str, name: str) -> bool:
    """Return whether a part may be a calendar file, by its type and name."""
    return content_type in TYPES or name.lower().endswith(".ics")


def read(
    content: bytes, charset: str = "", *, method: str = "", own: Collection[str], authors: Collection[str]
) -> dict[str, Any] | None:
    """Return ``content["invitation"]`` of a message, or None if *content* has no event that can be shown.

    :param method: what the part's type says it asks for, which counts if the file does not say.
    :param own: the account's addresses; *authors*: the mail's.
    """
    if not content or len(content) > MAX_BYTES:
        return None
    try:
        return _read(content, charset, method, own, authors)
    except Exception:  # a stranger's file: it stays a file of the message
        log.warning("a calendar file of %d bytes could not be read", len(content), exc_info=True)
        return None


def _read(
    content: bytes, charset: str, method: str, own: Collection[str], authors: Collection[str]
) -> dict[str, Any] | None:
    text = charsets.decode(content, charset or "utf-8").replace("\x00", "")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.count("\n") > MAX_LINES or "BEGIN:VCALENDAR" not in text.upper():
        return None
    file = _taken_apart(text)
    asked = (file.method or method).strip().lower()
    asked = asked if asked in _METHODS else ""
    events = [found for one in file.events if (found := _event(one, file, asked, own, authors)) is not None]
    if not events:
        return None
    # The series first: what an answer is about. An exception alone is answered as such.
    events.sort(key=lambda one: "occurrence" in one)
    more = max(0, len(events) - KEPT)
    return {"method": asked, "events": events[:KEPT], **({"more": more} if more else {})}


class _Reader:
    """Sorts the lines of a file by the component they are in."""

    def __init__(self) -> None:
        self.file = _File()
        self._within: list[str] = []
        self._zone: list[calendar_zones.Observance] | None = None
        self._observances = 0

    def take(self, name: str, params: Mapping[str, Any], value: str) -> bool:
        """Take a line; return whether to go on."""
        if name == "BEGIN":
            self._within.append(value.strip().upper()[:20])
            return self._begin()
        if name == "END":
            if self._within and self._within[-1] == value.strip().upper()[:20]:
                self._within.pop()
        elif self._within == ["VCALENDAR"] and name == "METHOD":
            self.file.method = self.file.method or value
        elif self._within == ["VCALENDAR", "VEVENT"] and name in _OF_EVENTS:
            _take(self.file.events[-1], name, params, value)
        elif (
            self._within == ["VCALENDAR", "VTIMEZONE"] and name == "TZID" and len(self.file.zones) < MAX_ZONES
        ):
            self._zone = self.file.zones.setdefault(value, [])
        elif self._within[:2] == ["VCALENDAR", "VTIMEZONE"] and len(self._within) == 3 and self._zone:
            _observe(self._zone[-1], name, value)
        return True

    def _begin(self) -> bool:
        if self._within == ["VCALENDAR", "VEVENT"]:
            if len(self.file.events) == MAX_EVENTS:
                return False
            self.file.events.append(_Event())
        elif self._within == ["VCALENDAR", "VTIMEZONE"]:
            self._zone = None
        elif self._within[:2] == ["VCALENDAR", "VTIMEZONE"] and len(self._within) == 3:
            self._observances += 1
            if self._zone is not None and self._observances <= MAX_OBSERVANCES:
                self._zone.append(calendar_zones.Observance())
        return True


def _taken_apart(text: str) -> _File:
    reader = _Reader()
    for name, params, value in _lines(text):
        if not reader.take(name, params, value):
            break
    return reader.file


def _lines(text: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    lines, characters = MAX_PARSED
    for one in _library().parser.Contentlines.from_ical(text):
        found = _NAME.match(one) if 0 < len(one) <= MAX_LINE else None
        if found is None or found[1].upper() not in _WANTED:
            continue
        lines, characters = lines - 1, characters - len(one)
        if lines < 0 or characters < 0:
            return
        if (parts := _parts(one)) is not None:
            yield found[1].upper(), *parts


def _parts(one: Any) -> tuple[Mapping[str, Any], str] | None:
    with suppress(Exception):  # it costs no other line
        _, params, value = one.parts()
        return params, value
    return None


def _take(event: _Event, name: str, params: Mapping[str, Any], value: str) -> None:
    if name != "ATTENDEE":
        event.own.setdefault(name, (params, value))
    elif len(event.people) < MAX_PEOPLE:
        event.people.append((params, value))


def _observe(observance: calendar_zones.Observance, name: str, value: str) -> None:
    try:
        if name == "DTSTART":
            observance.onset = _local(value)
        elif name == "TZOFFSETTO":
            observance.offset = _library().prop.vUTCOffset.from_ical(value.strip())
        elif name == "RRULE":
            observance.take_rule(_library().prop.vRecur.from_ical(value))
        elif name == "RDATE":
            observance.further = [
                found for one in value.split(",")[:500] if (found := _local(one)) is not None
            ]
    except Exception:  # noqa: BLE001  # a zone that can't be read is unknown
        observance.fits = False


def _local(value: str) -> datetime | None:
    found = _written(value)
    return found.replace(tzinfo=None) if isinstance(found, datetime) else None


def _written(value: str) -> date | datetime | None:
    """Return a date or time as it is written, in UTC or without a zone."""
    text = value.strip()
    try:
        found = (
            _library().prop.vDate.from_ical(text)
            if len(text) == 8
            else _library().prop.vDatetime.from_ical(text)
        )
    except Exception:  # noqa: BLE001
        return None
    return found if isinstance(found, date) else None


def _event(
    event: _Event, file: _File, method: str, own: Collection[str], authors: Collection[str]
) -> dict[str, Any] | None:
    starts = _when(event.own.get("DTSTART"), file)
    title = _words(event, "SUMMARY", 300)
    if starts is None and not title:
        return None
    organiser = _organiser(event, own, authors)
    found: dict[str, Any] = {
        "uid": _words(event, "UID", _LONGEST_UID + 1),
        "sequence": _number(_words(event, "SEQUENCE", 12)),
        "title": title,
        "place": _words(event, "LOCATION", 300),
        **({} if starts is None else starts),
        **_end(event, file, starts),
        "organiser": organiser,
        "status": _words(event, "STATUS", 20).lower(),
        "repeats": _repeats(event, starts),
        "comment": _words(event, "COMMENT", 500) if method in {"reply", "counter"} else "",
    }
    if len(found["uid"]) > _LONGEST_UID:
        found["uid"] = ""
    if "RECURRENCE-ID" in event.own:
        found["occurrence"] = (_when(event.own["RECURRENCE-ID"], file) or {}).get("starts", "")
    people = [(params, address) for params, value in event.people if (address := _address(params, value))]
    if method in {"reply", "counter"}:
        found["replies"] = [
            {"name": _name(params, address), "address": address, "answer": _state(params)}
            for params, address in people[:20]
        ]
    elif "ours" not in organiser:
        for params, address in people:
            if _is_of(address, own):
                found["attendee"], found["state"] = address, _state(params)
                break
    return {name: value for name, value in found.items() if value or name in {"sequence", "occurrence"}}


def _words(event: _Event, name: str, most: int) -> str:
    return line(event.own[name][1][: 4 * most], most) if name in event.own else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _when(given: Property | None, file: _File) -> dict[str, str] | None:
    """Return ``starts`` and what is known of its zone: ``zone``, or ``unknown_zone``, neither for a day.

    A moment is in UTC (``2026-03-03T13:00:00Z``), a day is ``2026-03-03``; in an unknown zone, and without
    any, a time is as it was written: ``2026-03-03T14:00:00``.
    """
    if given is None:
        return None
    params, value = given
    written = _written(value)
    if written is None:
        return None
    if not isinstance(written, datetime):
        return {"starts": written.isoformat()}
    if written.tzinfo is not None:
        return {"starts": _utc(written), "zone": "UTC"}
    zone = str(params.get("TZID", ""))[:200]
    if not zone:
        return {"starts": written.isoformat(timespec="seconds")}
    try:
        known = calendar_zones.moment(written, zone, file.zones)
    except (OverflowError, ValueError, OSError):
        known = None
    if known is None:
        return {"starts": written.isoformat(timespec="seconds"), "unknown_zone": line(zone, 100)}
    return {"starts": _utc(known[0]), "zone": line(known[1], 100)}


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def _end(event: _Event, file: _File, starts: Mapping[str, str] | None) -> dict[str, str]:
    """Return ``ends``, as ``starts``; the end of days is the day after the last."""
    if starts is None:
        return {}
    ends = (_when(event.own.get("DTEND"), file) or {}).get("starts", "")
    if not ends and "DURATION" in event.own:
        ends = _after(starts["starts"], event.own["DURATION"][1])
    # Both are of one form, or the file is wrong about one of them.
    alike = len(ends) == len(starts["starts"]) and ends > starts["starts"]
    return {"ends": ends} if alike else {}


def _after(starts: str, duration: str) -> str:
    try:
        length = _library().prop.vDuration.from_ical(duration.strip()[:60])
        if len(starts) == 10:
            return str((date.fromisoformat(starts) + length).isoformat())
        ends: datetime = datetime.fromisoformat(starts.removesuffix("Z")) + length
    except Exception:  # noqa: BLE001
        return ""
    return ends.isoformat(timespec="seconds") + ("Z" if starts.endswith("Z") else "")


def _organiser(event: _Event, own: Collection[str], authors: Collection[str]) -> dict[str, Any]:
    if "ORGANIZER" not in event.own:
        return {}
    params, value = event.own["ORGANIZER"]
    address = _address(params, value)
    if not address:
        name = line(str(params.get("CN", ""))[:400], 100)
        return {"name": name, "address": ""} if name else {}
    ours = {"ours": True} if _is_of(address, own) else {}
    return {"name": _name(params, address), "address": address, "wrote": address in authors, **ours}


def _address(params: Mapping[str, Any], value: str) -> str:
    bare = value.strip()[:1_000]
    if bare[:7].lower() == "mailto:":
        bare = bare[7:]
    return normal(bare) or normal(str(params.get("EMAIL", ""))[:1_000]) or ""


def _name(params: Mapping[str, Any], address: str) -> str:
    found = line(str(params.get("CN", ""))[:400], 100)
    return "" if found.lower() == address else found


def _is_of(address: str, own: Collection[str]) -> bool:
    return without_tag(address) in {without_tag(one) for one in own}


def _state(params: Mapping[str, Any]) -> str:
    found = str(params.get("PARTSTAT", ""))[:20].lower()
    return found if found in _STATES else "needs-action"


def _repeats(event: _Event, starts: Mapping[str, str] | None) -> dict[str, Any]:
    """Return how an event repeats; without ``unit`` where that takes more words than a line has."""
    if "RRULE" not in event.own or starts is None:
        return {"unit": ""} if "RDATE" in event.own or "RRULE" in event.own else {}
    try:
        return _simple(_library().prop.vRecur.from_ical(event.own["RRULE"][1][:500]), starts["starts"]) or {
            "unit": ""
        }
    except Exception:  # noqa: BLE001
        return {"unit": ""}


def _simple(rule: Mapping[str, Sequence[Any]], starts: str) -> dict[str, Any] | None:
    """Return a rule in a form that can be said, or None."""
    unit = _UNITS.get(str(rule["FREQ"][0]))
    every, count = (int(str(rule.get(name, [given])[0])) for name, given in (("INTERVAL", 1), ("COUNT", 0)))
    days = [str(one) for one in rule.get("BYDAY", [])]
    is_known = set(rule) <= {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "WKST", "BYMONTHDAY", "BYMONTH"}
    fits = {
        "day": not days or set(days) == set(_DAYS),
        "week": set(days) <= set(_DAYS),
        "month": not days,
        "year": not days,
    }
    # Only what the first day says already.
    first = date.fromisoformat(starts[:10])
    same_day = _only(rule, "BYMONTHDAY", first.day) and (
        unit in {"month", "year"} or "BYMONTHDAY" not in rule
    )
    same_month = _only(rule, "BYMONTH", first.month) and (unit == "year" or "BYMONTH" not in rule)
    if unit is None or not (is_known and fits[unit] and same_day and same_month):
        return None
    if not (1 <= every <= 999 and 0 <= count <= 9_999):
        return None
    found: dict[str, Any] = {"unit": unit}
    if every > 1:
        found["every"] = every
    if unit == "week" and days:
        found["days"] = sorted(set(days), key=_DAYS.index)
    if count:
        found["count"] = count
    elif "UNTIL" in rule:
        found["until"] = _until(rule["UNTIL"][0])
    return found


def _only(rule: Mapping[str, Sequence[Any]], name: str, value: int) -> bool:
    return name not in rule or [int(str(one)) for one in rule[name]] == [value]


def _until(value: date | datetime) -> str:
    """Return the last moment or day on which an event may repeat."""
    if not isinstance(value, datetime):
        return value.isoformat()
    return _utc(value) if value.tzinfo is not None else value.isoformat(timespec="seconds")


def in_words(invitation: Mapping[str, Any]) -> str:
    """Return an invitation as text, in no language: what lists, searches and programs have of it.

    ``Planning, 2026-03-03 13:00 (UTC)``; its place is on a line of its own. Before it stands what iCalendar
    calls a cancelled event or a guest's answer: ``CANCELLED: Planning, …``.
    """
    event = invitation["events"][0]
    starts = event.get("starts", "")
    zone = "UTC" if starts.endswith("Z") else ""
    when = starts[:16].replace("T", " ") + (f" ({zone})" if zone else "")
    answers = {one["answer"] for one in event.get("replies", ())} & _ANSWERS
    before = ""
    if invitation["method"] == "cancel" or event.get("status") == "cancelled":
        before = "CANCELLED: "
    elif len(answers) == 1:
        before = f"{answers.pop().upper()}: "
    head = before + ", ".join(filter(None, (event.get("title", ""), when)))
    return "\n".join(filter(None, (head, event.get("place", ""))))
