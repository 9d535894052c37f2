"""The question before what can't be undone, in a real browser: keyboard, focus, what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from host.models.users import Role
from tests.asking import answer
from tests.browser.conftest import look
from tests.helpers import PASSWORD, LiveServer, make_user, make_workspace

pytestmark = pytest.mark.browser

DIALOG = "dialog[data-ask]"
FORM = """<form method="post" action="/asked" data-confirm="Fire the kiln? It can't be stopped.">
  <input name="cone" value="6" aria-label="Cone">
  <button name="kiln" value="1" type="submit">Fire the first…</button>
  <button name="kiln" value="2" type="submit" title="Fire the second"><svg></svg></button></form>"""


@pytest.fixture
def page(chromium: Any, live_server: LiveServer) -> Iterator[Any]:
    """The list of everybody, as an admin sees it."""
    workspace = make_workspace("Pottery")
    owner = make_user("owner@example.com", "Mia", workspace=workspace, role=Role.OWNER, is_admin=True)
    make_user("kit@example.com", "Kit", workspace=workspace, is_admin=True)
    context = chromium.new_context(base_url=live_server.url(), viewport={"width": 1280, "height": 800})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    page.goto("/login")
    page.fill("#email", owner.email)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto("/admin/people")
    yield page
    assert troubles == []
    context.close()


@pytest.fixture
def sent(page: Any) -> list[dict[str, str]]:
    """What the form that stands on *page* sends, each time it does."""
    found: list[dict[str, str]] = []

    def take(route: Any) -> None:
        found.append(dict(parse_qsl(route.request.post_data or "")))
        route.fulfill(status=204)

    page.route("**/asked", take)
    page.evaluate("html => document.querySelector('main').insertAdjacentHTML('afterbegin', html)", FORM)
    return found


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.innerText.trim()"))


def test_it_is_answered_by_keyboard_and_no_leads_back(page: Any) -> None:
    row = page.get_by_role("row", name="Kit")
    summary = row.locator("details.menu summary")
    remove = row.locator(".menu-risk", has_text="Remove")
    summary.press("Enter")
    for no in ("Escape", "Enter"):
        remove.press("Enter")
        assert page.get_by_role("alertdialog").get_attribute("aria-labelledby") == "ask-words"
        assert focused(page) == "Cancel"
        page.keyboard.press(no)
        page.wait_for_selector(DIALOG, state="detached")
        assert remove.evaluate("button => button === document.activeElement"), no
    page.keyboard.press("Escape")
    assert summary.evaluate("summary => summary === document.activeElement")
    assert not remove.is_visible()
    summary.press("Enter")
    remove.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Remove as admin"
    page.keyboard.press("Enter")
    row.locator(".chip", has_text="Admin").wait_for(state="detached")


def test_an_opener_that_went_away_gives_the_focus_to_its_menu(page: Any) -> None:
    row = page.get_by_role("row", name="Kit")
    row.locator("summary").press("Enter")
    row.locator(".menu-risk", has_text="Remove").press("Enter")
    row.locator("details.menu").evaluate("menu => { menu.open = false; }")
    answer(page, yes=False)
    assert row.locator("summary").evaluate("summary => summary === document.activeElement")


def test_it_fits_a_phone_and_can_be_read_in_each_theme(page: Any) -> None:
    page.get_by_role("row", name="Kit").locator("summary").press("Enter")
    page.get_by_role("row", name="Kit").locator(".menu-risk", has_text="Remove").press("Enter")
    page.locator(DIALOG).wait_for()
    look(page, "asking")
    page.set_viewport_size({"width": 360, "height": 780})
    box = page.locator(DIALOG).bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


def test_it_sends_what_was_pressed_and_repeats_its_verb(page: Any, sent: list[dict[str, str]]) -> None:
    for kiln, verb in (("1", "Fire the first"), ("2", "Fire the second")):
        page.locator(f"[name=kiln][value='{kiln}']").click()
        assert page.locator("[data-ask-yes]").inner_text() == verb
        with page.expect_response("**/asked"):
            assert answer(page) == "Fire the kiln? It can't be stopped."
    page.locator("[name=kiln][value='1']").wait_for()
    assert sent == [{"cone": "6", "kiln": "1"}, {"cone": "6", "kiln": "2"}]


def test_a_key_in_a_field_asks_and_a_held_one_answers_nothing(page: Any, sent: list[dict[str, str]]) -> None:
    page.focus("[name=cone]")
    for _ in range(3):
        page.keyboard.down("Enter")  # after the first, as a held key repeats
    page.keyboard.up("Enter")
    assert page.locator(DIALOG).count() == 1
    with page.expect_response("**/asked"):
        answer(page)
    page.wait_for_selector("[name=cone]:focus")
    page.keyboard.press("Enter")
    assert page.locator(DIALOG).count() == 0, "what was sent is not sent again at once"
    assert sent == [{"cone": "6", "kiln": "1"}]


def test_a_double_click_neither_answers_nor_sends_twice(page: Any, sent: list[dict[str, str]]) -> None:
    button = page.locator("[name=kiln][value='1']")
    button.click()
    yes = page.locator("[data-ask-yes]").bounding_box()
    answer(page, yes=False)
    x, y = yes["x"] + yes["width"] / 2, yes["y"] + yes["height"] / 2
    style = f"position: fixed; inset-inline-start: {yes['x']}px; inset-block-start: {yes['y']}px"
    button.evaluate("(button, style) => { button.style.cssText = style; }", style)
    page.mouse.dblclick(x, y)
    assert page.locator(DIALOG).count() == 1
    assert sent == []
    with page.expect_response("**/asked"):
        page.locator("[data-ask-yes]").dblclick()
    page.wait_for_timeout(200)
    assert len(sent) == 1


def test_what_was_drawn_again_meanwhile_is_sent_all_the_same(page: Any, sent: list[dict[str, str]]) -> None:
    page.locator("[name=kiln][value='2']").click()
    page.evaluate("document.querySelector('form[action=\"/asked\"]').remove()")
    with page.expect_response("**/asked"):
        answer(page)
    assert sent == [{"cone": "6", "kiln": "2"}]
