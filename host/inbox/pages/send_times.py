"""Times of scheduled replies, as offered in the Send menu and read from a form."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from flask import request

from host.inbox import snoozing
from host.inbox.errors import SendTimeError
from host.inbox.pages import durations
from host.inbox.reply import MARGIN, policy_for
from host.sdk.channel import AccountRef, ChannelAdapter, ReplyState
from host.web import local_times
from host.web.languages import gettext as _
from host.web.languages import reader

OWN = "own"
_OFFERED = ("hour", "evening", "tomorrow")
_BEFORE_END = timedelta(minutes=5)


class Offered(msgspec.Struct, frozen=True):
    """An offered time.

    :param at: in ISO 8601. The button sends this fixed time, even if it is pressed much later.
    :param when: in the reader's time zone.
    :param locked: whether no reply may be sent then.
    """

    name: str
    at: str
    when: str
    locked: bool


class SendTimes(msgspec.Struct, frozen=True):
    """The times offered in the Send menu.

    :param note: why some are locked; empty if none is.
    :param own: what the field for a custom time begins with.
    """

    times: Sequence[Offered] = ()
    note: str = ""
    own: datetime | None = None

    @property
    def possible(self) -> bool:
        """Whether a reply can be scheduled at all."""
        return any(not one.locked for one in self.times)


def offered(
    adapter: ChannelAdapter | None, account: AccountRef, last_inbound_at: datetime | None, now: datetime
) -> SendTimes:
    """Return the times offered on an account, including locked ones.

    :param last_inbound_at: time of the customer's last message there, or None.
    """
    if adapter is None:
        return SendTimes()
    zone = reader().zone
    presets = snoozing.presets(now, zone) | {"hour": now + timedelta(hours=1)}
    found = [(str(snoozing.PRESETS[key]), presets[key]) for key in _OFFERED if key in presets]
    policy = policy_for(adapter, account, last_inbound_at, now)
    end = policy.until if policy.state is ReplyState.OPEN else None
    if end is not None and end - now > 3 * _BEFORE_END:
        found.append(
            (_("Just before the window closes"), (end - _BEFORE_END).replace(second=0, microsecond=0))
        )
    times = [
        Offered(name, at.isoformat(), when(at, now), not _may(adapter, account, last_inbound_at, at))
        for name, at in sorted(found, key=lambda one: one[1])
    ]
    note = ""
    if any(one.locked for one in times):
        note = _("Scheduling is no longer possible: only a person can reply now.")
        if end is not None:
            at = durations.moment_beside(end, now)
            people = any(phase.state is ReplyState.PEOPLE_ONLY for phase in policy.phases)
            note = (
                _("After %(at)s only a person can reply. Choose an earlier time.", at=at)
                if people
                else _("The reply window closes %(at)s. Choose an earlier time.", at=at)
            )
    own = next((one for one in reversed(times) if not one.locked), None)
    first = presets["tomorrow"] if own is None else datetime.fromisoformat(own.at)
    return SendTimes(times, note, first.replace(second=0, microsecond=0))


def _may(
    adapter: ChannelAdapter, account: AccountRef, last_inbound_at: datetime | None, at: datetime
) -> bool:
    then = policy_for(adapter, account, last_inbound_at, at + MARGIN, by_person=False)
    return then.state is ReplyState.OPEN


def when(at: datetime, now: datetime) -> str:
    """Return *at* in the reader's time zone, with the day if it is not today."""
    known = reader()
    there = known.local(at)
    if there.date() == known.local(now).date():
        return f"{there:%H:%M}"
    near = timedelta() < at - now < timedelta(days=6)
    return f"{known.date_text(there, 'EEE' if near else 'd MMM')} {there:%H:%M}"


def time_from_form(name: str = "later") -> datetime | None:
    """Return the time in a form: an ISO time, or ``own`` with ``later_at``; None without one.

    :raises SendTimeError: if it is invalid.
    """
    given = request.form.get(name, "")
    if not given:
        return None
    try:
        if given == OWN:
            return local_times.typed(request.form, "later_at")
        at = datetime.fromisoformat(given)
        if at.tzinfo is None:
            raise ValueError("a moment has a zone")
    except ValueError:
        raise SendTimeError(_("That is not a valid time. Nothing was scheduled.")) from None
    return at
