"""Search in a real browser: both widths, both themes, by keyboard, to a message far back and back again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import look
from tests.inbox import toys
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk
from tests.search.desk import read_record

pytestmark = pytest.mark.browser


def fill(desk: Desk) -> None:
    names = ["Ana Q.", "Tomas K.", "Lena F.", "Vera N.", "Hal M.", "Priya D."]
    said = [
        "Wonderful. Could you hold the blue one until Monday? The one with the tide glaze, I mean.",
        "Is the tide glaze on the large bowl the same as on the mug from spring?",
        "We would like two of the plates, please, and the invoice to the same address.",
        "My order AB-1234 has not come. Twelve cups, all with tide glaze.",
        "At the workshop I used the tide glaze. When can I collect my cup?",
        "我的订单在哪里？",
    ]
    toys.apply(
        desk.account,
        *(
            toys.received(
                text,
                at=3600 * n,
                contact=f"c{n}",
                contact_name=name,
                contact_username=f"{name[:3].lower()}.sample",
            )
            for n, (name, text) in enumerate(zip(names, said, strict=True))
        ),
        *(toys.received(f"And one more thing, number {n}", at=20_000 + n, contact="c0") for n in range(70)),
    )
    toys.apply(
        desk.account, toys.echoed("The tide glaze is safe for the dishwasher.", at=90_000, contact="c1")
    )
    read_record()


def find(page: Any, desk: Desk, text: str) -> None:
    page.goto(f"/w/{desk.workspace}/search")
    page.get_by_role("searchbox").fill(text)
    page.keyboard.press("Enter")
    page.wait_for_selector(".search-hit, .list-empty")


def test_a_message_far_back_is_found_opened_and_left_again(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page()
    page.locator("[data-search-field]").fill("tide glaze")
    page.keyboard.press("Enter")
    page.wait_for_selector(".search-hit")
    assert page.locator(".search-hit").count() == 5
    page.locator(".search-hit").last.wait_for()
    page.locator("body").focus()
    page.keyboard.press("j")
    for _ in range(4):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-found]")
    mark = page.locator(".log > :target")
    mark.wait_for()
    assert "hold the blue one" in mark.inner_text()
    assert mark.evaluate(
        "one => { const at = one.getBoundingClientRect(); return at.top >= 0 && at.bottom <= innerHeight; }"
    )
    page.locator("[data-found]").click()
    page.wait_for_selector(".search-hit")
    assert page.get_by_role("searchbox").input_value() == "tide glaze"
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-inbox]", state="attached")


@pytest.mark.slow
def test_it_looks_well(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    find(page, desk, "tide")
    look(page, "search")
    find(page, desk, "ana from:nobodyofthatname")
    look(page, "search-empty")


def test_a_result_is_shown_beside_and_opened_by_enter(desk: Desk, open_page: Open) -> None:
    fill(desk)
    page = open_page(reduced_motion="reduce")
    find(page, desk, "tide glaze")
    hits = page.locator(".search-hit")
    around = page.locator("[data-around-pane]")
    around.locator(".found >> text=safe for the dishwasher").wait_for()
    assert page.locator(".search-hit[aria-current]").count() == 1
    hits.last.click()
    around.locator(".found >> text=hold the blue one").wait_for()
    assert "/search?" in page.url
    look(page, "search-beside", phone=False)
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-found]")
