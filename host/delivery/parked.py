"""Lanes that wait for an addon."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock, db
from host.channels.models import ChannelAccount
from host.delivery import lanes
from host.delivery.models import IS_PENDING, EventState, InboundEvent, Lane, OutboxEntry
from host.delivery.ports import AdapterDirectory


def make_parked_due(directory: AdapterDirectory) -> None:
    """Make the lanes due that may have waited for a channel the running generation brings.

    Called whenever the generation changed. Lanes that wait for something else look again and wait on.
    """
    with db.read() as session:
        channels = set(session.scalars(sa.select(ChannelAccount.channel).distinct()))
        active = sorted(channel for channel in channels if directory.adapter(channel) is not None)
        later = sa.select(Lane.key).where(Lane.next_at > clock.now()).limit(1)
        if not active or session.execute(later).first() is None:
            return
    received = sa.select(InboundEvent.lane).where(IS_PENDING, InboundEvent.channel.in_(active)).distinct()
    written = (
        sa.select(OutboxEntry.lane)
        .join(ChannelAccount, ChannelAccount.id == OutboxEntry.account_id)
        .where(OutboxEntry.open.is_(True), ChannelAccount.channel.in_(active))
        .distinct()
    )
    for keys in (received, written):
        db.write(lanes.make_due, keys, at=clock.now())


def count_waiting(session: Session, channels: Collection[str]) -> int:
    """Return how many received events wait for one of *channels* to be there."""
    query = sa.select(sa.func.count()).where(IS_PENDING, InboundEvent.channel.in_(channels))
    return session.scalar(query) or 0


def give_up(session: Session, channels: Collection[str], reason: str) -> None:
    """Make dead letters of what waits for *channels*, which are not to come back.

    They can be replayed, should the channel be there again after all.
    """
    session.execute(
        sa.update(InboundEvent)
        .where(IS_PENDING, InboundEvent.channel.in_(channels))
        .values(state=EventState.DEAD, attempts=InboundEvent.attempts + 1, reason=reason, retry_at=None)
        .execution_options(synchronize_session=False)
    )
