"""Clean-up of the inbound log and of idle lanes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.features.hookspecs import hookimpl
from host.models.channels import ChannelAccount
from host.models.queue import EventState, InboundEvent, InboundRequest, JoinedLane, Lane
from host.queue import journal_erasure, refusals, spooled_lanes
from host.queue.bodies import stored
from host.queue.spool import request_id
from host.users import data_retention

_requests = InboundRequest.metadata.tables["inbound_requests"]
_events = InboundEvent.metadata.tables["inbound_events"]
_lanes = Lane.metadata.tables["lanes"]
_REQUESTS, _EVENTS = "blanked requests", "blanked events"


@hookimpl
def clean_up(places: dict[str, int], most: int) -> None:
    """Blank old bodies, delete old rows of the inbound log, idle lanes and counts of refusals.

    Only the first round of a process searches all rows for bodies.
    """
    now = clock.now()
    kept = data_retention.read()
    raw, keys = now - kept.raw, now - kept.keys
    places[_REQUESTS] = _walk(old_requests, blank_requests, raw, most, places.get(_REQUESTS, 0))
    places[_EVENTS] = _walk(old_events, blank_events, raw, most, places.get(_EVENTS, 0))
    _walk(old_requests, remove_requests, keys, most)
    _walk(old_events, remove_events, keys, most)
    while db.write(remove_lanes, most) == most:
        pass
    while db.write(spooled_lanes.forget_old, most) == most:
        pass
    db.write(journal_erasure.schedule_returned)
    while db.write(refusals.forget_a_day, keys):
        pass


@hookimpl
def remove_workspace(session: Session, accounts: Collection[int], most: int) -> bool | None:
    """Delete received events of its accounts, and the bodies of their requests."""
    channels = sa.select(ChannelAccount.id, ChannelAccount.channel).where(ChannelAccount.id.in_(accounts))
    for account_id, channel in session.execute(channels).all() if accounts else ():
        rows = session.execute(
            sa.select(_events.c.id, _events.c.request_id, _events.c.repeats)
            .where(_events.c.account_key == str(account_id), _events.c.channel == channel)
            .limit(most)
        ).all()
        if rows:
            requests = {row.request_id for row in rows}
            requests.update(int(one) for row in rows if row.repeats for one in row.repeats.split(","))
            blank_requests(session, list(requests))
            session.execute(sa.delete(_events).where(_events.c.id.in_([row.id for row in rows])))
            return True
    if not accounts:
        return None
    return db.delete_some(session, JoinedLane, JoinedLane.account_id.in_(accounts), most) > 0 or None


def _walk(
    find: Callable[[Session, int, datetime, int], list[int]],
    clean: Callable[[Session, list[int]], None],
    before: datetime,
    most: int,
    after: int = 0,
) -> int:
    """Clean rows older than *before*, beginning after the id *after*; return the last id looked at."""
    while True:
        with db.read() as session:
            ids = find(session, after, before, most)
        if not ids:
            return after
        db.write(clean, ids)
        after = ids[-1]


def old_requests(session: Session, after: int, before: datetime, most: int) -> list[int]:
    """Return the ids of the next requests received before *before*."""
    column = _requests.c.id
    query = sa.select(column).where(column > after, column < request_id(before)).order_by(column).limit(most)
    return list(session.scalars(query))


def old_events(session: Session, after: int, before: datetime, most: int) -> list[int]:
    """Return the ids of the next events received before *before*, up to the first younger one."""
    columns = _events.c.id, _events.c.received_at
    query = sa.select(*columns).where(_events.c.id > after).order_by(_events.c.id).limit(most)
    found = []
    for event_id, received_at in session.execute(query):
        if received_at >= before:
            break
        found.append(event_id)
    return found


def blank_requests(session: Session, ids: list[int]) -> None:
    """Remove the bytes of requests."""
    some = _requests.c.id.in_(ids), _requests.c.body.is_not(None)
    session.execute(sa.update(_requests).where(*some).values(body=None))


def blank_events(session: Session, ids: list[int]) -> None:
    """Remove the bytes of events, except pending ones."""
    some = _settled(ids), _events.c.body.is_not(None)
    stored.delete(session, _settled(ids))
    session.execute(sa.update(_events).where(*some).values(body=None))


def remove_requests(session: Session, ids: list[int]) -> None:
    """Remove requests."""
    session.execute(sa.delete(_requests).where(_requests.c.id.in_(ids)))


def remove_events(session: Session, ids: list[int]) -> None:
    """Remove events, and with them the keys that recognise a redelivery."""
    session.execute(sa.delete(_events).where(_settled(ids)))


def _settled(ids: list[int]) -> Any:
    return sa.and_(_events.c.id.in_(ids), _events.c.state != EventState.PENDING)


def remove_lanes(session: Session, most: int) -> int:
    """Delete up to *most* idle lanes, and return their number; the next event creates them again.

    The fence of such a lane starts again, which is safe because a lease is also checked by its owner.
    """
    idle = (_lanes.c.next_at.is_(None), _lanes.c.lease_until.is_(None))
    # A locked lane is skipped: it is not idle, and waiting for it could deadlock.
    query = sa.select(_lanes.c.key).where(*idle).limit(most).with_for_update(skip_locked=True)
    keys = list(session.scalars(query))
    if keys:
        # One by one: for a list MariaDB may scan the whole table, and wait for skipped ones.
        one = sa.delete(_lanes).where(_lanes.c.key == sa.bindparam("gone"), *idle)
        session.connection().execute(one, [{"gone": key} for key in keys])
    return len(keys)
