"""Wake the lanes of committed events without waiting for locks.

A lane may be locked for long: by a frozen worker, or by a person in a database shell. So on a server the
journal commits events without touching their lanes, and wakes these afterwards. It skips those that are
locked, and retries them after :data:`AGAIN_SECONDS`, then less and less often. If a process dies in between,
:func:`wake_forgotten` finds the lanes.

The order matters. Within the transaction of the events, a lane that is already due would not be changed,
while a worker leases it, does not see the events yet, and releases it as idle: the events would wait forever.

SQLite has one writer, so no lane is ever locked there, and another commit would cost another sync of the
disk. There, the journal makes lanes due in the transaction of their events.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.models.queue import IS_PENDING, InboundEvent, Lane
from host.queue import wakeups
from host.queue.wakeups import IN

AGAIN_SECONDS = 0.02
"""Seconds until skipped lanes are retried; the delay doubles each time,"""
MOST_SECONDS = 0.5
"""but no longer than this."""
TRIES = 6
"""How often a write that added events itself tries to wake their lanes; the others are found later."""
MOST = 500
"""Most forgotten lanes woken at a time."""


class LaneRow(NamedTuple):
    """The columns of a lane in which an event waits. The time is in the driver's format."""

    key: str
    direction: str
    account_id: int | None
    next_at: Any
    fence: int


_lanes = Lane.metadata.tables["lanes"].c
_events = InboundEvent.metadata.tables["inbound_events"].c

# Lanes that are late in the snapshot are selected; the lock checks their newest version. A lane that was due
# in the snapshot may have been leased since, by a worker that reads events after this statement began.
_WAKE_POSTGRESQL = """
WITH wanted AS (
  SELECT * FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[]) AS w (key, account_id, next_at)
), taken AS (
  SELECT lanes.key, wanted.next_at FROM lanes JOIN wanted ON wanted.key = lanes.key
  WHERE lanes.next_at IS NULL OR lanes.next_at > wanted.next_at
  FOR UPDATE OF lanes SKIP LOCKED
), woken AS (
  UPDATE lanes SET next_at = taken.next_at FROM taken WHERE lanes.key = taken.key
), made AS (
  INSERT INTO lanes (key, direction, account_id, next_at, fence)
  SELECT key, 'in', account_id, next_at, 0 FROM wanted
  WHERE NOT EXISTS (SELECT 1 FROM lanes WHERE lanes.key = wanted.key)
  ORDER BY key ON CONFLICT DO NOTHING
)
SELECT wanted.key FROM wanted JOIN lanes ON lanes.key = wanted.key
WHERE (lanes.next_at IS NULL OR lanes.next_at > wanted.next_at)
  AND NOT EXISTS (SELECT 1 FROM taken WHERE taken.key = wanted.key)
"""
_LOCK_MARIADB = "SELECT `key` FROM lanes WHERE `key` IN ({}) ORDER BY `key` FOR UPDATE SKIP LOCKED"
_FIND_MARIADB = "SELECT `key` FROM lanes WHERE `key` IN ({})"
_WAKE_MARIADB = "UPDATE lanes SET next_at = least(coalesce(next_at, %s), %s) WHERE `key` = %s"
_MAKE_MARIADB = (
    "INSERT INTO lanes (`key`, direction, account_id, next_at, fence) VALUES (%s, %s, %s, %s, %s) "
    "ON DUPLICATE KEY UPDATE fence = fence"
)


def wake(cursor: Any, dialect: str, lanes: Mapping[str, LaneRow]) -> set[str]:
    """Make *lanes* due in the transaction of *cursor*, which does nothing else; return those that were
    skipped.

    The events that wait in them are already committed.
    """
    if not lanes:
        return set()
    rows = [lanes[key] for key in sorted(lanes)]
    if dialect == "postgresql":
        columns = [row.key for row in rows], [row.account_id for row in rows], [row.next_at for row in rows]
        cursor.execute(_WAKE_POSTGRESQL, columns)
        return {row[0] for row in cursor.fetchall()}
    keys = [row.key for row in rows]
    marks = ", ".join(["%s"] * len(keys))
    cursor.execute(_LOCK_MARIADB.format(marks), keys)
    taken = {row[0] for row in cursor.fetchall()}
    if taken:
        cursor.executemany(
            _WAKE_MARIADB, [(row.next_at, row.next_at, row.key) for row in rows if row.key in taken]
        )
    if len(taken) == len(keys):
        return set()
    cursor.execute(_FIND_MARIADB.format(marks), keys)
    here = {row[0] for row in cursor.fetchall()}
    new = [row for row in rows if row.key not in here]
    if new:
        cursor.executemany(_MAKE_MARIADB, new)
    return here - taken


def wake_in(session: Session, lanes: Mapping[str, LaneRow]) -> set[str]:
    """Call :func:`wake` in a separate write."""
    cursor = session.connection().connection.cursor()
    try:
        return wake(cursor, session.get_bind().dialect.name, lanes)
    finally:
        cursor.close()


def wake_committed(lanes: Mapping[str, LaneRow]) -> None:
    """Wake *lanes*, and then the workers, after the commit of a write that added events itself."""
    left = dict(lanes)
    for number in range(TRIES):
        passed_over = db.write(wake_in, left)
        if len(passed_over) < len(left):
            wakeups.wake(IN)
        left = {key: left[key] for key in passed_over}
        if not left:
            return
        time.sleep(AGAIN_SECONDS * 2**number)


def find_forgotten(session: Session) -> dict[str, LaneRow]:
    """Return the lanes that are idle or missing although events wait in them."""
    query = (
        sa.select(_events.lane, _events.account_id)
        .outerjoin(Lane, _lanes.key == _events.lane)
        .where(IS_PENDING, _lanes.next_at.is_(None))
        .distinct()
        .limit(MOST)
    )
    return rows_of(session, {row.lane: row.account_id for row in session.execute(query)})


def rows_of(session: Session, lanes: Mapping[str, int | None]) -> dict[str, LaneRow]:
    """Return rows of *lanes*, by key with their accounts, that make them due now."""
    now = _as_bound(session, db.now())
    return {key: LaneRow(key, IN, account_id, now, 0) for key, account_id in lanes.items()}


def _as_bound(session: Session, at: datetime) -> Any:
    dialect = session.get_bind().dialect
    bind = _lanes.next_at.type.dialect_impl(dialect).bind_processor(dialect)
    return bind(at) if bind is not None else at


def wake_forgotten() -> bool:
    """Wake the lanes whose wake-up a crash prevented; return whether there may be more. SQLite has none."""
    if db.current().is_sqlite:
        return False
    with db.read() as session:
        found = find_forgotten(session)
    woken = len(found) - len(db.write(wake_in, found)) if found else 0
    if woken:
        wakeups.wake(IN)
    return woken > 0 and len(found) == MOST
