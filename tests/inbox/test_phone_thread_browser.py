"""A conversation on a phone: one line when it is offline, one of colleagues, tools of a message on a tap."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.models.users import Role, Workspace
from tests import helpers
from tests.accessibility import violations
from tests.browser.conftest import screenshot
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

PHONE = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "reduced_motion": "reduce",
}
REPLY = "[data-form=reply] textarea"
LINE = "body > .offline-line"
BESIDE = "[data-part=beside]"
NOW = """() => new Intl.DateTimeFormat('en', {
  hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: document.documentElement.dataset.zone,
}).format(new Date())"""


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def seen_notices(page: Any) -> list[str]:
    """Return what every box says that is to be seen."""
    return [one.inner_text() for one in page.locator(".notice").all() if one.is_visible()]


def looks(page: Any, name: str) -> None:
    """Hold the page to WCAG and to its width in both themes, and keep pictures of it."""
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
        assert violations(page) == []
        screenshot(page, f"phone-{name}-360-{theme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_being_offline_is_one_line_in_the_persons_own_zone(
    desk: Desk, scene: scenes.Scene, open_page: Open, zone: str
) -> None:
    toys.change_row(type(desk.mia), desk.mia.id, timezone="Europe/Lisbon")
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}", timezone_id=zone, **PHONE)
    assert page.evaluate("document.documentElement.dataset.zone") == "Europe/Lisbon"
    before = page.evaluate(NOW)
    page.context.set_offline(True)
    page.wait_for_selector(f"{LINE} >> text=Your text is kept here.")
    after = page.evaluate(NOW)
    found = re.search(r"Offline since (\d\d:\d\d)\.", page.locator(LINE).inner_text())
    assert found is not None
    assert found[1] in {before, after}
    page.fill(REPLY, "Yes, it is.")
    page.tap("[data-send]")
    page.wait_for_selector(f"{LINE} >> text=1 reply waits.")
    # The composer, which has something to say of it, too, does not repeat it.
    page.wait_for_selector("[data-problem]", state="attached")
    wait(page, "document.querySelector('[data-problem]').dataset.of === 'away'")
    assert len(seen_notices(page)) == 1
    box = page.locator(LINE).bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, 360)
    assert box["height"] <= 40
    assert page.locator(".thread-head").bounding_box()["y"] >= box["height"], "nothing is covered"
    send = page.locator("[data-send]").bounding_box()
    assert send["y"] + send["height"] <= 740
    looks(page, "offline")
    page.tap(f"{LINE} > button")
    page.wait_for_selector(f"{LINE} >> text=Your reply to Ana Q.")
    looks(page, "offline-open")
    page.tap(f"{LINE} li button")
    page.wait_for_selector(f"{LINE} li", state="hidden")
    page.context.set_offline(False)
    page.wait_for_selector(LINE, state="detached")
    page.wait_for_selector("[data-unsent]:not([hidden])")
    assert page.locator(REPLY).input_value() == "Yes, it is."


def test_colleagues_are_one_line(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    here = f"/{scene.conversation('ana')}"
    bo, cleo = (
        helpers.client_for(desk.app, helpers.make_user(name=name, workspace=desk.workspace, role=Role.AGENT))
        for name in ("Bo T.", "Cleo U.")
    )
    page = open_page(here, **PHONE)
    theirs, others = open_page(here, browser=bo), open_page(here, browser=cleo)
    until(lambda: desk.hub.count == 3)

    def said() -> list[str]:
        items = page.locator(f"{BESIDE} [data-user]").all()
        return [one.inner_text().strip() for one in items if one.is_visible()]

    theirs.locator(REPLY).fill("Let me check the shelf")
    until(lambda: said() == ["Bo T. is typing a reply"] and page.locator("[data-part=drafts] p").count() == 1)
    assert said() == ["Bo T. is typing a reply"], "that they have a draft is no news"
    one_line = page.locator(BESIDE).bounding_box()["height"]
    others.locator(REPLY).fill("I know this one")
    until(lambda: page.locator("[data-part=drafts] p").count() == 2 and len(said()) == 2)
    assert page.locator(BESIDE).bounding_box()["height"] == one_line
    looks(page, "colleagues")
    others.close()

    def is_typing_beside_a_draft() -> bool:
        theirs.locator(REPLY).press_sequentially(".")  # or they have stopped before it is known who left
        return sorted(said()) == ["Bo T. is typing a reply", "Cleo U. has a draft here"]

    until(is_typing_beside_a_draft)
    assert page.locator(BESIDE).bounding_box()["height"] == one_line
    theirs.close()
    until(lambda: sorted(said()) == ["Bo T. has a draft here", "Cleo U. has a draft here"])
    assert page.locator(BESIDE).bounding_box()["height"] == one_line


def test_a_draft_that_can_be_read_is_opened_from_the_same_line(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    toys.change_row(Workspace, desk.workspace, shows_drafts=True)
    here = f"/{scene.conversation('ana')}"
    bo = helpers.client_for(
        desk.app, helpers.make_user(name="Bo T.", workspace=desk.workspace, role=Role.AGENT)
    )
    page, theirs = open_page(here, **PHONE), open_page(here, browser=bo)
    until(lambda: desk.hub.count == 2)
    theirs.locator(REPLY).fill("Let me check the shelf")
    page.wait_for_selector(f"{BESIDE} summary >> text=Bo T. is typing a reply")
    assert [one.inner_text() for one in page.locator("[data-part=typing] [data-user]:visible").all()] == []
    page.tap(f"{BESIDE} summary")
    page.wait_for_selector(f"{BESIDE} >> text=Let me check the shelf")
    looks(page, "colleague-draft")
    theirs.close()
    page.wait_for_selector(f"{BESIDE} summary >> text=Bo T. has a draft here")
    page.wait_for_selector(f"{BESIDE} >> text=Let me check the shelf")


def test_what_can_be_done_about_a_message_comes_on_a_tap(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    scene.said("ana", "Ana Q.", "See https://shop.example/jar please", scene.ago(minutes=3))
    ana = scene.conversation("ana")
    first, second = (one.id for one in toys.thread(ana))
    page = open_page(f"/{ana}", **PHONE)
    page.context.route("https://shop.example/*", lambda route: route.fulfill(body="a jar"))

    def shown() -> list[int]:
        found = page.evaluate(
            "[...document.querySelectorAll('.msg-actions')]"
            ".filter((one) => one.getBoundingClientRect().width > 40)"
            ".map((one) => Number(one.closest('[data-message]').dataset.message))"
        )
        return [int(one) for one in found]

    assert shown() == []
    assert page.get_by_role("button", name="Hide here").count() == 2, "who listens finds them as before"
    looks(page, "thread")
    page.tap(f"#m-{first} .bubble")
    assert shown() == [first]
    button = page.locator(f"#m-{first} [data-hide]").bounding_box()
    assert button["width"] >= 44
    assert button["height"] >= 44
    message = page.locator(f"#m-{first} .bubble").bounding_box()
    assert button["y"] >= message["y"] + message["height"]
    looks(page, "tools")
    page.tap(f"#m-{second} .msg-meta time")
    assert shown() == [second]
    page.tap(f"#m-{second} .bubble", position={"x": 6, "y": 6})
    assert shown() == [], "the same once more"
    # What leads somewhere still does, and is no tap on the message.
    with page.context.expect_page() as other:
        page.tap(f"#m-{second} .bubble a")
    assert other.value.url == "https://shop.example/jar"
    other.value.close()
    assert shown() == []
    # By key.
    page.focus(f"#m-{second} [data-hide]")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert shown() == [second]
    page.evaluate("document.activeElement.blur()")
    # It goes with Escape, and with what it was for.
    page.tap(f"#m-{first} .bubble")
    page.keyboard.press("Escape")
    assert shown() == []
    page.tap(f"#m-{first} .bubble")
    page.tap(f"#m-{first} [data-hide]")
    page.wait_for_selector(f"#m-{first} >> text=Unhide", state="attached")
    until(lambda: shown() == [])


def test_a_mouse_shows_them_as_before(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    (only,) = (one.id for one in toys.thread(ana))
    page = open_page(f"/{ana}", reduced_motion="reduce")
    opacity = f"getComputedStyle(document.querySelector('#m-{only} .msg-actions')).opacity"
    page.mouse.move(5, 5)
    wait(page, f"{opacity} === '0'")
    page.click(f"#m-{only} .bubble")
    wait(page, f"{opacity} === '1'")
    assert page.locator(".is-tapped").count() == 0
    page.mouse.move(5, 5)
    wait(page, f"{opacity} === '0'")
    page.focus(f"#m-{only} [data-hide]")
    wait(page, f"{opacity} === '1'")
