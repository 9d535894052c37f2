"""Each action of the audit log with the keys of its details."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.users.pages.audit_sentences import sentences
from tests.pins import audit_lines
from tests.pins.audit_lines import Lines, calls
from tests.pins.pinning import hold

KEY = "by"
"""The name of the API key: only a line of the API has it."""


@pytest.fixture(scope="module")
def written() -> tuple[Lines, Lines]:
    """What routes of the API write, and what all others do."""
    return audit_lines.written()


def actions(pages: Lines, api: Lines) -> Iterator[str]:
    """Yield each action with its keys; those of an action that a variable names are not known here."""
    for action in sorted({*sentences(), *pages, *api}):
        keys = pages.get(action) or api.get(action, set()) - {KEY}
        known = action in pages or action in api
        yield f"{action}: {', '.join(sorted(keys)) if known else audit_lines.OPEN}".rstrip()


def test_each_action_says_what_it_said(written: tuple[Lines, Lines]) -> None:
    api, pages = written
    hold("audit", actions(pages, api))


def test_no_route_of_the_api_writes_a_line_itself(written: tuple[Lines, Lines]) -> None:
    """The use case does, so that a page and the API say the same: see ``tests/api/both_ways.py``."""
    api, _pages = written
    assert api == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('audit(s, "team.added", name)', {"team.added": set()}),
        ('audit(s, "team.added", name, details={"a": 1})', {"team.added": {"a"}}),
        ('call.audit(s, "team.added", name, into=1)', {"team.added": {"into"}}),
        ('audit(s, "a.on" if x else "a.off", name)', {"a.on": set(), "a.off": set()}),
        ('def f():\n d = {"a": 1}\n d["b"] = 2\n audit(s, "a.b", n, details=d)', {"a.b": {"a", "b?"}}),
        ('def g():\n return {"a": 1}\ndef f():\n audit(s, "a.b", n, details=g())', {"a.b": {"a"}}),
        ('def f(d):\n audit(s, "a.b", n, details=d)', {"a.b": {audit_lines.OPEN}}),
    ],
)
def test_a_key_that_comes_or_goes_is_seen(source: str, found: Lines) -> None:
    assert dict(calls(source)) == found
