"""The keys of the inbox: one table, in page and docs, and a function for each in the script."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import Babel

from host.channels import abilities
from host.channels.abilities import EVERYTHING, Abilities
from host.core import db
from host.inbox.pages.keys import KEYS, groups
from host.web.devices import key_caps, shown_keys
from tests.inbox import desks, toys
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "answer.md"
SCRIPTS = ROOT / "host" / "static" / "js"
BEGIN, END = "<!-- keys -->\n", "<!-- /keys -->"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def table() -> str:
    """Return the table docs/answer.md must hold. ``REWRITE_GOLDEN=1`` writes it."""
    rows = ["| key | does |", "|---|---|"]
    for _group, keys in KEYS:
        for key in keys:
            between = " " if key.caps[0] in {"Ctrl", "Shift"} else " or "
            rows.append(f"| {between.join(f'`{cap}`' for cap in key.caps)} | {key.words} |")
    return "\n".join(rows) + "\n"


def test_the_page_for_agents_names_every_key() -> None:
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    shown, _, after = rest.partition(END)
    if os.environ.get("REWRITE_GOLDEN"):
        PAGE.write_text(before + BEGIN + table() + END + after)
    else:
        assert shown == table()


def test_no_key_does_two_things_and_each_has_a_function() -> None:
    every = [key for _group, keys in KEYS for key in keys]
    letters = [key.key for key in every if key.key]
    assert len(letters) == len(set(letters))
    script = "".join((SCRIPTS / name).read_text() for name in ("inbox.js", "inbox-keys.js"))
    for key in every:
        assert re.search(rf'^\s+"?{key.command}"?(:|\()', script, re.MULTILINE), key.command


def test_who_only_reads_has_no_keys_that_write() -> None:
    mine = {key.command for _group, keys in groups(False) for key in keys}
    assert {"reply", "close", "assign", "unread"}.isdisjoint(mine)
    assert {"next", "open", "palette", "search", "keys"} <= mine
    assert all(keys for _group, keys in groups(False))


def test_keys_for_comments_are_there_where_a_channel_has_them() -> None:
    def commands(able: Abilities) -> set[str]:
        return {key.command for _group, keys in groups(True, able) for key in keys}

    assert commands(EVERYTHING) - commands(abilities.of([])) == {"private", "hide"}
    private = abilities.of([toys.Public()])
    assert {"private", "hide"} & commands(private) == {"private", "hide"}


MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Safari/605.1.15"


@pytest.mark.parametrize(
    ("agent", "caps", "shown"),
    [(MAC, ("⇧", "⌘", "Enter"), "⇧⌘Enter"), ("Firefox", ("Ctrl", "Shift", "Enter"), "Ctrl + Shift + Enter")],
)
def test_keys_are_named_as_the_keyboard_names_them(agent: str, caps: tuple[str, ...], shown: str) -> None:
    desk = Flask("desk")
    Babel(desk)
    with desk.test_request_context(headers={"User-Agent": agent}):
        assert key_caps("Ctrl", "Shift", "Enter") == caps
        assert shown_keys("Ctrl", "Shift", "Enter") == shown


def test_pages_for_a_mac_name_no_ctrl(desk: Desk, scene: Scene) -> None:
    path = desk.path(f"/{scene.conversation('ana')}")
    assert "Ctrl" in desk.browser.get(path).text
    shown = desk.browser.get(path, headers={"User-Agent": MAC}).text
    assert "Ctrl" not in shown
    assert all(one in shown for one in ("<kbd>⌘</kbd>", "⌘Enter", "⇧⌘Enter"))
