"""How fast this machine is, and steady rates that ask as much of it as of the one they are stated for.

A rate that takes a quarter of one machine's core is more than another one has; the figure would then say how
long a queue grew in the seconds it was measured for.
"""

from __future__ import annotations

import functools
from pathlib import Path

from bench.plan import Plan
from bench.saturation import saturate
from bench.servers import floor

STATED_FOR = 20_000.0
"""Rate of F1's floor, per second, on the machine the targets are stated for.

It is the machine on which a floor on gunicorn's threads, which was there before, took 6,400: side by side
that one used 3.3 to 3.9 times the processor a delivery takes here.
"""
SECONDS = 1.5


def steady(plan: Plan, stated: float) -> tuple[float, str]:
    """Return the rate that is *stated* or, on a slower machine, as much less, and words for the detail."""
    speed = _speed(plan.folder) / STATED_FOR
    if speed >= 0.95:
        return stated, ""
    rate = max(round(stated * speed, -1 if stated >= 200 else 0), 1.0)
    return rate, f"at {rate:,.0f}/s, this machine being {speed:.2f} as fast; "


@functools.cache
def _speed(folder: Path) -> float:
    return saturate(floor(folder), SECONDS).rate
