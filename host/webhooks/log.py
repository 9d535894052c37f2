"""The delivery log of an endpoint: pending deliveries, and those of the last thirty days with answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.errors import NotFoundError
from host.models.queue import Lane
from host.queue import lanes, paused
from host.webhooks.models import Endpoint, EndpointState, HookState
from host.webhooks.queue import BODIES, DELIVERIES, HOOK

DAY = timedelta(days=1)
MOST_FAILED = 10_000
"""Maximum number of deliveries sent again at a time."""


class DeliveryFilter(StrEnum):
    """Filter of the deliveries of an endpoint."""

    ALL = "all"
    FAILED = "failed"
    """Deliveries that were given up, or are waiting for a retry."""
    WAITING = "waiting"
    DELIVERED = "delivered"


class DeliveryNotFoundError(NotFoundError):
    """The endpoint has no such delivery."""

    code = "delivery_not_found"
    default_sentence = _l("This delivery does not exist. Deliveries are kept for 30 days.")
    default_next_step = ""


class Try(msgspec.Struct, frozen=True):
    """One attempt. *status* is None if there was no answer."""

    at: datetime
    status: int | None
    ms: int

    @property
    def ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class LoggedDelivery(msgspec.Struct, frozen=True):
    """A delivery as lists show it."""

    id: int
    body_id: str
    name: str
    state: HookState
    attempts: int
    next_at: datetime | None
    status: int | None
    ms: int | None
    words: str | None
    tries: Sequence[Try]
    created_at: datetime
    tried_at: datetime | None
    conversation_id: int | None
    contact_id: int | None
    erased: bool


_columns = (
    DELIVERIES.c.id,
    DELIVERIES.c.body_id,
    BODIES.c.name,
    DELIVERIES.c.state,
    DELIVERIES.c.attempts,
    DELIVERIES.c.next_at,
    DELIVERIES.c.status,
    DELIVERIES.c.ms,
    DELIVERIES.c.words,
    DELIVERIES.c.tries,
    DELIVERIES.c.created_at,
    DELIVERIES.c.tried_at,
    BODIES.c.conversation_id,
    BODIES.c.contact_id,
    BODIES.c.erased_at.is_not(None).label("erased"),
)
_FAILED = (
    DELIVERIES.c.state.in_([HookState.WAITING, HookState.GIVEN_UP]),
    DELIVERIES.c.tried_at.is_not(None),
)


def _where(endpoint_id: int, which: DeliveryFilter) -> list[Any]:
    mine: list[Any] = [DELIVERIES.c.endpoint_id == endpoint_id]
    if which is DeliveryFilter.FAILED:
        return [*mine, *_FAILED]
    if which is DeliveryFilter.ALL:
        return mine
    return [*mine, DELIVERIES.c.state == which.value]


def page(
    session: Session, endpoint_id: int, which: DeliveryFilter, *, before: int | None = None, limit: int = 50
) -> tuple[Sequence[LoggedDelivery], int | None]:
    """Return the newest deliveries of an endpoint older than the id *before*, and the id to continue from."""
    where = _where(endpoint_id, which)
    if before is not None:
        where.append(DELIVERIES.c.id < before)
    query = (
        sa.select(*_columns)
        .join(BODIES, BODIES.c.id == DELIVERIES.c.body_id)
        .where(*where)
        .order_by(DELIVERIES.c.id.desc())
        .limit(limit + 1)
    )
    rows = [_line(row) for row in session.execute(query)]
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


def one(session: Session, endpoint_id: int, delivery_id: int) -> tuple[LoggedDelivery, str]:
    """Return a delivery of an endpoint, and its body.

    :raises DeliveryNotFoundError: if it does not exist.
    """
    query = (
        sa.select(*_columns, BODIES.c.body)
        .join(BODIES, BODIES.c.id == DELIVERIES.c.body_id)
        .where(DELIVERIES.c.endpoint_id == endpoint_id, DELIVERIES.c.id == delivery_id)
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise DeliveryNotFoundError()
    return _line(row), row.body


def _line(row: Any) -> LoggedDelivery:
    values = dict(row._mapping)
    values.pop("body", None)
    values["tries"] = [Try(datetime.fromisoformat(at), status, ms) for at, status, ms in values["tries"]]
    return LoggedDelivery(**values | {"state": HookState(values["state"]), "erased": bool(values["erased"])})


def failed(session: Session, endpoint_id: int, most: int = MOST_FAILED) -> Sequence[int]:
    """Return the ids of up to *most* failed deliveries, the oldest first."""
    query = sa.select(DELIVERIES.c.id).where(*_where(endpoint_id, DeliveryFilter.FAILED))
    return session.scalars(query.order_by(DELIVERIES.c.id).limit(most)).all()


class Standing(msgspec.Struct, frozen=True):
    """The delivery statistics of an endpoint.

    :param delivered: and *tried*: number of deliveries of the last day.
    :param waiting: how many are pending, of any age.
    :param hours: deliveries of each of the last 24 hours, the oldest first: successful, failed.
    :param last: the last attempt.
    """

    delivered: int = 0
    tried: int = 0
    waiting: int = 0
    next_at: datetime | None = None
    hours: Sequence[tuple[int, int]] = ()
    last: Try | None = None
    words: str | None = None
    half_ms: int | None = None
    slow_ms: int | None = None


MOST_COUNTED = 20_000
"""Maximum number of deliveries of a day read for the statistics."""


def standings(session: Session, endpoint_ids: Collection[int]) -> Mapping[int, Standing]:
    """Return the delivery statistics of these endpoints."""
    return {one: _standing(session, one) for one in endpoint_ids}


def _standing(session: Session, endpoint_id: int) -> Standing:
    now = clock.now()
    mine = DELIVERIES.c.endpoint_id == endpoint_id
    waits = session.execute(
        sa.select(sa.func.count(), sa.func.min(DELIVERIES.c.next_at)).where(
            mine, DELIVERIES.c.state == HookState.WAITING
        )
    ).one()
    columns = (
        DELIVERIES.c.state,
        DELIVERIES.c.tried_at,
        DELIVERIES.c.status,
        DELIVERIES.c.ms,
        DELIVERIES.c.words,
    )
    recent = sa.select(*columns).where(mine, DELIVERIES.c.tried_at.is_not(None))
    rows = session.execute(recent.order_by(DELIVERIES.c.id.desc()).limit(MOST_COUNTED)).all()
    hours = [[0, 0] for _ in range(24)]
    times: list[int] = []
    last = max(rows, key=lambda row: row.tried_at, default=None)
    for row in rows:
        age = now - row.tried_at
        if age >= DAY:
            continue
        good = row.state == HookState.DELIVERED
        hours[23 - int(age / timedelta(hours=1)) if age > timedelta() else 23][0 if good else 1] += 1
        if good and row.ms is not None:
            times.append(row.ms)
    times.sort()
    delivered = sum(one for one, _ in hours)
    return Standing(
        delivered=delivered,
        tried=delivered + sum(two for _, two in hours),
        waiting=waits[0],
        next_at=waits[1],
        hours=[(one, two) for one, two in hours],
        last=None if last is None else Try(last.tried_at, last.status, last.ms or 0),
        words=None if last is None else last.words,
        half_ms=times[len(times) // 2] if times else None,
        slow_ms=times[int(len(times) * 0.95)] if times else None,
    )


def oldest_due(session: Session) -> datetime | None:
    """Return the time since when the most delayed lane has been due; None if no lane is due.

    Lanes of failing endpoints are left out: they wait on purpose.
    """
    works = [Endpoint.state == EndpointState.ACTIVE, Endpoint.failing_since.is_(None)]
    resting = paused.current(session).endpoints
    if resting:
        works.append(Endpoint.id.not_in(resting))
    query = (
        sa.select(Lane.next_at)
        .join(Endpoint, Endpoint.id == Lane.account_id)
        .where(Lane.direction == HOOK, lanes.is_free(db.now()), *works)
    )
    return session.scalar(query.order_by(Lane.next_at).limit(1))


def by_state(session: Session) -> Mapping[str, int]:
    """Return the number of endpoints on the desk by state: active, failing, paused, off."""
    fails = sa.and_(Endpoint.state == EndpointState.ACTIVE, Endpoint.failing_since.is_not(None))
    state = sa.case((fails, "failing"), else_=Endpoint.state).label("state")
    found = {row.state: row.number for row in session.execute(_states(state))}
    return {one: found.get(one, 0) for one in ("active", "failing", "paused", "off")}


def _states(state: sa.Label[str]) -> sa.Select[Any]:
    inner = sa.select(state).subquery()
    return sa.select(inner.c.state, sa.func.count().label("number")).group_by(inner.c.state)
