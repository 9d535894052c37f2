"""A suggestion in a browser: it comes by itself, is taken, edited or sent away by keys, and fits a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.assistants.models import Mode
from host.assistants.values import ModelAnswer, ModelError, Source
from host.core import clock
from tests.assistants.assisting import Assisted
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk

PICTURES = os.environ.get("PICTURES")
EDGES = "(({left, right}) => [left, right])(document.querySelector('.sug').getBoundingClientRect())"
ANSWER = (
    "Yes, to Norway it takes 4 to 6 days and costs 14 €. Shall I put one aside for you? It would leave us on "
    "Wednesday, well wrapped."
)
CITING = ANSWER.replace("14 €.", "14 €. [1]").replace("wrapped.", "wrapped. [3][1] [8]")
"""The same as the model says it, with a source there is none of."""


@pytest.fixture
def one(desk: Desk) -> Iterator[Assisted]:
    made = Assisted(desk)
    now = clock.now()
    made.sources = [
        Source(1, "Shipping to the Nordics", "To Norway", at=now - timedelta(days=17), entry_id=7),
        Source(2, "Business hours", "Monday", kind="hours"),
        Source(3, "Returns of whatever was bought with us", "14", at=now - timedelta(days=300), entry_id=8),
    ]
    made.model.says = ModelAnswer(CITING, (1, 3))
    with made.until_closed():
        yield made


def opened(one: Assisted, open_page: Open, **options: Any) -> Any:
    return open_page(f"/{one.scene.conversation('ana')}", **options)


def picture(page: Any, name: str) -> None:
    if PICTURES:
        page.wait_for_timeout(300)
        page.screenshot(path=str(Path(PICTURES) / f"{name}.png"))


@pytest.mark.slow
def test_it_comes_by_itself_and_is_taken_by_a_key(one: Assisted, open_page: Open) -> None:
    one.attach()
    one.said(text="Do you ship to Norway?")
    one.read()
    page = opened(one, open_page)
    page.get_by_text("Waiting until the customer finishes").wait_for()
    one.think()
    page.get_by_role("button", name="Accept and send").wait_for()
    assert page.get_by_label("Reply to Ana Q.").input_value() == ""
    cited = page.locator(".sug-t a")
    assert cited.all_text_contents() == ["1", "1", "3"]
    page.locator(".sug-t").get_by_role(
        "link", name="Source 3: Returns of whatever was bought with us"
    ).click()
    page.wait_for_selector("#sug-src-3:focus")
    page.locator("[data-inbox]").press("w")
    page.get_by_text("2 used, 3 considered").wait_for()
    page.keyboard.press("y")
    page.locator(".log").get_by_text("Shall I put one aside").wait_for()
    page.locator("[data-suggestion]").wait_for(state="detached")
    assert one.texts() == [ANSWER]
    assert one.turns()[-1].outcome == "taken"


@pytest.mark.slow
def test_edited_it_stands_in_the_field(one: Assisted, open_page: Open) -> None:
    one.attach()
    one.said(text="Do you ship to Norway?")
    one.think()
    page = opened(one, open_page)
    page.locator("[data-inbox]").press("i")
    field = page.get_by_label("Reply to Ana Q.")
    assert field.input_value() == ANSWER
    field.fill("Yes, 14 €.")
    field.press("Control+Enter")
    page.locator(".log").get_by_text("Yes, 14 €.").wait_for()
    assert one.turns()[-1].outcome == "edited"


@pytest.mark.slow
def test_sent_away_it_is_gone(one: Assisted, open_page: Open) -> None:
    one.attach()
    one.said(text="Do you ship to Norway?")
    one.think()
    page = opened(one, open_page)
    page.locator("[data-inbox]").press("x")
    page.locator("[data-suggestion]").wait_for(state="detached")
    assert one.turns()[-1].outcome == "dismissed"


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_it_fits(one: Assisted, open_page: Open, width: int, scheme: str) -> None:
    """Every state, at both widths and in both themes; nothing is off the screen sideways."""
    one.attach(Mode.SUGGEST)
    one.said(text="Do you ship to Norway?")
    one.said(text="And where is my order from last week?")
    options = {"viewport": {"width": width, "height": 900 if width > 400 else 780}, "color_scheme": scheme}
    one.read()
    for name in ("wait", "ready", "none", "bad", "has"):
        if name == "ready":
            one.think()
        elif name == "has":
            one.change(mode=Mode.ANSWER)
            one.model.says = ModelAnswer(ANSWER, (1,))
            one.said(text="Hello?")
            one.think()
        elif name != "wait":
            one.model.says = ModelError("model_timeout") if name == "bad" else ModelAnswer(hands_over=True)
            one.said(text="Do you sell candles?")
            one.think()
        page = opened(one, open_page, **options)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.locator(".sug").wait_for()
        # At once: what is drawn anew meanwhile is another element.
        start, end = page.evaluate(EDGES)
        assert 0 <= start < end <= width
        picture(page, f"suggestion-{name}-{width}-{scheme}")
