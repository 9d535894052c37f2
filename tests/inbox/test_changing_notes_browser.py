"""Editing and deleting one's own notes in Chromium: the sheet, two tabs, a colleague who looks on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.events.models import ActorKind
from host.inbox import notes
from host.users.actor import Actor
from tests import helpers
from tests.asking import answer
from tests.helpers import do
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk

pytestmark = pytest.mark.browser

SHEET = "[data-edit-sheet=note]"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def note(desk: Desk, scene: scenes.Scene) -> int:
    scene.note("ana", "Paid by crad", clock.now(), desk.mia.id)
    return max(one.id for one in toys.thread())


def begin(page: Any, note: int) -> Any:
    page.hover(f"#m-{note}")
    page.click(f"#m-{note} [data-edit]")
    return page.locator(SHEET)


def test_a_note_is_edited_and_a_colleague_sees_it_at_once(
    desk: Desk, scene: scenes.Scene, note: int, open_page: Open
) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    path = f"/{scene.conversation('ana')}"
    theirs = open_page(path, browser=helpers.client_for(desk.app, bo))
    assert theirs.locator(f"#m-{note} [data-edit]").count() == 0
    page = open_page(path)
    sheet = begin(page, note)
    text = sheet.locator("textarea")
    assert text.input_value() == "Paid by crad"
    text.fill("Paid by card. ")
    text.press("End")
    page.keyboard.type("@bo")
    page.wait_for_selector(f"{SHEET} [role=option][aria-selected=true]")
    page.keyboard.press("Enter")
    assert text.input_value() == "Paid by card. @Bo T. "
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(SHEET, state="hidden")
    theirs.wait_for_selector(f"#m-{note} .mention-me >> text=@Bo T.")
    theirs.wait_for_selector(f"#m-{note} >> text=Edited")
    wait(page, f"document.activeElement.closest('#m-{note}') !== null")


def test_whoever_types_a_name_before_its_list_is_loaded_gets_the_list(
    desk: Desk, scene: scenes.Scene, note: int, open_page: Open
) -> None:
    helpers.make_user(name="Bo T.", workspace=desk.workspace)
    page = open_page(f"/{scene.conversation('ana')}")
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/*composer-mention*", hold)
    sheet = begin(page, note)
    sheet.locator("textarea").press("End")
    page.keyboard.type(" @bo")
    for _ in range(100):
        if held:
            break
        page.wait_for_timeout(50)
    held[0].continue_()
    page.wait_for_selector(f"{SHEET} [role=option][aria-selected=true]")


def test_the_text_of_another_tab_is_shown_and_replaced_only_when_saved_again(
    desk: Desk, scene: scenes.Scene, note: int, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    sheet = begin(page, note)
    do(
        notes.edit_note,
        desk.workspace,
        note,
        text="<i>From the other tab</i>",
        actor=Actor(ActorKind.USER, desk.mia.id),
    )
    sheet.locator("textarea").fill("From this tab")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-edit-error]:not(:empty)")
    sheet.locator("[data-edit-other] summary").click()
    assert sheet.locator("[data-edit-other] p").inner_text() == "<i>From the other tab</i>"
    assert sheet.locator("textarea").input_value() == "From this tab"
    sheet.get_by_role("button", name="Save").click()
    page.wait_for_selector(SHEET, state="hidden")
    page.wait_for_selector(f"#m-{note} >> text=From this tab")
    begin(page, note)
    assert sheet.locator("[data-edit-other]").is_hidden()
    page.keyboard.press("Escape")
    page.wait_for_selector(SHEET, state="hidden")


def test_a_note_is_deleted_after_a_question(
    desk: Desk, scene: scenes.Scene, note: int, open_page: Open
) -> None:
    path = f"/{scene.conversation('ana')}"
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    theirs = open_page(path, browser=helpers.client_for(desk.app, bo))
    page = open_page(path)
    for yes in (False, True):
        page.hover(f"#m-{note}")
        page.click(f"#m-{note} form button")
        answer(page, yes=yes)
        if not yes:
            assert toys.thread()[-1].unsent_at is None
    for one in (page, theirs):
        one.wait_for_selector(f"#m-{note}.activity >> text=deleted a note")
        assert "crad" not in one.content()
    wait(page, f"document.activeElement === document.querySelector('#m-{note}')")


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_sheet_and_the_buttons_fit(
    desk: Desk, scene: scenes.Scene, note: int, open_page: Open, width: int, scheme: str
) -> None:
    page = open_page(
        f"/{scene.conversation('ana')}", viewport={"width": width, "height": 800}, color_scheme=scheme
    )
    page.hover(f"#m-{note}")
    whole = page.locator(f"#m-{note}").bounding_box()
    wait(page, f"getComputedStyle(document.querySelector('#m-{note} .msg-actions')).opacity === '1'")
    for button in page.locator(f"#m-{note} .msg-actions button").all():
        box = button.bounding_box()
        assert whole["x"] <= box["x"]
        assert box["x"] + box["width"] <= whole["x"] + whole["width"]
    sheet = begin(page, note)
    box = sheet.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth") <= width
