"""What is measured runs the way its checkout runs by itself, unless a figure asks for a server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench import against, ingest, pace, servers
from bench.live import Measured
from bench.load import Result
from bench.plan import Plan
from bench.processes import family
from bench.servers import THIS, Desk, Tree
from demo.processes import CHECKOUT, clean_environment


def checkout(folder: Path, *, granian: bool) -> Tree:
    """Return a checkout whose interpreter says yes or no, whatever it is asked."""
    folder.mkdir()
    ends_with = 0 if granian else 1
    path = folder / "python"
    path.write_text(f"#!/bin/sh\nexit {ends_with}\n")
    path.chmod(0o755)
    return Tree(folder, str(path))


class _Served(str):
    """What is served, as a server with a process."""

    pid = 1


class Serving:
    """Stands in for servers: notes which was asked for, and takes in a known number a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: Any, rates: dict[str, float]) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.rates = rates
        self.cpu = 0.0
        monkeypatch.setattr(module, "product", self.product)
        monkeypatch.setattr(module, "saturate", self.saturate, raising=False)
        monkeypatch.setattr(module, "saturate_served", self.saturate_served, raising=False)
        monkeypatch.setattr(module, "cpu_seconds", lambda found: self.cpu, raising=False)
        monkeypatch.setattr(module, "family", lambda pid: [pid], raising=False)
        if hasattr(module, "floor"):
            monkeypatch.setattr(module, "floor", self.floor)

    @contextmanager
    def product(
        self, desk: Desk, _folder: Path, *, server: str | None = None, workers: int = 4
    ) -> Iterator[_Served]:
        self.asked.append((desk.tree.python, server, workers))
        yield _Served("delivering" if workers else "product")

    @contextmanager
    def floor(self, _folder: Path, *, server: str = "uvicorn", program: str = "ingest") -> Iterator[str]:
        self.asked.append((program, server))
        yield "floor"

    def saturate(self, serving: Any, seconds: float) -> Result:
        with serving as what:
            return Result(seconds, [0.001] * int(self.rates[what] * seconds))

    def saturate_served(self, served: _Served, seconds: float) -> Result:
        self.cpu += 0.03
        return Result(seconds, [0.001] * int(self.rates[served] * seconds))


def plan(folder: Path, *, tree: Tree = THIS) -> Plan:
    return Plan(Desk(folder, 1, (), tree=tree), folder, rounds=1, seconds=1.0)


def test_a_server_is_named_only_where_a_figure_asks_for_one(tmp_path: Path) -> None:
    desk = Desk(tmp_path, 1, ())
    assert "LOBBY_SERVER" not in servers.settings_for(desk, tmp_path, workers=0)
    named = servers.settings_for(desk, tmp_path, workers=0, server="granian")
    assert named["LOBBY_SERVER"] == "granian"


def test_whether_a_checkout_has_granian_says_its_own_interpreter(tmp_path: Path) -> None:
    assert servers.has_granian(checkout(tmp_path / "with", granian=True))
    assert not servers.has_granian(checkout(tmp_path / "without", granian=False))


@pytest.mark.parametrize("both", [True, False])
def test_against_another_checkout_each_runs_on_its_own_server(
    both: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other checkout calls its servers is nothing this one knows."""
    serving = Serving(monkeypatch, against, {"product": 300.0, "delivering": 200.0})
    old = Desk(tmp_path, 1, (), tree=checkout(tmp_path / "old", granian=both))
    new = Desk(tmp_path, 1, (), tree=checkout(tmp_path / "new", granian=True))
    lines = against.f1(plan(tmp_path), old, new)
    keys = ["F1", "F1, delivering"] + (["F1 granian", "F1 granian, delivering"] if both else [])
    assert [(one.key, one.old, one.new) for one in lines if one.unit == "/s"] == [
        (key, (rate,), (rate,)) for key, rate in zip(keys, [300.0, 200.0] * 2, strict=False)
    ]
    assert [(one.key, [round(used) for used in one.new]) for one in lines if one.unit == " µs"] == [
        (f"{key}, processor", [used]) for key, used in zip(keys, [100, 150] * 2, strict=False)
    ]
    named: list[str | None] = [None, "granian"] if both else [None]
    for desk in (old, new):
        assert [server for tree, server, _ in serving.asked if tree == desk.tree.python] == [
            server for server in named for _ in (0, 4)
        ]


def test_f1_is_told_of_each_server_beside_its_own_floor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = Serving(monkeypatch, ingest, {"floor": 1000.0, "product": 700.0, "delivering": 400.0})
    monkeypatch.setattr(ingest, "has_granian", lambda tree: True)
    found = ingest.f1(plan(tmp_path))
    assert [(one.key, one.value, one.target, one.met) for one in found] == [
        ("F1 uvicorn", 0.7, 0.65, True),
        ("F1 uvicorn, delivering", 0.4, 0.5, False),
        ("F1 granian", 0.7, 0.65, True),
        ("F1 granian, delivering", 0.4, 0.5, False),
    ]
    assert [one[1] for one in serving.asked] == ["uvicorn"] * 3 + ["granian"] * 3


def test_without_granian_f1_is_told_of_the_default_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Serving(monkeypatch, ingest, {"floor": 1000.0, "product": 700.0, "delivering": 400.0})
    monkeypatch.setattr(ingest, "has_granian", lambda tree: False)
    here = plan(tmp_path)
    assert [one.key for one in ingest.f1(here)] == ["F1 uvicorn", "F1 uvicorn, delivering"]
    assert here.skipped == ["F1 granian skipped: granian is not installed"]


def test_f7_is_held_against_the_small_program_at_the_same_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = Serving(monkeypatch, ingest, {})
    rates: list[float] = []

    def measure(_desk: Desk, served: Any, *, rate: float, seconds: float) -> Measured:
        rates.append(rate)
        return Measured(5.0, 4.0, 8.0) if served == "floor" else Measured(10.0, 20.0, 24.0)

    monkeypatch.setattr(ingest.live, "measure", measure)
    monkeypatch.setattr(pace, "_speed", lambda _: pace.STATED_FOR / 2)
    (found,) = ingest.f7(plan(tmp_path))
    assert (found.value, found.target, found.at_least, found.met) == (3.0, 4.0, False, True)
    assert serving.asked[0] == ("screens", "uvicorn")
    assert rates == [500.0, 500.0]
    assert "at 500/s, this machine being 0.50 as fast" in found.detail


def test_a_machine_as_fast_as_the_rates_are_stated_for_gets_them_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_speed", lambda _: pace.STATED_FOR * 3)
    assert pace.steady(plan(tmp_path), 1000.0) == (1000.0, "")


@pytest.mark.slow
@pytest.mark.parametrize(("level", "pragma"), [("NORMAL", "1"), (None, "2")])
def test_what_a_figure_compares_with_holds_for_every_connection(
    level: str | None, pragma: str, tmp_path: Path
) -> None:
    asks = (
        "from bench import serve\n"
        "from host.core import db\n"
        "def served(settings):\n"
        "    with db.read() as session:\n"
        "        print(session.connection().exec_driver_sql('PRAGMA synchronous').scalar())\n"
        "serve.serve = served\n"
        "serve.main()\n"
    )
    settings = {**clean_environment(), "LOBBY_DATA": str(tmp_path)}
    if level:
        settings["BENCH_SYNCHRONOUS"] = level
    done = subprocess.run(
        [sys.executable, "-c", asks], env=settings, check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == [pragma]


def test_what_came_of_a_process_is_counted_with_it() -> None:
    """Servers of other checkouts have processes that do the work."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        child = int(one.stdout.readline())
        found = family(one.pid)
        os.kill(child, 9)
    assert found == [one.pid, child]


@pytest.mark.slow
def test_what_is_measured_is_the_addon_as_the_tree_has_it(tmp_path: Path) -> None:
    """One in dist/ from before its webhook was known to be quick was measured as if it were slow."""
    desk = servers.prepare(tmp_path, 1)
    (packed,) = desk.data.glob("addons/**/addon.py")
    assert packed.read_bytes() == (CHECKOUT / "addons/instagram/instagram/addon.py").read_bytes()
