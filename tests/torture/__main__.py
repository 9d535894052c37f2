"""``python -m tests.torture``: break a desk in every way we know while customers write, and count.

Ends with 1 if an invariant broke or a negative control did not.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.torture import controls, isolation, lanes, outages, report, stages, whatsapp
from tests.torture.checks import Found
from tests.torture.controls import CHEAP, CONTROLS, Control
from tests.torture.desk import Desk
from tests.torture.lanes import Outcome, Plan

SERVERS = ("postgresql", "mariadb")
FULL = "sqlite, full disk"
WHOSE = {"others": "desk", "providers": "provider", "addons": "addon"}
ISOLATED = {f"{server}, {name}": (server, of) for name, of in WHOSE.items() for server in SERVERS}
"""What is measured on a desk of its own: whether others notice a fault of somebody."""
LATENCY = {"desk": 0.0, "provider": 20.0, "addon": 20.0}
"""Milliseconds that each round trip to the database takes longer meanwhile, if nobody says otherwise."""
AWAY = {f"{kind}, outages": kind for kind in ("sqlite", *SERVERS)}
"""Where the database is away again and again, and every customer has to stay in order."""
OUTAGES = 10
WHATSAPP = "whatsapp"
LONG_DELIVERIES = 60_000
LONG_SECONDS = 600.0
CALM_SECONDS = 3600.0
CALM_RATE = 3.0
"""Deliveries a second of the calm hour, each of several events."""
CALM_ANSWERABLE = 40


def plans(arguments: argparse.Namespace) -> dict[str, Plan]:
    """Return what is played on which database."""
    if arguments.quick:
        few = dict.fromkeys(("restart", "provider reset", "addon updated"), 1.0)
        few |= dict.fromkeys(("provider failing", "slow connections"), 2.0)
        lines = dict.fromkeys(("stop database", "database reset", "provider refused"), 1.0)
        lines["worker frozen"] = 2.0
        return {
            "sqlite": Plan(2000, 12, arguments.seconds or 65.0, {**lanes.KILLS, **few}, 60.0),
            "postgresql": Plan(2000, 12, arguments.seconds or 65.0, {**lanes.SERVER_KILLS, **lines}, 60.0),
        }
    if arguments.calm:
        seconds = arguments.seconds or CALM_SECONDS
        plan = Plan(
            int(CALM_RATE * seconds),
            0,
            seconds,
            {},
            CALM_RATE,
            pace=1.5,
            calm=True,
            answerable=CALM_ANSWERABLE,
        )
        return dict.fromkeys(SERVERS, plan)
    names = ["sqlite", *SERVERS]
    share = arguments.deliveries or LONG_DELIVERIES
    seconds = arguments.seconds or LONG_SECONDS
    each = dict.fromkeys(
        (
            "restart", "stop web", "provider slow", "provider stalled", "provider reset", "provider refused",
            "provider failing", "slow connections", "addon updated", "clock of web", "commit cut before",
            "commit cut after", "kill at a chore",
        ),
        1.0,
    )  # fmt: skip
    servers = dict.fromkeys(
        (
            "stop worker", "worker frozen", "worker asleep", "row held", "stop database", "database slow",
            "database stalled", "database reset", "database refused", "clock of worker", "clocks apart",
        ),
        1.0,
    )  # fmt: skip
    found = {}
    for name in names:
        weights = {**each, **(lanes.KILLS if name == "sqlite" else {**lanes.SERVER_KILLS, **servers})}
        weights |= {"statement fails": 1.0} if name == "sqlite" else {"kill broker": 4.0}
        if name == "postgresql":
            weights |= {"kill second web": 1.0, "rolling restart": 1.0}
        rate = share / len(names) / seconds
        found[name] = Plan(share // len(names), 0, seconds, weights, rate, faulty=True)
    few = {"disk full": 3.0, "kill web": 1.0, "kill web at a 200": 1.0}
    found[FULL] = Plan(min(2000, share), 0, min(seconds, 90.0), few, min(rate, 20.0))
    return found


class Run:
    """One run: its folder, its seed, and what came of it."""

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.arguments = arguments
        self.folder = folder
        self.seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
        self.outcomes: list[Outcome] = []
        self.controls: dict[str, str] = {}
        self.wrong: list[str] = []
        self.notes: list[str] = []
        self._lock = threading.Lock()
        self._desk: Desk | None = None

    def play(self) -> None:
        self.zips = lanes.releases(self.folder / "zips")
        wanted = plans(self.arguments)
        if self.arguments.only:
            wanted = {name: plan for name, plan in wanted.items() if name in self.arguments.only}
        if self.arguments.control:
            wanted = {}
        if self.arguments.fault and not set(self.arguments.fault) <= set(isolation.KINDS):
            wanted = {name: plan.only(self.arguments.fault) for name, plan in wanted.items()}
        elif self.arguments.fault:
            wanted = {}
        with ExitStack() as stack:
            if self._chosen():
                kept = stack.enter_context(lanes.furnished("sqlite", self.folder / "furnished", self.zips))
                self._desk = kept
            works = [lambda name=name, plan=plan: self._lane(name, plan) for name, plan in wanted.items()]  # type: ignore[misc]
            self._all(works, together=self.arguments.quick or self.arguments.together)
            beside: list[Callable[[], None]] = [
                lambda one=one: self._control(one)  # type: ignore[misc]
                for one in self._chosen()
            ]
            self._all([*beside, *([self._whatsapp] if self._has_whatsapp() else [])], together=True)
        # One after the other, and beside nothing else: times are compared.
        measured: list[Callable[[], None]] = [
            lambda name=name, kinds=kinds: self._isolated(name, kinds)  # type: ignore[misc]
            for name, kinds in self._measured().items()
        ]
        measured += [lambda mutant=mutant: self._broken(mutant) for mutant in self._mutants()]  # type: ignore[misc]
        measured += [lambda name=name: self._outages(name) for name in self._lost()]  # type: ignore[misc]
        if outages.MUTANT in self._mutants_of_outages():
            measured.append(lambda: self._outages("postgresql, outages", outages.MUTANT))
        self._all(measured, together=False)

    def _has_whatsapp(self) -> bool:
        if self.arguments.only:
            return WHATSAPP in self.arguments.only
        return not (self.arguments.control or self.arguments.calm or self.arguments.fault)

    def _whatsapp(self) -> None:
        """Play a WhatsApp number, on SQLite; its invariants measure no time, so other work may run."""
        plan = whatsapp.QUICK if self.arguments.quick else whatsapp.Plan()
        with whatsapp.furnished("sqlite", self.folder / WHATSAPP) as desk:
            outcome = whatsapp.play(desk, plan, self.seed)
            if outcome.found.red:
                (desk.folder / "output.txt").write_text(desk.output)
        with self._lock:
            self.outcomes.append(outcome)

    def _measured(self) -> dict[str, list[str]]:
        """Return the kinds of fault whose delays are measured, by desk: none in the short form.

        A machine that does other work would fail it.
        """
        if self.arguments.control or self.arguments.calm or self.arguments.quick:
            return {}
        names = [name for name in ISOLATED if not self.arguments.only or name in self.arguments.only]
        asked = self.arguments.fault or isolation.KINDS
        kinds = {
            name: [one.kind for one in isolation.FAULTS if one.kind in asked and one.of == ISOLATED[name][1]]
            for name in names
        }
        return {name: found for name, found in kinds.items() if found}

    def _stage(self, of: str) -> dict[str, Any]:
        """Return where faults *of* somebody are played, and how far the database is."""
        given = self.arguments.latency
        return {"stage": stages.STAGES[of](), "latency": LATENCY[of] if given is None else given}

    def _mutants(self) -> list[str]:
        if self.arguments.control:
            return [name for name in isolation.CONTROLS if name in self.arguments.control]
        few = self.arguments.only or self.arguments.fault or self.arguments.calm or self.arguments.quick
        return [] if few else list(isolation.CONTROLS)

    def _lost(self) -> list[str]:
        """Return the desks whose database is taken away: none in the short form, which has no time for it."""
        if self.arguments.only:
            return [name for name in AWAY if name in self.arguments.only]
        arguments = self.arguments
        few = arguments.control or arguments.calm or arguments.quick or arguments.fault
        return [] if few else list(AWAY)

    def _mutants_of_outages(self) -> list[str]:
        if self.arguments.control:
            return list(self.arguments.control)
        return [outages.MUTANT] if self._lost() and not self.arguments.only else []

    def _outages(self, name: str, mutant: str = "") -> None:
        folder = self.folder / (mutant or name.replace(", ", "-"))
        with lanes.furnished(AWAY[name], folder, self.zips) as desk:
            try:
                count = 3 if mutant else OUTAGES
                outcome = outages.play(desk, name, count, self.seed, mutant=mutant)
            finally:
                (desk.folder / "output.txt").write_text(desk.output)
        with self._lock:
            if not mutant:
                self.outcomes.append(outcome)
                return
            wrong = outages.verdict(outcome)
            self.controls[mutant] = wrong or "red, as it has to be: outages"
            if wrong:
                self.wrong.append(wrong)

    def _isolated(self, name: str, kinds: list[str]) -> None:
        server, of = ISOLATED[name]
        with lanes.furnished(server, self.folder / name.replace(", ", "-"), self.zips) as desk:
            try:
                outcome = isolation.play(desk, name, kinds, self.seed, **self._stage(of))
            finally:
                (desk.folder / "output.txt").write_text(desk.output)
        with self._lock:
            self.outcomes.append(outcome)

    def _broken(self, mutant: str) -> None:
        """Play each fault that has to fail a broken build on one, on PostgreSQL."""
        faults = [one for one in isolation.FAULTS if one.mutant == mutant]
        kinds = [one.kind for one in faults]
        with lanes.furnished("postgresql", self.folder / mutant, self.zips) as desk:
            stage = self._stage(faults[0].of)
            outcome = isolation.play(desk, mutant, kinds, self.seed, mutant=mutant, **stage)
        wrong = isolation.verdict(mutant, outcome.found)
        print(report.table([outcome], {}))
        with self._lock:
            self.controls[mutant] = wrong or f"red, as it has to be: {', '.join(kinds)}"
            if wrong:
                self.wrong.append(wrong)

    def _chosen(self) -> list[Control]:
        if self.arguments.control:
            return [one for one in CONTROLS if one.name in self.arguments.control]
        if self.arguments.only or self.arguments.calm or self.arguments.fault:
            return []
        return [one for one in CONTROLS if not self.arguments.quick or one.name in CHEAP]

    def _all(self, works: list[Callable[[], None]], *, together: bool) -> None:
        def guarded(work: Callable[[], None]) -> None:
            try:
                work()
            except pytest.skip.Exception as error:
                with self._lock:
                    self.notes.append(f"skipped: {error}")
            except BaseException:  # noqa: BLE001 - pytest's helpers end with exceptions of their own kind
                with self._lock:
                    self.wrong.append(traceback.format_exc())

        if not together:
            for work in works:
                guarded(work)
            return
        threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self, name: str, plan: Plan) -> None:
        kind, folder = ("sqlite", "full-disk") if name == FULL else (name, name)
        if name == FULL and os.geteuid() != 0:
            self.notes.append("skipped: a full disk needs root, who may mount one")
            return
        with lanes.furnished(kind, self.folder / folder, self.zips, disk=name == FULL) as desk:
            outcome = lanes.play(desk, name, plan, self.seed, self.zips)
            if outcome.found.red:
                (desk.folder / "output.txt").write_text(desk.output)
        with self._lock:
            self.outcomes.append(outcome)

    def _control(self, control: Control) -> None:
        assert self._desk is not None
        folder = self.folder / control.name.replace(" ", "-")
        outcome = controls.run(control, self._desk, folder, self.seed, self.zips)
        if outcome is None:
            self.controls[control.name] = "skipped: there is no C compiler here"
            return
        (folder / "report.txt").write_text(report.table([outcome], {}) + "\n")
        wrong = controls.verdict(control, outcome)
        broken = ", ".join(f"{name} {len(said)} times" for name, said in sorted(_red(outcome.found)))
        with self._lock:
            self.controls[control.name] = wrong or (f"red, as it has to be: {broken}" if broken else "green")
            if wrong:
                self.wrong.append(wrong)


def _red(found: Found) -> list[tuple[str, list[str]]]:
    return [(name, said) for name, said in found.broken.items() if said]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="SQLite and PostgreSQL, within four minutes")
    parser.add_argument("--seed", type=int, help="of everything random; default: one of its own, printed")
    parser.add_argument("--deliveries", type=int, help="of the long form, all databases together")
    parser.add_argument("--seconds", type=float, help="after which no new fault begins, for each database")
    parser.add_argument(
        "--calm", action="store_true", help="an hour without faults on both servers: no write may deadlock"
    )
    parser.add_argument("--together", action="store_true", help="all databases at the same time")
    parser.add_argument(
        "--only",
        action="append",
        choices=("sqlite", *SERVERS, FULL, *ISOLATED, *AWAY, WHATSAPP),
        help="nothing else",
    )
    parser.add_argument(
        "--fault",
        action="append",
        metavar="KIND",
        help='no other fault, such as "kill broker"; may be repeated',
    )
    parser.add_argument(
        "--control",
        action="append",
        choices=[*(one.name for one in CONTROLS), *isolation.CONTROLS, outages.MUTANT],
        help="only this control",
    )
    parser.add_argument(
        "--latency",
        type=float,
        metavar="MS",
        help="each round trip to the database takes so much longer while others are measured; "
        "default: 20 for faults of providers",
    )
    parser.add_argument("--json", type=Path, default=Path("build/torture.json"), help="where the figures go")
    parser.add_argument("--keep", type=Path, help="folder that keeps ledgers and files; default: none does")
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lobby-torture-") as folder:
        run = Run(arguments, arguments.keep or Path(folder))
        print(f"torture: seed {run.seed}", flush=True)
        run.play()
    print(report.table(run.outcomes, run.controls))
    report.write(
        arguments.json, report.as_json(run.outcomes, run.controls, run.seed, time.monotonic() - began)
    )
    found = report.totals(run.outcomes)
    if "bound_95_percent" in found:
        print(
            f"no loss and no double in {found['deliveries']} deliveries: with 95 % confidence fewer than "
            f"{found['bound_95_percent']:.1e} of them"
        )
    for sentence in run.notes:
        print(sentence)
    for sentence in run.wrong:
        print(f"WRONG: {sentence}")
    red = [one for one in run.outcomes if one.found.red]
    for one in red:
        print(f"RED: {one.name} with seed {one.seed}: {', '.join(sorted(dict(_red(one.found))))}")
    print(f"{time.monotonic() - began:.0f} s")
    print(report.last_line(run.outcomes))
    return 1 if red or run.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
