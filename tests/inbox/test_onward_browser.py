"""Going on by email in a browser, wide and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox.conversations import publish_conversation
from host.models.inbox import Conversation
from tests.browser.conftest import look
from tests.inbox import desks
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.inbox.test_onward import TWO_SIDED, Opened
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, TWO_SIDED)


@pytest.fixture
def opened(desk: Desk) -> Opened:
    return Opened(desk)


def test_what_is_written_goes_out_by_mail_and_the_page_follows(opened: Opened, open_page: Open) -> None:
    page: Any = open_page(f"/{opened.old}")
    before = page.query_selector("[data-part=window]")
    db.write(lambda session: publish_conversation(session, session.get_one(Conversation, opened.old)))
    until(lambda: not before.evaluate("strip => strip.isConnected"))  # the strip is drawn anew
    page.click(".composer-window [data-tab=onward]")
    wait(page, "document.activeElement.closest('form')?.dataset.form === 'onward'")
    look(page, "onward")
    page.focus("[data-form=onward] textarea")
    page.keyboard.type("The blue mugs are back.")
    with page.expect_navigation():
        page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-before]")
    assert "Is it in stock?" in page.inner_text("[data-before]")
    assert page.locator("[data-part=log] [data-message]").count() == 2  # the line, and the mail
    look(page, "onward-thread")
    with page.expect_navigation():
        page.click(".before-head")
    page.wait_for_selector("text=continued on Toy")
    look(page, "onward-back", phone=False)
