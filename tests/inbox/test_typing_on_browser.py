"""What somebody writes while the text before it is on its way, and what becomes of both."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox.kept_drafts import content
from host.inbox.kept_drafts.models import KeptDraft
from tests.accessibility import violations
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FIELDS = {"reply": "[data-form=reply] textarea", "note": "[data-form=note] textarea"}
REPLY = FIELDS["reply"]
PROBLEM = "[data-problem]:not([hidden])"
FILE = {"name": "mug.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"}
REFUSED = json.dumps(
    {"error": {"code": "no", "message": "Not now.", "next": "Later."}, "reply_key": "b" * 32}
)


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.RICH)


def texts(id_: int, mode: str = "reply") -> list[str | None]:
    thread = toys.thread(id_)
    if mode == "note":
        return [one.text for one in thread if one.kind == "note"]
    return [one.text for one in thread if one.direction == "outbound"]


def stored(mode: content.Mode = "reply") -> str | None:
    rows = toys.everything_of(KeptDraft)
    found = content.read(rows[0].content).texts.get(mode) if rows else None
    return None if found is None else found.text


def press(page: Any, words: str, mode: str = "reply") -> None:
    """Type *words* into what stands there, and send it."""
    page.locator(FIELDS[mode]).press_sequentially(words)
    page.keyboard.press("Control+Enter")


def held(page: Any, mode: str = "reply", times: int = 1) -> list[Any]:
    """Hold the first requests; return the routes of them, to be answered."""
    found: list[Any] = []
    page.route(f"**/{mode}", lambda route: found.append(route), times=times)  # noqa: PLW0108 - it wants a function
    return found


def came(page: Any, routes: list[Any], count: int = 1) -> None:
    until(lambda: page.evaluate("1") and len(routes) >= count)


def value(page: Any, mode: str = "reply") -> str:
    return str(page.locator(FIELDS[mode]).input_value())


@pytest.mark.parametrize("mode", ["reply", "note"])
def test_what_is_written_after_the_press_is_another_one(
    scene: scenes.Scene, open_page: Open, mode: content.Mode
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    page.click(f"[data-tab={mode}]")
    routes = held(page, mode)
    press(page, "First answer.", mode)
    assert value(page, mode) == "", "it is empty at the press"
    page.keyboard.press("Control+Enter")  # impatient: there is nothing more to send
    page.keyboard.type("Second one")
    came(page, routes)
    assert page.locator(PROBLEM).count() == 0
    until(lambda: page.evaluate("1") and stored(mode) == "First answer.\n\nSecond one")
    routes[0].continue_()
    page.wait_for_selector(".log >> text=First answer.")
    assert value(page, mode) == "Second one"
    until(lambda: page.evaluate("1") and stored(mode) == "Second one")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".log >> text=Second one")
    assert texts(ana, mode)[-2:] == ["First answer.", "Second one"]
    until(lambda: page.evaluate("1") and stored(mode) is None)


SENDING = "[data-part=sending] > li"


@pytest.mark.parametrize("mode", ["reply", "note"])
def test_a_slow_desk_shows_what_is_on_its_way(
    scene: scenes.Scene, open_page: Open, mode: content.Mode
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    page.click(f"[data-tab={mode}]")
    assert page.locator(SENDING).count() == 0
    routes = held(page, mode)
    press(page, "First answer.", mode)
    came(page, routes)
    page.wait_for_selector(f"{SENDING} >> text=First answer.")
    page.wait_for_selector(f"{SENDING} >> text=Sending…")
    wait(page, "document.querySelector('[data-announce]').textContent === 'Sending…'")
    assert violations(page) == []
    page.keyboard.type("Second one")
    page.click(f"[data-row='{jon}'] .conv")
    page.wait_for_selector(".thread-head h2 >> text=Jon B.")
    assert page.locator(SENDING).count() == 0, "it is another conversation's"
    page.click(f"[data-row='{ana}'] .conv")
    page.wait_for_selector(f"{SENDING} >> text=First answer.")
    routes[0].continue_()
    page.wait_for_selector(".log >> text=First answer.")
    assert page.locator(SENDING).count() == 0
    assert page.locator(".thread-inner >> text=First answer.").count() == 1
    assert value(page, mode) == "Second one"


def test_what_was_not_taken_is_not_on_its_way(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    routes = held(page)
    press(page, "First answer.")
    page.wait_for_selector(f"{SENDING} >> text=First answer.")
    came(page, routes)
    routes[0].fulfill(status=409, body=REFUSED)
    page.wait_for_selector(PROBLEM)
    assert page.locator(SENDING).count() == 0
    assert value(page) == "First answer."


def test_a_second_press_waits_for_the_first(scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    routes = held(page, times=2)
    press(page, "One")
    press(page, "Two")
    assert value(page) == ""
    page.keyboard.type("Three")
    came(page, routes)
    assert len(routes) == 1
    routes[0].continue_()
    came(page, routes, 2)
    routes[1].continue_()
    until(lambda: page.evaluate("1") and texts(ana) == ["One", "Two"])
    assert value(page) == "Three"


@pytest.mark.parametrize(
    "answer",
    [
        lambda route: route.fulfill(status=409, body=REFUSED),
        lambda route: route.fulfill(status=500, body=REFUSED),
        lambda route: route.fulfill(status=500, body="<h1>Oops</h1>"),
        lambda route: route.abort(),
    ],
    ids=["refused", "fault", "no-words", "away"],
)
def test_what_was_not_taken_comes_back_above_what_was_written_since(
    scene: scenes.Scene, open_page: Open, answer: Callable[[Any], None]
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    routes = held(page)
    press(page, "One")
    press(page, "Two")
    page.keyboard.type("Thre")
    came(page, routes)
    answer(routes[0])
    wait(page, f"document.querySelector('{REPLY}').value === 'One\\n\\nTwo\\n\\nThre'")
    page.keyboard.type("e")  # the caret is where it was
    assert value(page) == "One\n\nTwo\n\nThree"
    until(lambda: page.evaluate("1") and stored() == "One\n\nTwo\n\nThree")
    page.reload()
    wait(page, f"document.querySelector('{REPLY}').value === 'One\\n\\nTwo\\n\\nThree'")
    assert texts(ana) == []


@pytest.mark.parametrize("arrived", [True, False])
def test_one_press_sends_once_also_after_a_reload(
    scene: scenes.Scene, open_page: Open, arrived: bool
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    routes = held(page)
    press(page, "First answer.")
    page.keyboard.type("Second one")
    came(page, routes)
    until(lambda: page.evaluate("1") and stored() == "First answer.\n\nSecond one")
    if arrived:
        routes[0].fetch()
    page.reload()
    page.wait_for_selector(".log >> text=First answer.")
    wait(page, f"document.querySelector('{REPLY}').value === 'Second one'")
    until(lambda: page.evaluate("1") and stored() == "Second one")
    assert texts(ana) == ["First answer."]
    page.reload()
    wait(page, f"document.querySelector('{REPLY}')?.value === 'Second one'")
    page.press(REPLY, "Control+Enter")
    page.wait_for_selector(".log >> text=Second one")
    assert texts(ana) == ["First answer.", "Second one"]


def test_who_went_elsewhere_is_told_that_it_was_not_sent(scene: scenes.Scene, open_page: Open) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    routes = held(page)
    press(page, "First answer.")
    page.keyboard.type("Second one")
    came(page, routes)
    page.click(f"[data-row='{jon}'] .conv")
    page.wait_for_selector(".thread-head h2 >> text=Jon B.")
    page.locator(REPLY).fill("To Jon")
    routes[0].fulfill(status=409, body=REFUSED)
    page.wait_for_selector(f"{PROBLEM} >> text=What you wrote to Ana Q. was not sent")
    assert value(page) == "To Jon"
    page.wait_for_selector(f"[data-row='{ana}'] .conv-draft")
    page.click(f"[data-row='{ana}'] .conv")
    page.wait_for_selector(".thread-head h2 >> text=Ana Q.")
    assert value(page) == "First answer.\n\nSecond one"


def test_files_and_answers_go_with_the_text_they_were_added_to(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    answer = {"id": "a" * 32, "kind": "image", "name": "mug.png", "size": 1234, "url": None}
    uploads = held(page, "uploads")
    routes = held(page)
    page.set_input_files("[data-file-input]", [FILE])
    page.click("[data-tool=quick]")
    page.keyboard.type("Yes")
    page.keyboard.press("Enter")
    press(page, "This one?")
    assert value(page) == ""
    assert page.locator("[data-tray]").is_hidden()
    assert page.locator("[data-strip=quick]").is_hidden()
    page.keyboard.type("Second one")
    came(page, uploads)
    assert routes == [], "its file is not there yet"
    uploads[0].fulfill(status=201, content_type="application/json", body=json.dumps(answer))
    came(page, routes)
    posted = routes[0].request.post_data_buffer.decode(errors="replace")
    assert "a" * 32 in posted
    assert "Yes|Yes" in posted
    assert "Second one" not in posted
    routes[0].fulfill(status=409, body=REFUSED)
    wait(page, f"document.querySelector('{REPLY}').value === 'This one?\\n\\nSecond one'")
    assert page.locator("[data-file-name]").inner_text() == "mug.png"
    assert page.locator("[data-strip=quick] [data-chip-text]").all_inner_texts() == ["Yes"]


def test_what_arrived_without_an_answer_is_not_sent_again_with_what_was_written_since(
    scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    routes = held(page)
    press(page, "First answer.")
    page.keyboard.type("Second one")
    came(page, routes)
    routes[0].fetch()
    routes[0].abort()
    wait(page, f"document.querySelector('{REPLY}').value === 'First answer.\\n\\nSecond one'")
    page.press(REPLY, "Control+Enter")
    page.wait_for_selector(f"{PROBLEM} >> text=already sent")
    assert value(page) == "Second one"
    page.press(REPLY, "Control+Enter")
    page.wait_for_selector(".log >> text=Second one")
    assert texts(ana) == ["First answer.", "Second one"]
