"""Mutants are what they should be, and what is recorded of them is still true."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutations import run
from tests.mutations.mutants import of_source

HERE = Path("host/inbox/shelf.py")


def changes(source: str) -> list[str]:
    return [one.change for one in of_source(HERE, source.encode())]


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("a < b", "a < b → a <= b"),
        ("a not in b", "a not in b → a in b"),
        ("a is None", "a is None → a is not None"),
        ("a + b", "a + b → a - b"),
        ("a and b", "a and b → a or b"),
        ("not a", "not a → a"),
        ("x = a if b else c", "a if b else c → c if b else a"),
        ("x = True", "True → False"),
        ("def f():\n    x = 8", "8 → 9"),
        ("min(a)", "min(a) → max(a)"),
        ("session.flush()", "session.flush() → pass"),
        ("def f():\n    return a", "return a → return None"),
        ("def f():\n    return False", "False → True"),
    ],
)
def test_each_kind_of_change_is_made(source: str, change: str) -> None:
    assert change in changes(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring."""',
        "log.info('%s', 1)",
        "if TYPE_CHECKING:\n    x = 1",
        "assert 1",
        "def f(a: 1) -> 2: ...",
        "from a import b",
        "def f():\n    return None",
        "PATIENCE = timedelta(seconds=5)",
        "x = f'{1}'",
    ],
)
def test_what_says_nothing_to_the_code_or_is_a_setting_is_left_alone(source: str) -> None:
    assert changes(source) == []


def test_a_change_is_made_in_its_place_and_keeps_what_binds_tighter() -> None:
    source = "é = 1\nif (a or b) and not c < d:\n    pass\n".encode()
    made = [one.applied(source).decode().splitlines()[1] for one in of_source(HERE, source) if one.line == 2]
    assert "if ((a or b) or not c < d):" in made
    assert "if (a or b) and not (c <= d):" in made
    assert "if ((a and b)) and not c < d:" in made


def test_a_mutant_is_known_by_its_function_and_not_by_its_place() -> None:
    body = "class Shelf:\n    def full(self):\n        return self.x > 3\n"
    one = {each.key for each in of_source(HERE, body.encode())}
    other = {each.key for each in of_source(Path("host/queue/box.py"), f"import os\n\n{body}".encode())}
    assert one == other
    assert ("Shelf.full", "self.x > 3 → self.x >= 3") in one


def recorded_as(**functions: list[str]) -> list[run.Test]:
    here = {name: frozenset(f"{HERE} {one}" for one in entered) for name, entered in functions.items()}
    return [run.Test(name, 1.0, entered) for name, entered in here.items()]


def tried(source: str, change: str, recorded: list[run.Test]) -> list[str]:
    (mutant,) = (one for one in of_source(HERE, source.encode()) if one.change == change)
    return [one.name for one in run.tests_of(mutant, recorded)]


def test_a_change_is_tried_on_the_tests_that_enter_its_function_the_most_particular_first() -> None:
    recorded = recorded_as(wide=["put", "take", "look"], narrow=["put"], other=["look"])
    assert tried("def put(a):\n    return a", "return a → return None", recorded) == ["narrow", "wide"]


def test_a_call_is_tried_first_on_tests_that_get_as_far_as_it() -> None:
    source = "def put(self):\n    if self.full:\n        self.tell()\n"
    recorded = recorded_as(near=["put", "Shelf.tell", "look", "take"], far=["put"], farther=["put", "take"])
    assert tried(source, "self.tell() → pass", recorded) == ["near", "far", "farther"]


def test_what_runs_at_import_is_tried_on_the_tests_of_its_module_or_else_of_its_folder() -> None:
    recorded = recorded_as(one=["put"])
    elsewhere = [run.Test("two", 1.0, frozenset({"host/inbox/other.py look", "host/queue/a.py b"}))]
    assert tried("x = True", "True → False", elsewhere + recorded) == ["one"]
    assert tried("x = True", "True → False", elsewhere) == ["two"]


def test_a_survivor_is_named_with_its_place_and_how_to_try_it_again() -> None:
    (mutant,) = of_source(HERE, b"\n\ndef full(a, b):\n    if a < b: ...\n")
    fate = run.Fate(mutant, 7, "")
    assert fate.line == "SURVIVED  host/inbox/shelf.py:4 full: a < b → a <= b (7 tests)"
    assert fate.again == 'make mutations MUTATIONS="host/inbox/shelf.py:4"'


@pytest.mark.slow
def test_places_are_folders_modules_and_lines() -> None:
    one = run.mutants("host/inbox/apply/echoes.py")[0]
    assert one in run.mutants(f"{one.path}:{one.line}")
    assert {each.line for each in run.mutants(f"{one.path}:{one.line}")} == {one.line}
    assert one in run.mutants("host/inbox/apply/")
    assert not run.mutants("host/inbox/app")


def test_the_sample_leaves_out_what_is_explained() -> None:
    assert run.accepted()
    assert not {one.key for one in run.sample(3000)} & set(run.accepted())


@pytest.mark.slow
def test_every_mutant_compiles_and_differs() -> None:
    found = run.mutants()
    assert len(found) > 1000
    for one in found[::50]:
        source = (run.ROOT / one.path).read_bytes()
        changed = one.applied(source)
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse(source)), one


def test_what_is_recorded_as_surviving_is_still_there_and_explained_once() -> None:
    lines = [line for line in run.PAGE.read_text().splitlines() if line.startswith("- `")]
    recorded = run.accepted()
    assert len(lines) == len(recorded), "a line cannot be read, or is there twice"
    gone = set(recorded) - {one.key for one in run.mutants()}
    assert not gone, f"take it from docs/testing.md: {gone}"
