"""The toy's section of the Reports page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa

from host.sdk import db
from host.sdk.db import host_table
from host.sdk.i18n import noop
from host.sdk.reports import Better, Counts, Number, ReportQuery, ReportSection, Unit


def read(query: ReportQuery) -> Sequence[Number | Counts]:
    """Count the conversations that began, and those that are open."""
    now = _by_status(query, query.start, query.end)
    before = _by_status(query, query.before, query.start)
    if not now:
        return []
    total = sum(now.values())
    return [
        Number("Conversations", total, sum(before.values())),
        Number("Still open", now.get("open", 0) / total, unit=Unit.SHARE, better=Better.LOWER),
        Counts("By status", sorted(now.items())),
    ]


def _by_status(query: ReportQuery, start: datetime, end: datetime) -> Mapping[str, int]:
    talks = host_table("conversations").c
    where = [talks.workspace_id == query.workspace_id, talks.created_at >= start, talks.created_at < end]
    if query.accounts is not None:
        where.append(talks.account_id.in_(query.accounts))
    counted = sa.select(talks.status, sa.func.count()).where(*where).group_by(talks.status)
    with db.read() as session:
        return dict(tuple(row) for row in session.execute(counted))


SECTIONS = [ReportSection("toy.numbers", noop("Numbers of the toy"), read)]
