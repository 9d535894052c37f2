"""Applying: how fast received events become conversations, messages and news for browsers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.plan import Figure, Plan, medians
from bench.servers import settings_for, to_first_core
from demo.processes import clean_environment


def f8(plan: Plan) -> list[Figure]:
    """Measure applying events against a loop that writes the same few rows and does nothing else."""
    events = 4_000 if plan.quick else 20_000
    ratios, rates = [], []
    for _ in range(plan.rounds):
        least, whole = floor(plan.folder, events), _product(plan, events)
        ratios.append(least["seconds"] / whole["seconds"])
        rates.append(
            (
                events / whole["seconds"],
                events / least["seconds"],
                whole["cpu"] / events * 1e6,
                whole["bytes_each"],
            )
        )
    rate, base, cpu, held = medians(rates)
    return [
        Figure(
            "F8",
            "events/s to conversation, message and live event ÷ raw sqlite3 loop of 32 a commit",
            tuple(ratios),
            0.35,
            True,
            f"{rate:,.0f}/s of {base:,.0f}/s; {cpu:,.0f} µs of processor, {held / 1000:.1f} KB stored each",
            {
                "events_per_second": rate,
                "floor_per_second": base,
                "cpu_us_per_event": cpu,
                "bytes_per_event": held,
            },
        )
    ]


def floor(folder: Path, events: int) -> dict[str, float]:
    """Run the floor of applying; return the seconds it took, and those of the processor."""
    file = folder / "processing.sqlite3"
    try:
        return run(["bench.floors.processing", str(file), str(events)], clean_environment())
    finally:
        for one in folder.glob(f"{file.name}*"):
            one.unlink()


def _product(plan: Plan, events: int) -> dict[str, float]:
    data = plan.folder / "applied"
    shutil.copytree(plan.desk.data, data)
    try:
        return run(["bench.apply", str(events)], settings_for(plan.desk, data, workers=4))
    finally:
        shutil.rmtree(data, ignore_errors=True)


def run(module: list[str], settings: dict[str, str]) -> dict[str, Any]:
    """Run a program of the bench on the first core; return the JSON it ends with."""
    with to_first_core():
        process = subprocess.Popen(
            [sys.executable, "-m", *module], env=settings, stdout=subprocess.PIPE, text=True
        )
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module[0]} ended with {process.returncode}")
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found
