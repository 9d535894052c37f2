"""What is measured of others is judged as the page says, and each fault has a build that fails it."""

from __future__ import annotations

import ast
import importlib
import inspect
import operator
import textwrap
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest

from demo.processes import CHECKOUT
from tests.torture import isolation, launch, stages
from tests.torture.__main__ import ISOLATED, LATENCY, SERVERS
from tests.torture.checks import Found
from tests.torture.isolation import FAULTS, KINDS, Isolation, Sample, Tried, Writers

ANNA, BERT = ("1", "anna"), ("1", "bert")


def test_the_page_lists_the_faults_and_who_is_told() -> None:
    text = (CHECKOUT / "docs" / "torture.md").read_text()
    assert text.partition("<!-- others -->")[2].partition("<!-- /others -->")[0].strip() == isolation.table()


def test_each_fault_has_a_build_that_has_to_fail_it() -> None:
    assert {one.mutant for one in FAULTS} <= {one.__name__ for one in launch.MUTANTS}


@pytest.mark.parametrize("mutant", launch.MUTANTS, ids=lambda one: one.__name__)
def test_a_broken_build_changes_what_there_is(mutant: Callable[[], None]) -> None:
    """What it replaces exists under that name: a build that is broken nowhere proves nothing."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(mutant)))
    places: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for name in (alias.name for alias in node.names):
                with suppress(ModuleNotFoundError):  # it is not a module
                    importlib.import_module(f"{node.module}.{name}")
                places[name] = getattr(importlib.import_module(str(node.module)), name)
    for node in ast.walk(tree):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            first, _dot, rest = ast.unparse(target).partition(".")
            if first in places:
                assert operator.attrgetter(rest)(places[first]) is not None


def test_a_broken_build_that_passes_a_fault_proves_nothing() -> None:
    found = Found()
    found.blame("I12", "held conversation: p99 of others 5000 ms")
    found.blame("I12", "held contact: p99 of others 5000 ms")
    found.blame("I12", "slow statement: p99 of others 5000 ms")
    assert (
        isolation.verdict("wait_for_rows", found) == "wait_for_rows: held account held, so nothing is proved"
    )
    found.blame("I12", "held account: p99 of others 5000 ms")
    assert isolation.verdict("wait_for_rows", found) == ""


def test_a_broken_build_on_which_a_fault_was_not_played_proves_nothing() -> None:
    found = Found()
    found.blame("I12", f"endless job: {isolation.NOT_PLAYED}: what was written did not come")
    assert isolation.verdict("endless_jobs", found) == "endless_jobs: endless job held, so nothing is proved"
    found.blame("I12", "endless job: somebody is told after inf s")
    assert isolation.verdict("endless_jobs", found) == ""


def measured(*, others: float, own: float = 1.0, spool: bool = False) -> list[str]:
    """Return what is wrong with a fault of which *others* and *own* took so many seconds.

    In the calm time everybody takes a tenth of a second.
    """
    calm = [Sample(BERT, 0.1 * n, 5.0, 0.1 * n + 0.1) for n in range(100)]
    during = [Sample(BERT, 10 + 0.1 * n, 5.0, 10 + 0.1 * n + others) for n in range(100)]
    during.append(Sample(ANNA, 9.0, 5.0, 9.0 + own))
    writers = Writers(None, None, [], 1)  # type: ignore[arg-type]
    writers.samples = {str(number): one for number, one in enumerate([*calm, *during])}
    writers.spooled = [(11.0, "a request")] if spool else []
    played = Isolation(None, writers, None)  # type: ignore[arg-type]
    return played._measured(KINDS["held conversation"], calm, 10.0, 20.0, {ANNA}, most=10.0).wrong


def test_others_may_wait_little_longer_than_before() -> None:
    assert measured(others=0.14) == []
    (wrong,) = measured(others=0.2)
    assert "at most 1.5 times is allowed" in wrong


def test_those_it_concerns_may_wait_ten_seconds_also_for_what_they_wrote_before() -> None:
    assert measured(others=0.1, own=9.9) == []
    assert measured(others=0.1, own=11.0) == ["somebody waited 11.0 s, and 10 s are allowed"]


def test_being_told_too_late_is_wrong() -> None:
    fault = KINDS["held conversation"]
    soon, late, never = (Tried([], "") for _ in range(3))
    isolation.note_told(soon, fault, [13.0, 12.0], 10.0)
    isolation.note_told(late, fault, [10.1 + fault.after], 10.0)
    isolation.note_told(never, fault, [], 10.0)
    assert (soon.wrong, soon.figures) == ([], ", told after 2.0 s")
    assert late.wrong == ["somebody is told after 8.1 s, and 8 s are allowed"]
    assert "after inf s" in never.wrong[0]


def test_each_fault_is_played_on_a_desk_that_has_what_it_needs() -> None:
    for server in SERVERS:
        of = {whose for kind, whose in ISOLATED.values() if kind == server}
        assert {one.of for one in FAULTS} == of == set(stages.STAGES) == set(LATENCY)
    for mutant in isolation.CONTROLS:
        assert len({one.of for one in FAULTS if one.mutant == mutant}) == 1, mutant


def test_a_spooled_request_is_told() -> None:
    assert measured(others=0.1, spool=True) == ["the spool held 1 requests"]


def test_a_fault_holds_if_one_try_does(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = iter([Tried(["slow"], "first"), Tried([], "second")])
    played = Isolation(SimpleNamespace(kind="postgresql"), None, None)  # type: ignore[arg-type]
    monkeypatch.setattr(played, "_try", lambda _fault: next(tries))
    assert played.play("held lane") == []
    assert played.notes == ["held lane: first", "held lane, try 2: second"]
    monkeypatch.setattr(played, "_try", lambda _fault: Tried(["slow"], "always"))
    assert played.play("held lane") == ["held lane: slow"]


def test_messages_that_were_applied_in_another_order_are_found() -> None:
    writers = Writers(None, None, [], 1)  # type: ignore[arg-type]
    writers.samples = {"a": Sample(ANNA, 1.0), "b": Sample(BERT, 1.5), "c": Sample(ANNA, 2.0)}

    def desk(**ids: int) -> Any:
        return SimpleNamespace(rows=lambda _query: list(ids.items()))

    assert isolation.in_order(writers, desk(a=1, b=9, c=2)) == []
    (wrong,) = isolation.in_order(writers, desk(a=2, b=9, c=1))
    assert "anna" in wrong
