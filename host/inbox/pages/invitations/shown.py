"""The card of an invitation in a thread, and its line in lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
from babel.lists import format_list
from flask import url_for
from flask_babel import ngettext

from host.core import clock
from host.inbox.invitations import content
from host.inbox.invitations.answering import NOT_GIVEN
from host.inbox.invitations.content import Chosen, Event, Invitation, Repetition
from host.inbox.messages import Entry
from host.inbox.pages import text_view
from host.models.inbox import Direction
from host.web import languages
from host.web.languages import gettext as _
from host.web.languages import lazy_gettext as _l

MOST = 5
"""Maximum number of further events that a card lists."""
ANSWERS: dict[Chosen, object] = {
    "accepted": _l("Accept"),
    "tentative": _l("Maybe"),
    "declined": _l("Decline"),
}
SUBJECTS: dict[Chosen, object] = {
    "accepted": _l("Accepted: %(title)s"),
    "tentative": _l("Maybe: %(title)s"),
    "declined": _l("Declined: %(title)s"),
}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MONDAY = date(2024, 1, 1)
_LISTED = re.compile(
    r"(?:(?P<said>CANCELLED|ACCEPTED|TENTATIVE|DECLINED|DELEGATED): )?(?P<title>.*?)(?:, |\A)"
    r"(?P<day>\d{4}-\d\d-\d\d)(?: (?P<time>\d\d:\d\d))?(?P<utc> \(UTC\))?(?: |\Z)"
)


class Choice(msgspec.Struct, frozen=True):
    """An answer to choose."""

    value: str
    label: str
    chosen: bool


class InvitationView(msgspec.Struct, frozen=True):
    """An invitation as a card.

    :param what: what it is, in a few words: ``Invitation``.
    :param when: when it takes place, in the reader's time zone; *about_when*: what to know about that.
    :param rows: further facts, each a label and a value.
    :param others: further events of the same file, a line each.
    :param said: the answers that the message brings; *comment*: what came with them.
    :param href: where an answer is sent to; empty if it cannot be answered here, *why*: the reason, if any.
    :param answered: who gave which answer; empty: nobody.
    :param ask: the address to agree to before anything is sent; empty: no need.
    """

    what: str
    title: str
    when: str
    about_when: str
    rows: Sequence[tuple[str, tuple[text_view.Span, ...]]]
    others: Sequence[str] = ()
    said: Sequence[str] = ()
    comment: str = ""
    is_off: bool = False
    href: str = ""
    choices: Sequence[Choice] = ()
    why: str = ""
    answered: str = ""
    ask: str = ""


def shown(entry: Entry, workspace_id: int, *, answers: bool) -> InvitationView | None:
    """Return the card of the invitation of *entry*; None without one.

    :param answers: whether its channel can answer invitations.
    """
    found = content.read(entry.content)
    if found is None:
        return None
    event = found.event
    inbound = entry.direction == Direction.INBOUND
    can = answers and inbound and found.is_answerable
    return InvitationView(
        what=_what(found),
        title=_plain(event.title) or str(_("No title")),
        when=_when(event),
        about_when=_about_when(event),
        rows=_rows(event),
        others=_others(found),
        said=[_said(one.name or one.address, one.answer) for one in event.replies[:20]],
        comment=_plain(event.comment, 500),
        is_off=found.is_cancelled,
        href=""
        if not can
        else url_for(
            "inbox.answer_invitation",
            workspace_id=workspace_id,
            conversation_id=entry.conversation_id,
            message_id=entry.id,
        ),
        choices=_choices(entry) if can else (),
        why=_why(found) if answers and inbound and not can else "",
        answered=_answered(entry),
        ask="" if event.organiser.wrote or not can else event.organiser.address,
    )


def words(event: Event, chosen: Chosen) -> str:
    """Return the text of an answer: its subject, and below it when the event takes place."""
    # A placeholder of a canned reply is in braces, and a person's text may have none.
    title = _line(event.title).replace("{", "(").replace("}", ")")
    subject = str(SUBJECTS[chosen]) % {"title": title or str(_("No title"))}
    zone = f" ({languages.zone_name()})" if event.starts.endswith("Z") else ""
    when = _when(event)
    return f"{subject}\n\n{when}{zone}" if when else subject


def listed(preview: str) -> str:
    """Return the line that lists have of a message that is only an invitation.

    :param preview: the beginning of its text, see ``docs/addons.md``.
    """
    found = _LISTED.match(preview)
    if found is None:
        return str(_("Invitation: %(what)s", what=text_view.plain(preview)))
    day, time = found["day"], found["time"]
    starts = f"{day}T{time}:00{'Z' if found['utc'] else ''}" if time else day
    title = text_view.plain(found["title"])
    what = ", ".join(filter(None, (title, _short(starts))))
    if found["said"] == "CANCELLED":
        return str(_("Canceled: %(what)s", what=what))
    answer = (found["said"] or "").lower()
    if answer in SUBJECTS:
        return str(SUBJECTS[answer]) % {"title": what}
    return str(_("Invitation: %(what)s", what=what))


def _what(found: Invitation) -> str:
    if found.is_cancelled:
        return str(_("Canceled event"))
    if found.method == "reply":
        return str(_("Answer to an invitation"))
    if found.method == "counter":
        return str(_("Another time proposed"))
    if found.method == "request":
        return str(_("Updated invitation") if found.event.sequence else _("Invitation"))
    return str(_("Event"))


def _choices(entry: Entry) -> list[Choice]:
    given = entry.answered
    chosen = "" if given is None or given.state in NOT_GIVEN else given.answer
    return [Choice(value, str(label), value == chosen) for value, label in ANSWERS.items()]


def _answered(entry: Entry) -> str:
    given = entry.answered
    if given is None or given.state in NOT_GIVEN:
        return ""
    return _said(given.author_name or str(_("A former member")), given.answer)


def _said(who: str, answer: str) -> str:
    who = _plain(who)
    if answer == "accepted":
        return str(_("%(who)s accepted", who=who))
    if answer == "tentative":
        return str(_("%(who)s may come", who=who))
    if answer == "declined":
        return str(_("%(who)s declined", who=who))
    if answer == "delegated":
        return str(_("%(who)s sends somebody else", who=who))
    return str(_("%(who)s has not answered yet", who=who))


def _why(found: Invitation) -> str:
    """Return why an invitation has no buttons; empty where nobody expects any."""
    event = found.event
    if found.method != "request" or found.is_cancelled:
        return ""
    if found.is_mixed:
        return str(_("This file has several events, so it can’t be answered here."))
    if event.organiser.ours:
        return str(_("This account organizes the event."))
    if not event.attendee:
        return str(_("No address of this account is among the guests, so it can’t be answered here."))
    return str(_("The invitation does not say where an answer goes, so it can’t be answered here."))


def _rows(event: Event) -> list[tuple[str, tuple[text_view.Span, ...]]]:
    organiser = event.organiser
    name, address = _line(organiser.name), _line(organiser.address)
    both = f"{name} <{address}>" if name and address else name or address
    found = [
        (str(_("Repeats")), "" if event.repeats is None else repetition(event.repeats)),
        (str(_("Place")), _line(event.place)),
        (str(_("Organizer")), both),
    ]
    return [(label, text_view.spans(value)) for label, value in found if value]


def _others(found: Invitation) -> list[str]:
    lines = [
        ", ".join(filter(None, (_plain(one.title), _short(one.starts)))) for one in found.events[1 : MOST + 1]
    ]
    left = len(found.events) - 1 - len(lines) + found.more
    if left > 0:
        lines.append(str(ngettext("%(num)s more event", "%(num)s more events", left)))
    return lines


def _when(event: Event) -> str:
    starts, ends = _read(event.starts), _read(event.ends)
    if starts is None:
        return ""
    if not isinstance(starts, datetime):
        last = ends - timedelta(days=1) if ends is not None and not isinstance(ends, datetime) else starts
        return _day(starts) if last <= starts else f"{_day(starts)} – {_day(last)}"
    if not isinstance(ends, datetime):
        return _moment(starts)
    if ends.date() == starts.date():
        return f"{_moment(starts)}–{ends:%H:%M}"
    return f"{_moment(starts)} – {_moment(ends)}"


def _about_when(event: Event) -> str:
    """Return what to know about the time: another zone than the reader's, or none that is known."""
    if len(event.starts) <= 10:
        return ""
    if event.unknown_zone:
        return str(
            _(
                "In the time zone “%(zone)s” of the invitation, which Lobby does not know.",
                zone=_plain(event.unknown_zone),
            )
        )
    starts = _read(event.starts)
    if not event.starts.endswith("Z"):
        return str(_("The invitation names no time zone."))
    if not isinstance(starts, datetime) or not languages.is_zone(event.zone):
        return ""
    try:
        there = starts.astimezone(ZoneInfo(event.zone))
    except (OverflowError, ValueError, OSError):
        return ""
    if event.zone == "UTC" or there.utcoffset() == starts.utcoffset():
        return ""
    zone = event.zone.replace("_", " ")
    return str(_("%(time)s in %(zone)s", time=f"{there:%H:%M}", zone=zone))


def repetition(rule: Repetition) -> str:
    """Return how often an event repeats, in words."""
    said = _rule(rule)
    if not said:
        return str(_("yes, see the file"))
    if rule.count:
        return str(ngettext("%(rule)s, %(num)s time", "%(rule)s, %(num)s times", rule.count, rule=said))
    until = _read(rule.until)
    return str(_("%(rule)s, until %(day)s", rule=said, day=_day(until))) if until is not None else said


def _rule(rule: Repetition) -> str:
    number = max(1, rule.every)
    if rule.unit == "day":
        return str(_("every day") if number == 1 else ngettext("every day", "every %(num)s days", number))
    if rule.unit == "month":
        return str(
            _("every month") if number == 1 else ngettext("every month", "every %(num)s months", number)
        )
    if rule.unit == "year":
        return str(_("every year") if number == 1 else ngettext("every year", "every %(num)s years", number))
    if rule.unit != "week":
        return ""
    weeks = str(ngettext("every week", "every %(num)s weeks", number))
    known = languages.reader()
    names = [
        known.date_text(_MONDAY + timedelta(days=_DAYS.index(one)), "EEEE")
        for one in rule.days
        if one in _DAYS
    ]
    if not names:
        return weeks
    return str(_("%(weeks)s on %(days)s", weeks=weeks, days=format_list(names, locale=known.locale or "en")))


def _read(text: str) -> date | datetime | None:
    """Return a day or a time in the reader's zone; as it is written if its own zone is unknown."""
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text)
        return languages.local(found.astimezone(UTC)) if found.tzinfo is not None else found
    except (OverflowError, ValueError, OSError):
        return None


def _day(at: date) -> str:
    known = languages.reader()
    return f"{known.date_text(at, 'EEE')} {known.date_text(at, 'd MMMM y')}"


def _moment(at: datetime) -> str:
    return f"{_day(at)}, {at:%H:%M}"


def _short(text: str) -> str:
    """Return a time for a list, with its year if that is another."""
    at = _read(text)
    if at is None:
        return ""
    known = languages.reader()
    pattern = "d MMMM" if at.year == languages.local(clock.now()).year else "d MMMM y"
    day = f"{known.date_text(at, 'EEE')} {known.date_text(at, pattern)}"
    return f"{day} {at:%H:%M}" if isinstance(at, datetime) else day


def _plain(text: str, most: int = 300) -> str:
    return text_view.plain(_line(text, most))


def _line(text: str, most: int = 300) -> str:
    return " ".join(text[: most * 2].split())[:most]
