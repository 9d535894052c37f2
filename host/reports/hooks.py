"""Reports as seen by other features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.features.today import TodayAsked, TodayRow
from host.reports import today
from host.reports.models import Span, SpanEnd, SpanKind


@hookimpl
def answer_times(session: Session, conversations: Any, most: int | None) -> Sequence[tuple[int, int]]:
    """Return how long customers waited for first answers."""
    rows = session.execute(
        sa.select(Span.conversation_id, Span.seconds)
        .where(
            Span.conversation_id.in_(conversations),
            Span.kind == SpanKind.FIRST,
            Span.ended_by == SpanEnd.ANSWERED,
            Span.seconds.is_not(None),
        )
        .order_by(Span.id.desc())
        .limit(most)
    )
    return [(row.conversation_id, row.seconds) for row in rows]


@hookimpl
def today_rows(session: Session, asked: TodayAsked) -> Sequence[TodayRow]:
    """Return what came in, and who answered how soon. Three statements."""
    return today.rows(session, asked)


@hookimpl
def today_conversations(session: Session, asked: TodayAsked, key: str, most: int) -> Sequence[int] | None:
    """Return the conversations that began, and those a person answered."""
    return today.conversations(session, asked, key, most)
