"""The check of docstrings, class names and texts finds what it is for, and nothing here needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tools import writing
from tools.writing import Finding, Guide

GUIDE = Guide.read(Path(writing.__file__).with_name("writing.toml"))


@pytest.mark.parametrize(
    ("source", "objected"),
    [
        ('"""What a desk holds."""', ["What a desk holds."]),
        ('"""A desk."""', []),
        ('def late():\n    """Return when.\n\n    Of others: None.\n    """', []),
        ('def late():\n    """Of others."""', ["Of others."]),
        ('LIMIT = 3\n"""None: no limit."""', ["None: no limit."]),
        ('LIMIT = 3\n"""Most cards, or None for no limit."""', []),
        ('class A:\n    x = 1\n    """Whose it is."""', ["Whose it is."]),
        ("class Given: ...", ["Given"]),
        ("class _Told: ...", ["_Told"]),
        ("class GivenBody: ...", []),
        ('f("What is a string and no docstring")', []),
    ],
)
def test_docstrings_and_class_names(source: str, objected: list[str]) -> None:
    assert [one.text for one in writing.in_code("a.py", source, GUIDE)] == objected


@pytest.mark.parametrize(
    ("text", "objected"),
    [
        ("Answered by itself", True),
        ("What has come goes on", True),
        ("There are no more than 20 cards.", False),
        ("Somewhat cameo", False),
        ("Answered automatically", False),
    ],
)
def test_phrases(text: str, objected: bool) -> None:
    assert bool(GUIDE.phrases.search(text)) is objected


def test_an_exception_lets_a_text_stand_and_has_to_be_needed() -> None:
    found = [Finding("a.py", 3, "class with a vague name", "Step")]
    none = replace(GUIDE, exceptions=frozenset())
    assert writing.problems(found, none) == ["a.py:3: class with a vague name: Step"]
    let = replace(GUIDE, exceptions=frozenset({"Step"}))
    assert writing.problems(found, let) == []
    assert writing.problems([], let) == ["writing.toml: nothing needs the exception 'Step' any more"]
