"""This checkout against another: the same load on the programs of both, in turn, round by round.

Each program is a process with the code and the interpreter of its own checkout; this one brings the load.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeVar

from bench import events_pg as pg
from bench import live, pace
from bench.cpu import whole
from bench.databases import KINDS, desk_on
from bench.hand import answerable
from bench.hand import measure as measured
from bench.lanes import BROKERS
from bench.load import Result
from bench.pages import ask, filled, pages
from bench.phone import measure as on_phone
from bench.plan import Plan, SkippedError
from bench.processes import cpu_seconds, family
from bench.processing import applied
from bench.report import number
from bench.saturation import saturate_served
from bench.servers import Desk, Served, Tree, has_granian, prepare, product
from demo.processes import clean_environment

MOST_LOST = 0.03
ROUNDS = 6

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reading:
    """Results of one round for one checkout.

    :param unit: ``/s`` where more is better; otherwise less is.
    :param judged: whether a loss counts. The 99th percentile of a round is the worst but two of its requests
        and swings by tens of per cent: it is told only.
    """

    value: float
    unit: str
    judged: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing measured of both checkouts, a value for each round."""

    key: str
    unit: str
    judged: bool
    old: tuple[float, ...]
    new: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """How fast this checkout is, as a multiple of the other, in each round."""
        pairs = zip(self.old, self.new, strict=True)
        return tuple(new / old if self.unit == "/s" else old / new for old, new in pairs)

    @property
    def speed(self) -> float:
        """The median of the ratios: a round's two halves have the same weather."""
        return statistics.median(self.ratios)

    @property
    def lost(self) -> bool:
        return self.judged and self.speed < 1 - MOST_LOST


class NoTreeError(Exception):
    """A folder is no checkout that can be measured. The message says why."""


def tree_at(root: Path) -> Tree:
    """Return the checkout in *root*, which has a ``.venv`` of its own.

    :raises NoTreeError: if its interpreter is missing, or runs code from elsewhere.
    """
    root = root.resolve()
    python = root / ".venv" / "bin" / "python"
    if not python.exists():
        raise NoTreeError(f"{python} is missing: run `make .venv/.installed` in {root}")
    asked = "import bench.serve, host; print(host.__file__)"
    found = subprocess.run(
        [python, "-c", asked], cwd=root, env=clean_environment(), capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise NoTreeError(f"{python} does not run: {found.stderr.strip()[-400:]}")
    if not Path(found.stdout.strip()).resolve().is_relative_to(root):
        raise NoTreeError(f"{python} runs the code in {found.stdout.strip()}")
    return Tree(root, str(python))


def alternating(measure: Callable[[T], dict[str, Reading]], old: T, new: T, rounds: int) -> list[Comparison]:
    """Measure both in each round, every other round the new one first; return a line for each key."""
    seen: dict[str, tuple[list[Reading], list[Reading]]] = {}
    for round_ in range(rounds):
        for at in (0, 1) if round_ % 2 == 0 else (1, 0):
            for key, reading in measure((old, new)[at]).items():
                seen.setdefault(key, ([], []))[at].append(reading)
    return [
        Comparison(
            key,
            both[0][0].unit,
            both[0][0].judged,
            tuple(one.value for one in both[0]),
            tuple(one.value for one in both[1]),
        )
        for key, both in seen.items()
    ]


def f1(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure ingest with deliveries applied meanwhile and without.

    Each checkout runs on the server it has by itself, which may be another one; where both have granian, on
    that too. The processor time of a delivery swings far less than how many there are in a second, which
    whoever sends takes part in.
    """
    servers: dict[str, str | None] = {"F1": None}
    if has_granian(old.tree) and has_granian(new.tree):
        servers["F1 granian"] = "granian"

    def measure(desk: Desk) -> dict[str, Reading]:
        found = {}
        for name, server in servers.items():
            for workers, words in ((0, ""), (4, ", delivering")):
                with product(desk, plan.folder, server=server, workers=workers) as served:
                    cpu = cpu_seconds(family(served.pid))
                    result = saturate_served(served, plan.seconds)
                    cpu = (cpu_seconds(family(served.pid)) - cpu) / (result.rate * plan.seconds)
                found[f"{name}{words}"] = Reading(result.rate, "/s")
                found[f"{name}{words}, processor"] = Reading(cpu * 1e6, " µs")
        return found

    return alternating(measure, old, new, plan.rounds)


def f7(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure how soon a delivery is answered and on the agents' screens, at a steady rate."""
    rate, _ = pace.steady(plan, 1000.0)

    def measure(desk: Desk) -> dict[str, Reading]:
        with product(desk, plan.folder) as served:
            found = live.measure(desk, served, rate=rate, seconds=plan.seconds)
        return {
            "F7 on screen p50": Reading(found.live_p50, " ms"),
            "F7 on screen p99": Reading(found.live_p99, " ms", judged=False),
            "F7 answer p99": Reading(found.ack_p99, " ms", judged=False),
        }

    return alternating(measure, old, new, plan.rounds)


def f8(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure applying received events."""
    events = 4_000 if plan.quick else 20_000

    def measure(desk: Desk) -> dict[str, Reading]:
        found = applied(desk, plan.folder, events)
        return {
            "F8": Reading(events / found["seconds"], "/s"),
            "F8 processor": Reading(found["cpu"] / events * 1e6, " µs"),
        }

    return alternating(measure, old, new, plan.rounds)


def _served_at_once(
    plan: Plan, desks: list[Desk], measure: Callable[[tuple[Served, Desk]], dict[str, Reading]]
) -> list[Comparison]:
    """Measure the old and the new of *desks*, both served at once, and remove their data."""
    try:
        with ExitStack() as stack:
            old, new = ((stack.enter_context(product(desk, plan.folder, workers=0)), desk) for desk in desks)
            return alternating(measure, old, new, plan.rounds)
    finally:
        for desk in desks:
            shutil.rmtree(desk.data)


def f12(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure pages of a full inbox, both checkouts served at once."""
    asked = 100 if plan.quick else 300
    full = [
        filled(desk, plan.folder / f"full-{name}", plan.messages)
        for name, desk in (("old", old), ("new", new))
    ]

    def measure(one: tuple[Served, Desk]) -> dict[str, Reading]:
        served, desk = one
        found = {}
        for name, (_, address) in pages(desk.workspace).items():
            ask(served, desk.cookies[0], address, 20)
            cpu = cpu_seconds(family(served.pid))
            took = Result(1.0, ask(served, desk.cookies[0], address, asked))
            cpu = (cpu_seconds(family(served.pid)) - cpu) / asked
            found[f"F12 {name} p50"] = Reading(took.percentile(0.5), " ms")
            found[f"F12 {name} p99"] = Reading(took.percentile(0.99), " ms", judged=False)
            found[f"F12 {name} processor"] = Reading(cpu * 1000, " ms")
        return found

    return _served_at_once(plan, full, measure)


def cpu(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure processor time per event at a steady rate, on each database."""
    found = []
    for kind in KINDS:
        try:
            with desk_on(kind, old, plan.folder) as before, desk_on(kind, new, plan.folder) as now:
                for workers in (1, 2):
                    key = f"cpu {kind} {workers}"

                    def measure(desk: Desk, workers: int = workers, key: str = key) -> dict[str, Reading]:
                        return {key: Reading(sum(whole(plan, desk, workers)), " µs")}

                    found += alternating(measure, before, now, plan.rounds)
        except SkippedError as error:
            plan.skip(f"cpu {kind}", str(error))
    return found


def events_pg(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure statements and processor time per event on PostgreSQL, and of an idle desk."""
    with pg.cluster() as own:

        def measure(desk: Desk) -> dict[str, Reading]:
            found = pg.measure(plan, own, desk, BROKERS["rabbitmq"])
            # Processor time depends on who else uses the cores; statements do not.
            return {
                f"pg {key}": Reading(value, "", judged="statements" in key or "begin" in key)
                for key, value in found.items()
            }

        return alternating(measure, old, new, plan.rounds)


def hand(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure what the inbox weighs and how soon a click is painted, in the same browser."""
    desks = [answerable(desk, plan, f"hand-{name}") for name, desk in (("old", old), ("new", new))]

    def measure(one: tuple[Served, Desk]) -> dict[str, Reading]:
        found = measured(*one)
        return {
            "hand first inbox": Reading(found.first_bytes / 1000, " kB"),
            "hand click": Reading(found.click_bytes / 1000, " kB"),
            **{f"hand painted, {slower}x": Reading(took, " ms") for slower, took in found.painted.items()},
            **{f"hand at once, {slower}x": Reading(took, " ms") for slower, took in found.at_once.items()},
        }

    return _served_at_once(plan, desks, measure)


def phone(plan: Plan, old: Desk, new: Desk) -> list[Comparison]:
    """Measure a first start and a tapped conversation on a phone, in the same browser."""
    desks = [answerable(desk, plan, f"phone-{name}") for name, desk in (("old", old), ("new", new))]

    def measure(one: tuple[Served, Desk]) -> dict[str, Reading]:
        found = on_phone(*one)
        return {
            "phone first visit": Reading(found.first_bytes / 1000, " kB"),
            "phone list": Reading(found.start_ms, " ms"),
            "phone conversation": Reading(found.conversation_ms, " ms"),
        }

    return _served_at_once(plan, desks, measure)


FIGURES: dict[str, Callable[[Plan, Desk, Desk], list[Comparison]]] = {
    "F1": f1,
    "F7": f7,
    "F8": f8,
    "F12": f12,
    "hand": hand,
    "phone": phone,
    "cpu": cpu,
    "events_pg": events_pg,
}


def row(line: Comparison) -> str:
    """Return a line for a terminal: both medians, how fast this checkout is, and the rounds."""
    old, new = (f"{number(statistics.median(one))}{line.unit}".rjust(12) for one in (line.old, line.new))
    rounds = " ".join(f"{one:.2f}" for one in line.ratios)
    word = "LOST" if line.lost else "" if line.judged else "told"
    return f"{line.key:26}{old}{new}{line.speed:8.3f}  {word:5}({rounds})"


HEAD = f"{'':26}{'old':>12}{'new':>12}{'speed':>8}"


def verdict(lines: Iterable[Comparison]) -> str:
    """Return what a run ends with."""
    judged = [one for one in lines if one.judged]
    lost = [one for one in judged if one.lost]
    words = f"{len(judged) - len(lost)} of {len(judged)} lines lose at most {MOST_LOST:.0%}"
    return words + (": not " + ", ".join(f"{one.key} ({one.speed:.3f})" for one in lost) if lost else "")


def run(
    other: Tree, folder: Path, names: Sequence[str], *, rounds: int, seconds: float, quick: bool, kept: Path
) -> list[Comparison]:
    """Measure *names* and print them as they come; *kept* gets every value as JSON."""
    old = prepare(folder, name="prepared-old", tree=other)
    new = prepare(folder, name="prepared-new")
    plan = Plan(new, folder, rounds, seconds, quick=quick)
    lines: list[Comparison] = []
    print(f"old: {other.root}; {rounds} rounds; speed: this checkout ÷ old\n{HEAD}", flush=True)
    for name in names:
        for line in FIGURES[name](plan, old, new):
            print(row(line), flush=True)
            lines.append(line)
        kept.write_text(json.dumps([asdict(one) | {"speed": one.speed} for one in lines], indent=1) + "\n")
    print(verdict(lines))
    return lines
