"""Remove the content of deleted messages from the journal.

The row and the key of such an event stay, so that a redelivery is recognised. Its body is deleted, as is the
body of every request that contained it. Other events of those requests keep their bodies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db, sqlite_wipe
from host.models.queue import MOST_IN_ROW, EventState, InboundEvent, InboundRequest
from host.queue import lanes, spool, wakeups
from host.queue.bodies import stored

TAKEN_BACK = "What it said was taken back."
CHUNK = 100

Keys = Collection[tuple[str, int, str]]
"""Channel, account id and dedupe key of events."""

_requests = InboundRequest.metadata.tables["inbound_requests"]
_events = InboundEvent.metadata.tables["inbound_events"]


def forget_events(session: Session, ids: Collection[int]) -> None:
    """Remove the content of events, whatever their state."""
    if ids:
        _forget(session, _events.c.id.in_(ids))


def forget_keys(session: Session, keys: Keys) -> None:
    """Remove the content of events by their keys.

    Pending ones are kept: when they are applied, they find the deletion.
    """
    if not keys:
        return
    _forget(
        session,
        sa.and_(
            _events.c.channel.in_({channel for channel, _, _ in keys}),
            _events.c.account_key.in_({str(account) for _, account, _ in keys}),
            _events.c.dedupe_key.in_({_hashed(key) for _, _, key in keys}),
            _events.c.state != EventState.PENDING,
        ),
    )


def forget_lanes(session: Session, keys: Collection[str]) -> None:
    """Remove the content of every event of these lanes, including pending ones."""
    if keys:
        _forget(session, _events.c.lane.in_(keys))


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _forget(session: Session, which: sa.ColumnElement[bool]) -> None:
    connection = session.connection()
    # Lock them before reading them, so that a repeat that is being written is included.
    query = (
        sa.select(
            *(_events.c.id, _events.c.request_id, _events.c.repeats, _events.c.state),
            sa.func.length(_events.c.body).label("size"),
        )
        .where(which)
        .order_by(_events.c.id)
        .with_for_update()
    )
    rows = connection.execute(query).all()
    if not rows:
        return
    requests = {request for row in rows for request in _requests_of(row)}
    connection.execute(sa.update(_requests).where(_requests.c.id.in_(requests)).values(body=None))
    stored.delete_of(session, [row.id for row in rows if row.size == MOST_IN_ROW])
    values = {"body": None, "repeats": None, "forgotten_at": clock.now()}
    connection.execute(sa.update(_events).where(_events.c.id.in_([row.id for row in rows])).values(values))
    failed = [row.id for row in rows if row.state in {EventState.DEAD, EventState.IGNORED}]
    db.after_commit(session, partial(sqlite_wipe.note_deletion, db.current()))
    if failed:
        # The reason may quote the unreadable content.
        statement = sa.update(_events).where(_events.c.id.in_(failed))
        connection.execute(statement.values(state=EventState.IGNORED, reason=TAKEN_BACK))


def _requests_of(row: Any) -> Iterable[int]:
    yield row.request_id
    if row.repeats:
        yield from map(int, row.repeats.split(","))


def schedule_returned(session: Session) -> None:
    """Make lanes due whose forgotten event was received again and is pending without a wake-up.

    An event that is too old to be applied schedules no lane when it is received.
    """
    query = (
        sa.select(_events.c.lane, _events.c.account_id)
        .where(_events.c.state == EventState.PENDING, _events.c.forgotten_at.is_not(None))
        .distinct()
        .order_by(_events.c.lane)
        .limit(CHUNK)
    )
    for lane, account_id in session.connection().execute(query).all():
        lanes.schedule(session, lane, wakeups.IN, account_id, clock.now())
    db.after_commit(session, partial(wakeups.wake, wakeups.IN))


def clear_away(session: Session, keys: Keys, messages: Collection[str]) -> None:
    """After this write's commit, remove other copies of the content: files of the spool, SQLite's log.

    :param messages: the provider's ids of the messages.
    """
    db.after_commit(session, partial(_clear_away, frozenset(keys), frozenset(messages)))


def _clear_away(keys: Keys, messages: Collection[str]) -> None:
    for one in spool.opened():
        one.forget_messages(keys, messages)
    sqlite_wipe.note_deletion(db.current())
