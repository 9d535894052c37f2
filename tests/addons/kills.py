"""At how many of the places where a process can die the tests let it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

KILLS = int(os.environ.get("CRASH_KILLS", "4"))
"""Of each loop, evenly spread from its first place to its last; 0 for every one."""


def spread(places: Sequence[T]) -> list[T]:
    """Return :data:`KILLS` of *places*, among them the first and the last, or all of them."""
    most = min(KILLS, len(places)) if KILLS > 1 else len(places)
    if most < 2:
        return list(places)
    return [places[number * (len(places) - 1) // (most - 1)] for number in range(most)]
