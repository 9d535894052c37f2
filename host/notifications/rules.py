"""What people are told of and by which ways: the usual, what each chose, and their quiet hours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import InvalidError
from host.models.notifications import NotificationRule, QuietHours
from host.models.users import User
from host.sdk.i18n import noop
from host.users.hours import DAY, Hours, Span, Week


class Way(StrEnum):
    """How somebody learns of a thing. In quiet hours all but the first wait."""

    DESK = "desk"
    """In the bell, on every page."""
    BROWSER = "browser"
    """As a notification of the browser, while a tab of the desk is open."""
    SOUND = "sound"
    MAIL = "mail"
    """After :data:`host.notifications.telling.MAIL_WAITS`, unless they have read it by then."""


class Kind(StrEnum):
    """What somebody is told of. A new kind has its place in :data:`KINDS`."""

    MENTION = "mention"
    ASSIGNED = "assigned"
    RULE = "rule"
    REPLY = "reply"
    FAILED = "failed"
    WINDOW = "window"
    DUE = "due"
    NEW = "new"
    NEW_LATE = "new_late"


Ways = frozenset[Way]


@dataclass(frozen=True, slots=True)
class About:
    """What a kind of notice says.

    :param label: in the table of who is told what; *help* is a sentence below it.
    :param sentence: a msgid with ``%(name)s`` for what the notice's details hold.
    :param usual: by which ways people are told who chose none.
    :param many: the msgid for several, with ``%(number)s``, of a kind that gathers: what comes while a notice
        of it is unread is told in the same one. Empty: each is told by itself.
    """

    label: LazyString
    help: LazyString
    icon: str
    sentence: str
    usual: Ways
    many: str = ""


_SEEN = frozenset({Way.DESK, Way.BROWSER})
_MAILED = _SEEN | {Way.MAIL}
BY_SOMEBODY = noop("%(who)s gave you this conversation.")
BY_NOBODY = noop("This conversation is yours now.")
BY_PROGRAM = noop("You are mentioned in a note.")
BY_SOMEBODY_TO_TEAM = noop("%(who)s mentioned your team %(team)s in a note.")
BY_PROGRAM_TO_TEAM = noop("Your team %(team)s is mentioned in a note.")
BY_RULE_GONE = noop("A rule that is gone by now pointed you to this conversation.")
MANY = noop("%(who)s gave you %(number)s conversations.")
MANY_BY_NOBODY = noop("%(number)s conversations are yours now.")

KINDS: Mapping[Kind, About] = {
    Kind.MENTION: About(
        _l("Somebody mentions you"),
        _l("With @ and your name, or that of a team you are in, in a private note."),
        "at",
        noop("%(who)s mentioned you in a note."),
        _MAILED,
    ),
    Kind.ASSIGNED: About(
        _l("A conversation is given to you"),
        _l("By a colleague, a program or a rule. Not what you take yourself."),
        "user",
        BY_SOMEBODY,
        _SEEN,
    ),
    Kind.RULE: About(
        _l("A rule tells you"),
        _l("You, or a team that you are in. Rules are under Settings."),
        "bolt",
        noop("The rule %(rule)s points you to this conversation."),
        _SEEN,
        noop("Rules pointed you to this conversation %(number)s times."),
    ),
    Kind.REPLY: About(
        _l("A customer writes in yours"),
        _l("In a conversation that is assigned to you."),
        "reply",
        noop("A new message in your conversation."),
        _SEEN,
        noop("%(number)s new messages in your conversation."),
    ),
    Kind.FAILED: About(
        _l("Your message was not sent"),
        _l("It will not reach the customer by itself."),
        "alert",
        noop("Your message was not sent."),
        _MAILED,
        noop("%(number)s messages of yours were not sent."),
    ),
    Kind.WINDOW: About(
        _l("The time to reply ends soon"),
        _l("The customer waits, and the channel takes replies for a while only."),
        "clock",
        noop("The time to reply ends soon, and they wait for an answer."),
        _SEEN,
    ),
    Kind.DUE: About(
        _l("Your answer is nearly late"),
        _l("They have nearly waited longer than the account allows itself."),
        "wait",
        noop("They have nearly waited longer than they should."),
        _SEEN,
    ),
    Kind.NEW: About(
        _l("A customer writes, and nobody has it"),
        _l("In a conversation that is assigned to nobody."),
        "inbox",
        noop("A new message, and nobody has the conversation."),
        frozenset(),
        noop("%(number)s new messages, and nobody has the conversation."),
    ),
    Kind.NEW_LATE: About(
        _l("Time runs out, and nobody has it"),
        _l("The time to reply ends, or the answer is nearly late."),
        "clock",
        noop("Time runs out, and nobody has the conversation."),
        frozenset(),
    ),
}
"""In the order in which people see them."""

WAY_NAMES: Mapping[Way, LazyString] = {
    Way.DESK: _l("Desk"),
    Way.BROWSER: _l("Browser"),
    Way.SOUND: _l("Sound"),
    Way.MAIL: _l("Mail"),
}


def text_of(ways: Iterable[Way]) -> str:
    """Return ways as they are stored."""
    chosen = set(ways)
    return ",".join(way for way in Way if way in chosen)


def ways_of(text: str | None) -> Ways:
    """Return ways from how they are stored. One that only a newer Lobby knows counts as none."""
    return frozenset(Way(one) for one in (text or "").split(",") if one in set(Way))


def chosen(session: Session, user_ids: Collection[int]) -> dict[int, dict[Kind, Ways]]:
    """Return by which ways each of *user_ids* is told of each kind: one statement."""
    found = {id_: {kind: about.usual for kind, about in KINDS.items()} for id_ in user_ids}
    query = sa.select(NotificationRule.user_id, NotificationRule.kind, NotificationRule.ways)
    for user_id, kind, ways in session.execute(query.where(NotificationRule.user_id.in_(sorted(found)))):
        if kind in set(Kind):
            found[user_id][Kind(kind)] = ways_of(ways)
    return found


def choose(session: Session, user_id: int, wanted: Mapping[Kind, Ways]) -> None:
    """Store what somebody chose. What is as usual is not stored: it follows what is usual later."""
    _lock(session, user_id)
    session.execute(sa.delete(NotificationRule).where(NotificationRule.user_id == user_id))
    session.add_all(
        NotificationRule(user_id=user_id, kind=kind, ways=text_of(ways))
        for kind, ways in wanted.items()
        if ways != KINDS[kind].usual
    )
    session.flush()


def _lock(session: Session, user_id: int) -> None:
    """Have whoever saves the same person's choice at this moment wait: there may be no row to lock yet."""
    session.execute(sa.select(User.id).where(User.id == user_id).with_for_update())


# ---- quiet hours ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quiet:
    """When somebody wants quiet, in the time zone they chose.

    :param starts: minutes after midnight; *ends* is on the next day where it is not later.
    :param days: on which it begins, 0 for Monday; *whole_days* are quiet from midnight to midnight.
    """

    starts: int
    ends: int
    days: frozenset[int]
    whole_days: frozenset[int]
    timezone: str

    def until(self, now: datetime) -> datetime | None:
        """Return when the quiet ends that is *now*; None: it is not quiet.

        What follows without a gap is one quiet: the end is after the last. Seven whole days have none: it
        is a week ahead.
        """
        hours = Hours(self._week(), {}, self.timezone)
        return hours.closes_at(now) or (now + timedelta(days=DAYS) if hours.is_open(now) else None)

    def _week(self) -> Week:
        """Return the quiet times of each day; a night is an evening and the morning after."""
        week: list[set[Span]] = [set() for _ in range(DAYS)]
        for day in self.days:
            over_night = self.ends <= self.starts
            week[day].add(Span(self.starts, DAY if over_night else self.ends))
            if over_night and self.ends:
                week[(day + 1) % DAYS].add(Span(0, self.ends))
        for day in self.whole_days:
            week[day] = {Span(0, DAY)}
        return tuple(tuple(sorted(spans)) for spans in week)


DAYS = 7


def quiet_hours(session: Session, user_ids: Collection[int]) -> dict[int, Quiet]:
    """Return the quiet hours of those of *user_ids* who have any: one statement."""
    query = sa.select(QuietHours).where(QuietHours.user_id.in_(sorted(user_ids)))
    return {
        row.user_id: Quiet(row.starts, row.ends, _days_in(row.days), _days_in(row.whole_days), row.timezone)
        for row in session.scalars(query)
        if row.timezone in clock.zones()  # this machine may know fewer than the one it was chosen on
    }


def set_quiet_hours(session: Session, user_id: int, quiet: Quiet | None) -> None:
    """Store when somebody wants quiet; None: never.

    :raises InvalidError: for a time of day or a time zone that is none.
    """
    _lock(session, user_id)
    row = session.get(QuietHours, user_id)
    if quiet is None or not (quiet.days or quiet.whole_days):
        if row is not None:
            session.delete(row)
        session.flush()
        return
    if not (0 <= quiet.starts < DAY and 0 <= quiet.ends < DAY):
        raise InvalidError(_l("Choose a time of day from 00:00 to 23:59. Nothing was saved."))
    if quiet.timezone not in clock.zones():
        raise InvalidError(_l("Choose one of the time zones. Nothing was saved."))
    if row is None:
        row = QuietHours(user_id=user_id)
        session.add(row)
    row.starts, row.ends, row.timezone = quiet.starts, quiet.ends, quiet.timezone
    row.days, row.whole_days = _number_of(quiet.days), _number_of(quiet.whole_days)
    session.flush()


def _days_in(number: int) -> frozenset[int]:
    return frozenset(day for day in range(DAYS) if number >> day & 1)


def _number_of(days: Iterable[int]) -> int:
    return sum(1 << day for day in set(days))
