"""Put deliveries into their lanes, find pending ones, resend them.

A lane is an ordered queue of deliveries for one endpoint and conversation, or for a single event if the
endpoint does not need order. It belongs to :mod:`host.queue.lanes`, with the endpoint in place of the
account.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import Insert
from host.events.bodies.building import Body
from host.queue import lanes
from host.webhooks.models import EventBody, HookDelivery, HookState

HOOK = "hook"
"""Direction of these lanes."""
CHUNK = 500

BODIES = cast(sa.Table, EventBody.__table__)
DELIVERIES = cast(sa.Table, HookDelivery.__table__)

_insert_body = Insert(BODIES, ignore=True)
_insert_delivery = Insert(DELIVERIES, ignore=True)
_listeners: weakref.WeakSet[threading.Event] = weakref.WeakSet()


class New(NamedTuple):
    """A body to deliver to an endpoint.

    :param ordered: whether it waits for earlier events of its conversation.
    """

    endpoint_id: int
    ordered: bool
    body: Body


def lane_of(new: New) -> str:
    """Return the lane of a delivery: of its conversation, else of its account, else of the endpoint."""
    body = new.body
    if not new.ordered:
        topic = body.id
    elif body.conversation_id is not None:
        topic = f"conversation {body.conversation_id}"
    else:
        topic = f"account {body.account_id}"
    return lanes.lane_key(HOOK, new.endpoint_id, topic)


def listen(event: threading.Event) -> None:
    """Set *event* whenever this process makes deliveries due, as long as the event object exists."""
    _listeners.add(event)


def wake() -> None:
    """Set every listener's event."""
    for event in list(_listeners):
        event.set()


def put(session: Session, new: Sequence[New]) -> None:
    """Add deliveries, the earliest event first; existing ones are left unchanged."""
    if not new:
        return
    now = clock.now()
    placed = [(one, lane_of(one)) for one in new]
    # Lock lanes before deliveries, as senders do.
    lanes.schedule_all(session, HOOK, {lane: one.endpoint_id for one, lane in placed}, now)
    connection = session.connection()
    bodies = {one.body.id: one.body for one in new}
    _insert_body.run(
        connection,
        [
            {
                "id": body.id,
                "workspace_id": body.workspace_id,
                "event_id": body.event_id,
                "name": body.name,
                "conversation_id": body.conversation_id,
                "message_id": body.message_id,
                "contact_id": body.contact_id,
                "body": body.body,
                "at": now,
            }
            for body in bodies.values()
        ],
    )
    _insert_delivery.run(
        connection,
        [
            {
                "endpoint_id": one.endpoint_id,
                "body_id": one.body.id,
                "event_id": one.body.event_id,
                "lane": lane,
                "state": HookState.WAITING,
                "attempts": 0,
                "tries": [],
                "created_at": now,
            }
            for one, lane in placed
        ],
    )
    db.after_commit(session, wake)


def again(session: Session, endpoint_id: int, ids: Collection[int]) -> int:
    """Resend deliveries of an endpoint, pending ones immediately; return their number.

    They keep their position in the lane, before later events that are pending.
    """
    chosen = (DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.id.in_(list(ids)))
    found = session.scalars(sa.select(DELIVERIES.c.lane).where(*chosen).distinct()).all()
    lanes.schedule_all(session, HOOK, dict.fromkeys(found, endpoint_id), clock.now())
    result: Any = session.execute(
        sa.update(DELIVERIES).where(*chosen).values(state=HookState.WAITING, attempts=0, next_at=None)
    )
    db.after_commit(session, wake)
    return int(result.rowcount)


def of_bodies(session: Session, endpoint_id: int, bodies: Collection[str]) -> Sequence[int]:
    """Return the ids of an endpoint's deliveries of these bodies."""
    mine = (DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.body_id.in_(list(bodies)))
    return session.scalars(sa.select(DELIVERIES.c.id).where(*mine)).all()


def resume(session: Session, endpoint_id: int) -> None:
    """Make every lane of an endpoint with pending deliveries due."""
    waits = (DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.state == HookState.WAITING)
    found = session.scalars(sa.select(DELIVERIES.c.lane).where(*waits).distinct()).all()
    lanes.schedule_all(session, HOOK, dict.fromkeys(found, endpoint_id), clock.now())
    db.after_commit(session, wake)


class Head(NamedTuple):
    """A delivery whose turn it is."""

    id: int
    event_id: int
    body_id: str
    attempts: int
    next_at: datetime | None
    tries: list[Any]
    body: str


_heads = (
    sa.select(
        DELIVERIES.c.id,
        DELIVERIES.c.event_id,
        DELIVERIES.c.body_id,
        DELIVERIES.c.attempts,
        DELIVERIES.c.next_at,
        DELIVERIES.c.tries,
        BODIES.c.body,
    )
    .join(BODIES, BODIES.c.id == DELIVERIES.c.body_id)
    .where(
        DELIVERIES.c.lane == sa.bindparam("lane"),
        DELIVERIES.c.state == HookState.WAITING,
        sa.or_(
            DELIVERIES.c.event_id > sa.bindparam("event"),
            sa.and_(DELIVERIES.c.event_id == sa.bindparam("event"), DELIVERIES.c.id > sa.bindparam("after")),
        ),
    )
    .order_by(DELIVERIES.c.event_id, DELIVERIES.c.id)
    .limit(1)
)


def head(session: Session, lane: str, after: Head | None = None) -> Head | None:
    """Return the next delivery of a lane, after *after*; None if nothing is pending there."""
    values = {"lane": lane, "event": -1, "after": -1}
    if after is not None:
        values |= {"event": after.event_id, "after": after.id}
    row = session.execute(_heads, values).first()
    return None if row is None else Head(*row)


def next_due(session: Session, keys: Iterable[str]) -> dict[str, datetime | None]:
    """Return the due time of each lane's next delivery, omitting lanes without pending deliveries.

    ``None``: now.
    """
    found: dict[str, datetime | None] = {}
    for key in keys:
        row = session.execute(_next, {"lane": key}).first()
        if row is not None:
            found[key] = row[0]
    return found


_next = (
    sa.select(DELIVERIES.c.next_at)
    .where(DELIVERIES.c.lane == sa.bindparam("lane"), DELIVERIES.c.state == HookState.WAITING)
    .order_by(DELIVERIES.c.event_id, DELIVERIES.c.id)
    .limit(1)
)


def remove_old(session: Session, before: datetime, most: int) -> int:
    """Remove up to *most* bodies created before *before*, with their deliveries; return their number."""
    ids = session.scalars(
        sa.select(BODIES.c.id).where(BODIES.c.at < before).order_by(BODIES.c.at).limit(most)
    ).all()
    # Don't leave it to the foreign key: the database would search the rows of each body one by one.
    session.execute(sa.delete(DELIVERIES).where(DELIVERIES.c.body_id.in_(ids)))
    session.execute(sa.delete(BODIES).where(BODIES.c.id.in_(ids)))
    return len(ids)
