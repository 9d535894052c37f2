"""What is typed while a conversation loads, in a browser: the thread is held until the test lets it come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error

from host.core import clock, db
from host.inbox.pages.keys import KEYS
from host.models.inbox import Conversation
from tests.inbox import desks, scenes, toys
from tests.inbox.boards import Board
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.inbox.test_private_replies_of_an_hour import Counted
from tests.live.served import until

pytestmark = pytest.mark.browser

PACE_MS = 80
WORDS = "Yes, see you at eight. Thank you so much"
FIELD = "[data-form={mode}] textarea"
BOX = ".typed-ahead textarea"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


class Held:
    """Requests of a page that wait until :meth:`release`."""

    def __init__(self, page: Any, pattern: str) -> None:
        self.page, self.pattern = page, pattern
        self.routes: list[Any] = []
        self.released = False
        page.route(pattern, lambda route: self.routes.append(route))  # noqa: PLW0108 - it sets a mark on it

    def asked(self) -> None:
        until(lambda: self.page.evaluate("1") and self.routes)

    def release(self) -> None:
        if not self.routes or self.released:
            return
        self.released = True
        for route in self.routes:
            with suppress(Error):  # the page asked for another one since, or it was answered
                route.continue_()
        self.page.unroute(self.pattern)

    def refuse(self, status: int) -> None:
        self.routes[-1].fulfill(status=status, json={"error": {"message": "Not now"}})


@contextmanager
def opening(page: Any, conversation: int) -> Iterator[Held]:
    """Press Enter on a row; its thread comes when the block ends, unless it was let come before."""
    held = Held(page, f"**/{conversation}/thread**")
    page.focus(f"[data-row='{conversation}'] a")
    page.keyboard.press("Enter")
    held.asked()
    yield held
    held.release()


def opened(page: Any, name: str) -> None:
    page.wait_for_selector(f".thread-head h2 >> text={name}")


def value(page: Any, mode: str = "reply") -> str:
    return str(page.locator(FIELD.format(mode=mode)).input_value())


def states() -> set[tuple[Any, ...]]:
    return {
        (one.status, one.assignee_id, one.snooze_kind, one.spam_at) for one in toys.everything(Conversation)
    }


def nothing_open(page: Any) -> bool:
    return bool(page.locator("details.menu[open], dialog[open], .choose").count() == 0)


@pytest.mark.parametrize(("key", "mode"), [("r", "reply"), ("n", "note")])
@pytest.mark.parametrize("before", [1, 12, len(WORDS)])
def test_words_go_into_the_field_of_the_conversation_they_were_typed_for(
    scene: scenes.Scene, open_page: Open, key: str, mode: str, before: int
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    was = states()
    with opening(page, scene.conversation("jon")) as held:
        page.keyboard.press(key)
        page.keyboard.type(WORDS[:before], delay=PACE_MS)
        held.release()
        page.keyboard.type(WORDS[before:], delay=PACE_MS)
    opened(page, "Jon B.")
    until(lambda: value(page, mode) == WORDS)
    wait(page, f"document.activeElement.matches({FIELD.format(mode=mode)!r})")
    assert page.locator(".typed-ahead").count() == 0
    assert states() == was
    page.keyboard.type(".")
    assert value(page, mode) == f"{WORDS}."


def test_no_key_of_the_sheet_runs_until_the_conversation_is_there(
    scene: scenes.Scene, open_page: Open
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    was, address = states(), None
    runs = {"reply", "note", "private", "next", "previous", "open", "leave", "search", "keys"}
    with opening(page, jon):
        address = page.url
        for _, keys in KEYS:
            for key in keys:
                if key.key and key.command not in runs:
                    page.keyboard.press(key.key)
                    assert nothing_open(page), key.command
        page.keyboard.press("x")
        assert page.evaluate("document.activeElement.closest('[data-row]')?.dataset.row") == str(jon)
        assert page.locator("[data-bulk-bar]").is_hidden()
        assert page.url == address
    opened(page, "Jon B.")
    assert nothing_open(page)
    assert states() == was
    assert value(page) == value(page, "note") == ""


def test_everything_a_field_knows_works_while_it_waits(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}", permissions=["clipboard-read", "clipboard-write"])
    with opening(page, scene.conversation("jon")):
        page.keyboard.press("r")
        page.keyboard.type("Hallo")
        page.keyboard.press("Backspace")
        page.keyboard.type("Ä")  # as a dead key and a vowel
        page.keyboard.press("Shift+ArrowLeft")
        page.keyboard.press("Control+x")
        page.keyboard.press("Enter")
        page.keyboard.press("Control+v")
        page.keyboard.press("Home")
        page.keyboard.type("R")
        page.keyboard.press("Control+Enter")
        page.keyboard.press("Control+Shift+Enter")
        assert page.locator(BOX).input_value() == "Hall\nRÄ"
    opened(page, "Jon B.")
    until(lambda: value(page) == "Hall\nRÄ")
    page.keyboard.type("!")
    assert value(page) == "Hall\nR!Ä", "the caret is where it was"
    assert [one.direction for one in toys.thread(scene.conversation("jon"))] == ["inbound"]


def test_a_character_that_is_put_together_is_not_torn_apart(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    writer = page.context.new_cdp_session(page)
    with opening(page, scene.conversation("jon")) as held:
        page.keyboard.press("r")
        page.keyboard.type("Ah ")
        writer.send("Input.imeSetComposition", {"text": "に", "selectionStart": 1, "selectionEnd": 1})
        held.release()
        opened(page, "Jon B.")
        assert page.evaluate(f"document.activeElement.matches('{BOX}')")
        writer.send("Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2})
        writer.send("Input.insertText", {"text": "日本"})
    until(lambda: value(page) == "Ah 日本")
    page.keyboard.type("!")
    assert value(page) == "Ah 日本!"


def test_escape_makes_it_a_draft_and_shows_it(scene: scenes.Scene, desk: Desk, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page(f"/{scene.conversation('ana')}")
    was = states()
    with opening(page, jon):
        page.keyboard.press("r")
        assert page.locator(".typed-ahead [role=status]").text_content() == "Loading, keep typing"
        assert page.locator(BOX).get_attribute("aria-label") == "Reply to Jon B."
        page.keyboard.type("Yes, see you")
        page.keyboard.press("Escape")
        assert page.locator(".typed-ahead [role=status]").text_content() == (
            "Saved as a draft of this conversation."
        )
        assert "Draft: Yes, see you" in str(page.locator(f"[data-row='{jon}'] .conv-draft").text_content())
        page.keyboard.type("es!tab")  # for nothing
        assert nothing_open(page)
        until(lambda: page.evaluate("1") and desk.browser.get(desk.path(f"/{jon}/draft")).json)
        until(lambda: "Yes, see you" in desk.browser.get(desk.path(f"/{jon}/draft")).text)
    opened(page, "Jon B.")
    assert value(page) == "Yes, see you"
    assert page.locator(".typed-ahead").count() == 0
    assert states() == was


def test_after_ten_seconds_it_is_a_draft(scene: scenes.Scene, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page(f"/{scene.conversation('ana')}")
    page.clock.install()
    with opening(page, jon):
        page.keyboard.press("r")
        page.keyboard.type("Yes, see you")
        page.clock.run_for(5000)
        assert page.locator(".typed-ahead").get_attribute("data-why") == "coming"
        page.clock.run_for(6000)
        until(lambda: page.locator(".typed-ahead").get_attribute("data-why") != "coming")
        page.keyboard.type(" at eight", delay=1)
        assert page.locator(BOX).input_value() == "Yes, see you at eight", "no letter is lost"
        assert "at eight" in str(page.locator(f"[data-row='{jon}'] .conv-draft").text_content())
    assert value(page) == "", "nothing of it is in the conversation that stayed"


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("starts", ["thread", "list"])
def test_the_box_that_stays_covers_nothing_that_is_said(
    scene: scenes.Scene, open_page: Open, width: int, starts: str
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    if starts == "thread" and width < 860:
        pytest.skip("a phone shows one of both")
    rest = f"/{ana}" if starts == "thread" else ""
    page = open_page(rest, viewport={"width": width, "height": 780})
    page.clock.install()
    with opening(page, jon) as held:
        page.keyboard.press("r")
        page.keyboard.type("Yes, see you")
        page.clock.run_for(11_000)
        page.wait_for_selector(".typed-ahead:not([data-why=coming])")
        box = page.locator(".typed-ahead").bounding_box()
        if starts == "thread":
            composer = page.locator("[data-composer]").bounding_box()
            assert box["y"] + box["height"] <= composer["y"]
            return
        for route in held.routes:
            with suppress(Error):
                route.abort()
        page.route("**/inbox/**", lambda route: route.abort())
        notice = page.locator(".offline:not(.offline-line)")
        for _ in range(40):
            if notice.count():
                break
            page.clock.run_for(1000)
        said = notice.bounding_box()
        assert said["y"] + said["height"] <= box["y"] or box["y"] + box["height"] <= said["y"]
        assert abs(said["x"] + said["width"] / 2 - width / 2) < 2, "it stands in the middle"


def test_what_is_typed_for_one_that_does_not_come_is_for_no_other(
    scene: scenes.Scene, open_page: Open
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    was = states()
    with opening(page, jon) as held:
        page.keyboard.press("r")
        page.keyboard.type("Yes, see")
        held.refuse(500)
        page.wait_for_selector(".typed-ahead[data-why=failed]")
        page.keyboard.type(" you", delay=PACE_MS)
        assert page.locator(BOX).input_value() == "Yes, see you"
        page.keyboard.press("Escape")
    assert value(page) == ""
    assert "Yes, see you" in str(page.locator(f"[data-row='{jon}'] .conv-draft").text_content())
    assert states() == was


def test_keys_for_one_that_does_not_come_run_nothing_on_the_one_that_stays(
    scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    was = states()
    with opening(page, scene.conversation("jon")) as held:
        held.refuse(500)
        page.wait_for_selector("text=Not now")
        page.keyboard.type("rename a tag!", delay=PACE_MS)
    assert value(page) == ""
    assert nothing_open(page)
    assert states() == was


def test_another_conversation_gets_nothing_of_it(scene: scenes.Scene, open_page: Open) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page("")
    held = Held(page, "**/thread**")
    page.focus(f"[data-row='{jon}'] a")
    page.keyboard.press("Enter")
    held.asked()
    page.keyboard.press("n")
    page.keyboard.type("For Jon alone")
    page.click(f"[data-row='{ana}'] a")
    held.release()
    opened(page, "Ana Q.")
    assert value(page) == value(page, "note") == ""
    page.click(f"[data-row='{jon}'] a")
    opened(page, "Jon B.")
    assert value(page, "note") == "For Jon alone"


def test_a_page_that_leaves_keeps_it_as_a_draft(scene: scenes.Scene, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page(f"/{scene.conversation('ana')}")
    was = states()
    with opening(page, jon):
        page.keyboard.press("r")
        page.keyboard.type("Yes, see")
        away = Held(page, "**/contacts**")
        page.evaluate("document.querySelector('.mainnav a[href*=contacts]').click()")
        until(lambda: page.context.cookies() and away.routes)
        page.keyboard.type(" you", delay=PACE_MS)
        with page.expect_navigation():
            away.release()
    page.goto(page.url.split("/contacts")[0] + f"/inbox/{jon}")
    opened(page, "Jon B.")
    assert value(page) == "Yes, see you"
    assert states() == was


def test_words_typed_from_one_page_into_the_next_run_nothing(scene: scenes.Scene, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page("?view=mine")
    page.clock.install()
    page.clock.pause_at(clock.now() + timedelta(hours=1))
    was = states()
    away = Held(page, f"**/inbox/{jon}")
    page.evaluate(f"location.assign(location.pathname.replace(/inbox.*/, 'inbox/{jon}'))")
    until(lambda: page.context.cookies() and away.routes)
    page.keyboard.type("r", delay=PACE_MS)
    with page.expect_navigation(wait_until="load"):
        away.release()
    page.keyboard.type("es!tab", delay=PACE_MS)
    assert nothing_open(page)
    assert states() == was


def test_the_key_after_close_and_next_is_for_the_next(scene: scenes.Scene, open_page: Open) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{jon}")
    closes, thread = Held(page, f"**/{jon}/close"), Held(page, f"**/{ana}/thread**")
    page.keyboard.press("Shift+E")
    closes.asked()
    page.keyboard.press("r")
    page.keyboard.type("Yes, ")
    closes.release()
    thread.asked()
    page.keyboard.type("Ana")
    thread.release()
    opened(page, "Ana Q.")
    until(lambda: value(page) == "Yes, Ana")
    with db.read() as session:
        assert session.get_one(Conversation, jon).status == "closed"
        assert session.get_one(Conversation, ana).status == "open"


class TestComments:
    """A comment's reply has a composer of its own, which comes a moment later."""

    @pytest.fixture
    def desk(self, database: db.Database, data: Path) -> Desk:
        return desks.open_desk(data, Counted())

    @pytest.fixture
    def board(self, desk: Desk) -> Board:
        made = Board(desk)
        made.post(text="Tide mugs are back.")
        made.said("kit", "Kit L.", "Are these the ones?", made.ago(hours=2), mid="c1")
        made.said("uma", "Uma P.", "How much is one?", made.ago(hours=1), mid="c2")
        return made

    def test_words_wait_for_the_private_reply(self, board: Board, open_page: Open) -> None:
        page = open_page("")
        page.click(".conv")
        page.wait_for_selector(".cm[data-inbound]")
        was = states()
        held = Held(page, "**/updates**composer=1**")
        page.keyboard.press("p")
        page.keyboard.type("Yes, see", delay=PACE_MS)
        held.asked()
        held.release()
        page.keyboard.type(" you", delay=PACE_MS)
        until(lambda: value(page, "private") == "Yes, see you")
        assert states() == was
