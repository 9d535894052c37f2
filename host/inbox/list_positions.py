"""Positions in a list sorted by a moment and an id: as conditions of a query, and as text for an address."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

Position = tuple[datetime, int]
"""A moment and an id: what the list of conversations and each thread are sorted by."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def earlier_than(position: Position, at: Any, id_: Any) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows before *position*.

    :param at: the column with the moment; *id_*: the one with the id.
    """
    # In two conditions, so that databases use an index that begins with the moment.
    return [at <= position[0], sa.or_(at < position[0], id_ < position[1])]


def later_than(position: Position, at: Any, id_: Any) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows after *position*; the columns as with :func:`earlier_than`."""
    return [at >= position[0], sa.or_(at > position[0], id_ > position[1])]


def micros(at: datetime) -> int:
    """Return the microseconds since 1970 of *at*; exact, unlike a float."""
    return (at - EPOCH) // timedelta(microseconds=1)


def position_text(position: Position) -> str:
    """Return *position* as text for an address: microseconds since 1970, a hyphen, the id."""
    at, id_ = position
    return f"{micros(at)}-{id_}"
