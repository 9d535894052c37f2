"""Count the messages of each channel in the last day: received, sent, failed, hour by hour.

Two queries, regardless of the number of addons and channels. Each reads the newest rows by their primary key
and stops at :data:`MOST`. If a day has more messages, the page says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.channels import ChannelAccount
from host.models.inbox import ARRIVED, DeliveryState, Message
from host.models.queue import EventState, InboundEvent, OutboxEntry
from host.queue.spool import BEGINNING, request_id

HOURS = 24
MOST = 10_000
"""Maximum number of rows read for each direction, over all channels."""

_HOUR = request_id(BEGINNING + timedelta(hours=1))
"""Difference between ids of requests an hour apart."""


class Health(msgspec.Struct, frozen=True):
    """The last 24 hours of some channels.

    :param received: events of the provider, whatever their state.
    :param sent: replies the provider accepted.
    :param failed: replies it refused, or that were given up.
    :param dead: events that could not be applied.
    :param hours: events received in each hour, the oldest first.
    :param more: whether there may be more than were counted.
    """

    received: int = 0
    sent: int = 0
    failed: int = 0
    dead: int = 0
    hours: tuple[int, ...] = (0,) * HOURS
    more: bool = False

    def __bool__(self) -> bool:
        return bool(self.received or self.sent or self.failed or self.dead)

    def __add__(self, other: Health) -> Health:
        return Health(
            self.received + other.received,
            self.sent + other.sent,
            self.failed + other.failed,
            self.dead + other.dead,
            tuple(one + two for one, two in zip(self.hours, other.hours, strict=True)),
            self.more or other.more,
        )

    @property
    def peak(self) -> int:
        """Return the number of events received in the busiest hour."""
        return max(self.hours)


def of_last_day() -> dict[str, Health]:
    """Return the health of every channel that received or sent something, by channel."""
    with db.read() as session:
        received, more_received = _received(session)
        sent, more_sent = _sent(session)
    found: dict[str, Health] = {}
    for channel, health in (*received.items(), *sent.items()):
        found[channel] = found.get(channel, Health(more=more_received or more_sent)) + health
    return found


def of_channels(channels: Sequence[str], by_channel: Mapping[str, Health]) -> Health:
    """Return the health of *channels* together."""
    return sum((by_channel[one] for one in channels if one in by_channel), Health())


def _received(session: Session) -> tuple[dict[str, Health], bool]:
    # The id of a request contains its time, so the hour needs no timestamp column.
    begin = request_id(clock.now() - timedelta(hours=HOURS))
    newest = (
        sa.select(InboundEvent.channel, InboundEvent.state, InboundEvent.request_id)
        .order_by(InboundEvent.id.desc())
        .limit(MOST)
        .subquery()
    )
    hour = sa.cast((newest.c.request_id - begin) // _HOUR, sa.Integer).label("hour")
    query = (
        sa.select(newest.c.channel, newest.c.state, hour, sa.func.count())
        .where(newest.c.request_id >= begin)
        .group_by(newest.c.channel, newest.c.state, hour)
    )
    found: dict[str, Health] = {}
    total = 0
    for channel, state, at, count in session.execute(query):
        hours = [0] * HOURS
        hours[min(int(at), HOURS - 1)] = count
        one = Health(received=count, dead=count if state == EventState.DEAD else 0, hours=tuple(hours))
        found[channel] = found.get(channel, Health()) + one
        total += count
    return found, total >= MOST


def _sent(session: Session) -> tuple[dict[str, Health], bool]:
    newest = (
        sa.select(OutboxEntry.message_id, OutboxEntry.account_id)
        .order_by(OutboxEntry.id.desc())
        .limit(MOST)
        .subquery()
    )
    query = (
        sa.select(ChannelAccount.channel, Message.state, sa.func.count())
        .select_from(newest)
        .join(Message, Message.id == newest.c.message_id)
        .join(ChannelAccount, ChannelAccount.id == newest.c.account_id)
        .where(Message.created_at >= clock.now() - timedelta(hours=HOURS))
        .group_by(ChannelAccount.channel, Message.state)
    )
    found: dict[str, Health] = {}
    total = 0
    for channel, state, count in session.execute(query):
        one = Health(
            sent=count if state in ARRIVED else 0,
            failed=count if state == DeliveryState.FAILED else 0,
        )
        found[channel] = found.get(channel, Health()) + one
        total += count
    return found, total >= MOST
