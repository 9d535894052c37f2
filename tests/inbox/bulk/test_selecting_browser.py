"""Keys and the bar of a selection in Chromium: what they act on, their undo, and that nothing is covered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox.bulk.models import BulkAction
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.models.inbox import Conversation
from tests.helpers import do
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.inbox.test_opening_browser import many

pytestmark = pytest.mark.browser

SAID = "[data-bulk-toast]:not([hidden]) [data-said]"
NUMBER = "[data-bulk-bar]:not([hidden]) [data-bulk-number]"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def statuses() -> list[str]:
    return [one.status for one in sorted(toys.everything(Conversation), key=lambda one: one.id)]


def tick(page: Any, *rows: int) -> None:
    for row in rows:
        page.focus(f"[data-row='{row}'] .conv")
        page.keyboard.press("x")
    wait(page, f"document.querySelector('{NUMBER}')?.textContent === '{len(rows)}'")


def says(page: Any, words: str) -> None:
    page.wait_for_selector(f"{SAID} >> text={words}")


@pytest.fixture
def three(scene: scenes.Scene) -> list[int]:
    scene.said("kit", "Kit L.", "Hello", scene.ago(minutes=3))
    return [scene.conversation(name) for name in ("ana", "jon", "kit")]


@pytest.mark.parametrize("how", ["key", "palette"])
def test_closing_is_about_the_ticked_rows_and_undone_at_once(
    three: list[int], open_page: Open, how: str
) -> None:
    opened, *ticked = three
    page = open_page(f"/{opened}")
    tick(page, *ticked)
    if how == "key":
        page.keyboard.press("e")
    else:
        page.keyboard.press("Control+k")
        page.keyboard.type("Close / Reopen")
        page.keyboard.press("Enter")
    says(page, "2 conversations closed")
    assert statuses() == ["open", "closed", "closed"]
    assert page.locator("[data-bulk-bar]").is_hidden()
    page.keyboard.press("z")
    says(page, "2 conversations restored")
    assert statuses() == ["open", "open", "open"]
    [one] = toys.everything(BulkAction)
    assert one.total == 2


def test_what_was_changed_from_the_list_moves_under_the_pointer(three: list[int], open_page: Open) -> None:
    opened, *ticked = three
    page = open_page(f"/{opened}")
    page.hover("[data-row] .conv")
    tick(page, *ticked)
    page.keyboard.press("e")
    says(page, "2 conversations closed")
    rows = "[...document.querySelectorAll('[data-row]')].map(row => Number(row.dataset.row))"
    wait(page, f"JSON.stringify({rows}) === '[{opened}]'")
    page.keyboard.press("z")
    says(page, "2 conversations restored")
    wait(page, f"{rows}.length === 3")
    assert page.locator("[data-changed]").is_hidden()


def test_after_a_click_on_a_box_the_keys_work(three: list[int], open_page: Open) -> None:
    page = open_page(f"/{three[0]}")
    page.click("[data-select]")
    page.check(f"[data-row='{three[1]}'] .choose input")
    page.keyboard.press("m")
    says(page, "1 conversation assigned")
    found = {one.id: one.assignee_id for one in toys.everything(Conversation)}
    assert found[three[1]] is not None
    assert found[three[0]] is None
    page.click("[data-select]")
    page.check(f"[data-row='{three[2]}'] .choose input")
    page.keyboard.press("Escape")
    assert page.locator("[data-bulk-bar]").is_hidden()
    wait(page, f"document.activeElement.closest('[data-row]')?.dataset.row === '{three[2]}'")
    assert page.url.endswith(f"/{three[0]}"), "the conversation is still open"


@pytest.mark.parametrize(
    ("key", "action", "focused"),
    [("s", "snooze", "BUTTON"), ("t", "label", "SELECT"), ("a", "assign", "SELECT")],
)
def test_what_asks_for_more_asks_for_the_ticked_rows(
    desk: Desk, three: list[int], open_page: Open, key: str, action: str, focused: str
) -> None:
    do(labels.create, desk.workspace, name="order", tone=LabelTone.RED)
    opened, *ticked = three
    page = open_page(f"/{opened}")
    tick(page, *ticked)
    page.keyboard.press(key)
    chosen = page.locator(f".bulk-action[open] input[name=action][value={action}]")
    chosen.wait_for(state="attached")
    assert page.locator("details.menu[open]").count() == 0
    assert page.inner_text(".bulk h2") == "2 conversations selected"
    wait(
        page,
        "document.activeElement.closest('.bulk-action[open]') && document.activeElement.tagName !== 'BODY'",
    )
    assert page.evaluate("document.activeElement.tagName") in {focused, "INPUT"}
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('dialog[open]')")
    assert page.inner_text(NUMBER) == "2", "Escape closes the panel alone"
    assert page.url.endswith(f"/{opened}")


def test_more_than_twenty_are_asked_about_first(desk: Desk, open_page: Open) -> None:
    many(desk, 21)
    page = open_page()
    page.click("[data-select]")
    boxes = page.locator(".choose input")
    boxes.nth(0).check()
    boxes.nth(20).click(modifiers=["Shift"])
    wait(page, f"document.querySelector('{NUMBER}').textContent === '21'")
    page.keyboard.press("e")
    page.wait_for_selector(".bulk-action[open] input[name=action][value=close]", state="attached")
    assert set(statuses()) == {"open"}
    page.uncheck("[name=leave_waiting]")
    page.click(".bulk-action[open] button[type=submit]")
    says(page, "21 conversations closed")
    page.click("[data-bulk-undo]")
    says(page, "21 conversations restored")
    assert set(statuses()) == {"open"}


@pytest.mark.parametrize("key", ["u", "b", "q"])
def test_what_is_for_one_conversation_says_so(three: list[int], open_page: Open, key: str) -> None:
    page = open_page(f"/{three[0]}")
    tick(page, three[1])
    page.keyboard.press(key)
    says(page, "one conversation at a time")
    assert page.locator("details.menu[open]").count() == 0
    assert page.url.endswith(f"/{three[0]}")
    page.keyboard.press("Escape")
    assert page.locator("[data-bulk-bar]").is_hidden()


def test_the_keys_of_a_selection_are_in_the_sheet(three: list[int], open_page: Open) -> None:
    page = open_page(f"/{three[0]}")
    page.keyboard.press("?")
    group = page.locator("[data-keys] section", has_text="Selected conversations")
    assert [" ".join(one.split()) for one in group.locator("dd").all_inner_texts()] == [
        "X", "Shift X", "Ctrl A", ".", "Esc",
    ]  # fmt: skip
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('dialog[open]')")
    page.focus(f"[data-row='{three[2]}'] .conv")
    page.keyboard.press("x")
    page.focus(f"[data-row='{three[0]}'] .conv")
    page.keyboard.press("Shift+X")
    wait(page, f"document.querySelector('{NUMBER}').textContent === '3'")
    page.keyboard.press(".")
    page.wait_for_selector(".bulk h2 >> text=3 conversations selected")
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('dialog[open]')")
    page.keyboard.press("Control+a")
    page.wait_for_selector(".bulk h2 >> text=All 3 matching conversations")


COVERED = """() => {
  const box = (one) => document.querySelector(one)?.getBoundingClientRect();
  const composer = box("[data-part=composer]");
  return ["[data-bulk-bar]", ".undo-bar"].filter((name) => {
    const bar = box(name);
    return bar?.height && composer.height && bar.bottom > composer.top && bar.top < composer.bottom
      && bar.right > composer.left && bar.left < composer.right;
  });
}"""


BESIDE = """() => [...document.querySelectorAll("[data-row]")].filter((row) => {
  const edge = (one) => row.querySelector(one).getBoundingClientRect();
  const box = edge(".choose");
  return ["> .conv > .avatar", ".channel-mark-on"].some((one) => edge(`:scope ${one}`).right > box.right)
    || edge(".conv-main").left < box.right;
}).length"""


@pytest.mark.parametrize("width", [360, 1440])
def test_a_box_covers_the_picture_and_no_text(three: list[int], open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    page.click("[data-select]")
    wait(page, "document.querySelectorAll('.choose').length === 3")
    assert page.evaluate(BESIDE) == 0


@pytest.mark.parametrize("width", [360, 900, 1440])
def test_the_bar_and_what_it_says_cover_no_composer(three: list[int], open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    page.click("[data-select]")
    page.check(f"[data-row='{three[1]}'] .choose input")
    page.click(f"[data-row='{three[0]}'] .conv")
    page.wait_for_selector("[data-form=reply] textarea")
    assert page.locator("[data-bulk-bar]").is_visible(), "whatever pane is shown"
    assert page.evaluate(COVERED) == []
    bar = page.locator("[data-bulk-bar]").bounding_box()
    assert bar["x"] >= 0 and bar["x"] + bar["width"] <= width  # noqa: PT018
    assert bar["y"] + bar["height"] <= 800
    page.keyboard.press("e")
    says(page, "1 conversation closed")
    assert page.evaluate(COVERED) == []
