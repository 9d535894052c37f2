"""Number of events received per account and hour, as counted by the processes."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import recording
from host.models.channels import ChannelAccount
from host.models.health import HealthMinute, Metric

HOURS = 24


def by_hour(session: Session, accounts: Sequence[ChannelAccount]) -> dict[int, tuple[int, ...]]:
    """Return the events of each of the last 24 hours by account, oldest first, the current hour last.

    Accounts without events are left out. The last seconds may be missing.
    """
    slot = recording.SLOTS[Metric.ACCOUNT]
    newest = recording.this_minute() // slot * slot
    places = {newest - slot * back: HOURS - 1 - back for back in range(HOURS)}
    rows = HealthMinute.__table__.c
    query = sa.select(rows.label, rows.minute, rows["count"]).where(
        rows.metric == Metric.ACCOUNT,
        rows.minute.in_(places),
        rows.channel.in_({one.channel for one in accounts}),
        rows.label.in_([str(one.id) for one in accounts]),
    )
    found: dict[int, list[int]] = {}
    for label, minute, count in session.execute(query) if accounts else ():
        found.setdefault(int(label), [0] * HOURS)[places[minute]] += int(count)
    return {account: tuple(counts) for account, counts in found.items()}
