"""Row ids in text from outside."""

from __future__ import annotations

MAX_ID = 2**63 - 1


def read_id(text: str) -> int | None:
    """Return *text* as an id, or None if no row can have it."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    found = int(text)
    return found if found <= MAX_ID else None
