"""Every figure by name. A new one is a function in a module of its own and a line in :data:`FIGURES`.

The function takes a :class:`Plan` and returns its :class:`Figure` lines; it honours ``plan.rounds``,
``plan.seconds`` and ``plan.quick``, and raises :class:`SkippedError` where the machine lacks something.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from bench.plan import Figure, Plan, SkippedError, fsync_ms, medians
from bench.saturation import CONNECTIONS, saturate

__all__ = [
    "CONNECTIONS",
    "FIGURES",
    "QUICK",
    "Figure",
    "Plan",
    "SkippedError",
    "fsync_ms",
    "medians",
    "saturate",
]

Measure = Callable[[Plan], list[Figure]]


def of(where: str) -> Measure:
    """Return the function ``module:name``; its module is imported once it is called."""

    def measure(plan: Plan) -> list[Figure]:
        module, _, name = where.partition(":")
        found: list[Figure] = getattr(importlib.import_module(module), name)(plan)
        return found

    return measure


FIGURES: dict[str, Measure] = {
    "F1": of("bench.ingest:f1"),
    "F2": of("bench.ingest:f2"),
    "F3": of("bench.durability:f3"),
    "F4": of("bench.ingest:f4"),
    "F5": of("bench.peers:f5"),
    "F6": of("bench.durability:f6"),
    "F7": of("bench.ingest:f7"),
    "F8": of("bench.processing:f8"),
    "F10": of("bench.sending:f10"),
    "F11": of("bench.watching:f11"),
    "F12": of("bench.pages:f12"),
    "F9": of("bench.lanes:f9"),
    "F13": of("bench.lanes:f13"),
    "cpu": of("bench.cpu:per_event"),
    "events_pg": of("bench.events_pg:events_pg"),
    "work": of("bench.work:work"),
    "check": of("bench.life:check"),
    "activation": of("bench.life:activation"),
    "start": of("bench.life:start_and_rest"),
    "hand": of("bench.hand:hand"),
    "phone": of("bench.phone:phone"),
    "erased": of("bench.erased:erased"),
    "setup": of("bench.setting_up:setup"),
    "rules": of("bench.rules:rules"),
    "sequences": of("bench.sequences:sequences"),
    "addons": of("bench.addons:addons"),
    "storm": of("bench.storm:storm"),
}

QUICK = ("F1", "F2", "F3", "F4", "F7", "F8", "F11", "F12", "F13")
"""The figures that ``make bench QUICK=1`` measures."""
