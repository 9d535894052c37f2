"""Before one conversation is changed, its head says which messages its customer could get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.automation.actions import AssignMe, Close, ConversationAction
from host.core import db
from host.events.kinds.conversations import CONVERSATION_CLOSED, CONVERSATION_LABELLED, CONVERSATION_SNOOZED
from host.inbox.canned import macros
from host.inbox.canned.replies import Viewer
from tests.automation.automated import Automated
from tests.helpers import do
from tests.inbox import desks
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk
from tests.rules.ruled import add_rule

pytestmark = pytest.mark.browser

GOODBYE = "The customer can get 1 message: Goodbye"
HEAD = '[data-part="head"]'


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def says_on(desk: Desk, when: str, name: str) -> None:
    add_rule(Automated(desk), {"do": "say", "text": f"{name}."}, name=name, when=when)


def add_macro(desk: Desk, name: str, step: ConversationAction) -> None:
    do(macros.create, desk.workspace, Viewer(None, keeps=True), name=name, steps=(step,), shared=True)


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_closing_says_before_what_it_sends(
    scene: Any, desk: Desk, open_page: Open, width: int, scheme: str
) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    says_on(desk, CONVERSATION_LABELLED, "Thanks for the label")
    says_on(desk, CONVERSATION_SNOOZED, "We come back")
    size = {"width": width, "height": 900}
    page = open_page(f"/{scene.conversation('ana')}", viewport=size, color_scheme=scheme)
    close = page.locator(f"{HEAD} form[data-act=close] button")
    close.locator("[data-foreseen-mark]:not([hidden])").wait_for()
    assert close.locator(".nums").inner_text() == "1"
    assert close.get_attribute("title") == GOODBYE
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("[data-menu=labels] > summary").click()
    line = page.locator("[data-menu=labels] .foreseen-line")
    assert line.inner_text() == "The customer can get 1 message: Thanks for the label"
    page.keyboard.press("Escape")
    page.locator("[data-menu=snooze] > summary").click()
    assert page.locator("[data-menu=snooze] .foreseen-line").inner_text().endswith("We come back")
    assert page.locator("[data-menu=assign] .foreseen-line").count() == 0


def test_it_is_said_in_words_where_nothing_hovers(scene: Any, desk: Desk, open_page: Open) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    size = {"width": 360, "height": 780}
    page = open_page(f"/{scene.conversation('ana')}", viewport=size, has_touch=True, is_mobile=True)
    chip = page.locator("[data-foreseen-chip]")
    chip.wait_for(state="visible")
    assert chip.inner_text() == GOODBYE


def test_send_and_close_says_it_too(scene: Any, desk: Desk, open_page: Open) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    page = open_page(f"/{scene.conversation('ana')}")
    page.locator("[data-form=reply] .send-more").click()
    mark = page.locator("#send-menu [value=close] [data-foreseen-mark]")
    mark.wait_for(state="visible")
    assert page.locator("#send-menu [value=close]").get_attribute("title") == GOODBYE
    assert not page.locator("#send-menu [value=snooze] [data-foreseen-mark]").is_visible()


def test_a_closed_conversation_says_nothing_of_closing(scene: Any, desk: Desk, open_page: Open) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    page = open_page(f"/{scene.conversation('ana')}")
    mark = page.locator(f"{HEAD} [data-foreseen-mark]:not([hidden])")
    mark.wait_for()
    page.locator(f"{HEAD} form[data-act=close] button").click()
    page.locator(f"{HEAD} form[data-act=reopen]").wait_for()
    mark.wait_for(state="detached")


def test_the_menu_of_macros_says_it_of_each(scene: Any, desk: Desk, open_page: Open) -> None:
    says_on(desk, CONVERSATION_CLOSED, "Goodbye")
    add_macro(desk, "Done", Close())
    add_macro(desk, "Mine", AssignMe())
    page = open_page(f"/{scene.conversation('ana')}")
    page.locator("[data-macros] > summary").click()
    lines = page.locator("[data-macros-list] button")
    lines.filter(has_text="Done").get_by_text(GOODBYE).wait_for()
    assert GOODBYE not in lines.filter(has_text="Mine").inner_text()


def test_where_nothing_sends_the_next_one_is_not_asked_about(scene: Any, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if "messages-after" in one.url else None)
    page.wait_for_timeout(600)
    before = len(asked)
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.locator(f"[data-part=opened]:not([data-conversation='{scene.conversation('ana')}'])").wait_for()
    page.wait_for_timeout(600)
    assert len(asked) == before, "nothing in this workspace sends, and the page knows"
