"""docs/automation.md says of rules what the code does."""

from __future__ import annotations

import os
import re

import pytest
from flask import Flask

from host.automation import condition_forms, conditions
from host.automation.actions import ActionTargets
from host.automation.condition_checks import LONGEST_PATTERN, LONGEST_WORD, MOST_WORDS
from host.automation.words import OF_RULES
from host.inbox import names
from host.rules import body, evaluation, log, rules
from host.rules.body import RuleTargets
from host.rules.pages import forms
from tests.docs.test_docs import ROOT

PAGE = ROOT / "docs" / "automation.md"


def part(name: str) -> str:
    """Return what the page says between the marks of a table."""
    (found,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", PAGE.read_text(), re.DOTALL)
    return str(found)


def events() -> str:
    rows = [f"| {words} |" for words in body.EVENTS.values()]
    return "\n".join(["| a rule waits until |", "|---|", *rows, ""])


def reasons() -> str:
    return "\n".join(["| a reason |", "|---|", *(f"| {words} |" for words in OF_RULES.values()), ""])


def limits() -> str:
    figures = {
        "rules of a workspace": f"{rules.MOST}",
        "letters of a name": f"{names.LONGEST}",
        "conditions of a rule, and of a group": f"{body.MOST_CONDITIONS}",
        "actions of a rule": f"{body.MOST_ACTIONS}",
        "words of a condition": f"{MOST_WORDS} of at most {LONGEST_WORD} letters",
        "letters of a pattern": f"{LONGEST_PATTERN}",
        "a pattern may take": f"{conditions.PATTERN_SECONDS * 1000:g} ms",
        "letters of a text that are looked at": f"{conditions.MOST_READ:,}",
        "time without an answer": f"{body.LONGEST_WAIT.days} days",
        "times that rules act in a conversation": f"{evaluation.MOST_PER_HOUR} in an hour",
        "messages a preview looks at": f"{log.MOST_LOOKED:,} of {log.DAYS} days",
    }
    rows = [f"| {what} | {figure} |" for what, figure in figures.items()]
    return "\n".join(["| what | at most |", "|---|---|", *rows, ""])


@pytest.mark.parametrize(("name", "made"), [("events", events), ("reasons", reasons), ("limits", limits)])
def test_tables_say_what_the_code_does(app: Flask, name: str, made: object) -> None:
    assert callable(made)
    with app.test_request_context():
        wanted = made()
    if os.environ.get("REWRITE_GOLDEN"):
        text = (
            PAGE.read_text().replace(part(name), wanted)
            if part(name)
            else PAGE.read_text().replace(f"<!-- {name} -->\n", f"<!-- {name} -->\n{wanted}")
        )
        PAGE.write_text(text)
    assert part(name) == wanted


def test_every_group_of_the_form_is_explained(app: Flask) -> None:
    def first(name: str) -> list[str]:
        return [line.split("|")[1].strip() for line in part(name).splitlines()[2:]]

    there = RuleTargets(ActionTargets({}, {}, {}, {}))
    with app.test_request_context():
        asked = [name for name, _some in condition_forms.condition_choices(there)]
        done = [name for name, _some in forms.action_choices(there)]
    assert first("conditions") == asked[1:], "the first group is what no select offers"
    assert first("actions") == done
