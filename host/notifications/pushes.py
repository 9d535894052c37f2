"""Queue pushes of notices for the devices of their people; :mod:`host.push` sends them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.inbox import Message
from host.models.notifications import Notification
from host.models.users import Workspace
from host.notifications import notify
from host.notifications.rules import WROTE, Way, ways_of
from host.push.models import PushDelivery, PushDevice

LAPSES = timedelta(days=7)
"""Time after which a device on which nobody opened Lobby gets no more pushes, as a sign-in ends by then."""


def queue(session: Session, people: Mapping[int, int]) -> None:
    """Queue a push of each notice for every device of its person.

    :param people: who is notified, by the id of the notice.
    """
    if not people:
        return
    devices: dict[int, list[int]] = defaultdict(list)
    query = sa.select(PushDevice.user_id, PushDevice.id).order_by(PushDevice.id)
    query = query.where(
        PushDevice.user_id.in_(sorted(set(people.values()))), PushDevice.seen_at > clock.now() - LAPSES
    )
    for user_id, device_id in session.execute(query):
        devices[user_id].append(device_id)
    _queue(session, [(device, notice) for notice, user_id in people.items() for device in devices[user_id]])


def _queue(session: Session, wanted: Collection[tuple[int, int]]) -> None:
    """Queue a push for each device and notice in *wanted*."""
    if not wanted:
        return
    now = clock.now()
    notices = sorted({notice for _, notice in wanted})
    queued = {
        (row.device_id, row.notification_id): row
        for row in session.scalars(
            sa.select(PushDelivery).where(PushDelivery.notification_id.in_(notices)).with_for_update()
        )
    }
    for device_id, notification_id in wanted:
        row = queued.get((device_id, notification_id))
        if row is not None:
            row.wanted += 1
            continue
        row = PushDelivery(device_id=device_id, notification_id=notification_id, wanted=1, tries=0)
        row.due_at = row.created_at = now
        session.add(row)
    session.flush()


def may_show_text(now: datetime) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that a device may still show names or text of a notice: it got pushes since, and
    they have both. A phone shows a push until somebody wipes it away, also after the notice was read."""
    return [
        PushDevice.user_id == Notification.user_id,
        PushDevice.content.is_(True),
        Workspace.pushes_content.is_(True),
        PushDevice.sent_at >= Notification.created_at,
        PushDevice.seen_at > now - LAPSES,
        sa.func.coalesce(Notification.told_at, Notification.created_at) > now - LAPSES,
        Notification.conversation_id.is_not(None),
    ]


def _shown(session: Session, *which: sa.ColumnElement[bool]) -> Sequence[Any]:
    """Return each notice of *which* with each device that may show text of it, oldest first."""
    query = (
        sa.select(
            Notification.id,
            Notification.ways,
            Notification.workspace_id,
            Notification.conversation_id,
            PushDevice.id.label("device_id"),
            notify.recipient_has_role().label("is_member"),
        )
        .join(PushDevice, PushDevice.user_id == Notification.user_id)
        .join(Workspace, Workspace.id == Notification.workspace_id)
        .where(*which, *may_show_text(clock.now()))
        .order_by(Notification.id, PushDevice.id)
    )
    return [row for row in session.execute(query) if Way.PUSH in ways_of(row.ways)]


def take_back_messages(session: Session, ids: Collection[int], *which: sa.ColumnElement[bool]) -> None:
    """Replace pushes that may still show the text of these messages.

    :param which: further conditions on the messages.
    """
    theirs = sa.select(Message.conversation_id).where(Message.id.in_(ids))
    messages = sa.select(Message.id).where(Message.id.in_(ids), *which)
    rows = _shown(
        session,
        Notification.conversation_id.in_(theirs),
        Notification.message_id.in_(messages),
        Notification.kind.in_(WROTE),
    )
    _queue(session, [(row.device_id, row.id) for row in rows])


def take_back_conversations(session: Session, ids: Collection[int]) -> None:
    """Replace pushes that may still name the customer of these conversations: one for each, which closes the
    others."""
    rows = _shown(session, Notification.conversation_id.in_(ids))
    newest = {(row.device_id, row.conversation_id): row.id for row in rows}
    if rows:
        # Also those that were queued for its messages.
        session.execute(
            sa.delete(PushDelivery).where(
                PushDelivery.notification_id.in_({row.id for row in rows}),
                PushDelivery.device_id.in_({row.device_id for row in rows}),
            )
        )
    _queue(session, [(device_id, notice) for (device_id, _), notice in newest.items()])


def take_back_unseen(session: Session, workspace_id: int, users: Collection[int]) -> None:
    """Replace pushes about conversations that these people see no more, and forget those that are queued.

    Somebody who left the workspace gets one push, which closes the others.
    """
    unseen = (
        Notification.workspace_id == workspace_id,
        Notification.user_id.in_(users),
        ~notify.recipient_is_member(),
    )
    queued = sa.select(Notification.id).where(*unseen)
    session.execute(sa.delete(PushDelivery).where(PushDelivery.notification_id.in_(queued)))
    newest = {
        (row.device_id, row.conversation_id if row.is_member else None): row.id
        for row in _shown(session, *unseen)
    }
    _queue(session, [(device_id, notice) for (device_id, _), notice in newest.items()])
