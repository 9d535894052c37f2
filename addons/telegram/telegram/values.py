"""Read untrusted values: each has the expected type, or is empty."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any


def mapping(value: object) -> Mapping[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: object) -> str:
    """Return *value* if it is text, else an empty string."""
    return value if isinstance(value, str) else ""


def identifier(value: object) -> str:
    """Return a number as text; empty for anything else. Telegram's ids have 52 significant bits at most."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**63:
        return ""
    return str(value)


def moment(value: object) -> datetime | None:
    """Return the time *value* seconds after 1970, or None if it is not a valid time."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**35:
        return None
    return datetime.fromtimestamp(value, UTC)
