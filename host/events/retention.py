"""Remove old events: those for browsers after a day, others once every consumer has passed them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.events import reading
from host.events.models import Consumer
from host.events.reading import NUMBERING, TABLE, Position
from host.features import registry

SCREENS = "screens"
"""Name of the position up to which events for browsers were removed."""
_BOOKS = (NUMBERING, SCREENS)

ABANDONED = timedelta(days=14)
"""Time after which a consumer that this release does not have no longer holds back removal.

It leaves time to return to the release that has it.
"""


class Behind(NamedTuple):
    """A consumer with unread events.

    :param since: when its first unread event was written.
    :param kept_until: until when events are kept for it, if this release does not have it and no process
        reads for it; None: no limit.
    """

    consumer: str
    since: datetime
    problem: str | None
    kept_until: datetime | None = None


def behind(session: Session) -> list[Behind]:
    """Return the consumers with unread events that are not abandoned, by name."""
    found = []
    for one in session.scalars(sa.select(Consumer).where(*_counts()).order_by(Consumer.name)):
        batch = reading.after(session, Position(one.place, one.event_id), 1)
        if batch.events:
            problem = one.problem if one.failing_since else None
            found.append(Behind(one.name, batch.events[0].at, problem, _kept_until(one)))
    return found


def consumers() -> frozenset[str]:
    """Return the names of the consumers of this release, except those of disabled features."""
    return frozenset(name for feature in registry.active() for name in feature.consumers)


def switched_off() -> frozenset[str]:
    """Return the names of the consumers of disabled features."""
    return consumers_of(registry.switched_off())


def consumers_of(features: Collection[str]) -> frozenset[str]:
    """Return the names of the consumers of *features*."""
    return frozenset(
        name for feature in registry.features() if feature.name in features for name in feature.consumers
    )


def _counts() -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows of consumers for which events are kept."""
    lately = clock.now() - ABANDONED
    return [
        Consumer.name.not_in([*_BOOKS, *switched_off()]),
        sa.or_(
            Consumer.name.in_(consumers()),
            Consumer.moved_at >= lately,
            Consumer.lease_until >= lately,  # the position of a failing one doesn't change
        ),
    ]


def _kept_until(one: Consumer) -> datetime | None:
    leased = one.lease_until or one.moved_at
    if one.name in consumers() or leased > db.now():
        return None
    return max(one.moved_at, leased) + ABANDONED


def slowest(session: Session) -> Position | None:
    """Return the position of the slowest consumer that is not abandoned, or None."""
    row = session.execute(
        sa.select(Consumer.place, Consumer.event_id)
        .where(*_counts())
        .order_by(Consumer.place, Consumer.event_id)
        .limit(1)
    ).first()
    return None if row is None else Position(row.place, row.event_id)


def remove_shown(session: Session, before: datetime, most: int) -> int:
    """Remove events for browsers that were written before *before* and that every consumer has passed.

    :return: the number of examined rows.
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
    """Remove events written before *before* that every consumer has passed; return how many."""
    floor = slowest(session)
    query = sa.select(TABLE.c.id, TABLE.c.place, TABLE.c.at).order_by(TABLE.c.id).limit(most)
    gone = []
    for id_, place, at in session.execute(query):
        if at >= before or place is None or (floor is not None and Position(place, id_) > floor):
            break
        gone.append(id_)
    session.execute(sa.delete(TABLE).where(TABLE.c.id.in_(gone)))
    return len(gone)
