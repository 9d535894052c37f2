"""Which tests take long enough to have a loop of their own, `make test-medium`; `.ci/run` runs it each time.

They are measured: as a plugin of pytest this module writes their list anew, of all tests but the slow ones ::

    .venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -p tests.medium
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

LIST = Path(__file__).with_name("medium.txt")
CASE_SECONDS = 0.7
"""A test is medium if one of its cases takes as long as that, with four workers on two cores,"""
ALL_SECONDS = 4.0
"""or all of them together as long as this."""
KEPT = "tests/browser/test_journey.py"
"""What everybody does is run by `make test` whatever it takes."""


def named() -> frozenset[str]:
    """Return the medium tests: ids without parameters."""
    return frozenset(LIST.read_text().split())


def function_of(nodeid: str) -> str:
    """Return the id of a test without its parameters."""
    return nodeid.partition("[")[0]


class _Times:
    """What each test took, but for what the first of a file makes for all of them."""

    def __init__(self) -> None:
        self.of_case: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = report.nodeid.partition("::")[0]
        is_first = self._first.setdefault(file, report.nodeid) == report.nodeid
        if report.when != "setup" or not is_first:
            self.of_case[report.nodeid] += report.duration  # type: ignore[assignment]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
            return  # not all of them ran
        of_all: Counter[str] = Counter()
        found = set()
        for nodeid, seconds in self.of_case.items():
            of_all[function_of(nodeid)] += seconds
            if seconds >= CASE_SECONDS:
                found.add(function_of(nodeid))
        found |= {name for name, seconds in of_all.items() if seconds >= ALL_SECONDS}
        LIST.write_text("".join(f"{name}\n" for name in sorted(found) if not name.startswith(KEPT)))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Times())
