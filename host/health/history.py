"""Read the counts of a day or a week, in steps a plot can show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.core import histogram
from host.models.channels import ChannelAccount
from host.models.health import HealthMinute, Metric, Outcome
from host.models.users import Workspace

BUSIEST = 10
_DRAWN = [
    metric
    for metric in Metric
    if metric not in {Metric.ACCOUNT, Metric.REFUSED, Metric.SLOW, Metric.SLOWEST, Metric.FUNCTIONS_HUNG}
]


class Period(StrEnum):
    """The periods the page can show."""

    DAY = "24h"
    WEEK = "7d"

    @property
    def length(self) -> timedelta:
        return timedelta(days=1) if self is Period.DAY else timedelta(days=7)

    @property
    def step(self) -> int:
        """Return the minutes of one point of a plot."""
        return 15 if self is Period.DAY else 60

    @property
    def points(self) -> int:
        return int(self.length.total_seconds()) // 60 // self.step


class Busy(msgspec.Struct, frozen=True):
    """One of the busiest accounts."""

    handle: str
    workspace: str
    channel: str
    events: int


class History(msgspec.Struct, frozen=True):
    """Counts, one for each step of the period, the oldest first.

    :param starts: start of each step.
    :param waiting: seconds the oldest due work waited, maximum per step, by direction.
    :param visible: time until events were visible: counts by class.
    :param loop_held: longest time in seconds a web process's event loop was blocked; None: not reported.
    """

    period: Period
    starts: Sequence[datetime]
    received: Sequence[int]
    handled: dict[str, Sequence[int]]
    sends: dict[Outcome, Sequence[int]]
    waiting: dict[str, Sequence[float]]
    visible: Sequence[Counter[str]]
    answered: Sequence[Counter[str]]
    loop_held: float | None
    busiest: Sequence[Busy]

    def percentile(self, share: float) -> float | None:
        """Return the seconds within which *share* of the period's events were visible."""
        return _seconds(histogram.percentile(sum(self.visible, Counter()), share))

    def percentiles(self, share: float) -> list[float | None]:
        """Return the percentile for each step; None without events."""
        return [_seconds(histogram.percentile(one, share)) for one in self.visible]

    def answers(self, share: float) -> float | None:
        """Return the seconds within which *share* of the period's webhooks were answered."""
        return _seconds(histogram.percentile(sum(self.answered, Counter()), share))


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def read_history(session: Session, period: Period, channel: str | None = None) -> History:
    """Return the counts of *period* up to now.

    :param channel: only this channel; waiting times are not counted by channel.
    """
    step, points = period.step, period.points
    first = recording.this_minute() // step - points + 1
    rows = HealthMinute.__table__.c
    place = sa.cast(rows.minute // step, sa.Integer).label("place")
    query = (
        sa.select(place, rows.metric, rows.label, sa.func.sum(rows["count"]), sa.func.max(rows["count"]))
        .where(rows.metric.in_(_DRAWN), rows.minute >= first * step)
        .group_by(place, rows.metric, rows.label)
    )
    if channel is not None:
        query = query.where(rows.channel.in_([channel, ""]))
    received = [0] * points
    sends = {outcome: [0] * points for outcome in Outcome}
    handled: dict[str, list[int]] = {state: [0] * points for state in ("applied", "ignored", "dead")}
    waiting = {direction: [0.0] * points for direction in ("in", "out")}
    visible: list[Counter[str]] = [Counter() for _ in range(points)]
    answered: list[Counter[str]] = [Counter() for _ in range(points)]
    loop_held: float | None = None
    for at, metric, label, total, most in session.execute(query):
        index = int(at) - first
        if not 0 <= index < points:
            continue
        match metric:
            case Metric.RECEIVED:
                received[index] += int(total)
            case Metric.HANDLED if label in handled:
                handled[label][index] += int(total)
            case Metric.SENDS if label in sends:
                sends[Outcome(label)][index] += int(total)
            case Metric.WAITING if label in waiting:
                waiting[label][index] = int(most) / 1000
            case Metric.VISIBLE:
                visible[index][label] += int(total)
            case Metric.ANSWERED:
                answered[index][label] += int(total)
            case Metric.LOOP:
                loop_held = max(loop_held or 0.0, int(most) / 1000)
    return History(
        period=period,
        starts=[datetime.fromtimestamp((first + index) * step * 60, UTC) for index in range(points)],
        received=received,
        handled={**handled},
        sends={**sends},
        waiting={**waiting},
        visible=visible,
        answered=answered,
        loop_held=loop_held,
        busiest=_busiest(session, first * step, channel),
    )


def _busiest(session: Session, since: int, channel: str | None) -> list[Busy]:
    """Return the accounts with the most events. The hour in which the period began counts in full."""
    rows = HealthMinute.__table__.c
    total = sa.func.sum(rows["count"]).label("total")
    query = (
        sa.select(rows.label, total)
        .where(rows.minute >= since - since % 60, rows.metric == Metric.ACCOUNT)
        .group_by(rows.label)
        .order_by(total.desc(), rows.label)
        .limit(BUSIEST)
    )
    if channel is not None:
        query = query.where(rows.channel == channel)
    counts = {int(label): int(count) for label, count in session.execute(query)}
    if not counts:
        return []
    accounts = (
        sa.select(ChannelAccount.id, ChannelAccount.handle, ChannelAccount.channel, Workspace.name)
        .join(Workspace, Workspace.id == ChannelAccount.workspace_id)
        .where(ChannelAccount.id.in_(counts))
    )
    found = [
        Busy(handle, workspace, of_channel, counts[account_id])
        for account_id, handle, of_channel, workspace in session.execute(accounts)
    ]
    return sorted(found, key=lambda one: (-one.events, one.handle))
