"""Places in a list or a thread, as text: what it is sorted by, exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Return the microseconds since 1970 of *at*; exact, unlike a float."""
    return (at - EPOCH) // timedelta(microseconds=1)


def position_text(position: tuple[datetime, int]) -> str:
    """Return a place in a list for an address."""
    at, id_ = position
    return f"{micros(at)}-{id_}"
