"""A histogram of times in fixed classes, so that a percentile can be computed for any range of minutes.

Each class ends at the square root of two times the one before, so a percentile is off by a fifth at most.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping

BOUNDS = tuple(2 ** (step / 2) for step in range(43))
"""Upper bounds in milliseconds: 1 ms to 35 minutes. Longer times have a separate last class."""

SUM = "sum"
"""The label of the sum of all milliseconds."""


def label(milliseconds: float) -> str:
    """Return the label of the class a time belongs to: ``00`` to ``43``."""
    return f"{bisect.bisect_left(BOUNDS, milliseconds):02}"


def percentile(classes: Mapping[str, int], share: float) -> float | None:
    """Return the milliseconds within which *share* (0 to 1) of the counted times are; None without any.

    :param classes: counts by label; :data:`SUM` is left out.
    """
    counts = sorted((int(name), count) for name, count in classes.items() if name != SUM and count > 0)
    wanted = share * sum(count for _, count in counts)
    seen = 0
    for place, count in counts:
        if seen + count >= wanted:
            if place >= len(BOUNDS):
                return BOUNDS[-1]
            low = BOUNDS[place - 1] if place else 0.0
            return low + (BOUNDS[place] - low) * (wanted - seen) / count
        seen += count
    return None
