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


def test_all_ids_on_an_account_are_shown(desk: Desk, scene: Scene, open_page: Open) -> None:
    scene.said("4915112345678", "رانيا عبد الرحمن", "مرحبا", scene.ago(minutes=5))
    long = "DE." + "1" * 120
    scene.also_known("4915112345678", long, former="4915100000000", replaced="DE.9", at=scene.ago(minutes=4))
    conversation = scene.conversation("4915112345678")
    page = open_page(f"/{conversation}")
    page.set_viewport_size({"width": 1440, "height": 900})
    texts = page.locator(".pane-contact .ids li").all_inner_texts()
    assert page.locator(".pane-contact .ids b").all_inner_texts() == [
        "+4915112345678",
        long,
        "+4915100000000",
        "DE.9",
    ]
    assert [number for number, one in enumerate(texts) if "Replies go here" in one] == [0]
    assert "Phone number on" in texts[0]
    assert "can change" in texts[0]
    assert "stays the same" in texts[1]
    assert "theirs until" in texts[2]
    assert "theirs until" in texts[3]
    assert "stays the same" not in texts[3]
    look(page, "pane-ids", phone=False)
    page.click(".pane-contact a[title='View contact']")
    page.wait_for_selector("h1:has-text('رانيا')")
    assert page.locator("[aria-labelledby=s-reach] li").all_inner_texts()[1:] == texts
    look(page, "contact-ids")
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(f"/w/{desk.workspace}/inbox/{conversation}?pane=contact")
    look(page, "pane-ids-phone", wide=False)
