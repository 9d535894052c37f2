"""A week of counts, made up: busy by day, quiet by night, with one hour in which the workers were away."""

from __future__ import annotations

import math
import random
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.core import clock, histogram
from host.models.health import HealthMinute, Kind, Metric, Outcome, Process


def counts(session: Session, accounts: dict[str, list[int]], *, every: int = 5, days: int = 7) -> int:
    """Write what a desk might have counted; return the number of rows.

    :param accounts: channel -> ids of accounts.
    :param every: minutes between two rows of a kind; each stands for so many.
    """
    chance = random.Random(7)
    last = recording.this_minute() // 15 * 15
    counted: dict[recording.Key, int] = {}

    def add(minute: int, metric: Metric, channel: str, label: str, count: int) -> None:
        if count:
            key = (minute, str(metric), channel, label)
            counted[key] = counted.get(key, 0) + count

    for minute in range(last - days * 1440, last, every):
        busy = 0.15 + max(0.0, math.sin((minute % 1440 - 420) / 1440 * 2 * math.pi))
        away = last - 480 <= minute < last - 420
        for channel in accounts:
            came = round(busy * every * chance.uniform(8, 14))
            add(minute, Metric.RECEIVED, channel, "", came)
            if not away:
                add(minute, Metric.HANDLED, channel, "applied", came - came // 20)
                add(minute, Metric.HANDLED, channel, "ignored", came // 20)
            sent = came // 3
            add(minute, Metric.SENDS, channel, Outcome.SENT, sent)
            add(minute, Metric.SENDS, channel, Outcome.RETRIED, chance.choice((0, 0, 1, sent // 8)))
            # None lately: whether the last hour was a good one is not to depend on the time of day.
            failed = chance.random() < 0.03 and minute < last - 120
            add(minute, Metric.SENDS, channel, Outcome.FAILED, int(failed))
            add(minute, Metric.SENDS, channel, Outcome.UNCONFIRMED, 1 if chance.random() < 0.02 else 0)
            for _ in range(came if minute % 15 < every else 0):
                milliseconds = chance.lognormvariate(3.2, 0.5) * (200 if away else 1)
                add(minute, Metric.VISIBLE, channel, histogram.label(milliseconds), 1)
                add(minute, Metric.ANSWERED, channel, histogram.label(milliseconds / 8), 1)
        waited = 60_000 * (minute - last + 480 + every) if away else round(chance.uniform(0, 900))
        add(minute, Metric.WAITING, "", "in", waited)
        add(minute, Metric.WAITING, "", "out", round(chance.uniform(0, 400)))
    for hour in range(last - last % 60 - days * 1440, last, 60):
        for channel, ids in accounts.items():
            for place, one in enumerate(ids):
                add(
                    hour, Metric.ACCOUNT, channel, str(one), round(400 / (place + 1) * chance.uniform(0.5, 1))
                )
    rows = [
        {"minute": minute, "metric": metric, "channel": channel, "label": label, "count": count}
        for (minute, metric, channel, label), count in counted.items()
    ]
    for start in range(0, len(rows), 2000):
        session.execute(sa.insert(HealthMinute), rows[start : start + 2000])
    return len(rows)


def process(session: Session, name: str, kind: Kind, seen: timedelta = timedelta(), **more: Any) -> None:
    """Write the row of a process that was last seen *seen* ago."""
    at = clock.now() - seen
    given = {
        "machine": "desk-1",
        "pid": 4711,
        "version": "1.0.0",
        "generation": 12,
        "workers": 4,
        "senders": 8,
        "spool_most": 1024**3,
        "counts_at": "redis://counts:6379/0",
        "started_at": at - timedelta(hours=26),
        "seen_at": at,
        "spooled": 0,
        "spooled_bytes": 0,
        "spooled_since": None,
        **more,
    }
    session.add(Process(id=name, kind=kind, **given))
