"""Room for messages: on a phone and at 200 % zoom what stands below them folds, and they keep their share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.assistants.values import ModelAnswer, Source
from host.core import clock
from tests.assistants.assisting import Assisted
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PICTURES = os.environ.get("PICTURES")
NAME = "Rosa Santillan-Weatherby"
ANSWER = (
    "Yes, it left us at 11:30 and is due on Saturday. You can follow it on its way. It would leave us on "
    "Wednesday, well wrapped, and costs 14 €."
)
SHARE = (
    "document.querySelector('.thread-scroll').clientHeight"
    " / document.querySelector('.pane-thread').clientHeight"
)


@pytest.fixture
def one(desk: Desk) -> Iterator[Assisted]:
    made = Assisted(desk)
    at = clock.now() - timedelta(days=17)
    made.sources = [Source(1, "Shipping to the Nordics", "To Norway", at=at, entry_id=7)]
    made.model.says = ModelAnswer(ANSWER, (1,))
    with made.until_closed():
        yield made


@pytest.fixture
def page(one: Assisted, open_page: Open) -> Any:
    one.attach()
    for number in range(12):
        text = f"Is the repaired lid still on the way? ({number})"
        one.scene.said("ana", NAME, text, one.scene.ago(minutes=90 - number))
    one.said(text="My sister's birthday is on Sunday.")
    one.think()
    mia = one.scene.desk.mia.id
    one.scene.assign("ana", mia, mia, one.scene.ago(minutes=1))
    return open_page(f"/{one.scene.conversation('ana')}")


def height(page: Any, selector: str) -> float:
    page.locator(selector).wait_for()
    # At once: what is drawn anew meanwhile is another element.
    return float(page.evaluate(f"document.querySelector('{selector}').getBoundingClientRect().height"))


def test_messages_keep_their_share(page: Any) -> None:
    for width, tall in ((360, 740), (720, 450)):
        page.set_viewport_size({"width": width, "height": tall})
        line = height(page, ".sug")
        assert page.evaluate(SHARE) >= 0.4
        assert line <= 50, "the suggestion is one line"
        assert height(page, ".clocks-text") <= 24, "and so is the reply window"
        assert page.get_by_role("button", name="Accept and send").is_visible()
        assert page.get_by_label("Reply to").is_visible()
        page.get_by_role("button", name="Show all of it").click()
        assert height(page, ".sug") > 1.5 * line
        assert page.get_by_role("button", name="Dismiss").is_visible()
        assert page.evaluate(SHARE) >= 0.4
        page.get_by_role("button", name="Show all of it").click()
        page.get_by_label("Reply to").fill("A long answer.\n" * 30)
        assert page.evaluate(SHARE) >= 0.4
        page.get_by_label("Reply to").fill("")
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_name_is_read_before_the_handle(page: Any) -> None:
    name = page.locator(".thread-who h2")
    assert name.evaluate("one => one.scrollWidth <= one.clientWidth"), "all of it, at 1440 px"
    page.set_viewport_size({"width": 360, "height": 740})
    until(lambda: (name.bounding_box() or {"width": 0})["width"] > 100)
    page.locator("[data-part=head]").get_by_role("link", name="Contact details").click()
    page.locator(".pane-contact").get_by_text("View contact").wait_for()


def test_who_has_it_is_said_once(page: Any) -> None:
    assert page.locator("[data-part=head] .viewing").get_by_text("Mia R.").count() == 0
    assert page.locator(".assign-now:visible").count() == 1
    page.set_viewport_size({"width": 360, "height": 740})
    page.locator(".assign-now:visible").click()
    box = page.locator(".menu-assign").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


@pytest.mark.skipif(not PICTURES, reason="for looking at")
def test_pictures(page: Any) -> None:
    for width, tall in ((1440, 900), (720, 450), (360, 740)):
        page.set_viewport_size({"width": width, "height": tall})
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
            page.wait_for_timeout(200)
            page.screenshot(path=str(Path(str(PICTURES)) / f"room-{width}-{theme}.png"))
