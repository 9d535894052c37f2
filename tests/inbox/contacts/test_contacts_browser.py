"""The pages about contacts in Chromium: two are made one and two again, at both widths and in both themes."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from tests.accessibility import violations
from tests.asking import agree_always
from tests.browser.conftest import look
from tests.inbox.browsing import Open
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def test_two_are_made_one_and_two_again(desk: Desk, scene: Scene, open_page: Open) -> None:
    scene.said("anna.quist@a-rather-long-domain.example", "", "It is me again", scene.now)
    page = open_page("")
    agree_always(page)
    contacts = f"/w/{desk.workspace}/contacts"
    page.goto(contacts)
    look(page, "contacts")
    page.goto(f"{contacts}/1/merge?with=3")
    look(page, "contact-merge")
    page.set_viewport_size({"width": 360, "height": 780})
    assert page.locator(".merge-body").evaluate("box => box.scrollWidth <= box.clientWidth")
    page.click("text=Merge into Ana Q.")
    page.wait_for_selector("text=Contacts merged, 1 account moved.")
    assert page.locator("text=Contacts merged").count() == 1
    assert page.locator(".ids b:has-text('anna.quist')").count() == 1
    look(page, "contact")
    page.click("text=Split again")
    page.wait_for_selector("text=Contacts split.")
    assert violations(page) == []
    page.goto(f"{contacts}/1")
    assert page.locator(".ids b:has-text('anna.quist')").count() == 0
