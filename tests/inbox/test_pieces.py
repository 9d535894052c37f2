"""What each thread repeats is sent once: answers to scripts name it, and nothing is lost on the way."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox.pages import pieces
from host.sdk.channel import ChannelAdapter
from tests import helpers
from tests.inbox import desks, scenes, toys
from tests.inbox.desks import Desk

MARK = re.compile(r"<&([0-9a-f]{12})(?: (\d+) ([^<>]*))?>")
SAID = (
    "Is it in stock?",
    "Yes, shall I put one aside for you?",
    "Please do! It is for my sister's birthday.",
)
SCRIPT = re.compile(r"const MARK = /(.*)/g;")


def opened(adapter: ChannelAdapter, data: Path) -> Desk:
    """A desk with two long conversations."""
    desk = desks.open_desk(data, adapter)
    scene = scenes.Scene(desk)
    for who, name in (("ana", "Ana <Q> & \\1 Co."), ("jon", "Jon B.")):
        for number in range(24):
            at = scene.ago(minutes=300 - number * 9)
            text = f"{SAID[number % 3]} <&0123456789ab> {number}"
            if number % 2:
                scene.sent(who, text, at)
            else:
                scene.said(who, name, text, at)
    scene.reply("ana", "It is on its way.", scene.now)
    return desk


def ask(desk: Desk, rest: str, held: dict[str, str] | None = None) -> Any:
    headers = {} if held is None else {pieces.HEADER: " ".join(held)}
    answer = desk.browser.get(desk.path(rest), headers=headers)
    assert answer.status_code == 200
    return answer


def whole(text: str, held: dict[str, str]) -> str:
    """Return *text* as ``pieces.js`` makes it."""

    def put(found: re.Match[str]) -> str:
        key, id_, name = found.groups()
        inner = whole(held[key], held)
        return inner if id_ is None else inner.replace(pieces.ID, id_).replace(pieces.NAME, name)

    return MARK.sub(put, text)


def settled(html: str) -> str:
    """Return *html* without what differs in each answer."""
    html = re.sub(r'(name="(?:csrf_token|reply_key|later)" value=")[^"]*', r"\1", html)
    return re.sub(r"<rect [^>]*>", "", html)  # the reply window goes on


def thread(desk: Desk, id_: int) -> str:
    return f"/{id_}/thread"


def ids(desk: Desk) -> tuple[int, int]:
    scene = scenes.Scene(desk)
    return scene.conversation("ana"), scene.conversation("jon")


@pytest.mark.parametrize("adapter", [toys.WINDOWED, toys.RICH], ids=["plain", "rich"])
def test_put_back_it_is_what_it_was(database: db.Database, data: Path, adapter: ChannelAdapter) -> None:
    desk = opened(adapter, data)
    held: dict[str, str] = {}
    for id_ in ids(desk):
        complete = ask(desk, thread(desk, id_)).json
        assert complete.keys() == {"html"}
        answer = ask(desk, thread(desk, id_), held).json
        held |= answer["pieces"]
        again = ask(desk, thread(desk, id_)).json
        # A minute may have passed in between.
        assert settled(whole(answer["html"], held)) in {settled(complete["html"]), settled(again["html"])}


@pytest.mark.parametrize("adapter", [toys.WINDOWED, toys.RICH], ids=["plain", "rich"])
def test_another_thread_weighs_little(database: db.Database, data: Path, adapter: ChannelAdapter) -> None:
    desk = opened(adapter, data)
    ana, jon = ids(desk)
    complete = len(ask(desk, thread(desk, jon)).data)
    held = ask(desk, thread(desk, ana), {}).json["pieces"]
    assert len(ask(desk, thread(desk, jon), held).data) <= 0.62 * complete


def test_a_piece_comes_once(database: db.Database, data: Path) -> None:
    desk = opened(toys.RICH, data)
    ana, _jon = ids(desk)
    first = ask(desk, thread(desk, ana), {}).json["pieces"]
    assert "pieces" not in ask(desk, thread(desk, ana), first).json
    missing = dict(list(first.items())[1:])
    assert ask(desk, thread(desk, ana), missing).json["pieces"].keys() == first.keys() - missing.keys()


def test_fragments_are_put_together_the_same_way(database: db.Database, data: Path) -> None:
    desk = opened(toys.RICH, data)
    ana, _jon = ids(desk)
    held = ask(desk, thread(desk, ana), {}).json["pieces"]
    number = re.search(r'data-message="(\d+)"', ask(desk, thread(desk, ana)).json["html"])
    assert number is not None
    rest = f"/updates?rows={ana}&conversation={ana}&messages={number[1]}&head=1&composer=1"
    complete, answer, again = ask(desk, rest).json, ask(desk, rest, held).json, ask(desk, rest).json
    held |= answer.get("pieces", {})
    for name in ("messages", "head", "contact", "composer"):
        assert settled(whole(answer[name], held)) in {settled(complete[name]), settled(again[name])}
    assert answer["rows"] in (complete["rows"], again["rows"])


def test_nobody_else_can_name_a_piece(database: db.Database, data: Path) -> None:
    """A mark in a message would else bring a form into it."""
    desk = opened(toys.RICH, data)
    ana, _jon = ids(desk)
    other = helpers.client_for(desk.app, helpers.make_user(name="Bo T.", workspace=desk.workspace))
    mine = ask(desk, thread(desk, ana), {}).json["pieces"]
    theirs = other.get(desk.path(thread(desk, ana)), headers={pieces.HEADER: ""}).json["pieces"]
    assert len(mine) == len(theirs) > 5
    assert not mine.keys() & theirs.keys()


@pytest.mark.parametrize("held", ["x" * 5000, "<&0123456789ab>", "0123456789ab " * 300, "é"])
def test_any_header_gets_everything(database: db.Database, data: Path, held: str) -> None:
    desk = opened(toys.WINDOWED, data)
    ana, _jon = ids(desk)
    answer = desk.browser.get(desk.path(thread(desk, ana)), headers={pieces.HEADER: held})
    assert answer.status_code == 200
    found = whole(answer.json["html"], answer.json["pieces"])
    assert MARK.search(found) is None
    assert len(settled(found)) == pytest.approx(
        len(settled(ask(desk, thread(desk, ana)).json["html"])), abs=9
    )


def test_the_script_knows_the_same_mark() -> None:
    script = (Path(pieces.__file__).parents[2] / "static" / "js" / "pieces.js").read_text()
    found = SCRIPT.search(script)
    assert found is not None
    assert found[1] == MARK.pattern
    assert f'"{pieces.ID}"' in script
    assert r'NAME = "\ue000"' in script
    assert pieces.NAME == "\ue000"
