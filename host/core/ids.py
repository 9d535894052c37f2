"""Ids of rows, as text from outside holds them."""

from __future__ import annotations

MAX_ID = 2**63 - 1


def read_id(text: str) -> int | None:
    """Return the id that *text* is; None: it is none, or one that no row can have."""
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    found = int(text)
    return found if found <= MAX_ID else None
