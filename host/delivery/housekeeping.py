"""Remove data that was kept long enough, in small writes, so that no other write waits long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.automation import running
from host.channels import sign_in_attempts
from host.core import clock, db
from host.delivery import missing
from host.inbox import bulk
from host.inbox.apply.changes import apply_all_marks
from host.inbox.canned import departed
from host.models.queue import EventState, InboundEvent, InboundRequest, Lane
from host.notifications import notify
from host.outgoing import endpoints, waiting
from host.outgoing import policy as outgoing_policy
from host.queue import journal_erasure, policy, refusals
from host.queue.spool import request_id
from host.record import keeping
from host.users import audit, password_links
from host.users.signin import steps

CHUNK = 500

_requests = InboundRequest.metadata.tables["inbound_requests"]
_events = InboundEvent.metadata.tables["inbound_events"]
_lanes = Lane.metadata.tables["lanes"]


class Housekeeping:
    """Cleans up round by round; only the first round looks at all rows."""

    def __init__(self) -> None:
        self._blanked_requests = 0
        self._blanked_events = 0

    def clean_up(self) -> None:
        """Blank old bodies, remove old journal rows, idle lanes, counts, records, what was of who left."""
        now = clock.now()
        self._blanked_requests = _walk(
            old_requests, blank_requests, self._blanked_requests, now - policy.RAW_KEPT
        )
        self._blanked_events = _walk(old_events, blank_events, self._blanked_events, now - policy.RAW_KEPT)
        _walk(old_requests, remove_requests, 0, now - policy.KEYS_KEPT)
        _walk(old_events, remove_events, 0, now - policy.KEYS_KEPT)
        while db.write(remove_lanes) == CHUNK:
            pass
        apply_all_marks()
        db.write(journal_erasure.schedule_returned)
        while db.write(keeping.remove_shown, now - policy.LIVE_KEPT, CHUNK) == CHUNK:
            pass
        while db.write(keeping.remove_old, now - policy.RECORD_KEPT, CHUNK) == CHUNK:
            pass
        while db.write(running.remove_old, now - policy.RECORD_KEPT, CHUNK) == CHUNK:
            pass
        while db.write(refusals.forget_a_day, now - policy.KEYS_KEPT):
            pass
        db.write(sign_in_attempts.forget_old)
        db.write(missing.forget_old)
        while db.write(recording.prune):
            pass
        db.write(notify.forget_old)
        db.write(password_links.forget_old)
        db.write(steps.forget_old)
        db.write(endpoints.forget_old_secrets)
        while db.write(waiting.remove_old, now - outgoing_policy.KEPT, CHUNK) == CHUNK:
            pass
        while db.write(bulk.remove_old, now - bulk.KEPT, 1):
            pass
        while db.write(departed.remove, CHUNK):
            pass
        while db.write(audit.forget_old) == audit.CHUNK:
            pass


def _walk(
    find: Callable[[Session, int, datetime], list[int]],
    clean: Callable[[Session, list[int]], None],
    after: int,
    before: datetime,
) -> int:
    """Clean rows older than *before*, beginning after the id *after*; return the last id looked at."""
    while True:
        with db.read() as session:
            ids = find(session, after, before)
        if not ids:
            return after
        db.write(clean, ids)
        after = ids[-1]


def old_requests(session: Session, after: int, before: datetime) -> list[int]:
    """Return the ids of the next requests that came before *before*."""
    column = _requests.c.id
    query = sa.select(column).where(column > after, column < request_id(before)).order_by(column).limit(CHUNK)
    return list(session.scalars(query))


def old_events(session: Session, after: int, before: datetime) -> list[int]:
    """Return the ids of the next events that came before *before*, up to the first younger one."""
    columns = _events.c.id, _events.c.received_at
    query = sa.select(*columns).where(_events.c.id > after).order_by(_events.c.id).limit(CHUNK)
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
    """Remove the bytes of events, except those that still wait to be applied."""
    some = _settled(ids), _events.c.body.is_not(None)
    session.execute(sa.update(_events).where(*some).values(body=None))


def remove_requests(session: Session, ids: list[int]) -> None:
    """Remove requests."""
    session.execute(sa.delete(_requests).where(_requests.c.id.in_(ids)))


def remove_events(session: Session, ids: list[int]) -> None:
    """Remove events, and with them the keys that recognise a redelivery."""
    session.execute(sa.delete(_events).where(_settled(ids)))


def _settled(ids: list[int]) -> Any:
    return sa.and_(_events.c.id.in_(ids), _events.c.state != EventState.PENDING)


def remove_lanes(session: Session) -> int:
    """Remove lanes in which nothing waits; the next event makes them again. Return how many there were.

    The fence of such a lane starts again, which is safe because a lease is checked by its owner, too.
    """
    idle = (_lanes.c.next_at.is_(None), _lanes.c.lease_until.is_(None))
    # One somebody has at this moment is passed over: it is not idle, and nobody is to wait in a circle.
    query = sa.select(_lanes.c.key).where(*idle).limit(CHUNK).with_for_update(skip_locked=True)
    keys = list(session.scalars(query))
    if keys:
        # One by one: for a list MariaDB may look through the whole table, and wait for those it passed over.
        one = sa.delete(_lanes).where(_lanes.c.key == sa.bindparam("gone"), *idle)
        session.connection().execute(one, [{"gone": key} for key in keys])
    return len(keys)
