"""Read values from outside: functions that accept anything and never raise."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

LONGEST_ID = 512
_EARLIEST = datetime(2010, 10, 6, tzinfo=UTC)
"""The day Instagram opened: no message is older."""
_FROM_MILLIS = 100_000_000_000
"""A larger number is in milliseconds: this one is the year 5138 in seconds, 1973 in milliseconds."""
_DEEP = 40
_DIGITS = 400


def clean(text: str) -> str:
    """Return *text* with NUL and lone surrogates, which some databases cannot store, replaced by U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def text(value: object) -> str:
    """Return *value* cleaned if it is text, numbers as text, and an empty string for anything else."""
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else clean(value)
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 1024:
        return str(value)
    return ""


def identifier(value: object) -> str:
    """Return an id as a string, or an empty string if there is none.

    Ids come as strings and, in some of Meta's samples, as numbers. An id too long to store becomes its
    digest, which is always the same.
    """
    if type(value) is str and len(value) <= LONGEST_ID and value.isascii() and "\0" not in value:
        return value  # fast path: nearly every id, and an event has a dozen
    found = text(value)
    if len(found) > LONGEST_ID:
        return f"sha256:{hashlib.sha256(found.encode()).hexdigest()}"
    return found


def flag(value: object) -> bool:
    """Return whether *value* is true or 1, also as text."""
    if value is None or value is True or value is False:
        return value is True
    return text(value).strip().lower() in {"true", "1"}


def mapping(value: object) -> Mapping[str, Any]:
    """Return *value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def moment(value: object) -> datetime | None:
    """Return *value* as a UTC time: milliseconds or seconds, also as text, or ISO 8601."""
    if isinstance(value, str):
        stripped = value.strip()[:40]
        if not (stripped.isascii() and stripped.isdigit()):
            return _iso(stripped)
        value = int(stripped)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        seconds = value / 1000 if abs(value) >= _FROM_MILLIS else float(value)
        found = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return found if found >= _EARLIEST else None


def _iso(value: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(value)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return found if found >= _EARLIEST else None


def plain(value: object, depth: int = 0) -> Any:
    """Return *value* as JSON that every database accepts: no NaN, no giant numbers, no lone surrogates."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int):
        return value if value.bit_length() < 64 else str(value) if value.bit_length() <= 1024 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _DEEP:
        return "…"
    if isinstance(value, dict):
        return {clean(str(key)): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, depth + 1) for inner in value]
    return clean(str(value))


def loads(raw: bytes) -> Any:
    """Parse JSON as leniently as possible without guessing.

    It accepts what Python's parser accepts beyond strict JSON (NaN, lone surrogates, bare control
    characters). Invalid UTF-8 becomes U+FFFD.

    :raises ValueError: for anything that is not JSON, or nested too deeply.
    """
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        return json.loads(raw.decode("utf-8-sig", "replace"), parse_int=_int, strict=False)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) < _DIGITS else digits
