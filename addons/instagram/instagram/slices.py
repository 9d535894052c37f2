"""Cutting JSON into its parts without reading them.

The way out for bodies no parser takes as a whole: one item that is nested too deeply, holds NaN or bytes that
are not UTF-8 must not cost its neighbours. Works on bytes, without recursion, in time linear in their number.
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
    """Return key and value of each member of the object *data*, keys without quotes, doubles kept.

    None if it is no object that closes. A member without a key is left out.
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
