"""Which messages a change of one conversation could lead to: as JSON, as a page, and for macros."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import pytest

from host.automation.actions import AssignMe, Close, ConversationAction
from host.core import db
from host.events.kinds.conversations import CONVERSATION_CLOSED, CONVERSATION_LABELLED
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from host.inbox.foreseen.changes import KINDS, of_steps
from tests.automation.automated import Automated
from tests.helpers import do
from tests.inbox import desks, toys
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene
from tests.rules.ruled import add_rule

JSON = {"Accept": "application/json"}


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> Scene:
    scene = Scene(desk)
    scene.said("ana", "Ana Q.", "Is it in stock?", scene.ago(minutes=3))
    return scene


def says_on(desk: Desk, when: str, name: str, **more: Any) -> None:
    add_rule(Automated(desk), {"do": "say", "text": f"{name}."}, name=name, when=when, **more)


def asked(desk: Desk, id_: int) -> Any:
    answer = desk.browser.get(desk.path(f"/{id_}/messages-after"), headers=JSON)
    assert answer.status_code == 200
    return answer.json


def test_each_change_names_what_it_could_send(desk: Desk, scene: Scene) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    says_on(desk, CONVERSATION_CLOSED, "How was it?")
    says_on(desk, CONVERSATION_LABELLED, "Thanks")
    told = asked(desk, scene.conversation("ana"))
    assert told["possible"] is True
    assert told["changes"] == {
        "close": {
            "names": ["Goodbye", "How was it?"],
            "sentence": "The customer can get 2 messages: Goodbye, How was it?",
        },
        "label": {"names": ["Thanks"], "sentence": "The customer can get 1 message: Thanks"},
    }


def test_a_workspace_in_which_nothing_sends_says_so(desk: Desk, scene: Scene) -> None:
    assert asked(desk, scene.conversation("ana")) == {"possible": False, "changes": {}}


def test_whoever_can_not_be_reached_gets_nothing(desk: Desk, scene: Scene) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    scene.said("old", "Old O.", "Hello", scene.ago(days=400))
    assert asked(desk, scene.conversation("old")) == {"possible": True, "changes": {}}


def test_another_account_is_not_concerned(desk: Desk, scene: Scene) -> None:
    other = toys.make_account(desk.workspace, name="Other")
    elsewhere = {"if": "conversation", "filter": {"account_id": other.id}}
    says_on(desk, CONVERSATION_CLOSED, "Goodbye", conditions=[elsewhere])
    assert asked(desk, scene.conversation("ana"))["changes"] == {}


def test_the_page_says_it_without_scripts(desk: Desk, scene: Scene) -> None:
    id_ = scene.conversation("ana")
    address = desk.path(f"/{id_}/messages-after")
    assert "No messages are sent." in desk.browser.get(address).text
    says_on(desk, CONVERSATION_CLOSED, "Good <b>bye</b>")
    page = desk.browser.get(address).text
    assert "The customer can get 1 message: Good &lt;b&gt;bye&lt;/b&gt;" in page
    opened = desk.browser.get(desk.path(f"/{id_}")).text
    assert f'<noscript><a class="link micro"\n      href="{address}"' in opened


def add_macro(desk: Desk, name: str, *steps: ConversationAction) -> None:
    do(macros.create, desk.workspace, Viewer(None, keeps=True), name=name, steps=steps, shared=True)


def test_a_macro_says_what_its_steps_could_lead_to(desk: Desk, scene: Scene) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    add_macro(desk, "Done", AssignMe(), Close())
    add_macro(desk, "Mine", AssignMe())
    address = desk.path(f"/{scene.conversation('ana')}/macros")
    told = {one["name"]: one["after"] for one in desk.browser.get(address, headers=JSON).json["macros"]}
    assert told == {"Done": "The customer can get 1 message: Goodbye", "Mine": ""}
    page = html.unescape(desk.browser.get(address).text)
    assert page.count("The customer can get 1 message: Goodbye") == 1


def test_every_change_of_a_macro_is_known() -> None:
    assert of_steps(["assignMe", "assignNobody", "note", "reply", "close"]) == {"assign", "close"}
    assert of_steps(KINDS) == set(KINDS)
