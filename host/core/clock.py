"""The one clock. All code asks it for the time, so that a test can move it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

_offset = timedelta()


def now() -> datetime:
    """Return the present as an aware UTC datetime."""
    return datetime.now(UTC) + _offset


def monotonic() -> float:
    """Return seconds that never go back, for measuring how long something took."""
    return time.monotonic()


def from_millis(value: int) -> datetime:
    """Return the UTC datetime of *value* milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)


@contextmanager
def travel(by: timedelta) -> Iterator[None]:
    """Move :func:`now` by *by* for the length of the block (tests only)."""
    global _offset  # noqa: PLW0603 - one clock per process is the point of this module
    before = _offset
    _offset = before + by
    try:
        yield
    finally:
        _offset = before
