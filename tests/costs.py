"""What tests cost, counted where a count says it: ``make test SLOWEST=1`` prints the dearest files.

Seconds depend on the machine, and on what else runs there. What makes tests slow does not: programs started,
databases and applications made, migrations run, pages opened. A run of ``make test`` fails where it spends
more of one than ``tests/budget.toml`` allows: take less, or say in the commit why more is worth it.
"""

from __future__ import annotations

import os
import subprocess
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import flask
import pytest

from host.core import migrations

BUDGET = Path(__file__).with_name("budget.toml")
COUNTED = ("processes", "forks", "databases", "migrations", "applications", "pages")
"""Programs started, forks of a test's process, databases made on a server, host tables made anew by all
migrations, Flask applications, and pages opened in Chromium.
"""
SHOWN = 40
"""Files whose cost is printed."""

_spent: Counter[str] = Counter()


def spend(what: str) -> None:
    """Count one of :data:`COUNTED`."""
    _spent[what] += 1


def counted(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return *function* so that each call counts."""

    def call(*arguments: Any, **named: Any) -> Any:
        _spent[what] += 1
        return function(*arguments, **named)

    return call


class Costs:
    """What each file of a process costs; a process that hands tests out adds up its workers'."""

    def __init__(self, config: pytest.Config) -> None:
        self.is_worker = hasattr(config, "workerinput")
        self.prints = bool(config.getoption("--costs"))
        self.of_file: dict[str, Counter[str]] = {}
        self.over: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        before, cpu, began = _spent.copy(), _processor(), time.monotonic()
        try:
            return (yield)
        finally:
            cost = self.of_file.setdefault(item.nodeid.partition("::")[0], Counter())
            cost.update(_spent - before)
            cost["cpu"] += round(1000 * (_processor() - cpu))
            cost["wall"] += round(1000 * (time.monotonic() - began))

    @pytest.hookimpl(optionalhook=True)  # there without xdist, too
    def pytest_testnodedown(self, node: Any) -> None:
        for file, cost in getattr(node, "workeroutput", {}).get("costs", {}).items():
            self.of_file.setdefault(file, Counter()).update(cost)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        config = session.config
        if self.is_worker:
            config.workeroutput["costs"] = {  # type: ignore[attr-defined]
                file: dict(cost) for file, cost in self.of_file.items()
            }
            return
        whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not config.option.keyword
        if whole and (allowed := budget(config.option.markexpr)):
            self.over = too_much(self.total, allowed)
            if self.over and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def total(self) -> Counter[str]:
        """What all files cost together."""
        return sum(self.of_file.values(), Counter())

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.is_worker:
            return
        for line in self.over:
            terminalreporter.write_line(f"tests/budget.toml: {line}", red=True)
        if self.prints:
            terminalreporter.section("what tests cost")
            for line in table(self.of_file):
                terminalreporter.write_line(line)


def budget(marks: str) -> dict[str, int]:
    """Return what a run of the tests with *marks* may spend; empty for one without a budget."""
    found: dict[str, int] = tomllib.loads(BUDGET.read_text()).get(marks, {})
    return found


def too_much(spent: Mapping[str, int], allowed: Mapping[str, int]) -> list[str]:
    """Return a sentence for each count in *spent* above its number in *allowed*."""
    return [
        f"{spent[what]} {what}, and {most} are allowed"
        for what, most in allowed.items()
        if spent.get(what, 0) > most
    ]


def table(of_file: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Yield the sum, and a line for each of the files that took most processor time, in seconds."""
    total = sum((Counter(cost) for cost in of_file.values()), Counter())
    heading = ("cpu s", "wall s", *COUNTED)
    yield " ".join(f"{each:>12}" for each in heading) + "  file"
    dearest = sorted(of_file.items(), key=lambda one: -one[1].get("cpu", 0))[:SHOWN]
    for name, cost in [("all of them", total), *dearest]:
        times = (f"{cost.get(each, 0) / 1000:.1f}" for each in ("cpu", "wall"))
        numbers = (str(cost.get(each, 0) or "") for each in COUNTED)
        yield " ".join(f"{each:>12}" for each in (*times, *numbers)) + f"  {name}"


def _processor() -> float:
    """Return seconds of processor time of this process and of the children that it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--costs", action="store_true", help="print what the dearest files of tests cost")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Costs(config), "costs")
    os.fork = counted("forks", os.fork)
    subprocess._fork_exec = counted("processes", subprocess._fork_exec)  # type: ignore[attr-defined]
    migrations.upgrade_host = counted("migrations", migrations.upgrade_host)
    made = flask.Flask.__init__

    def init(self: flask.Flask, *arguments: Any, **named: Any) -> None:
        spend("applications")
        made(self, *arguments, **named)

    flask.Flask.__init__ = init  # type: ignore[method-assign]
