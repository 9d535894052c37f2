"""Processor time and memory of running processes, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and all that came of it."""
    found = [pid]
    with suppress(FileNotFoundError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the seconds of processor the processes that still run have used."""
    ticks = 0
    for pid in pids:
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks * TICK


def memory_mb(pid: int) -> float:
    """Return what a process and its children hold, memory they share counted once, in MB."""
    kilobytes = 0
    for one in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
            kilobytes += int(text.partition("\nPss:")[2].split()[0])
    return kilobytes / 1024
