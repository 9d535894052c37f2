"""Pages and routes of the API that took too long to answer: which, how often, since when."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import sqlalchemy as sa
from flask import current_app, has_app_context
from sqlalchemy.orm import Session

from host import recording
from host.models.health import HealthMinute, Metric

MOST = 20
"""Most that are listed."""
_CONVERTER = re.compile(r"<[^<>:]+:")
_NOT_SHOWN = {"HEAD", "OPTIONS"}


class SlowPage(msgspec.Struct, frozen=True):
    """A page that was slow.

    :param name: its methods and the pattern of its address; its endpoint if this process has no such page.
    :param seconds: the longest time it took.
    :param times: how often it was slow.
    :param since: the start of the minutes in which it first was.
    """

    name: str
    seconds: float
    times: int
    since: datetime


def find_slow_pages(session: Session, lately: timedelta) -> Sequence[SlowPage]:
    """Return the pages that were slow, the slowest first."""
    rows = HealthMinute.__table__.c
    longest = sa.func.max(sa.case((rows.metric == Metric.SLOWEST, rows["count"]), else_=0))
    times = sa.func.sum(sa.case((rows.metric == Metric.SLOW, rows["count"]), else_=0))
    minute = recording.this_minute() - int(lately.total_seconds()) // 60
    query = (
        sa.select(rows.label, longest, times, sa.func.min(rows.minute))
        .where(rows.metric.in_([Metric.SLOW, Metric.SLOWEST]), rows.minute > minute - recording.SLOT)
        .group_by(rows.label)
        .order_by(longest.desc(), rows.label)
        .limit(MOST)
    )
    return [
        SlowPage(_name(label), int(most) / 1000, int(number), datetime.fromtimestamp(since * 60, UTC))
        for label, most, number, since in session.execute(query)
    ]


def _name(label: str) -> str:
    """Return the method and the pattern of a view, such as ``GET /w/<workspace_id>/inbox``."""
    if has_app_context():
        for rule in current_app.url_map.iter_rules():
            if rule.endpoint[: recording.LONGEST_LABEL] == label:
                methods = sorted((rule.methods or set()) - _NOT_SHOWN)
                return f"{'/'.join(methods)} {_CONVERTER.sub('<', rule.rule)}"
    return label
