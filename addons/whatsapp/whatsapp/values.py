"""Read untrusted values: each has the expected type, or is empty."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

_ID = re.compile(r"[A-Za-z0-9._=:+/-]{1,255}", re.ASCII)


def mapping(value: object) -> Mapping[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a list; anything else has none."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def text(value: object, most: int = 100_000) -> str:
    """Return *value* if it is text, at most *most* characters of it, else an empty string."""
    return value[:most] if isinstance(value, str) else ""


def identifier(value: object) -> str:
    """Return *value* if it is an id of Meta's, else an empty string."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**63:
        return str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def digits(written: str) -> str:
    """Return the digits of a phone number as it is written, such as ``+1 555-010-0100``."""
    return "".join(filter(str.isdigit, written))


def number(value: object) -> float | None:
    """Return *value* if it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e12 < value < 1e12:
        return None
    return float(value)


def moment(value: object) -> datetime | None:
    """Return the time *value* seconds after 1970, given as text or number; None if it is not a valid time."""
    seconds = value if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 10) or int(seconds) == 0:
        return None
    return datetime.fromtimestamp(int(seconds), UTC)
