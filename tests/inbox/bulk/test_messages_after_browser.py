"""A bulk action that leads to messages says to how many customers, before they leave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox.bulk import actions
from tests.automation.automated import Automated
from tests.inbox import desks
from tests.inbox.browsing import Open
from tests.inbox.bulk.test_selecting_browser import says, tick
from tests.inbox.desks import Desk
from tests.rules.ruled import add_rule

pytestmark = pytest.mark.browser

DIALOG = "[data-bulk-dialog]"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def goodbye(desk: Desk) -> None:
    say = {"do": "say", "text": "We closed this."}
    add_rule(Automated(desk), say, name="Goodbye", when="conversation.closed")


def opened_close(page: Any) -> Any:
    page.get_by_role("button", name="Choose action").click()
    page.locator(f"{DIALOG} summary", has_text="Close").first.click()
    return page.locator(f"{DIALOG} details[open]")


def two(scene: Any) -> list[int]:
    scene.said("kit", "Kit L.", "Hello", scene.ago(minutes=3))
    return [scene.conversation(name) for name in ("ana", "jon", "kit")]


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_dialog_counts_who_will_be_written_to(
    scene: Any, goodbye: None, open_page: Open, width: int, scheme: str
) -> None:
    opened, *ticked = two(scene)
    page = open_page(f"/{opened}")
    tick(page, *ticked)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    if width == 360:
        page.goto(page.url.split("/inbox")[0] + f"/inbox/bulk?ids={','.join(map(str, ticked))}")
        page.locator("summary", has_text="Close").first.click()
        shown = page.locator("details[open]")
    else:
        shown = opened_close(page)
    shown.get_by_text("No messages are sent.").wait_for()
    shown.get_by_label("Keep the 2 waiting for a reply open").uncheck()
    shown.get_by_text("Up to 2 customers get a message.").wait_for()
    assert not shown.get_by_text("No messages are sent.").is_visible()
    assert shown.get_by_text("Goodbye: 2").is_visible()
    assert "isn't sent" in shown.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_without_rules_it_says_that_nothing_is_sent(scene: Any, open_page: Open) -> None:
    opened, *ticked = two(scene)
    page = open_page(f"/{opened}")
    tick(page, *ticked)
    opened_close(page).locator("p:visible", has_text="No messages are sent.").wait_for()


def test_the_key_says_it_beside_undo(scene: Any, goodbye: None, open_page: Open) -> None:
    opened, *ticked = two(scene)
    page = open_page(f"/{opened}")
    tick(page, *ticked)
    page.keyboard.press("e")
    says(page, "Up to 2 customers get a message in an hour, unless you undo this (Goodbye)")
    assert actions.UNDO.total_seconds() == 3600
