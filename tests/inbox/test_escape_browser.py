"""Escape closes what lies on top and nothing else; the hint of a key is shown only while the key does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from tests.helpers import do
from tests.inbox import desks, scenes
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

OPEN = "details.menu[open], .pop:popover-open, dialog[open]"
TEXT = "[data-form=reply] textarea"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def page(desk: Desk, scene: scenes.Scene, open_page: Open) -> Any:
    do(labels.create, desk.workspace, name="order", tone=LabelTone.RED)
    return open_page(f"/{scene.conversation('ana')}")


def focused(page: Any, selector: str) -> None:
    wait(page, f"document.activeElement.matches({selector!r})")


def stays_open(page: Any) -> None:
    wait(page, f"!document.querySelector({OPEN!r})")
    assert page.locator(".thread-head h2").inner_text() == "Ana Q."


@pytest.mark.parametrize("key", ["t", "a", "s", "d", "q", "?", "Control+k"])
@pytest.mark.parametrize("lost", [False, True], ids=["in it", "focus lost"])
def test_escape_closes_the_menu_and_leaves_the_conversation_open(page: Any, key: str, lost: bool) -> None:
    page.keyboard.press(key)
    page.wait_for_selector(OPEN)
    if lost:
        page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    stays_open(page)


def test_escape_closes_a_panel_of_the_composer_alone(page: Any) -> None:
    page.fill(TEXT, "Hello")
    page.locator("[data-form=reply] [popovertarget]:visible").first.click()
    page.wait_for_selector(OPEN)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Escape")
    stays_open(page)
    assert page.input_value(TEXT) == "Hello"


def test_enter_takes_the_first_label_and_escape_then_leaves_only_the_menu(page: Any) -> None:
    held: list[Any] = []
    page.route("**/labels*", lambda route: held.append(route))  # noqa: PLW0108 - it sets a mark on it
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    until(lambda: page.evaluate("1") and held)
    page.keyboard.press("Escape")
    stays_open(page)
    page.unroute("**/labels*")
    page.wait_for_selector(".labels .lbl-red")


def test_escape_after_the_label_was_added_leaves_its_menu_alone(page: Any) -> None:
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    page.wait_for_selector(".labels .lbl-red")
    focused(page, "[data-menu=labels] > summary")
    page.keyboard.press("Escape")
    stays_open(page)
    focused(page, ".thread-scroll")
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('.thread-head')")


def test_enter_in_a_menu_without_labels_left_shuts_it_and_escape_leaves_only_that(
    page: Any,
) -> None:
    page.keyboard.press("t")
    page.keyboard.press("Enter")
    page.wait_for_selector(".labels .lbl-red")
    page.reload()
    page.wait_for_selector(".labels .lbl-red")
    page.keyboard.press("t")
    page.wait_for_selector(OPEN)
    page.keyboard.press("Enter")
    wait(page, f"!document.querySelector({OPEN!r})")
    page.keyboard.press("Escape")
    stays_open(page)
    focused(page, ".thread-scroll")
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('.thread-head')")


HINTS = "[data-act=undo] kbd"


def test_the_hint_of_undo_goes_while_a_field_has_text(page: Any) -> None:
    page.fill(TEXT, "On its way")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(HINTS)
    page.focus(TEXT)
    assert page.locator(HINTS).is_visible(), "an empty field has nothing to undo"
    page.keyboard.type("Next")
    page.wait_for_selector(HINTS, state="hidden")
    page.keyboard.press("Control+z")
    page.fill(TEXT, "")
    page.wait_for_selector(HINTS)
    assert page.locator(".msg-waits").count() == 1, "the key was the field's"
    page.keyboard.press("Control+z")
    wait(page, f"document.querySelector({TEXT!r}).value === 'On its way'")
    page.wait_for_selector(".msg-waits", state="detached")
