"""Kinds of notices and the ways they reach people: defaults, personal choices and quiet hours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import InvalidError
from host.features import registry
from host.models.notifications import NotificationRule, QuietHours
from host.models.users import User
from host.sdk.i18n import noop
from host.working_hours.hours import DAY, Hours, Span, Week


class Way(StrEnum):
    """A way to deliver a notice. In quiet hours, all but the first wait."""

    DESK = "desk"
    """The bell, on every page."""
    BROWSER = "browser"
    """A notification of the browser, while a tab of the desk is open."""
    SOUND = "sound"
    PUSH = "push"
    """A push to the person's phones and browsers, whether or not Lobby is open there."""
    MAIL = "mail"
    """A mail after :data:`host.notifications.delivery.MAIL_WAITS`, unless the notice was read by then."""


class Kind(StrEnum):
    """The kind of a notice. Add new kinds to :data:`KINDS`."""

    MENTION = "mention"
    ASSIGNED = "assigned"
    RULE = "rule"
    REPLY = "reply"
    FAILED = "failed"
    WINDOW = "window"
    DUE = "due"
    NEW = "new"
    NEW_LATE = "new_late"


WROTE = frozenset({Kind.REPLY, Kind.NEW})
"""The kinds of which a push may show a message."""


Ways = frozenset[Way]


class KindSpec(msgspec.Struct, frozen=True):
    """The texts and defaults of one kind of notice.

    :param label: in the table of notification settings; *help* is a sentence below it.
    :param sentence: a msgid with ``%(name)s`` for values of the notice's details.
    :param usual: default ways.
    :param many: the msgid for several, with ``%(number)s``. If set, further events join the unread notice; if
        empty, each event gets a separate notice.
    """

    label: LazyString
    help: LazyString
    icon: str
    sentence: str
    usual: Ways
    many: str = ""


_SEEN = frozenset({Way.DESK, Way.BROWSER, Way.PUSH})
_MAILED = _SEEN | {Way.MAIL}
BY_SOMEBODY = noop("%(who)s assigned you this conversation.")
BY_NOBODY = noop("This conversation was assigned to you.")
BY_PROGRAM = noop("You were mentioned in a note.")
BY_SOMEBODY_TO_TEAM = noop("%(who)s mentioned your team %(team)s in a note.")
BY_PROGRAM_TO_TEAM = noop("Your team %(team)s was mentioned in a note.")
BY_RULE_GONE = noop("A rule, since deleted, notified you about this conversation.")
MANY = noop("%(who)s assigned you %(number)s conversations.")
MANY_BY_NOBODY = noop("%(number)s conversations were assigned to you.")

GIVEN_WITHOUT_RULES = _l("By a colleague or a program. Not when you assign yourself.")

KINDS: Mapping[Kind, KindSpec] = {
    Kind.MENTION: KindSpec(
        _l("Someone mentions you"),
        _l("With @ and your name, or one of your teams, in a private note."),
        "at",
        noop("%(who)s mentioned you in a note."),
        _MAILED,
    ),
    Kind.ASSIGNED: KindSpec(
        _l("A conversation is assigned to you"),
        _l("By a colleague, a program or a rule. Not when you assign yourself."),
        "user",
        BY_SOMEBODY,
        _SEEN,
    ),
    Kind.RULE: KindSpec(
        _l("A rule notifies you"),
        _l("You, or a team you are in. Manage rules in Settings."),
        "bolt",
        noop("The rule %(rule)s notified you about this conversation."),
        _SEEN,
        noop("Rules notified you about this conversation %(number)s times."),
    ),
    Kind.REPLY: KindSpec(
        _l("New message in your conversation"),
        _l("In a conversation that is assigned to you."),
        "reply",
        noop("A new message in your conversation."),
        _SEEN,
        noop("%(number)s new messages in your conversation."),
    ),
    Kind.FAILED: KindSpec(
        _l("Your message was not sent"),
        _l("It won’t reach the customer unless you act."),
        "alert",
        noop("Your message was not sent."),
        _MAILED,
        noop("%(number)s messages of yours were not sent."),
    ),
    Kind.WINDOW: KindSpec(
        _l("Reply window closing soon"),
        _l("The customer is waiting, and the channel only accepts replies for a limited time."),
        "clock",
        noop("The reply window closes soon, and the customer is waiting."),
        _SEEN,
    ),
    Kind.DUE: KindSpec(
        _l("Response almost overdue"),
        _l("The customer has almost waited longer than the account’s response time."),
        "wait",
        noop("The customer has almost waited longer than they should."),
        _SEEN,
    ),
    Kind.NEW: KindSpec(
        _l("New message in an unassigned conversation"),
        _l("In a conversation without an assignee."),
        "inbox",
        noop("A new message in an unassigned conversation."),
        frozenset(),
        noop("%(number)s new messages in an unassigned conversation."),
    ),
    Kind.NEW_LATE: KindSpec(
        _l("Time running out, unassigned"),
        _l("The reply window is closing, or the response is almost overdue."),
        "clock",
        noop("Time is running out, and the conversation is unassigned."),
        frozenset(),
    ),
}
"""Kinds in the order in which people see them."""

WAY_NAMES: Mapping[Way, LazyString] = {
    Way.DESK: _l("Bell"),
    Way.BROWSER: _l("Browser"),
    Way.SOUND: _l("Sound"),
    Way.PUSH: _l("Push"),
    Way.MAIL: _l("Email"),
}


def text_of(ways: Iterable[Way]) -> str:
    """Return ways in their stored form."""
    chosen = set(ways)
    return ",".join(way for way in Way if way in chosen)


def ways_of(text: str | None) -> Ways:
    """Return ways from their stored form, ignoring those only a newer version of Lobby knows."""
    return frozenset(Way(one) for one in (text or "").split(",") if one in set(Way))


def chosen(session: Session, user_ids: Collection[int]) -> dict[int, dict[Kind, Ways]]:
    """Return the ways each of *user_ids* chose for each kind: one statement."""
    found = {id_: {kind: about.usual for kind, about in KINDS.items()} for id_ in user_ids}
    query = sa.select(NotificationRule.user_id, NotificationRule.kind, NotificationRule.ways)
    for user_id, kind, ways in session.execute(query.where(NotificationRule.user_id.in_(sorted(found)))):
        if kind in set(Kind):
            found[user_id][Kind(kind)] = ways_of(ways)
    return found


def offered() -> dict[Kind, KindSpec]:
    """Return the kinds available on this desk, without those of rules if rules are disabled."""
    if registry.is_on("rules"):
        return dict(KINDS)
    given = msgspec.structs.replace(KINDS[Kind.ASSIGNED], help=GIVEN_WITHOUT_RULES)
    return {kind: about for kind, about in {**KINDS, Kind.ASSIGNED: given}.items() if kind is not Kind.RULE}


def choose(session: Session, user_id: int, wanted: Mapping[Kind, Ways]) -> None:
    """Store a person's choice for the kinds in *wanted*; their other choices stay.

    Choices equal to the default are not stored, so that they follow later changes of the defaults.
    """
    _lock(session, user_id)
    query = sa.delete(NotificationRule).where(NotificationRule.user_id == user_id)
    session.execute(query.where(NotificationRule.kind.in_(sorted(wanted))))
    session.add_all(
        NotificationRule(user_id=user_id, kind=kind, ways=text_of(ways))
        for kind, ways in wanted.items()
        if ways != KINDS[kind].usual
    )
    session.flush()


def _lock(session: Session, user_id: int) -> None:
    """Serialise concurrent writes of one person's choices, as there may be no row to lock yet."""
    session.execute(sa.select(User.id).where(User.id == user_id).with_for_update())


# ---- quiet hours ---------------------------------------------------------------------------------------


class Quiet(msgspec.Struct, frozen=True):
    """A person's quiet hours, in the time zone they chose.

    :param starts: minutes after midnight; *ends* is on the next day unless it is later.
    :param days: days on which they begin, 0 for Monday; *whole_days* are quiet from midnight to midnight.
    """

    starts: int
    ends: int
    days: frozenset[int]
    whole_days: frozenset[int]
    timezone: str

    def until(self, now: datetime) -> datetime | None:
        """Return when the current quiet hours end, or None if *now* is outside of them.

        Adjacent periods count as one. If all seven days are quiet, the end is a week ahead.
        """
        hours = Hours(self._week(), {}, self.timezone)
        return hours.closes_at(now) or (now + timedelta(days=DAYS) if hours.is_open(now) else None)

    def _week(self) -> Week:
        """Return the quiet periods of each day; a night is an evening and the morning after."""
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
    """Return the quiet hours of users among *user_ids*, leaving out those without any: one statement."""
    query = sa.select(QuietHours).where(QuietHours.user_id.in_(sorted(user_ids)))
    return {
        row.user_id: Quiet(row.starts, row.ends, _days_in(row.days), _days_in(row.whole_days), row.timezone)
        for row in session.scalars(query)
        if row.timezone in clock.zones()  # the zone may be unknown on this machine
    }


def set_quiet_hours(session: Session, user_id: int, quiet: Quiet | None) -> None:
    """Store a person's quiet hours; None removes them.

    :raises InvalidError: for an invalid time of day or time zone.
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
