"""Figures as lines, as a table and as JSON; the page quotes the table, and the JSON stands beside it."""

from __future__ import annotations

import json
import os
import platform
import re
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import wrk
from bench.plan import Figure

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
KEPT = ROOT / "docs" / "performance.json"
"""The figures the pages quote; a test holds their tables to it."""

MARKERS = re.compile(r"(<!-- figures -->\n).*(<!-- end of figures -->\n)", re.DOTALL)

Entry = dict[str, Any]


def entry(figure: Figure, *, rounds: int, seconds: float, fsync_ms: float, quick: bool) -> Entry:
    """Return one figure as JSON holds it."""
    return {
        "key": figure.key,
        "what": figure.what,
        "value": round(figure.value, 4),
        "ratios": [round(ratio, 4) for ratio in figure.ratios],
        "target": figure.target,
        "at_least": figure.at_least,
        "met": figure.met if figure.target is not None else None,
        "detail": figure.detail,
        "raw": {name: round(value, 6) for name, value in figure.raw.items()},
        "rounds": rounds,
        "seconds": seconds,
        "quick": quick,
        "fsync_ms": round(fsync_ms, 3),
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on and with."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": wrk.name(),
    }


def document(entries: Iterable[Entry], skipped: Iterable[str]) -> dict[str, Any]:
    """Return a run as JSON holds it."""
    return {"machine": machine(), "figures": list(entries), "skipped": list(skipped)}


def merged(before: dict[str, Any], now: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return *before* with what was measured again: every line of the figures *names* is replaced."""
    again, keys = set(names), {one["key"] for one in now["figures"]}
    kept = [
        one
        for one in before.get("figures", [])
        if name_of(one["key"]) not in again and one["key"] not in keys
    ]
    notes = [one for one in before.get("skipped", []) if name_of(one) not in again]
    figures = sorted([*kept, *now["figures"]], key=lambda one: _order(one["key"]))
    return {"machine": now["machine"], "figures": figures, "skipped": [*notes, *now["skipped"]]}


def name_of(key: str) -> str:
    """Return the name of the figure a line belongs to: ``F1`` of ``F1 uvicorn``, ``storm`` of its seconds."""
    return key.split(maxsplit=1)[0].rstrip(",")


def _order(key: str) -> tuple[int, int]:
    number = re.fullmatch(r"F(\d+)", name_of(key))
    return (0, int(number[1])) if number else (1, 0)


def line(one: Entry) -> str:
    """Return a figure for a terminal."""
    rounds = " ".join(f"{ratio:.2f}" for ratio in one["ratios"])
    head = f"{one['key']:24} {number(one['value']):>7}  {target(one):7} {verdict(one):6}"
    return f"{head} ({rounds})  fsync {one['fsync_ms']:.2f} ms  {one['detail']}"


def table(run: dict[str, Any]) -> str:
    """Return a run as a table for a page."""
    on = run["machine"]
    head = (
        f"{on['cores']} cores, Python {on['python']}, SQLite {on['sqlite']}; load from {on['load']}. "
        "The ratio is the median of the rounds; fsync is how long it took to append 4 KB and sync "
        "them in the same run.\n\n"
        "| figure | what | ratio | target | | rounds | fsync, ms | measured | detail |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
    )
    rows = [
        f"| {one['key']} | {one['what']} | **{number(one['value'])}** | {target(one)} | {verdict(one)} | "
        f"{', '.join(number(ratio) for ratio in one['ratios'])} | {_milliseconds(one['fsync_ms'])} | "
        f"{one['measured_on']}{', quick' if one['quick'] else ''} | {one['detail']} |\n"
        for one in run["figures"]
    ]
    notes = "".join(f"\n{note}\n" for note in run["skipped"])
    return head + "".join(rows) + notes


def number(value: float) -> str:
    """Return a ratio with as many digits as it deserves."""
    if value and abs(value) < 0.095:
        return f"{value:.2g}"
    return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def target(one: Entry) -> str:
    if one["target"] is None:
        return ""
    return f"{'≥' if one['at_least'] else '≤'} {one['target']:g}"


def verdict(one: Entry) -> str:
    if one["target"] is None:
        return ""
    return "met" if one["met"] else "missed"


def last_line(entries: Iterable[Entry]) -> str:
    """Return what a run ends with: how many figures have a target, and how many of them reach it."""
    judged = [one for one in entries if one["target"] is not None]
    return f"bench: {len(judged)} figures, {sum(one['met'] for one in judged)} on target"


def write_pages(run: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Keep *run* in docs/performance.json and its table in docs/performance.md; return all that is kept."""
    before = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    kept = merged(before, run, names)
    KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    PAGE.write_text(quoted(PAGE.read_text(), kept))
    return kept


def quoted(page: str, run: dict[str, Any]) -> str:
    """Return *page* with the table of *run* between its markers."""
    return MARKERS.sub(lambda match: f"{match[1]}\n{table(run)}{match[2]}", page)
