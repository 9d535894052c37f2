"""docs/sequences.md names the steps and templates that the code has."""

from __future__ import annotations

import regex

from host.sequences.pages.wording import CHECKS, KINDS
from host.sequences.template_bodies import TEMPLATES
from tests.docs.test_rules import ROOT

PAGE = (ROOT / "docs" / "sequences.md").read_text()


def test_the_table_has_each_kind_of_step() -> None:
    rows = regex.findall(r"^\| ([^|]+) \|", PAGE, regex.MULTILINE)[1:]
    assert rows == [str(words) for _icon, words in KINDS.values()]


def test_each_template_is_named() -> None:
    assert [key for key, one in TEMPLATES.items() if key != "empty" and f"*{one.title}*" not in PAGE] == []


def test_each_check_is_listed() -> None:
    """Ends and steps that can be reached share a line."""
    listed = PAGE.partition("over all paths:\n")[2].partition("\nIf one")[0]
    assert listed.count("\n- ") == len(CHECKS) - 1
