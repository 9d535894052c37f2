"""What an event, a reply, an API call and a page cost, in bytecodes and calls: the same on a busy machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bench import work
from bench.servers import prepare
from tests.pins.pinning import GOLDEN, hold

BAND = 0.02
"""How far a count may be from the one held. Twice the same tree differs by 0.2 %: threads meet by chance."""

pytestmark = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="other versions have other bytecodes")

Held = dict[str, int]


def held() -> Held:
    """Return what the golden file holds, by fact."""
    path = GOLDEN / "work.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {name: int(number) for name, _, number in (line.partition(": ") for line in lines)}


def within(before: Mapping[str, int], now: Mapping[str, int]) -> Held:
    """Return *now*, but with the number held for each that is within the band."""
    return {
        name: before[name] if abs(number / before.get(name, 1) - 1) <= BAND else number
        for name, number in now.items()
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Held:
    """Each fact, counted in a process of its own."""
    folder = tmp_path_factory.mktemp("work")
    counted = work.counted(prepare(folder, 1, migrated=migrated_file), folder)
    return {f"{name} {measure}": number for name, each in counted.items() for measure, number in each.items()}


def test_what_is_done_most_takes_as_much_work_as_it_did(found: Held) -> None:
    kept = {} if os.environ.get("REWRITE_GOLDEN") == "all" else held()
    hold("work", (f"{name}: {number}" for name, number in within(kept, found).items()))


def test_a_count_within_the_band_is_the_one_held() -> None:
    assert within({"a": 1000, "b": 1000, "c": 1000}, {"a": 1019, "b": 981, "c": 1021, "d": 5}) == {
        "a": 1000,
        "b": 1000,
        "c": 1021,
        "d": 5,
    }


def test_a_loop_more_is_counted() -> None:
    counter = work.Counter()

    def taken(times: int) -> int:
        with counter.counting() as totals:
            _loop(times)
        return totals[0]

    assert taken(10) == taken(10) < taken(11)


def _loop(times: int) -> None:
    for _ in range(times):
        pass
