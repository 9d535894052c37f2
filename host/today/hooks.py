"""Rows of the parts of Lobby that are always on."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.features.today import TodayAsked, TodayRow
from host.today import automatic_messages, customers, stops


@hookimpl
def today_rows(session: Session, asked: TodayAsked) -> Sequence[TodayRow]:
    """Return who wrote and waits, what automation said or didn't, and what stops. Eight statements."""
    return [
        *customers.came(session, asked),
        *customers.waiting(session, asked),
        *automatic_messages.said(session, asked),
        *automatic_messages.failed(session, asked),
        *automatic_messages.skipped(session, asked),
        *stops.rows(session, asked),
    ]


@hookimpl
def today_conversations(session: Session, asked: TodayAsked, key: str, most: int) -> Sequence[int] | None:
    """Return the conversations of customers who wrote, and of automatic messages."""
    for find in (customers.conversations, automatic_messages.conversations):
        found = find(session, asked, key, most)
        if found is not None:
            return found
    return None
