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

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
)


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.RICH)


@pytest.mark.parametrize("width", [360, 412])
def test_a_photo_and_a_voice_note_are_one_tap_away(
    width: int, desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    size = {"width": width, "height": 740}
    page = open_page(f"/{ana}", viewport=size, has_touch=True, is_mobile=True, permissions=["microphone"])
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator(".mainnav").is_hidden()
    assert violations(page) == []
    for name in ("Take a photo", "Record a voice note"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert min(box["width"], box["height"]) >= 40, name
        assert box["y"] > 370, f"{name}: in the lower half"
    page.route(
        "**/uploads",
        lambda route: route.fulfill(
            status=201, content_type="application/json", body='{"id": "a", "kind": "image", "size": 9}'
        ),
    )
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Take a photo").tap()
    taken = chooser.value.element
    assert [taken.get_attribute(one) for one in ("accept", "capture")] == ["image/*", "environment"]
    chooser.value.set_files({"name": "photo.png", "mimeType": "image/png", "buffer": PIXEL})
    page.wait_for_selector("[data-tray] [data-state=ready]")
    page.get_by_role("button", name="Record a voice note").tap()
    page.wait_for_selector("[data-recorder]:not([hidden])")
    wait(page, "document.querySelector('[data-recorder] [data-time]').textContent !== '0:00'")
    page.locator("[data-recorder] [data-stop]").tap()
    page.wait_for_selector("[data-tray] .voice")
    # What a mouse points at has them beside the other tools.
    page = open_page(f"/{ana}")
    assert page.locator(".tools-thumb:visible").count() == 0


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
    assert page.locator("[data-form=reply] [data-send]").bounding_box()["y"] > 600
    # Enter begins a line: a thumb hits it by mistake.
    field.fill("One")
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
