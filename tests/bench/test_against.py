"""Another checkout against this one: who is measured when, what counts as lost, and whose code runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import against, servers
from bench.against import Comparison, Reading
from demo.processes import CHECKOUT


def line(old: list[float], new: list[float], *, unit: str = "/s", judged: bool = True) -> Comparison:
    return Comparison("F8", unit, judged, tuple(old), tuple(new))


def test_both_are_measured_in_each_round_and_take_turns_in_going_first() -> None:
    asked: list[str] = []

    def measure(which: str) -> dict[str, Reading]:
        asked.append(which)
        return {"F8": Reading(float(len(asked)), "/s"), "F8 p99": Reading(1.0, " ms", judged=False)}

    first, second = against.alternating(measure, "old", "new", 3)
    assert asked == ["old", "new", "new", "old", "old", "new"]
    assert (first.key, first.unit, first.old, first.new) == ("F8", "/s", (1.0, 4.0, 5.0), (2.0, 3.0, 6.0))
    assert (second.key, second.judged) == ("F8 p99", False)


def test_speed_is_more_a_second_or_less_time() -> None:
    assert line([100.0], [110.0]).speed == pytest.approx(1.1)
    assert line([100.0], [110.0], unit=" ms").speed == pytest.approx(1 / 1.1)


def test_speed_is_the_median_of_the_rounds_and_not_of_the_weather() -> None:
    """In the second round the machine was half as fast, for both."""
    assert line([100.0, 50.0, 102.0], [99.0, 49.5, 100.98]).speed == pytest.approx(0.99)


def test_what_loses_more_than_three_per_cent_is_lost() -> None:
    assert not line([100.0], [97.0]).lost
    assert line([100.0], [96.9]).lost
    assert line([100.0], [103.2], unit=" µs").lost
    assert not line([100.0], [50.0], judged=False).lost


def test_the_verdict_names_what_is_lost_and_counts_what_is_judged() -> None:
    lines = [line([100.0], [101.0]), line([100.0], [90.0]), line([1.0], [9.0], unit=" ms", judged=False)]
    assert against.verdict(lines) == "1 of 2 lines lose at most 3%: not F8 (0.900)"
    assert against.verdict(lines[:1]) == "1 of 1 lines lose at most 3%"
    assert [against.row(one).split("(")[0].split()[-1] for one in lines] == ["1.010", "LOST", "told"]


def checkout(folder: Path, *, package: Path) -> Path:
    """Make a folder that looks like a checkout whose interpreter finds *package*."""
    (folder / ".venv/bin").mkdir(parents=True)
    python = folder / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{package}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return folder


def code(folder: Path, says: str) -> Path:
    """Write a ``host`` and a ``bench.serve`` of their own."""
    for name, text in (
        ("host/__init__.py", ""),
        ("bench/__init__.py", ""),
        ("bench/serve.py", ""),
        ("bench/prepare.py", f"print('{says}')"),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_a_program_of_another_checkout_runs_its_code_with_its_interpreter(tmp_path: Path) -> None:
    there = checkout(tmp_path / "there", package=code(tmp_path / "there", says="{}"))
    tree = against.tree_at(there)
    with pytest.raises(KeyError, match="workspace"):
        servers.prepare(tmp_path, tree=tree)  # its own program was asked, and says nothing
    listed = subprocess.run(
        tree.command("bench.prepare"),
        cwd=tree.root,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert listed.stdout == "{}\n"


def test_a_checkout_without_an_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(against.NoTreeError, match=r"make \.venv/\.installed"):
        against.tree_at(tmp_path)


@pytest.mark.slow
def test_an_interpreter_that_runs_other_code_is_refused(tmp_path: Path) -> None:
    """A ``.venv`` that was copied still runs the code of where it came from."""
    here = checkout(tmp_path / "here", package=CHECKOUT)
    with pytest.raises(against.NoTreeError, match="runs the code in"):
        against.tree_at(here)
