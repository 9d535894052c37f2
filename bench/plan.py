"""Figures: their parts, and what measuring them needs."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.servers import Desk, SkippedError

__all__ = ["Figure", "Plan", "SkippedError", "fsync_ms", "medians"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    :param ratios: one of each round.
    :param target: what the median of the ratios should reach, or None where it is only told.
    :param at_least: whether the target is a floor (else a ceiling).
    :param raw: absolute numbers behind the ratios, by name; :mod:`bench.scaling` is fed by them.
    """

    key: str
    what: str
    ratios: tuple[float, ...]
    target: float | None
    at_least: bool
    detail: str
    raw: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        return statistics.median(self.ratios)

    @property
    def met(self) -> bool:
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True, slots=True)
class Plan:
    """Requirements of every figure.

    :param quick: one short round of what matters most (``make bench QUICK=1``).
    :param skipped: what could not be had and why, in the order it was found out.
    """

    desk: Desk
    folder: Path
    rounds: int
    seconds: float
    quick: bool = False
    skipped: list[str] = field(default_factory=list)

    @property
    def messages(self) -> int:
        """How many messages a full inbox holds."""
        return 100_000 if self.quick else 1_000_000

    def skip(self, key: str, reason: str) -> None:
        """Say that a figure, or a part of one, could not be had."""
        self.skipped.append(f"{key} skipped: {reason}")
        print(self.skipped[-1], flush=True)


def medians(rounds: Iterable[Sequence[float]]) -> tuple[float, ...]:
    """Return the median of each column."""
    return tuple(statistics.median(column) for column in zip(*rounds, strict=True))


def fsync_ms(folder: Path, times: int = 300) -> float:
    """Return the median time of appending 4 KB and syncing it, in milliseconds."""
    took = []
    probe = folder / "probe"
    descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(times):
            began = time.perf_counter()
            os.write(descriptor, b"\0" * 4096)
            os.fsync(descriptor)
            took.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
        probe.unlink()
    return statistics.median(took) * 1000
