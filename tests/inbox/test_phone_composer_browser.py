"""The composer of a phone: camera and voice note near the thumb, and a keyboard that covers nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from tests.accessibility import violations
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk

pytestmark = pytest.mark.browser

PHONE = {
    "viewport": {"width": 360, "height": 740},
    "has_touch": True,
    "is_mobile": True,
    "reduced_motion": "reduce",
}

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.RICH)


@pytest.mark.parametrize("width", [360, 412])
def test_a_voice_note_is_one_tap_away_and_a_photo_two(
    width: int, desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    size = {"width": width, "height": 740}
    page = open_page(f"/{ana}", viewport=size, has_touch=True, is_mobile=True, permissions=["microphone"])
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator(".mainnav").is_hidden()
    assert violations(page) == []
    for name in ("Add to the reply", "Record a voice note"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert min(box["width"], box["height"]) >= 40, name
        assert box["y"] > 370, f"{name}: in the lower half"
    page.route(
        "**/uploads",
        lambda route: route.fulfill(
            status=201, content_type="application/json", body='{"id": "a", "kind": "image", "size": 9}'
        ),
    )
    page.get_by_role("button", name="Add to the reply").tap()
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photo").tap()
    taken = chooser.value.element
    assert [taken.get_attribute(one) for one in ("accept", "capture")] == ["image/*", "environment"]
    chooser.value.set_files({"name": "photo.png", "mimeType": "image/png", "buffer": PIXEL})
    page.wait_for_selector("[data-tray] [data-state=ready]")
    assert page.locator(".tools-thumb").is_hidden(), "there is something to send"
    page.locator("[data-tray] [data-remove]").tap()
    page.get_by_role("button", name="Record a voice note").tap()
    page.wait_for_selector("[data-recorder]:not([hidden])")
    wait(page, "document.querySelector('[data-recorder] [data-time]').textContent !== '0:00'")
    page.locator("[data-recorder] [data-stop]").tap()
    page.wait_for_selector("[data-tray] .voice")
    # What a mouse points at has them beside the other tools.
    page = open_page(f"/{ana}")
    assert page.locator(":is(.tools-thumb, .tools-touch, .tools-mode):visible").count() == 0


def test_a_keyboard_over_the_page_leaves_the_field_in_sight(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    size = {"width": 360, "height": 740}
    page: Any = open_page(f"/{scene.conversation('ana')}", viewport=size, has_touch=True, is_mobile=True)
    assert "interactive-widget=resizes-content" in page.get_attribute("meta[name=viewport]", "content")
    field = page.locator("[data-form=reply] textarea")
    field.tap()
    page.evaluate(
        """() => {
          const height = { configurable: true, get: () => window.left };
          Object.defineProperty(visualViewport, "height", height);
          window.left = 440;
          visualViewport.dispatchEvent(new Event("resize"));
        }"""
    )
    box = field.bounding_box()
    assert box["y"] > 0
    assert box["y"] + box["height"] <= 440
    page.evaluate("() => { window.left = 740; visualViewport.dispatchEvent(new Event('resize')); }")
    # Enter begins a line: a thumb hits it by mistake.
    field.fill("One")
    assert page.locator("[data-form=reply] [data-send]").bounding_box()["y"] > 600
    field.press("Enter")
    assert field.input_value() == "One\n"


def test_the_plus_opens_a_sheet_and_the_tools_are_one_row(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    size = {"width": 360, "height": 740}
    page = open_page(
        f"/{scene.conversation('ana')}",
        viewport=size,
        has_touch=True,
        is_mobile=True,
        reduced_motion="reduce",
    )
    tools = [one.bounding_box() for one in page.locator("[data-form=reply] .tools .btn:visible").all()]
    middles = [box["y"] + box["height"] / 2 for box in tools]
    assert max(middles) - min(middles) < 3
    assert max(box["x"] + box["width"] for box in tools) <= 360
    # What is far from the limit is not counted, what comes near it is.
    field, counter = page.locator("[data-form=reply] textarea"), page.locator("[data-bytes]")
    assert counter.is_hidden()
    field.fill("x" * 900)
    counter.wait_for(state="visible")
    assert "900 / 1,000" in counter.inner_text()
    field.fill("")
    counter.wait_for(state="hidden")

    page.get_by_role("button", name="Add to the reply").tap()
    sheet = page.locator("#composer-tools:popover-open")
    sheet.wait_for()
    box = sheet.bounding_box()
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 360, 740)
    found = [one.bounding_box() for one in sheet.locator("button:visible").all()]
    assert len(found) > 4
    assert len({round(one["x"]) for one in found}) == 4
    assert all(one["height"] >= 44 and one["width"] >= 44 for one in found)
    assert all(one["x"] >= 0 and one["x"] + one["width"] <= 360 for one in found)
    for theme in ("light", "dark"):
        page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
        assert violations(page) == []
    page.keyboard.press("Escape")
    sheet.wait_for(state="hidden")
    page.get_by_role("button", name="Add to the reply").tap()
    with page.expect_file_chooser():
        sheet.get_by_role("button", name="Attach files").tap()


@pytest.mark.parametrize("locale", ["en", "de"])
def test_messages_have_the_page_and_writing_is_one_row(desk: Desk, open_page: Open, locale: str) -> None:
    scene = scenes.whole(desk)
    toys.change_row(type(desk.mia), desk.mia.id, locale=locale)
    for who in ("ana.sample", "rosa.sample", "olu.sample"):  # open, open for people only, notes only
        page = open_page(f"/{scene.conversation(who)}", **PHONE)
        assert page.locator(".thread-scroll").bounding_box()["height"] >= 0.55 * 740, who
        form = page.locator("[data-form]:visible")
        field = form.locator("textarea")
        resting = form.locator(".field").bounding_box()["height"]
        assert resting <= 48, who
        middles = {
            round(box["y"] + box["height"] / 2)
            for box in (one.bounding_box() for one in form.locator(".btn:visible, textarea").all())
        }
        assert max(middles) - min(middles) <= 2, (who, "one row")
        # It grows with what is written, up to a limit, and keeps what sends it in sight.
        field.fill("\n".join("Two lines" for _ in range(2)))
        assert form.locator("textarea").bounding_box()["height"] > 44
        field.fill("\n".join(f"Line {number}" for number in range(40)))
        assert field.bounding_box()["height"] <= 0.31 * 740
        send = form.locator(".tools-end button[type=submit]:visible").first.bounding_box()
        assert send["y"] + send["height"] <= 740, who
        assert send["x"] + send["width"] <= 360, who
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        assert violations(page) == []
        field.fill("")
        assert form.locator(".field").bounding_box()["height"] == resting
        page.close()


def test_the_tools_of_the_sheet_work_by_keys(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}", **PHONE)
    plus, sheet = (
        page.get_by_role("button", name="Add to the reply"),
        page.locator("#composer-tools:popover-open"),
    )
    field = page.locator("[data-form=reply] textarea")

    def choose(name: str) -> None:
        plus.press("Enter")
        sheet.wait_for()
        sheet.get_by_role("button", name=name).press("Enter")
        sheet.wait_for(state="hidden")

    choose("Emoji")
    page.locator("#emoji-pop:popover-open [data-emoji-list] button").first.wait_for()
    box = page.locator("#emoji-pop").bounding_box()
    assert (box["x"], box["width"], box["y"] + box["height"]) == (0, 360, 740)
    page.keyboard.press("Escape")
    page.locator("#emoji-pop:popover-open").wait_for(state="hidden")
    assert plus.evaluate("(one) => one === document.activeElement")
    choose("Emoji")
    page.locator("#emoji-pop [data-emoji-list] button").first.tap()
    wait(page, "document.querySelector('[data-form=reply] textarea').value !== ''")
    field.fill("")
    choose("Canned replies")
    page.locator("[data-canned]:not([hidden])").wait_for()
    page.keyboard.press("Escape")
    page.locator("[data-canned]").wait_for(state="hidden")
    choose("Private note")
    note = page.locator("[data-form=note] textarea")
    assert note.evaluate("(one) => one === document.activeElement")
    assert page.get_by_role("link", name="Private note").get_attribute("aria-current") == "true"
    page.get_by_role("link", name="Reply", exact=True).tap()
    wait(page, "document.activeElement.matches('[data-form=reply] textarea')")
    field.fill("On Monday, then.")
    page.get_by_role("button", name="More ways to send").tap()
    assert page.locator("#send-menu:popover-open").get_by_text("Schedule").first.is_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Send", exact=True).tap()
    page.wait_for_selector("[data-part=log] >> text=On Monday, then.")


def test_the_list_shows_names_before_handles(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    scene.said("x" * 40, "Theodora Marchetti", "Hello", scene.ago(minutes=2))
    page = open_page("", viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    row = page.locator(f"[data-row='{scene.conversation('x' * 40)}']")
    assert row.bounding_box()["height"] == 64
    assert row.locator(".avatar").first.bounding_box()["width"] == 40
    name = row.locator(".conv-name")
    assert name.evaluate("(one) => one.scrollWidth <= one.clientWidth"), (
        "the name is whole, the handle is cut"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 360
