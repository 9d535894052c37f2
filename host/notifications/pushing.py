"""Queue pushes of notices for the devices of their people; :mod:`host.push` sends them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.push.models import PushDelivery, PushDevice

LAPSES = timedelta(days=7)
"""Time after which a device on which nobody opened Lobby gets no more pushes, as a sign-in ends by then."""


def queue(session: Session, people: Mapping[int, int], *, with_text: bool = False) -> None:
    """Queue a push of each notice for every device of its person.

    :param people: who is notified, by the id of the notice.
    :param with_text: whether only devices get it whose pushes show names and text.
    """
    if not people:
        return
    now = clock.now()
    devices: dict[int, list[int]] = defaultdict(list)
    query = sa.select(PushDevice.user_id, PushDevice.id).order_by(PushDevice.id)
    query = query.where(
        PushDevice.user_id.in_(sorted(set(people.values()))), PushDevice.seen_at > now - LAPSES
    )
    if with_text:
        query = query.where(PushDevice.content)
    for user_id, device_id in session.execute(query):
        devices[user_id].append(device_id)
    if not devices:
        return
    queued = {
        (row.device_id, row.notification_id): row
        for row in session.scalars(
            sa.select(PushDelivery).where(PushDelivery.notification_id.in_(sorted(people))).with_for_update()
        )
    }
    for notification_id, user_id in people.items():
        for device_id in devices[user_id]:
            row = queued.get((device_id, notification_id))
            if row is not None:
                row.wanted += 1
                continue
            row = PushDelivery(device_id=device_id, notification_id=notification_id, wanted=1, tries=0)
            row.due_at = row.created_at = now
            session.add(row)
    session.flush()
