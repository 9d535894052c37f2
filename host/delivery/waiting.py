"""How long what is due has waited for a worker; and what waits on purpose, which is no worker's fault."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock
from host.channels.models import AccountState, ChannelAccount
from host.delivery import lanes
from host.delivery.models import Lane
from host.delivery.wakeups import OUT

MOST = 10_000
"""Conversations are counted no further."""


class Reason(StrEnum):
    """What the replies of a conversation wait for on purpose."""

    LIMIT = "limit"
    """A limit of their account: the provider's own word, or one that is known before."""
    RECONNECT = "reconnect"
    """New credentials of their account."""
    LATER = "later"
    """A time of their own: a limit for this customer, the next try, an echo, an addon switched off."""


_accounts = ChannelAccount.__table__.c
_lanes = Lane.__table__.c
_with_account = Lane.__table__.outerjoin(ChannelAccount.__table__, _accounts.id == _lanes.account_id)


def _still(column: Any, now: datetime) -> sa.ColumnElement[bool]:
    # Never unknown, as NULL > now would be, so that it can be denied.
    return sa.and_(column.is_not(None), column > now)


def _reconnects() -> sa.ColumnElement[bool]:
    return sa.and_(_accounts.state.is_not(None), _accounts.state == AccountState.NEEDS_RECONNECT)


def _limited(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(_still(_accounts.blocked_until, now), _still(_accounts.limited_until, now))


def oldest_due(session: Session, direction: str) -> datetime | None:
    """Return since when the lane of *direction* is due that waits longest for a worker; None: none waits.

    Replies of an account that waits for a limit or for new credentials wait for no worker.
    """
    now = clock.now()
    query = (
        sa.select(_lanes.next_at)
        .where(_lanes.direction == direction, lanes.is_free(now))
        .order_by(_lanes.next_at)
        .limit(1)
    )
    if direction == OUT:
        query = query.select_from(_with_account).where(~_limited(now), ~_reconnects())
    return session.scalar(query)


def on_purpose(session: Session) -> dict[Reason, int]:
    """Return of how many conversations replies wait on purpose, each reason counted up to :data:`MOST`."""
    now = clock.now()
    unleased = sa.or_(_lanes.lease_until.is_(None), _lanes.lease_until <= now)
    queued = (_lanes.direction == OUT, _lanes.next_at.is_not(None), unleased)
    reasons = {
        Reason.LIMIT: (_limited(now), ~_reconnects()),
        Reason.RECONNECT: (_reconnects(),),
        Reason.LATER: (_lanes.next_at > now, ~_limited(now), ~_reconnects()),
    }
    found = {}
    for reason, which in reasons.items():
        some = sa.select(_lanes.key).select_from(_with_account).where(*queued, *which).limit(MOST).subquery()
        found[reason] = session.scalar(sa.select(sa.func.count()).select_from(some)) or 0
    return found
