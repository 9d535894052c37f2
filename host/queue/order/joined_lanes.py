"""One queue for one person, whichever of their ids an event names.

A process that receives an event puts it in the lane of the id that it names, without asking the database.
Once several ids are known to be one person's, their lanes are joined: the one with the smallest key is the
main lane, and what waits in the others is moved there before one of them is worked on (:func:`gather`). So
all events are applied in the order in which they were received. A main lane waits while a lease from before
holds one of the others, or events of it are in the spool of a process (:mod:`spooled_lanes`); so does the
write that learns of the ids (:func:`find_unsettled`).

Lanes stay joined when an id becomes another person's, and theirs are joined, too: so what its former owner
wrote before comes first. Nothing is lost by it, the events of the two only wait for each other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.models.queue import IS_PENDING, InboundEvent, JoinedLane, Lane, SpooledLane
from host.queue import wakeups
from host.queue.account_rotation import Candidate
from host.queue.order import spooled_lanes
from host.queue.wakeups import IN

WAIT = timedelta(seconds=0.1)
"""How long a main lane waits for a lease of one of the others before it is looked at again."""

_table = JoinedLane.metadata.tables["joined_lanes"]
_joined = _table.c
_lanes = Lane.metadata.tables["lanes"].c
_others = Lane.metadata.tables["lanes"].alias("others")
_spooled = SpooledLane.metadata.tables["spooled_lanes"].c.lane
_events = InboundEvent.metadata.tables["inbound_events"].c


def are_joined(now: sa.BindParameter[object]) -> sa.ColumnElement[bool]:
    """Return the condition that :func:`gather` has to look at a lane before its events are applied.

    Asked when a lane is claimed, and again in the statement that reads its events: one of another lane that
    was stored in between is older than those of this one that were stored after it.
    """
    waiting = sa.exists().where(_events.lane == _joined.lane, IS_PENDING)
    leased = sa.exists().where(_others.c.key == _joined.lane, _others.c.lease_until > now)
    spooled = sa.exists().where(_spooled == _joined.lane)
    return sa.or_(
        sa.exists().where(_joined.lane == _lanes.key),
        sa.exists().where(_joined.main == _lanes.key, sa.or_(waiting, leased, spooled)),
    )


class OnePerson(NamedTuple):
    """The lanes of one person's ids on an account."""

    account_id: int
    lanes: frozenset[str]


def join(session: Session, people: Iterable[OnePerson]) -> list[OnePerson]:
    """Join the lanes of each of *people*; return those whose lanes were not, with all that they have now."""
    wanted = list(people)
    stored = _rows_of(session, {lane for one in wanted for lane in one.lanes})
    known = {lane: main for lane, main, _account in stored}
    groups = [*wanted, *(OnePerson(account, frozenset({lane, main})) for lane, main, account in stored)]
    changed, rows = [], []
    for one in _disjoint(groups):
        main = min(one.lanes)
        new = [lane for lane in sorted(one.lanes - {main}) if known.get(lane) != main]
        if new:
            rows += [{"lane": lane, "main": main, "account_id": one.account_id} for lane in new]
            changed.append(one)
    if rows:
        insert = db.insert_or_change(_table, db.current().dialect, lambda row: {"main": row.main})
        session.execute(insert, rows)
    return changed


def _disjoint(groups: Iterable[OnePerson]) -> list[OnePerson]:
    """Return *groups*, of which those that share a lane are one."""
    found: list[OnePerson] = []
    for one in groups:
        same = [other for other in found if not one.lanes.isdisjoint(other.lanes)]
        found = [other for other in found if other not in same]
        found.append(OnePerson(one.account_id, one.lanes.union(*(other.lanes for other in same))))
    return found


def _rows_of(session: Session, lanes: Collection[str]) -> Sequence[tuple[str, str, int]]:
    """Return lane, main lane and account of *lanes*, and of all that have the same main lanes."""
    wanted = set(lanes)
    while True:
        some = sorted(wanted)
        query = sa.select(_joined.lane, _joined.main, _joined.account_id).where(
            sa.or_(_joined.lane.in_(some), _joined.main.in_(some))
        )
        rows = [tuple(row) for row in session.execute(query)]
        found = {lane for lane, main, _account in rows for lane in (lane, main)}
        if found <= wanted:
            return rows
        wanted |= found


def find_unsettled(session: Session, people: Sequence[OnePerson], own: Collection[str]) -> list[OnePerson]:
    """Return those of *people*, newly joined, who have older events in another lane or a spool.

    Events that are being applied there count, too.

    :param own: the lanes of the current write. They and those of *people* are locked.
    """
    every = {lane for one in people for lane in one.lanes}
    waiting = sa.select(_events.lane).where(_events.lane.in_(sorted(every)), IS_PENDING)
    waits = set(session.scalars(waiting.distinct()))
    others = sorted(every.difference(own))
    leased = sa.select(_lanes.key).where(_lanes.key.in_(others), _lanes.lease_until > db.now())
    worked_on = set(session.scalars(leased))
    worked_on |= {lane for lane, waits in spooled_lanes.kept(session, every).items() if waits}
    return [
        one
        for one in people
        if len(one.lanes & waits) > 1 or not (one.lanes & waits).issubset(own) or one.lanes & worked_on
    ]


def gather(
    session: Session, candidates: Sequence[Candidate], leased: Collection[str] = ()
) -> tuple[list[Candidate], dict[str, int | None]]:
    """Move the events of joined lanes to their main lanes.

    :param candidates: lanes that are due, and locked where the database can do that.
    :param leased: lanes that are leased locally.
    :return: the lanes to lease, and main lanes that somebody else has, to be made due, with their accounts.
    """
    left = [one for one in candidates if not one.joined]
    woken: dict[str, int | None] = {}
    joined = {one.key: one for one in candidates if one.joined}
    main_of = {key: key for key in joined} | _mains(session, joined)
    others_of: dict[str, list[str]] = {main: [] for main in main_of.values()}
    query = sa.select(_joined.lane, _joined.main).where(_joined.main.in_(sorted(others_of)))
    for lane, main in session.execute(query):
        others_of[main].append(lane)
    every = {*others_of, *(lane for lanes in others_of.values() for lane in lanes)}
    existing, free = _lock(session, every)
    if missing := sorted(others_of.keys() - existing):
        # Nothing was received by this id yet, or long ago.
        accounts = {main_of[key]: one.account_id for key, one in joined.items()}
        made = [{"key": main, "direction": IN, "account_id": accounts[main], "fence": 0} for main in missing]
        session.execute(db.insert_ignore(Lane.metadata.tables["lanes"], db.current().dialect), made)
        free |= _lock(session, missing)[1]
    for key in leased:
        free.pop(key, None)
    kept = spooled_lanes.kept(session, every)
    for main, others in others_of.items():
        due = [one for key, one in joined.items() if main_of[key] == main]
        is_spooled = any(lane in kept for lane in (main, *others))
        waits = any(kept.get(lane) for lane in (main, *others))
        if not waits and all(lane in free for lane in others if lane in existing):
            _move(session, others, main)
            if is_spooled:
                spooled_lanes.pass_on(session, others, main)
            if any(one.key == main for one in left):
                continue  # nothing waited in the others
            if main in free:
                left.append(Candidate(main, due[0].account_id, free[main], is_spooled))
            else:
                woken[main] = due[0].account_id
        else:
            later = sa.update(Lane).where(_lanes.key.in_([one.key for one in due]))
            session.execute(later.values(next_at=db.now() + WAIT))
            wakeups.wake_later(IN, WAIT.total_seconds())
    return left, woken


def _mains(session: Session, lanes: Collection[str]) -> dict[str, str]:
    """Return the main lanes of those of *lanes* that have another one."""
    query = sa.select(_joined.lane, _joined.main).where(_joined.lane.in_(sorted(lanes)))
    return {row.lane: row.main for row in session.execute(query)}


def _lock(session: Session, lanes: Collection[str]) -> tuple[set[str], dict[str, int]]:
    """Lock *lanes* without waiting; return those that exist, and the fences of those nobody works on."""
    existing = set(session.scalars(sa.select(_lanes.key).where(_lanes.key.in_(sorted(lanes)))))
    free = sa.select(_lanes.key, _lanes.fence).where(
        _lanes.key.in_(sorted(existing)),
        sa.or_(_lanes.lease_until.is_(None), _lanes.lease_until <= db.now()),
    )
    rows = session.execute(free.order_by(_lanes.key).with_for_update(skip_locked=True))
    return existing, {row.key: row.fence for row in rows}


def _move(session: Session, lanes: Collection[str], main: str) -> None:
    """Move what waits in *lanes*, and end their leases: who comes back late must not write."""
    if not lanes:
        return
    session.execute(
        sa.update(InboundEvent).where(_events.lane.in_(lanes), IS_PENDING).values(lane=main),
        execution_options={"synchronize_session": False},
    )
    session.execute(
        sa.update(Lane)
        .where(_lanes.key.in_(lanes))
        .values(next_at=None, lease_until=None, owner=None, fence=Lane.fence + 1),
        execution_options={"synchronize_session": False},
    )


def mains(session: Session, lanes: Collection[str]) -> list[str]:
    """Return *lanes* and the main lanes in which their events wait, sorted."""
    return sorted({*lanes, *_mains(session, lanes).values()})
