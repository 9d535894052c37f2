"""Snoozes: their times in the person's time zone, and waking conversations that are due.

:func:`host.inbox.conversation_actions.set_fields` sets a snooze. A customer's message ends it in
:mod:`host.inbox.apply.conversations`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import earliest
from host.events.kinds.conversations import CONVERSATION_WOKEN, OfWaking
from host.inbox.conversations import add_activity, record_conversation
from host.models.inbox import Conversation
from host.users.actor import DESK, UnitOfWork

PORTION = 50
"""Maximum number of conversations woken in one write."""
MORNING, EVENING = time(9), time(18)
LONGEST = timedelta(days=8)
"""No preset is farther away, even in a week in which the clocks go back."""

PRESETS: Mapping[str, LazyString] = {
    "hour": _l("In an hour"),
    "later": _l("Later today"),
    "evening": _l("This evening"),
    "tomorrow": _l("Tomorrow morning"),
    "monday": _l("Monday morning"),
    "week": _l("In a week"),
}


def presets(now: datetime, zone: tzinfo) -> dict[str, datetime]:
    """Return the preset times by the keys of :data:`PRESETS`, without those that make no sense *now*.

    All are full hours of the clock; "in an hour" is the nearest to that.

    :param zone: the person's time zone.
    """
    there = now.astimezone(zone)
    today = there.date()
    hour = (now + timedelta(hours=1, minutes=30)).astimezone(zone)
    past = timedelta(minutes=hour.minute, seconds=hour.second, microseconds=hour.microsecond)
    found = {"hour": (hour.astimezone(UTC) - past)}
    later = (there + timedelta(hours=3)).replace(minute=0, second=0, microsecond=0)
    if later.date() == today and later.time() < EVENING:
        found["later"] = later.astimezone(UTC)
    if there.time() < time(17):
        found["evening"] = clock.local_moment(today, EVENING, zone)
    found["tomorrow"] = clock.local_moment(today + timedelta(days=1), MORNING, zone)
    monday = today + timedelta(days=7 - today.weekday())
    if monday != today + timedelta(days=1):
        found["monday"] = clock.local_moment(monday, MORNING, zone)
    found["week"] = clock.local_moment(today + timedelta(days=7), MORNING, zone)
    return found


def is_due(now: Any) -> sa.Select[Any]:
    """Return what makes the job due at *now*."""
    return earliest(Conversation.snoozed_until, now)


def wake_due() -> int:
    """Wake one portion of conversations whose snooze has ended; return the number woken.

    Waking, its activity line and its event are one write, so a conversation wakes once even with several
    workers, or if one dies.
    """
    with db.read() as session:
        ids = due(session, clock.now())
    return db.write(wake, ids, clock.now()) if ids else 0


def due(session: Session, now: datetime, limit: int = PORTION) -> Sequence[int]:
    """Return the ids of conversations whose snooze ended by *now*, the longest overdue first."""
    query = (
        sa.select(Conversation.id)
        .where(Conversation.snoozed_until <= now)
        .order_by(Conversation.snoozed_until)
        .limit(limit)
    )
    return session.scalars(query).all()


def wake(session: Session, ids: Sequence[int], now: datetime) -> int:
    """Wake those of *ids* whose snooze ended by *now*; return the number woken."""
    query = (
        sa.select(Conversation)
        .where(Conversation.id.in_(ids), Conversation.snoozed_until <= now)
        .order_by(Conversation.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    woken = session.scalars(query).all()
    for conversation in woken:
        conversation.snooze_kind = conversation.snoozed_until = None
        conversation.woken_at = now
        session.flush()
        work = UnitOfWork(session, conversation.workspace_id, DESK, now)
        add_activity(work, conversation, {"what": "woken_by_time"})
        record_conversation(work, conversation, CONVERSATION_WOKEN, OfWaking(because="time"))
    return len(woken)
