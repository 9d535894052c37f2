"""Remove what was kept long enough: what only browsers needed after a day, the rest behind every consumer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.record import Consumer
from host.record import reading
from host.record.reading import NUMBERING, TABLE, Position

SCREENS = "screens"
"""The name under which it is kept up to where rows for browsers alone were removed."""
_BOOKS = (NUMBERING, SCREENS)

CONSUMERS = frozenset({"automation", "notices", "reports", "search", "webhooks"})
"""Names of the consumers of this release; a test holds them to :mod:`host.process.serving`."""
ABANDONED = timedelta(days=14)
"""A consumer that this release does not have holds nothing back once nobody has read for it this long: time
to go back to the release that has it."""


class Behind(NamedTuple):
    """A consumer that has something to do.

    :param since: when the first event it has not done was written.
    :param kept_until: when events are no longer kept for it, as nobody reads for it and this release does not
        have it; None: somebody does or will.
    """

    consumer: str
    since: datetime
    problem: str | None
    kept_until: datetime | None = None


def behind(session: Session) -> list[Behind]:
    """Return the consumers that have something to do and are not abandoned, by name."""
    found = []
    for one in session.scalars(sa.select(Consumer).where(*_counts()).order_by(Consumer.name)):
        batch = reading.after(session, Position(one.place, one.event_id), 1)
        if batch.events:
            problem = one.problem if one.failing_since else None
            found.append(Behind(one.name, batch.events[0].at, problem, _kept_until(one)))
    return found


def _counts() -> list[sa.ColumnElement[bool]]:
    """Return which rows are consumers that events are kept for."""
    lately = clock.now() - ABANDONED
    return [
        Consumer.name.not_in(_BOOKS),
        sa.or_(
            Consumer.name.in_(CONSUMERS),
            Consumer.moved_at >= lately,
            Consumer.lease_until >= lately,  # one that fails does not move
        ),
    ]


def _kept_until(one: Consumer) -> datetime | None:
    leased = one.lease_until or one.moved_at
    if one.name in CONSUMERS or leased > db.now():
        return None
    return max(one.moved_at, leased) + ABANDONED


def slowest(session: Session) -> Position | None:
    """Return the position of the consumer that is furthest behind and not abandoned; None: there is none."""
    row = session.execute(
        sa.select(Consumer.place, Consumer.event_id)
        .where(*_counts())
        .order_by(Consumer.place, Consumer.event_id)
        .limit(1)
    ).first()
    return None if row is None else Position(row.place, row.event_id)


def remove_shown(session: Session, before: datetime, most: int) -> int:
    """Remove what only browsers needed, was written before *before*, and every consumer has passed.

    :return: how many rows it looked at.
    """
    floor = slowest(session)
    kept = reading.locked_book(session, SCREENS)
    query = (
        sa.select(TABLE.c.id, TABLE.c.kind, TABLE.c.at, TABLE.c.place)
        .where(TABLE.c.id > kept.event_id)
        .order_by(TABLE.c.id)
        .limit(most)
    )
    looked, gone = 0, []
    for id_, kind, at, place in session.execute(query):
        if at >= before or place is None or (floor is not None and Position(place, id_) > floor):
            break
        looked, kept.event_id = looked + 1, id_
        if kind is None:
            gone.append(id_)
    kept.moved_at = clock.now()
    session.execute(sa.delete(TABLE).where(TABLE.c.id.in_(gone)))
    return looked


def remove_old(session: Session, before: datetime, most: int) -> int:
    """Remove events written before *before* that every consumer has done; return how many."""
    floor = slowest(session)
    query = sa.select(TABLE.c.id, TABLE.c.place, TABLE.c.at).order_by(TABLE.c.id).limit(most)
    gone = []
    for id_, place, at in session.execute(query):
        if at >= before or place is None or (floor is not None and Position(place, id_) > floor):
            break
        gone.append(id_)
    session.execute(sa.delete(TABLE).where(TABLE.c.id.in_(gone)))
    return len(gone)
