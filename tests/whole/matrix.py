"""Who may do what: the rows of ``matrix.toml``, by method and address."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from host.inbox.conversation_actions import NAMED

CONVERSATION = "/w/<int:workspace_id>/inbox/<int:conversation_id>"
NAMED_CHANGES = tuple(f"{CONVERSATION}/{name}" for name in NAMED)
"""Addresses of one view, whose buttons send nothing: each lets in whom ``reopen`` does."""


def rows() -> dict[str, dict[str, Any]]:
    """Return the outcome for each kind of person, in the order in which the longer loop asks."""
    found: dict[str, dict[str, Any]] = {}
    for route, row in tomllib.loads(Path(__file__).with_name("matrix.toml").read_text()).items():
        found[route] = row
        if route == f"POST {CONVERSATION}/reopen":
            found |= {f"POST {address}": found.get(f"POST {address}", row) for address in NAMED_CHANGES}
    return found
