"""Order work in lanes, and lease whole lanes.

A lane holds the work that waits for one customer in one direction. It is due once ``next_at`` has passed and
no lease holds it. A lease sets ``next_at`` to its expiry, so that the same index finds the lane of a worker
that died. Work that arrives during a lease moves ``next_at`` before the expiry; a release keeps that time.

One order of locks, so that no two writes wait for each other: lanes of messages to be sent, then identities,
conversations, messages and contacts, then lanes of received events, then these events; several lanes in the
order of their keys. A worker that applies events therefore writes to the inbox first and checks its fence
afterwards. Only the write that stores received events locks no lane: see :mod:`host.queue.lane_waking`.

Both times are the database's, so that machines whose clocks differ agree; callers pass their own times.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.statements import Statement
from host.models.queue import Lane
from host.queue import lane_waking, paused, policy, send_limiter
from host.queue.account_rotation import AccountRotation, Candidate
from host.queue.order import joined_lanes, spooled_lanes
from host.queue.wakeups import IN, OUT

log = logging.getLogger(__name__)

CHUNK = 500
"""Most lanes named in one statement."""

_lanes = Lane.__table__.c
_table = Lane.metadata.tables["lanes"]


@dataclass(slots=True)
class Lease:
    """The right to work on one lane until *until*, unless *lost* by then.

    A *local* lease is not in the database (``owner`` None): see :func:`claim_locally`. Of a *spooled* one the
    events are applied in the order they were received: see :mod:`host.queue.order.spooled_lanes`.
    """

    key: str
    direction: str
    account_id: int | None
    fence: int
    owner: str | None
    until: datetime
    spooled: bool = False
    lost: bool = False

    @property
    def is_local(self) -> bool:
        """Return whether the lease is only in this process's memory."""
        return self.owner is None

    def is_held(self, fence: int, owner: str | None) -> bool:
        """Return whether the lease still owns the lane in the database."""
        return self.fence == fence and (self.is_local or self.owner == owner)

    def alive(self) -> bool:
        """Return whether the lease still excludes every other worker."""
        return not self.lost and db.now() < self.until


def lane_key(direction: str, account_id: int | None, contact: str) -> str:
    """Return the key of the lane of *contact* on an account; 64 ASCII characters at most."""
    account = "" if account_id is None else account_id
    if not contact:
        return f"{direction}:{account}:"
    digest = hashlib.sha256(contact.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{direction}:{account}:{digest[:24]}"


def schedule(session: Session, key: str, direction: str, account_id: int | None, at: datetime) -> None:
    """Make the lane due at *at*, unless it is already due earlier; lock it for the rest of this write."""
    due = db.by_its_clock(at)
    values = {"key": key, "direction": direction, "account_id": account_id, "next_at": due, "fence": 0}
    session.execute(_upsert(session.get_bind().dialect.name), values)


def schedule_all(session: Session, direction: str, accounts: Mapping[str, int | None], at: datetime) -> None:
    """Schedule several lanes like :func:`schedule`; *accounts* maps keys to accounts."""
    due = db.by_its_clock(at)
    rows = [
        {"key": key, "direction": direction, "account_id": accounts[key], "next_at": due, "fence": 0}
        for key in sorted(accounts)  # the order in which every write locks lanes, against deadlocks
    ]
    if rows:
        session.connection().execute(_upsert(session.get_bind().dialect.name), rows)


def begin_anew(session: Session) -> None:
    """Make every lane with work due now and end its lease, because no earlier holder is running."""
    held = sa.or_(_lanes.next_at.is_not(None), _lanes.lease_until.is_not(None))
    session.execute(sa.update(Lane).where(held).values(next_at=db.now(), lease_until=None, owner=None))


_upserts: dict[str, Any] = {}


def _upsert(dialect: str) -> Any:
    """Return the INSERT that makes an existing lane due earlier instead, built once per kind of database."""
    if dialect not in _upserts:
        _upserts[dialect] = _build_upsert(dialect)
    return _upserts[dialect]


def keep_earlier_clause(dialect: sa.Dialect) -> str:
    """Return the clause by which :func:`schedule` keeps the earlier time, for a driver's own INSERT."""
    text = str(_upsert(dialect.name).compile(dialect=dialect, column_keys=["key", "next_at"]))
    return text[text.index(" ON ") + 1 :]


def _build_upsert(dialect: str) -> Any:
    if dialect in {"mysql", "mariadb"}:
        from sqlalchemy.dialects.mysql import insert as mysql_insert

        statement = mysql_insert(_table)
        new = statement.inserted.next_at
        return statement.on_duplicate_key_update(
            next_at=sa.func.least(sa.func.coalesce(_table.c.next_at, new), new)
        )
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as pg_insert

        pg = pg_insert(_table)
        return pg.on_conflict_do_update(
            index_elements=["key"],
            set_={"next_at": pg.excluded.next_at},
            where=_is_later(pg.excluded.next_at),
        )
    from sqlalchemy.dialects.sqlite import insert as sqlite_insert

    lite = sqlite_insert(_table)
    return lite.on_conflict_do_update(
        index_elements=["key"],
        set_={"next_at": lite.excluded.next_at},
        where=_is_later(lite.excluded.next_at),
    )


def _is_later(at: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a lane is due after *at*, or never; a lane that is due earlier is not
    updated.
    """
    return sa.or_(_table.c.next_at.is_(None), _table.c.next_at > at)


def is_free(now: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a lane is due and not leased."""
    return sa.and_(_lanes.next_at <= now, sa.or_(_lanes.lease_until.is_(None), _lanes.lease_until <= now))


_now = sa.bindparam("now", type_=_lanes.next_at.type)
_may_claim = (is_free(_now), ~spooled_lanes.is_held(_now))
_select_due = (
    sa.select(
        _lanes.key, _lanes.account_id, _lanes.fence, spooled_lanes.HAS_SPOOLED, joined_lanes.are_joined(_now)
    )
    .where(_lanes.direction == sa.bindparam("direction"), *_may_claim)
    .order_by(_lanes.next_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_select_locked = _select_due.with_for_update(skip_locked=True)
_of_others = sa.or_(
    _lanes.account_id.is_(None), _lanes.account_id.not_in(sa.bindparam("closed", expanding=True))
)
_due = Statement(_select_due)
_due_open = Statement(_select_due.where(_of_others))
_due_locked = Statement(_select_locked)
_due_locked_open = Statement(_select_locked.where(_of_others))
_due_in_both = Statement(
    sa.select(
        *[
            sa.select(_lanes.key)
            .where(_lanes.direction == direction, *_may_claim)
            .order_by(_lanes.next_at)
            .limit(sa.bindparam("most", type_=sa.Integer))
            .scalar_subquery()
            for direction in (IN, OUT)
        ]
    )
)
_due_of_account = Statement(_select_locked.where(_lanes.account_id == sa.bindparam("account")))
_due_of_none = Statement(_select_locked.where(_lanes.account_id.is_(None)))
_due_accounts = (
    sa.select(_lanes.account_id)
    .where(_lanes.direction == sa.bindparam("direction"), _lanes.next_at <= _now)
    .distinct()
)


def is_due(session: Session, direction: str, resting: Collection[int] = ()) -> bool:
    """Return whether a lane of *direction* is due. One index seek, unless limits hold some lanes back.

    :param resting: as in :func:`candidates`.
    """
    closed = _closed(session, direction, resting)
    due = _due_open if closed else _due
    values = {"direction": direction, "now": db.now(), "most": 1, **closed}
    return bool(due.rows(session.connection(), values))


def find_due(session: Session, directions: Sequence[str]) -> list[str]:
    """Return those of *directions* that have a due lane. One statement, unless limits hold lanes back."""
    if any(_closed(session, direction) for direction in directions):
        return [direction for direction in directions if is_due(session, direction)]
    (row,) = _due_in_both.rows(session.connection(), {"now": db.now(), "most": 1})
    found = dict(zip((IN, OUT), row, strict=True))
    return [direction for direction in directions if found[direction] is not None]


def _closed(session: Session, direction: str, resting: Collection[int] = ()) -> dict[str, list[int]]:
    """Return the accounts whose lanes must not be claimed: resting, paused, or at a limit."""
    accounts = {*resting, *(send_limiter.current().closed() if direction == OUT else ())}
    stopped = paused.current(session)
    accounts |= stopped.accounts if direction in {IN, OUT} else stopped.endpoints
    return {"closed": db.padded(sorted(accounts))} if accounts else {}


def candidates(
    session: Session,
    direction: str,
    *,
    limit: int,
    rotation: AccountRotation,
    but_not: Collection[str] = (),
    resting: Collection[int] = (),
    crowded: Collection[int] = (),
) -> list[Candidate]:
    """Return up to *limit* due lanes: accounts in turn, and for each account the longest-waiting lane first.

    :param but_not: keys of lanes that are leased locally.
    :param resting: accounts whose lanes are excluded, in addition to those held back by a limit.
    :param crowded: accounts whose lanes are returned only if no other account has one that is due.
    """
    now = db.now()
    look_at = 4 * limit + len(but_not)
    closed = _closed(session, direction, resting)
    values = {"direction": direction, "now": now, "most": look_at, **closed}
    due = _due_locked_open if closed else _due_locked
    rows = list(map(Candidate._make, due.rows(session.connection(), values)))
    if len(rows) == look_at:
        held_back = {*closed.get("closed", ()), *crowded}
        rows = _of_all_accounts(session, direction, now, limit + len(but_not), rotation, held_back) or rows
    elif crowded:
        rows = [one for one in rows if one.account_id not in crowded] or rows
    if but_not:
        rows = [one for one in rows if one.key not in but_not]
    return rotation.choose(rows, limit)


def claim(
    session: Session,
    direction: str,
    *,
    limit: int,
    rotation: AccountRotation,
    resting: Collection[int] = (),
    crowded: Collection[int] = (),
) -> list[Lease]:
    """Lease up to *limit* due lanes, in the order of *rotation*; see :func:`candidates`."""
    chosen = candidates(session, direction, limit=limit, rotation=rotation, resting=resting, crowded=crowded)
    if any(one.joined for one in chosen):
        chosen = _gather(session, chosen)
    return lease(session, direction, chosen) if chosen else []


def _gather(session: Session, chosen: Sequence[Candidate], leased: Collection[str] = ()) -> list[Candidate]:
    """Return the lanes of *chosen* to lease, after :func:`host.queue.order.joined_lanes.gather`."""
    left, woken = joined_lanes.gather(session, chosen, leased)
    if db.current().is_sqlite:
        # The leased ones, too: their leases are in memory only, and after a crash they have to be due.
        schedule_all(session, IN, woken | {one.key: one.account_id for one in left}, clock.now())
    elif woken:
        # Afterwards, and without waiting for locks: see host.queue.lane_waking.
        rows = lane_waking.rows_of(session, woken)
        db.after_commit(session, partial(lane_waking.wake_committed, rows))
    return left


def lease(
    session: Session, direction: str, chosen: Sequence[Candidate], lasts: timedelta | None = None
) -> list[Lease]:
    """Lease lanes that :func:`candidates` found in this write.

    :param lasts: duration of a lease that is not renewed; None: that of renewed leases.
    """
    now = db.now()
    owner = uuid.uuid4().hex
    until = now + (lasts or policy.LEASE)
    values = {"keys": db.padded([one.key for one in chosen]), "at": until, "holder": owner}
    _lease.run(session.connection(), values)
    # The statement raises the fence, so a worker whose lease has ended cannot write with its old number.
    return [
        Lease(one.key, direction, one.account_id, one.fence + 1, owner, until, one.spooled) for one in chosen
    ]


def claim_one(session: Session, key: str) -> Lease | None:
    """Lease the lane *key* if it is due and not leased."""
    now = db.now()
    query = sa.select(_lanes.direction, _lanes.account_id, _lanes.fence).where(
        _lanes.key == key, is_free(now)
    )
    # A locked row is being claimed by another worker, which then does the work.
    row = session.execute(query.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    return lease(session, row.direction, [Candidate(key, row.account_id, row.fence)])[0]


def _of_all_accounts(
    session: Session,
    direction: str,
    now: datetime,
    limit: int,
    rotation: AccountRotation,
    but_not: Collection[int],
) -> list[Candidate]:
    """Return due lanes of the accounts whose turn it is; the oldest lanes may all belong to one account."""
    if rotation.needs_accounts():
        began = clock.monotonic()
        rotation.remember_accounts(
            session.scalars(_due_accounts, {"direction": direction, "now": now}), began
        )
    turn = rotation.next_accounts(limit, but_not)
    rows: list[Candidate] = []
    # Rounded up, so that each account whose turn it is gets at least one lane.
    values = {"direction": direction, "now": now, "most": -(-limit // len(turn)) if turn else 0}
    for account_id in turn:
        if account_id:
            found = _due_of_account.rows(session.connection(), {**values, "account": account_id})
        else:
            found = _due_of_none.rows(session.connection(), values)
        rows += map(Candidate._make, found)
    return rows


# In order of the key, so that two workers that lock some of the same lanes cannot block each other.
_select_held = (
    sa.select(_lanes.key, _lanes.fence, _lanes.owner)
    .where(_lanes.key.in_(sa.bindparam("keys", expanding=True)))
    .order_by(_lanes.key)
)
_held = Statement(_select_held.with_for_update())
_held_and_free = Statement(_select_held.with_for_update(skip_locked=True))


def held(session: Session, leases: Iterable[Lease], more: Collection[str] = ()) -> set[str]:
    """Return the keys of those *leases* that are still valid, locked for the rest of this write.

    The others are marked lost: their results must be discarded.

    :param more: further lanes to lock.
    """
    wanted = {lease.key: lease for lease in leases}
    rows = _held.rows(session.connection(), {"keys": db.padded(sorted({*wanted, *more}))})
    ours = {key for key, fence, owner in rows if key in wanted and wanted[key].is_held(fence, owner)}
    for key, lease in wanted.items():
        lease.lost = key not in ours
    return ours


_interrupted = sa.and_(_lanes.next_at.is_not(None), _lanes.next_at < _lanes.lease_until)
_at = sa.bindparam("at", type_=_lanes.next_at.type)
_ours = sa.and_(
    _lanes.key == sa.bindparam("lane"),
    _lanes.fence == sa.bindparam("token"),
    _lanes.owner == sa.bindparam("holder"),
)
# Each claim has its own owner, so one statement releases all its leases instead of one statement per lane.
# MariaDB computes the assignments one after the other, so next_at must come before lease_until changes.
_release_idle = Statement(
    sa.update(_table)
    .where(
        _lanes.key.in_(sa.bindparam("keys", expanding=True)),
        _lanes.owner == sa.bindparam("holder"),
    )
    .ordered_values(
        (_lanes.next_at, sa.case((_interrupted, _lanes.next_at), else_=None)),
        (_lanes.lease_until, None),
        (_lanes.owner, None),
    )
)
_release_until = Statement(
    sa.update(_table)
    .where(_ours)
    .ordered_values(
        (_lanes.next_at, sa.case((sa.and_(_interrupted, _lanes.next_at < _at), _lanes.next_at), else_=_at)),
        (_lanes.lease_until, None),
        (_lanes.owner, None),
    )
)
_renew = Statement(
    sa.update(_table)
    .where(_ours)
    .ordered_values(
        (_lanes.next_at, sa.case((_interrupted, _lanes.next_at), else_=_at)),
        (_lanes.lease_until, _at),
    )
)


_lease = Statement(
    sa.update(_table)
    .where(_lanes.key.in_(sa.bindparam("keys", expanding=True)))
    .values(lease_until=_at, next_at=_at, owner=sa.bindparam("holder"), fence=_lanes.fence + 1)
)


def _values(lease: Lease) -> dict[str, Any]:
    return {"lane": lease.key, "token": lease.fence, "holder": lease.owner}


_waiting = sa.text(
    "EXISTS (SELECT 1 FROM inbound_events AS e WHERE e.lane = lanes.key AND e.state = 'pending')"
)
_release_local_idle = Statement(
    sa.update(_table)
    .where(_lanes.key.in_(sa.bindparam("keys", expanding=True)))
    .values(next_at=sa.case((_waiting, _at), else_=None), lease_until=None, owner=None)
)
_release_local_until = Statement(
    sa.update(_table)
    .where(_lanes.key.in_(sa.bindparam("keys", expanding=True)))
    .values(next_at=_at, lease_until=None, owner=None)
)


def _release_local(session: Session, leases: Sequence[tuple[Lease, datetime | None]]) -> None:
    """Release local leases.

    It runs under the database's only write lock, so it sees all work that waits in the lanes.
    """
    connection = session.connection()
    idle = [lease.key for lease, at in leases if at is None]
    if idle:
        _release_local_idle.run(connection, {"keys": db.padded(idle), "at": db.now()})
    for lease, at in leases:
        if at is not None:
            _release_local_until.run(connection, {"keys": [lease.key], "at": at})


def release(session: Session, leases: Sequence[tuple[Lease, datetime | None]]) -> None:
    """Release lanes, each with the time it is due next (None: no work known).

    Work that arrived during the lease keeps its own time. A lane whose fence has grown is not changed.
    """
    if leases and leases[0][0].is_local:
        _release_local(session, leases)
        return
    ahead = db.clock_ahead()
    idle: dict[str | None, list[str]] = {}
    for lease, at in leases:
        if at is None:
            idle.setdefault(lease.owner, []).append(lease.key)
    later = [{**_values(lease), "at": at - ahead} for lease, at in leases if at is not None]
    connection = session.connection()
    for owner, keys in idle.items():
        _release_idle.run(connection, {"keys": db.padded(keys), "holder": owner})
    _release_until.run_many(connection, later)


def renew(session: Session, leases: Iterable[Lease]) -> None:
    """Extend *leases* from now; mark those that are no longer valid as lost.

    Locked lanes are skipped, so that the others don't lose their leases meanwhile.
    """
    until = db.now() + policy.LEASE
    wanted: dict[str, Lease] = {}
    for lease in leases:
        if lease.is_local:
            lease.until = until
        else:
            wanted[lease.key] = lease
    if not wanted:
        return
    connection = session.connection()
    ours = []
    for key, fence, owner in _held_and_free.rows(connection, {"keys": db.padded(sorted(wanted))}):
        lease = wanted[key]
        lease.lost = not lease.is_held(fence, owner)
        if not lease.lost:
            lease.until = until
            ours.append({**_values(lease), "at": until})
    _renew.run_many(connection, ours)


def void_leases(session: Session) -> None:
    """Free every lane. Only for the start of the process that owns an SQLite file."""
    session.execute(
        sa.update(_table)
        .where(_lanes.lease_until.is_not(None))
        .values(next_at=db.now(), lease_until=None, owner=None)
    )


def make_due(session: Session, keys: Collection[str] | sa.Select[Any], *, at: datetime) -> None:
    """Make waiting lanes due at *at*. Idle lanes stay idle; leased ones are due again after their lease."""
    at = db.by_its_clock(at)
    chosen = keys if isinstance(keys, sa.Select) else list(keys)
    later = sa.select(_lanes.key).where(_lanes.key.in_(chosen), _lanes.next_at > at)
    found = session.scalars(later.order_by(_lanes.key).with_for_update()).all()
    for begin in range(0, len(found), CHUNK):
        some = found[begin : begin + CHUNK]
        session.execute(sa.update(_table).where(_lanes.key.in_(some)).values(next_at=at))


def resume(session: Session, keys: Collection[str] | sa.Select[Any]) -> None:
    """Make lanes due that waited for what this write changes: now, and again after the commit.

    Until the commit, a worker that claims a lane reads the state before it, and lets the lane wait longer.
    """
    make_due(session, keys, at=clock.now())
    db.after_commit(session, partial(_resume_again, keys))


def _resume_again(keys: Collection[str] | sa.Select[Any]) -> None:
    try:
        db.write(make_due, keys, at=clock.now())
    except sa.exc.SQLAlchemyError:
        # The change itself is committed, so its caller must not see an error.
        log.exception("lanes could not be made due again; each goes on once its own time has come")


_lock = threading.Lock()
_local: set[str] = set()


def claim_locally(direction: str, *, limit: int, rotation: AccountRotation) -> list[Lease]:
    """Lease up to *limit* due lanes in memory only: release them, then :func:`forget_local`.

    Only for the process that owns an SQLite file. Events are applied in one transaction, so a crash leaves no
    half-done work, and no other process competes. A lease in the database would cost a disk sync per batch.
    """
    with _lock:
        with db.read() as session:
            chosen = candidates(session, direction, limit=limit, rotation=rotation, but_not=_local)
        if any(one.joined for one in chosen):
            chosen = db.write(_gather, chosen, _local)
        _local.update(one.key for one in chosen)
    until = db.now() + policy.LEASE
    return [Lease(one.key, direction, one.account_id, one.fence, None, until) for one in chosen]


def are_leased_locally(keys: Collection[str]) -> bool:
    """Return whether one of *keys* is leased in memory."""
    with _lock:
        return not _local.isdisjoint(keys)


def forget_local(leases: Sequence[Lease]) -> None:
    """Drop the local leases among *leases*, whether their work succeeded or failed."""
    with _lock:
        _local.difference_update(lease.key for lease in leases if lease.is_local)
