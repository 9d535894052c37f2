"""Short views of long texts that never cut through a character as people see it."""

from __future__ import annotations

import regex

EDGE = 40
TAIL = 60
START = 240

_GRAPHEME = regex.compile(r"\X")


def edges(text: str) -> str:
    """Return the beginning and the end of *text*."""
    letters = _GRAPHEME.findall(text)
    if len(letters) <= 2 * EDGE + 10:
        return text
    return f"{''.join(letters[:EDGE]).rstrip()} … {''.join(letters[-EDGE:]).lstrip()}"


def tail(text: str) -> str:
    """Return the end of *text*."""
    letters = _GRAPHEME.findall(text)
    return text if len(letters) <= TAIL else f"… {''.join(letters[-TAIL:]).lstrip()}"


def start(text: str, length: int = START) -> str:
    """Return the beginning of *text*: at most *length* letters of it."""
    letters = _GRAPHEME.findall(text)
    return text if len(letters) <= length else f"{''.join(letters[:length]).rstrip()} …"
