"""``python -m bench [F1 F2 ...]``: measure, print a table, keep it as JSON and with ``--write``, in docs/.

``--against TREE`` measures this checkout and another in turn instead, and says what one has lost.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from bench import against, report, scaling, wrk
from bench.figures import FIGURES, QUICK
from bench.plan import Plan, SkippedError, fsync_ms
from bench.servers import prepare


def main() -> int:
    options = parse()
    if len(os.sched_getaffinity(0)) < 2:
        print("One core only: server and load would measure each other.", file=sys.stderr)
        return 1
    seconds = options.seconds or (1.5 if options.quick else 4.0)
    if options.against:
        return compared(options, seconds)
    rounds = options.rounds or (1 if options.quick else 3)
    names = options.figures or [name for name in FIGURES if name in QUICK or not options.quick]
    build = report.ROOT / "build"
    build.mkdir(exist_ok=True)
    entries: list[report.Entry] = []
    done: list[str] = []
    failed: list[str] = []
    print(f"load: {wrk.name()}; rounds: {rounds} of {seconds:g} s", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as name:
        folder = Path(name)
        plan = Plan(prepare(folder), folder, rounds, seconds, quick=options.quick)
        for key in names:
            disk, began = fsync_ms(folder), time.monotonic()
            try:
                found = FIGURES[key](plan)
            except SkippedError as error:
                plan.skip(key, str(error))
                done.append(key)
                continue
            except Exception:  # noqa: BLE001 - the other figures are worth having; the run ends with an error
                traceback.print_exc()
                failed.append(key)
                continue
            for figure in found:
                one = report.entry(figure, rounds=rounds, seconds=seconds, fsync_ms=disk, quick=plan.quick)
                entries.append(one)
                print(report.line(one), flush=True)
            print(f"{key} took {time.monotonic() - began:.0f} s", flush=True)
            done.append(key)
            keep(report.document(entries, plan.skipped), done, options)
    print("\n" + report.table(report.document(entries, plan.skipped)))
    if failed:
        print("not measured, see above: " + ", ".join(failed))
    print(report.last_line(entries))
    missed = any(one["met"] is False for one in entries)
    return 1 if failed else 2 if missed and options.strict else 0


def compared(options: argparse.Namespace, seconds: float) -> int:
    """Measure this checkout and another in turn."""
    build = report.ROOT / "build"
    build.mkdir(exist_ok=True)
    try:
        other = against.tree_at(options.against)
    except against.NoTreeError as error:
        print(error, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build) as folder:
        lines = against.run(
            other,
            Path(folder),
            options.figures or list(against.FIGURES),
            rounds=options.rounds or against.ROUNDS,
            seconds=seconds,
            quick=options.quick,
            kept=build / "against.json",
        )
    return 2 if options.strict and any(one.lost for one in lines) else 0


def keep(run: dict[str, Any], done: list[str], options: argparse.Namespace) -> None:
    """Write down what is known so far: a run takes long, and may be ended before it is through."""
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")
    if options.write:
        scaling.write(report.write_pages(run, done))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("figures", nargs="*", choices=[[], *FIGURES], help="which to measure; default: all")
    parser.add_argument("--quick", action="store_true", help="one short round of " + ", ".join(QUICK))
    parser.add_argument("--rounds", type=int, help="default: 3; quick: 1")
    parser.add_argument("--seconds", type=float, help="of each measurement; default: 4; quick: 1.5")
    parser.add_argument(
        "--against",
        type=Path,
        metavar="TREE",
        help="another checkout with a .venv of its own: measure both in turn, "
        f"{against.ROUNDS} rounds of {', '.join(against.FIGURES)}",
    )
    parser.add_argument("--json", type=Path, default=report.ROOT / "build" / "bench.json", help="where to")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/performance.*")
    parser.add_argument(
        "--strict", action="store_true", help="end with 2 where a target is missed, or too much is lost"
    )
    options = parser.parse_args()
    if options.quick and options.write:
        parser.error("a quick round is for a first look; docs/ holds figures of whole ones")
    if options.against and (options.write or not set(options.figures) <= set(against.FIGURES)):
        parser.error(f"--against measures {', '.join(against.FIGURES)}, and writes no page")
    return options


if __name__ == "__main__":
    sys.exit(main())
