"""Each page of a filled desk: what it is made of, without words, and how many statements it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from host.core import db
from tests import helpers
from tests.pins.filled import FilledDesk, filled_desk
from tests.pins.outline import Outline, outline
from tests.pins.pinning import changes, hold

Opened = dict[str, dict[str, tuple[Outline, int]]]
"""Each page by address and by who opened it: its outline, and how many statements it took."""
SHELLS = ("/w/<int:workspace_id>/inbox", "/w/<int:workspace_id>/settings/labels", "/admin/desk", "/login")
"""Pages that show what stands around each kind of page."""


def opened(desk: FilledDesk) -> Opened:
    """Open each page as everybody who may."""
    found: Opened = {}
    for rule, address in desk.pages():
        for who in desk.people:
            answer, _first = desk.open(who, address)
            if answer.status_code != 200 or answer.mimetype != "text/html":
                continue
            # The second time, so that nothing depends on what this process has looked up before.
            again, statements = desk.open(who, address)
            found.setdefault(rule, {})[who] = outline(again.text), statements
    return found


@pytest.fixture(scope="module")
def pages(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Each page of a filled desk."""
    with filled_desk(migrated_file, tmp_path_factory.mktemp("filled")) as desk:
        yield opened(desk)


def structure(pages: Opened) -> Iterator[str]:
    """Yield the lines of each page: as the first who may open it sees it, and what others see differently."""
    for rule, views in pages.items():
        first, *others = views
        whole = views[first][0]
        yield f"== {rule} {first}"
        yield from (line for line in whole.head if line.startswith(("link", "script")))
        yield from whole.main
        for who in others:
            if differently := changes(whole.main, views[who][0].main):
                yield f"== {rule} {who}"
                yield from differently
    for rule in SHELLS:
        for who, (found, _statements) in pages[rule].items():
            yield f"== around {rule} {who}"
            yield from found.shell


def test_pages_are_made_of_what_they_were(pages: Opened) -> None:
    hold("pages", structure(pages))


def test_pages_take_as_many_statements_as_they_did(pages: Opened) -> None:
    hold(
        "statements",
        (
            f"{rule} {who}: {statements}"
            for rule, views in pages.items()
            for who, (_outline, statements) in views.items()
        ),
    )


def test_nearly_every_page_is_opened(pages: Opened) -> None:
    """A desk that is not filled any more would pin nothing."""
    assert len(pages) > 85, sorted(pages)


def test_a_statement_more_is_counted(app: Flask, database: db.Database) -> None:
    desk = FilledDesk(app, database, {}, {"nobody": helpers.browser(app)})
    desk.open("nobody", "/login")
    _answer, before = desk.open("nobody", "/login")
    helpers.read_first(app)
    _answer, after = desk.open("nobody", "/login")
    assert after == before + 1


PAGE = '<main id="main"><form method="post" action="/w/7/x"><input name="a"><p>Words</p></form></main>'


@pytest.mark.parametrize(
    ("old", "new", "seen"),
    [
        ("Words", "Other words", False),
        ("/w/7/", "/w/8/", False),
        ("<p>", '<p class="muted">', False),
        ("<p>Words</p>", "<div><p>Words</p></div>", True),
        ("<p>", '<p role="alert">', True),
        ('name="a"', 'name="b"', True),
        ('name="a"', 'name="a" required', True),
        ("/x", "/y", True),
        ('method="post"', 'method="get"', True),
    ],
)
def test_a_change_of_structure_is_seen_and_other_words_are_not(old: str, new: str, seen: bool) -> None:
    assert (outline(PAGE.replace(old, new)) != outline(PAGE)) is seen
