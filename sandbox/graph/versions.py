"""Versions of the Graph API, and the version that answers a call (docs/graph-api/guides/versioning)."""

from __future__ import annotations

import re

NAME = re.compile(r"v(\d{1,2})\.(\d{1,2})$")
NEWEST, OLDEST = 26, 21
"""The newest and oldest major versions that answer calls. A version lasts two years."""
_EARLY_MINORS = {1: 0, 2: 12, 3: 3}
"""The last minor version of early majors; later ones have only minor version 0."""


def answering(name: str) -> str | None:
    """Return the version that answers a call to *name*: itself, or the oldest version if it has expired.

    Returns None if the version never existed.
    """
    match = NAME.fullmatch(name)
    if match is None:
        return None
    major, minor = int(match[1]), int(match[2])
    if not 1 <= major <= NEWEST or minor > _EARLY_MINORS.get(major, 0):
        return None
    return f"v{max(major, OLDEST)}.0"


def unversioned() -> str:
    """Return the version that answers a call without one: the oldest the app can use."""
    return f"v{OLDEST}.0"
