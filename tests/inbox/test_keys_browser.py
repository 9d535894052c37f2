"""Keys while a page, or a conversation, is on its way: typed at a person's pace, with answers that wait."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.models.inbox import Conversation
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

PACE_MS = 90
"""Between two keys of somebody who types fast."""
FIELD = "[data-search-field]"
TEXT = "[data-form=reply] textarea"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


LEFT = """addEventListener("pagehide", () => sessionStorage.setItem("left", JSON.stringify({
  open: document.querySelectorAll("details.menu[open], dialog[open]").length,
  search: document.querySelector("[data-search-field]")?.value,
  reply: document.querySelector("[data-form=reply] textarea")?.value,
})))"""
"""A page that another one is on its way for answers no question of a test, so it notes how it was left."""


class Slow:
    """Requests of a page that wait until :meth:`answer`."""

    def __init__(self, page: Any, pattern: str) -> None:
        self.page, self.pattern = page, pattern
        self.held: list[Any] = []
        page.evaluate(LEFT)
        page.route(pattern, lambda route: self.held.append(route))  # noqa: PLW0108 - it sets a mark on it

    def asked(self) -> None:
        """Wait until one of them is made."""
        until(lambda: self.page.context.cookies() and self.held)

    def answer(self) -> None:
        self.page.unroute(self.pattern)

    def left(self) -> dict[str, Any]:
        """Answer, and return how the page was left."""
        with self.page.expect_navigation():
            self.answer()
        return dict(json.loads(self.page.evaluate("sessionStorage.getItem('left')")))


def leave(page: Any) -> Slow:
    """Follow a link to another page, which takes its time."""
    slow = Slow(page, "**/contacts**")
    page.evaluate("document.querySelector('.mainnav a[href*=contacts]').click()")
    slow.asked()
    return slow


def statuses() -> set[str]:
    return {one.status for one in toys.everything(Conversation)}


@pytest.mark.parametrize("typed", ["exchange", "refund mug"])
def test_what_is_typed_after_a_slash_is_searched_for(
    scene: scenes.Scene, open_page: Open, typed: str
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    slow = Slow(page, "**/search**")
    page.keyboard.type(f"/{typed}", delay=PACE_MS)
    page.keyboard.press("Enter")
    slow.asked()
    page.keyboard.type("exchange", delay=PACE_MS)
    left = slow.left()
    assert left["reply"] == ""
    assert page.url.endswith(f"/search?q={typed.replace(' ', '+')}")
    assert statuses() == {"open"}


def test_a_slash_leads_to_the_field_where_the_list_is_out_of_view(
    scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}", viewport={"width": 360, "height": 740})
    assert page.locator(FIELD).is_hidden()
    page.keyboard.type("/mug", delay=PACE_MS)
    assert page.locator(FIELD).input_value() == "mug"
    page.go_back()
    page.wait_for_selector(".thread-head >> text=Ana Q.")
    assert page.locator(FIELD).is_hidden()


def test_no_key_acts_while_the_page_is_leaving(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    slow = leave(page)
    page.keyboard.type("exchange refund mug", delay=PACE_MS)
    page.keyboard.press("Control+k")
    left = slow.left()
    assert (left["open"], left["reply"], left["search"]) == (0, "", "")
    assert statuses() == {"open"}
    page.go_back()
    page.wait_for_selector("[data-inbox]", state="attached")
    page.keyboard.press("e")
    until(lambda: page.evaluate("1") and "closed" in statuses())


def test_nothing_is_sent_by_key_while_the_page_is_leaving(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.fill(TEXT, "Yes, we")
    slow = leave(page)
    page.keyboard.type(" have", delay=PACE_MS)
    page.keyboard.press("Control+Enter")
    assert slow.left()["reply"] == "Yes, we have", "what is typed into a field stays there"
    page.go_back()
    page.wait_for_selector(TEXT)
    assert page.locator(TEXT).input_value() == "Yes, we have"
    assert [one.direction for one in toys.thread(scene.conversation("ana"))] == ["inbound"]


@pytest.mark.parametrize("said_by", ["click", "Escape"])
def test_keys_act_again_on_a_page_that_stays_after_all(
    scene: scenes.Scene, open_page: Open, said_by: str
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    slow = leave(page)
    page.keyboard.press("n")
    slow.held[0].fulfill(status=204)  # as with a file
    wait(page, "true")
    assert page.evaluate("document.activeElement.tagName") != "TEXTAREA"
    if said_by == "click":
        page.mouse.click(900, 300)
    else:
        page.keyboard.press("Escape")
    page.keyboard.press("n")
    wait(page, "document.activeElement.closest('[data-form]')?.dataset.form === 'note'")


def test_no_key_acts_on_a_conversation_while_another_opens(scene: scenes.Scene, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page(f"/{scene.conversation('ana')}")
    slow = Slow(page, "**/thread**")
    page.focus(f"[data-row='{jon}'] a")
    page.keyboard.press("o")
    slow.asked()
    page.keyboard.type("emails tag!", delay=PACE_MS)
    page.keyboard.press("Shift+E")
    assert page.locator("details.menu[open], dialog[open], [data-form]:focus-within").count() == 0
    slow.answer()
    page.wait_for_selector(".thread-head h2 >> text=Jon B.")
    assert statuses() == {"open"}
    assert {one.assignee_id for one in toys.everything(Conversation)} == {None}
    page.click("button:has-text('Close'):visible")
    page.wait_for_selector("button:has-text('Reopen')")
    with db.read() as session:
        assert session.get_one(Conversation, jon).status == "closed"
