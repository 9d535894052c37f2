"""Split JSON into its parts without parsing them.

A fallback for bodies that no parser accepts as a whole: an item that is nested too deeply or contains NaN or
invalid UTF-8 must not affect other items. Works on bytes, without recursion, in linear time.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},:]', re.DOTALL)
_SPACE = b" \t\r\n"
_CLOSES = {b"{": b"}", b"[": b"]"}


def elements(data: bytes) -> list[bytes] | None:
    """Return the items of the array *data* unparsed, or None if it is not a complete array."""
    return _parts(data, b"[")


def members(data: bytes) -> list[tuple[bytes, bytes]] | None:
    """Return key and value of each member of the object *data*, keys without quotes, including duplicates.

    None if it is not a complete object. Members without a key are skipped.
    """
    parts = _parts(data, b"{")
    if parts is None:
        return None
    found = []
    for part in parts:
        key = _TOKEN.match(part)
        if key is None or not part.startswith(b'"'):
            continue
        rest = part[key.end() :].lstrip(_SPACE)
        if rest.startswith(b":"):
            found.append((key.group()[1:-1], rest[1:].strip(_SPACE)))
    return found


def _parts(data: bytes, opening: bytes) -> list[bytes] | None:
    data = data.strip(_SPACE)
    if not data.startswith(opening):
        return None
    parts: list[bytes] = []
    waiting: list[bytes] = []
    start = 1
    for token in _TOKEN.finditer(data):
        mark = token.group()
        if mark in _CLOSES:
            waiting.append(_CLOSES[mark])
        elif mark in (b"}", b"]"):
            if not waiting or waiting.pop() != mark:
                return None
            if not waiting:
                if token.end() != len(data):
                    return None
                parts.append(data[start : token.start()].strip(_SPACE))
                return [part for part in parts if part]
        elif mark == b"," and len(waiting) == 1:
            parts.append(data[start : token.start()].strip(_SPACE))
            start = token.end()
    return None
