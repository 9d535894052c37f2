"""Positions in a list sorted by time and id, as query conditions and as text for URLs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

Position = tuple[datetime, int]
"""A time and an id: the sort key of the conversation list and of threads."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def earlier_than(position: Position, at: Any, id_: Any) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows before *position*.

    :param at: the column with the time; *id_*: the one with the id.
    """
    # Two conditions, so that databases use an index that begins with the time.
    return [at <= position[0], sa.or_(at < position[0], id_ < position[1])]


def later_than(position: Position, at: Any, id_: Any) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows after *position*; the columns as with :func:`earlier_than`."""
    return [at >= position[0], sa.or_(at > position[0], id_ > position[1])]


def micros(at: datetime) -> int:
    """Return *at* as microseconds since 1970; exact, unlike a float."""
    return (at - EPOCH) // timedelta(microseconds=1)


def position_text(position: Position) -> str:
    """Return *position* as text for a URL: microseconds since 1970, a hyphen, the id."""
    at, id_ = position
    return f"{micros(at)}-{id_}"
