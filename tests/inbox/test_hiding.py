"""Hide here: a message is off the desk's pages for everybody, keeps what it says, and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.models.inbox import Conversation, Message
from tests import helpers
from tests.inbox import toys
from tests.inbox.desks import Desk, open_desk
from tests.inbox.toys import RICH, apply, echoed, edited, received, unsent

JSON = {"Accept": "application/json"}


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[Desk]:
    opened = open_desk(data, RICH)
    with clock.travel(toys.START - clock.now() + timedelta(minutes=1)):
        apply(opened.account, received("A rude word", external_id="m1"), adapter=RICH)
        yield opened


def act(desk: Desk, what: str, message: int | None = None) -> Any:
    number = message or next(one.id for one in toys.thread() if one.external_id == "m1")
    path = desk.path(f"/{toys.only(Conversation).id}/messages/{number}/{what}")
    return desk.browser.post(path, data={"csrf_token": desk.browser.csrf()}, headers=JSON)


def page(desk: Desk) -> str:
    return desk.browser.get(desk.path(f"/{toys.only(Conversation).id}")).text


def test_it_is_off_the_thread_and_the_list_for_everybody_and_comes_back(desk: Desk) -> None:
    assert "A rude word" in page(desk)
    before = len(helpers.shown())
    assert act(desk, "hide").status_code == 200
    shown = page(desk)
    assert "A rude word" not in shown
    assert f"Hidden for your team. Still visible in {RICH.label}." in shown
    assert toys.only(Conversation).last_kind == "hidden"
    assert toys.only(Message).text == "A rude word"
    (told,) = helpers.shown()[before:]
    assert told.topic == "changed"
    assert act(desk, "show_again").status_code == 200
    assert "A rude word" in page(desk)
    assert (toys.only(Conversation).last_kind, toys.only(Conversation).last_preview) == (
        "text",
        "A rude word",
    )


def test_a_message_above_leaves_the_list_alone_and_a_quote_says_nothing_of_it(desk: Desk) -> None:
    apply(desk.account, received("Sorry", at=5, external_id="m2", reply_to="m1"), adapter=RICH)
    act(desk, "hide")
    shown = page(desk)
    assert "A rude word" not in shown
    assert toys.only(Conversation).last_preview == "Sorry"


def test_twice_is_once(desk: Desk) -> None:
    act(desk, "hide")
    at = toys.only(Message).hidden_at
    with clock.travel(timedelta(minutes=5)):
        assert act(desk, "hide").status_code == 200
    assert toys.only(Message).hidden_at == at


def test_an_edit_does_not_bring_it_back_and_an_unsend_leaves_nothing_to_hide(desk: Desk) -> None:
    act(desk, "hide")
    apply(desk.account, edited("m1", "A ruder word", at=5), adapter=RICH)
    assert "A ruder word" not in page(desk)
    apply(desk.account, unsent("m1", at=6), adapter=RICH)
    shown = page(desk)
    assert "unsent this message" in shown
    assert "Unhide" not in shown
    assert act(desk, "show_again").status_code == 200
    assert toys.only(Message).hidden_at is not None


def test_what_we_sent_can_be_hidden_too(desk: Desk) -> None:
    apply(desk.account, echoed("A typo", at=5, external_id="ours"), adapter=RICH)
    assert act(desk, "hide", toys.thread()[-1].id).status_code == 200
    assert "A typo" not in page(desk)
    assert "A rude word" in page(desk)


def test_only_messages_of_the_conversation_can_be_hidden(desk: Desk) -> None:
    assert act(desk, "hide", 99_999).json["error"]["code"] == "message_not_found"
    path = desk.path(f"/{toys.only(Conversation).id}/note")
    fields = {"csrf_token": desk.browser.csrf(), "text": "For the team", "reply_key": "k" * 12}
    assert desk.browser.post(path, data=fields, headers=JSON).status_code == 200
    note = next(one.id for one in toys.thread() if one.direction == "internal")
    assert act(desk, "hide", note).json["error"]["code"] == "message_not_found"
