"""The table, the JSON and the last line."""

from __future__ import annotations

import json
import platform
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host import __version__
from tests.torture.desk import version
from tests.torture.lanes import Outcome


def versions() -> dict[str, str]:
    """Return what ran."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    return {
        "lobby": __version__,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "postgresql": version(str(binaries[-1])) if binaries else "not here",
        "mariadb": version("mariadbd"),
        "redis": version("redis-server"),
        "rabbitmq": version("rabbitmqctl"),
        "system": platform.platform(),
    }


def as_json(
    outcomes: Sequence[Outcome], controls: dict[str, str], seed: int, seconds: float
) -> dict[str, Any]:
    """Return everything of a run, for machines."""
    return {
        "seed": seed,
        "seconds": round(seconds, 1),
        "versions": versions(),
        "lanes": [
            {
                "name": one.name,
                "seed": one.seed,
                "seconds": round(one.seconds, 1),
                "deliveries": one.deliveries,
                "events": one.events,
                "redelivered": one.redelivered,
                "faults": one.counts,
                "figures": one.found.figures,
                "lost": one.found.lost,
                "doubled": one.found.doubled,
                "broken": {name: said for name, said in one.found.broken.items() if said},
                "notes": one.notes,
            }
            for one in outcomes
        ],
        "controls": controls,
        **totals(outcomes),
    }


def totals(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the sums, and what they prove."""
    deliveries = sum(one.deliveries for one in outcomes)
    messages = sum(one.found.figures.get("written", 0) for one in outcomes)
    lost = sum(one.found.lost for one in outcomes)
    doubled = sum(one.found.doubled for one in outcomes)
    counted: Counter[str] = Counter()
    for one in outcomes:
        counted.update(one.counts)
    found = {
        "deliveries": deliveries,
        "messages": messages,
        "faults": counted.total(),
        "kills": sum(count for kind, count in counted.items() if kind.startswith(("kill", "power"))),
        "by_kind": dict(sorted(counted.items())),
        "lost": lost,
        "doubled": doubled,
    }
    if deliveries and not lost and not doubled:
        # No failure in n independent trials: with 95 % confidence the rate is below 3/n.
        found["bound_95_percent"] = 3 / deliveries
    return found


def table(outcomes: Sequence[Outcome], controls: dict[str, str]) -> str:
    """Return what a person reads."""
    head = ("lane", "seed", "deliveries", "messages", "again", "replies", "sends", "faults", "kills", "s", "")
    rows = [head]
    for one in outcomes:
        figures = one.found.figures
        kills = sum(count for kind, count in one.counts.items() if kind.startswith(("kill", "power")))
        rows.append(
            (
                one.name,
                str(one.seed),
                str(one.deliveries),
                str(figures.get("written", 0)),
                str(one.redelivered),
                str(figures.get("replies accepted", 0)),
                str(figures.get("sends taken", 0)),
                str(sum(one.counts.values())),
                str(kills),
                f"{one.seconds:.0f}",
                "RED" if one.found.red else "green",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    for one in outcomes:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(one.counts.items()))
        lines += ["", f"{one.name}: {kinds or 'no faults'}"]
        lines += [f"  {name}: {value}" for name, value in one.found.figures.items()]
        lines += [f"  note: {note}" for note in one.notes]
        for name, said in sorted(one.found.broken.items()):
            for sentence in said[:5]:
                lines.append(f"  {name} BROKEN: {sentence}")
            if len(said) > 5:
                lines.append(f"  {name} BROKEN: and {len(said) - 5} more")
    if controls:
        lines += ["", *(f"control, {name}: {said}" for name, said in controls.items())]
    return "\n".join(lines)


def last_line(outcomes: Sequence[Outcome]) -> str:
    found = totals(outcomes)
    return (
        f"torture: {found['deliveries']} deliveries, {found['faults']} faults, "
        f"{found['lost']} lost, {found['doubled']} doubled"
    )


def write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    print(f"written to {path}", file=sys.stderr)
