"""What `make test` leaves to `make test-medium` exists, and the journey of a first day is none of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from tests import medium

ROOT = Path(__file__).parents[2]
INHERITED = (ROOT / "host/sdk/testing.py").read_text()


@pytest.mark.parametrize("file", sorted({one.partition("::")[0] for one in medium.named()}))
def test_a_medium_test_exists(file: str) -> None:
    code = (ROOT / file).read_text() + INHERITED
    named = [one for one in medium.named() if one.startswith(f"{file}::")]
    assert [one for one in named if f"def {one.rpartition('::')[2]}(" not in code] == []


def test_what_everybody_does_is_run_each_time() -> None:
    assert not any(one.startswith(medium.KEPT) for one in medium.named())


def test_times_decide_but_for_what_the_first_of_a_file_makes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(medium, "LIST", tmp_path / "medium.txt")
    times = medium._Times()

    def took(nodeid: str, **parts: float) -> None:
        for when, seconds in parts.items():
            report = pytest.TestReport(nodeid, (nodeid, 0, ""), {}, "passed", None, when, duration=seconds)  # type: ignore[arg-type]
            times.pytest_runtest_logreport(report)

    took("tests/a.py::first", setup=9, call=0.1)
    took("tests/a.py::slow_to_set_up", setup=1.2, call=0.1)
    took("tests/a.py::cases[1]", setup=0.1, call=0.2)
    took("tests/b.py::cases[1]", call=0.2)
    for case in range(30):
        took(f"tests/b.py::many[{case}]", call=0.2)
    took(f"{medium.KEPT}::test_walk", setup=0.1, call=9)
    some = SimpleNamespace(args_source=pytest.Config.ArgsSource.ARGS)
    times.pytest_sessionfinish(cast(pytest.Session, SimpleNamespace(config=some)))
    assert not medium.LIST.exists()
    every = SimpleNamespace(args_source=pytest.Config.ArgsSource.TESTPATHS)
    times.pytest_sessionfinish(cast(pytest.Session, SimpleNamespace(config=every)))
    assert medium.named() == {"tests/a.py::slow_to_set_up", "tests/b.py::many"}
