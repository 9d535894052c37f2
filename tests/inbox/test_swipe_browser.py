"""The list under a thumb: rows that are swiped on a touch screen, their undo, and what must not swipe."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.inbox import conversation_actions
from host.models.inbox import Conversation, ConversationStatus, Snooze, SnoozeKind
from tests import helpers
from tests.accessibility import violations
from tests.helpers import do
from tests.inbox import desks, scenes
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.inbox.test_opening_browser import many
from tests.live.served import until

pytestmark = pytest.mark.browser

SHOWN = ".swipe button"
SAID = "[data-bulk-toast]:not([hidden]) [data-said]"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


class Finger:
    """Fingers on the screen of *page*, as the browser gets them from the system."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.session = page.context.new_cdp_session(page)

    def send(self, kind: str, *points: tuple[float, float]) -> None:
        at = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    def down(self, row: int) -> tuple[float, float]:
        """Put a finger on the right half of a row, and return where."""
        box = self.page.locator(f"[data-row='{row}']").bounding_box()
        at = (box["x"] + box["width"] * 0.8, box["y"] + box["height"] / 2)
        self.send("touchStart", at)
        return at

    def drag(self, at: tuple[float, float], x: float, y: float = 0, steps: int = 8) -> tuple[float, float]:
        for step in range(1, steps + 1):
            self.send("touchMove", (at[0] + x * step / steps, at[1] + y * step / steps))
            self.page.wait_for_timeout(16)
        return at[0] + x, at[1] + y

    def swipe(self, row: int, x: float, y: float = 0) -> None:
        self.drag(self.down(row), x, y)
        self.page.wait_for_timeout(80)  # a finger that rests flicks nothing
        self.send("touchEnd")


@pytest.fixture(params=[360, 412])
def phone(request: Any, scene: scenes.Scene, open_page: Open) -> Any:
    size = {"width": request.param, "height": 740}
    return open_page("", viewport=size, has_touch=True, is_mobile=True)


def lies(page: Any, row: int, by: int) -> None:
    """Wait until a row lies *by* pixels beside its place."""
    until(lambda: way(page, row) == by)


def gone(page: Any, row: int) -> None:
    wait(page, f"!document.querySelector('[data-row=\"{row}\"]')")


def folded(page: Any) -> None:
    wait(page, "!document.querySelector('.swipe')")


def says(page: Any, words: str) -> None:
    until(lambda: words in (page.locator("[data-bulk-toast] [data-said]").text_content() or ""))


def way(page: Any, row: int) -> float:
    return float(
        page.evaluate(
            """row => {
              const link = document.querySelector(`[data-row='${row}'] .conv`);
              return new DOMMatrix(getComputedStyle(link).transform).e;
            }""",
            row,
        )
    )


def _conversation(row: int) -> Conversation:
    with db.read() as session:
        found = session.get(Conversation, row)
        assert found is not None
        return found


def change(desk: Desk, row: int, by: int | None = None, **changes: Any) -> None:
    do(conversation_actions.set_fields, desk.workspace, row, changes, actor=by)


def test_a_short_swipe_shows_buttons_that_snooze_and_close_with_undo(phone: Any, scene: scenes.Scene) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    finger = Finger(phone)
    finger.swipe(ana, -120)
    assert phone.locator(SHOWN).all_text_contents() == ["Snooze", "Close"]
    lies(phone, ana, -168)
    assert violations(phone) == []
    # To the right they go, and so they do when another row is touched.
    finger.swipe(ana, 140)
    folded(phone)
    finger.swipe(ana, -120)
    finger.swipe(jon, -120)
    phone.wait_for_selector(f"[data-row='{jon}'] .swipe")
    until(lambda: phone.locator(".swipe").count() == 1)
    phone.locator(f"[data-row='{jon}'] .conv").tap(position={"x": 250, "y": 20}, force=True)
    folded(phone)
    assert "/inbox/" not in phone.url, "a tap that puts a row back opens nothing"
    finger.swipe(ana, -120)
    phone.get_by_role("button", name="Close: Ana Q.").tap()
    gone(phone, ana)
    assert phone.locator(SAID).text_content() == "Closed Ana Q."
    assert _conversation(ana).status == ConversationStatus.CLOSED
    bar, toast = (phone.locator(one).bounding_box() for one in (".mainnav", ".undo-anchor"))
    assert toast["y"] + toast["height"] <= bar["y"] + 1
    assert violations(phone) == []
    phone.locator("[data-bulk-undo]").tap()
    phone.wait_for_selector(f"[data-row='{ana}']")
    assert _conversation(ana).status == ConversationStatus.OPEN
    finger.swipe(jon, -120)
    phone.get_by_role("button", name="Snooze: Jon B.").tap()
    gone(phone, jon)
    snoozed = _conversation(jon).snoozed_until
    assert snoozed is not None
    assert phone.locator(SAID).text_content().startswith("Snoozed Jon B. until ")
    assert f"{snoozed:%H:%M}" in phone.locator(SAID).text_content()
    phone.locator("[data-bulk-undo]").tap()
    phone.wait_for_selector(f"[data-row='{jon}']")
    assert _conversation(jon).snoozed_until is None


def test_a_long_swipe_closes_at_once(phone: Any, scene: scenes.Scene) -> None:
    ana = scene.conversation("ana")
    finger = Finger(phone)
    finger.swipe(ana, -0.7 * phone.viewport_size["width"])
    gone(phone, ana)
    assert _conversation(ana).status == ConversationStatus.CLOSED
    phone.locator("[data-bulk-undo]").tap()
    phone.wait_for_selector(f"[data-row='{ana}']")


@pytest.mark.parametrize("phone", [360], indirect=True)
def test_what_is_not_a_swipe_moves_nothing(phone: Any, desk: Desk, scene: scenes.Scene) -> None:
    ana = scene.conversation("ana")
    many(desk, 30)
    phone.reload()
    finger = Finger(phone)
    # Too short: it springs back.
    finger.swipe(ana, -50)
    folded(phone)
    # Down, even if it goes sideways later: the list scrolls.
    at = finger.drag(finger.down(ana), -3, -60)
    finger.drag(at, -150, -120)
    assert phone.locator(".swipe").count() == 0
    finger.send("touchEnd")
    wait(phone, "document.querySelector('[data-part=scroll]').scrollTop > 60")
    phone.evaluate("document.querySelector('[data-part=scroll]').scrollTop = 0")
    # To the other side.
    finger.swipe(ana, 60)
    assert phone.locator(".swipe").count() == 0
    # The system takes the finger, or a second one comes.
    finger.drag(finger.down(ana), -100)
    assert phone.locator(SHOWN).count() == 2
    finger.send("touchCancel")
    folded(phone)
    at = finger.drag(finger.down(ana), -100)
    finger.send("touchStart", at, (at[0], at[1] + 60))
    finger.send("touchEnd")
    folded(phone)
    assert _conversation(ana).status == ConversationStatus.OPEN
    # A tap still opens.
    phone.locator(f"[data-row='{ana}'] .conv").tap()
    phone.wait_for_selector(".thread-head h2 >> text=Ana Q.")


def test_a_mouse_and_people_who_only_read_swipe_nothing(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page("", viewport={"width": 360, "height": 740})
    box = page.locator(f"[data-row='{ana}']").bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 22, steps=8)
    page.mouse.up()
    assert page.locator(".swipe").count() == 0


@pytest.mark.parametrize("phone", [360], indirect=True)
def test_a_refusal_puts_the_row_back_and_says_why(phone: Any, desk: Desk, scene: scenes.Scene) -> None:
    ana = scene.conversation("ana")
    finger = Finger(phone)
    finger.swipe(ana, -120)
    phone.context.set_offline(True)
    phone.get_by_role("button", name="Close: Ana Q.").tap()
    says(phone, "did not answer")
    folded(phone)
    assert phone.locator("[data-bulk-undo]").is_hidden()
    phone.context.set_offline(False)
    # Somebody else was faster, and this page hasn't heard of it.
    phone.route("**/updates**", lambda route: route.abort())
    phone.route("**/live/**", lambda route: route.abort())
    finger.swipe(ana, -120)
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace).id
    change(desk, ana, by=bo, status=ConversationStatus.CLOSED)
    phone.evaluate("document.querySelector('[data-does=snooze]')?.click()")
    says(phone, "Ana Q. (Bo T. closed this)")
    assert phone.locator("[data-bulk-undo]").is_hidden()


@pytest.mark.parametrize("phone", [360], indirect=True)
def test_closed_and_snoozed_conversations_offer_the_way_back(
    phone: Any, desk: Desk, scene: scenes.Scene
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    change(desk, ana, status=ConversationStatus.CLOSED)
    change(desk, jon, snooze=Snooze(SnoozeKind.UNTIL, clock.now() + timedelta(hours=3)))
    phone.goto(desk.path("?status=any&shelf=any"))
    finger = Finger(phone)
    finger.swipe(jon, -120)
    assert phone.locator(SHOWN).all_text_contents() == ["Unsnooze", "Close"]
    phone.get_by_role("button", name="Unsnooze: Jon B.").tap()
    wait(phone, f"document.querySelector('[data-row=\"{jon}\"]:not([data-put]) .conv')")
    assert phone.locator(SAID).text_content() == "Unsnoozed Jon B."
    finger.swipe(ana, -120)
    assert phone.locator(SHOWN).all_text_contents() == ["Reopen"]
    finger.swipe(ana, -200)
    wait(phone, f"document.querySelector('[data-row=\"{ana}\"]:not([data-put]) .conv')")
    until(lambda: _conversation(ana).status == ConversationStatus.OPEN)


@pytest.mark.parametrize("phone", [360], indirect=True)
def test_a_message_in_the_middle_of_a_swipe_changes_nothing_under_the_finger(
    phone: Any, scene: scenes.Scene
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    finger = Finger(phone)
    at = finger.drag(finger.down(jon), -60)
    scene.said("jon", "Jon B.", "And one more", clock.now())
    phone.wait_for_selector(f"[data-row='{jon}'] >> text=And one more")
    assert phone.locator(SHOWN).count() == 2
    finger.drag(at, -60)
    phone.wait_for_timeout(80)
    finger.send("touchEnd")
    lies(phone, jon, -168)
    phone.get_by_role("button", name="Close: Jon B.").tap()
    gone(phone, jon)
    assert phone.locator(f"[data-row='{ana}']").count() == 1


@pytest.mark.parametrize("phone", [360], indirect=True)
def test_pages_from_right_to_left_mirror_it(phone: Any, scene: scenes.Scene) -> None:
    ana = scene.conversation("ana")
    phone.evaluate("document.documentElement.dir = 'rtl'")
    finger = Finger(phone)
    box = phone.locator(f"[data-row='{ana}']").bounding_box()
    at = (box["x"] + 60, box["y"] + 20)
    finger.send("touchStart", at)
    finger.drag(at, 120)
    phone.wait_for_timeout(80)
    finger.send("touchEnd")
    assert way(phone, ana) > 0
    buttons = phone.locator(".swipe").bounding_box()
    assert buttons["x"] == 0
    phone.get_by_role("button", name="Close: Ana Q.").tap()
    gone(phone, ana)
