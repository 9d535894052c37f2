"""In a real browser: a customer out of reach closes the composer of an open page; writing opens it again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from host.core import clock, db
from host.delivery import results
from host.inbox import outcome
from host.models.inbox import Conversation
from host.sdk.channel import ProviderProblem, Rejected
from tests.accessibility import violations
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk

pytestmark = [pytest.mark.browser, pytest.mark.slow]

GONE = ProviderProblem(
    code="551",
    sentence="This person can't receive messages from you.",
    next_step="Contact them another way, or wait until they write.",
    raw="(#551) This person isn't available right now.",
    cause="They are unavailable or have blocked this account.",
)


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def refuse(conversation_id: int, message_id: int) -> None:
    """Let the provider say that nothing reaches this customer."""
    found = next(one for one in toys.everything(Conversation) if one.id == conversation_id)
    db.write(outcome.record_failed, message_id, GONE)
    db.write(results.note_out_of_reach, found.identity_id, Rejected(GONE, whole_contact=True))


def test_the_composer_closes_and_opens_while_the_page_is_open(scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    (message,) = scene.reply("ana", "Of course.", clock.now())
    page.wait_for_selector("[data-form=reply] textarea")
    refuse(ana, message)
    page.wait_for_selector("[data-composer] >> text=This person can't receive messages from you.")
    assert page.locator("[data-form=reply] textarea").count() == 0
    page.wait_for_selector(".log >> text=Retry")
    assert page.locator(".log >> text=Retry").count() == 1
    scene.said("ana", "Ana Q.", "I am here again", clock.now())
    page.wait_for_selector("[data-form=reply] textarea")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_what_is_said_fits_and_is_accessible(
    scene: scenes.Scene, open_page: Open, width: int, dark: bool
) -> None:
    ana = scene.conversation("ana")
    (message,) = scene.reply("ana", "Of course.", clock.now())
    refuse(ana, message)
    scheme = "dark" if dark else "light"
    page = open_page(f"/{ana}", viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.click("text=Show error")
    page.wait_for_selector("text=Likely cause: They are unavailable or have blocked this account.")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/reach-{width}-{scheme}.png")
    assert [(one["id"], [n["html"][:160] for n in one["nodes"]]) for one in violations(page)] == []
