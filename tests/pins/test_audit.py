"""Each action of the audit log with the keys of its details, and where the API's differ from the page's.

What a page writes is wanted. ``golden/audit-api.txt`` lists what the API writes differently for the same
action, and ``golden/audit-doubled.txt`` the actions that are written in two places: both are to get shorter.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.users.pages.audit_sentences import SENTENCES
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
    for action in sorted({*SENTENCES, *pages, *api}):
        keys = pages.get(action) or api.get(action, set()) - {KEY}
        known = action in pages or action in api
        yield f"{action}: {', '.join(sorted(keys)) if known else audit_lines.OPEN}".rstrip()


def differences(pages: Lines, api: Lines) -> Iterator[str]:
    """Yield what the API says differently about an action that pages have, too."""
    for action in sorted(set(pages) & set(api)):
        ours = api[action] - {KEY}
        for word, keys in (("lacks", pages[action] - ours), ("adds", ours - pages[action])):
            if keys:
                yield f"{action} {word} {', '.join(sorted(keys))}"


def test_each_action_says_what_it_said(written: tuple[Lines, Lines]) -> None:
    api, pages = written
    hold("audit", actions(pages, api))


def test_the_api_differs_where_it_is_known_to(written: tuple[Lines, Lines]) -> None:
    api, pages = written
    hold("audit-api", differences(pages, api))


def test_no_other_action_is_written_by_a_page_and_by_the_api_each_for_itself(
    written: tuple[Lines, Lines],
) -> None:
    api, pages = written
    hold("audit-doubled", sorted(set(pages) & set(api)))


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
