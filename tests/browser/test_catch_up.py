"""What an owner does with a connected account: catch up after an outage, erase a customer, mend, leave."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.asking import answer, name_to_type
from tests.browser.conftest import Desk, look, picture
from tests.browser.pottery import Pottery, owner_signs_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Arrive = Callable[..., Page]
CARD = "@sample.pottery"


@pytest.fixture(scope="module")
def pottery(desk: Desk) -> Pottery:
    return Pottery(desk)


@pytest.fixture(scope="module")
def page(pottery: Pottery, person: Arrive) -> Page:
    arrived = person()
    owner_signs_in(arrived)
    return arrived


def card(page: Page) -> Any:
    return page.get_by_role("article").filter(has_text=CARD).first


def opened(account: Any) -> Any:
    """Open the menu of an account; return the account."""
    account.locator("details.menu summary").click()
    return account


def test_what_instagram_did_not_deliver_is_listed_and_marked(pottery: Pottery, page: Page) -> None:
    page.goto(pottery.channels)
    pottery.control("switches/swallow", {"on": True, "customer": "rosa.sample"})
    pottery.dm("Did you see this?", customer="rosa.sample")
    pottery.control("switches/swallow", {"on": False})
    opened(card(page)).get_by_role("link", name=re.compile("^Catch up")).click()
    missed = page.locator("[data-found=missed]")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_text("Checking. Missing messages appear within a few minutes.")).to_be_visible()
    expect(missed.get_by_role("link", name=re.compile("Rosa|rosa"))).to_be_visible(timeout=60_000)
    expect(missed.locator("[data-look]")).to_contain_text("1 message missed in 7 days")
    look(page, "missed")
    missed.get_by_role("link", name=re.compile("Rosa|rosa")).click()
    expect(page.get_by_text("Instagram did not deliver this")).to_be_visible()
    page.goto(pottery.channels)
    expect(card(page).locator("[data-look]")).to_contain_text("1 message missed in 7 days")
    look(page, "missed-card")


def test_what_was_missed_in_an_outage_is_brought_in(pottery: Pottery, page: Page) -> None:
    page.goto(pottery.channels)
    opened(card(page))
    expect(card(page).get_by_role("link", name=re.compile("^Catch up"))).to_be_visible()
    pottery.control("faults", {"call": "webhook", "action": "drop"})
    for number in range(22):
        pottery.dm(f"Message {number} nobody delivered")
    pottery.dm("I am a stranger", customer="kit.makes.sample")
    card(page).get_by_role("link", name=re.compile("^Catch up")).click()
    expect(page.get_by_role("heading", name=f"Catch up: {CARD}")).to_be_visible()
    expect(page.get_by_text("What can't be recovered")).to_be_visible()
    page.get_by_role("button", name="Catch up").click()
    report = page.locator("[data-report]")
    expect(page.locator("[data-found=new]")).to_be_visible()
    expect(page.get_by_text("Done", exact=True)).to_be_visible()
    expect(report).to_contain_text(re.compile(r"Messages imported\s*21"))
    expect(report).to_contain_text(re.compile(r"Messages unavailable\s*2"))
    look(page, "catch-up")
    picture(page, "catch-up")
    page.locator("[data-found=new]").get_by_role("link").first.click()
    expect(page.get_by_text("I am a stranger").last).to_be_visible()
    expect(page.get_by_text("Imported")).to_have_count(0)
    expect(page.get_by_text("left to reply")).to_be_visible()
    expect(page.get_by_role("button", name="Send", exact=True)).to_be_visible()
    look(page, "catch-up-thread")


def test_a_customer_is_erased(pottery: Pottery, page: Page) -> None:
    page.goto(pottery.inbox)
    page.get_by_role("link", name=re.compile("Message 21 nobody delivered")).first.click()
    page.get_by_role("link", name="Erase this customer…").click()
    expect(page.get_by_role("heading", name=re.compile("^Erase "))).to_be_visible()
    expect(page.get_by_text("the content of 20 messages, theirs and yours")).to_be_visible()
    look(page, "erase")
    picture(page, "erase", of=page.locator("main section"))
    question = page.get_by_label("To erase this customer permanently")
    question.fill(name_to_type(page.content()))
    page.get_by_role("button", name="Erase this customer").click()
    expect(page.get_by_text("Customer erased, including 20 messages.")).to_be_visible()
    expect(page.get_by_text(re.compile("erased this customer"))).to_be_visible()
    assert "nobody delivered" not in page.content()
    look(page, "erased")


def test_what_is_in_the_way_is_named(pottery: Pottery, page: Page) -> None:
    page.goto(pottery.channels)
    opened(card(page)).get_by_role("button", name=re.compile("^Diagnose")).click()
    expect(page.get_by_role("heading", name=f"Diagnose {CARD}")).to_be_visible()
    picture(page, "diagnose")


def test_an_account_moves_to_another_workspace_of_its_owner(pottery: Pottery, page: Page) -> None:
    page.goto("/admin/workspaces")
    page.locator("#name").fill("Second shop")
    page.locator("#mine").check()
    page.locator("main form").get_by_role("button").last.click()
    page.goto("/w/2/settings/channels/instagram/new")
    move = page.get_by_label(re.compile("^Move it from another workspace"))
    expect(move).to_be_visible()
    look(page, "move")
    token = next(one for one in pottery.journey.seed["tokens"] if one["id"] == "pottery-long")["value"]
    fields = {
        "Page ID": "100000000000001",
        "Page Access Token": token,
        "App Secret": pottery.journey.seed["apps"][0]["secret"],
    }
    for label, value in fields.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_role("button", name="Save and check").click()
    expect(page.get_by_text("already connected in your workspace").first).to_be_visible()
    page.get_by_role("button", name="Move here").click()  # what was typed is kept
    expect(page.get_by_text("@sample.pottery is connected.")).to_be_visible()
    page.goto(pottery.channels)
    expect(page.get_by_text("1 disconnected account")).to_be_visible()
    page.goto("/w/1/inbox")
    expect(page.get_by_text("I am a stranger")).to_be_visible()
    # And back, to the conversations it had.
    page.goto("/w/1/settings/channels/instagram/new")
    for label, value in fields.items():
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label(re.compile("^Move it from another workspace")).select_option(index=1)
    page.get_by_role("button", name="Save and check").click()
    expect(page.get_by_text("@sample.pottery is connected.")).to_be_visible()


def test_an_account_that_cannot_send_says_so(pottery: Pottery, page: Page) -> None:
    pottery.journey.control("DELETE", "faults")
    pottery.journey.control("PATCH", "tokens/pottery-long", {"valid": False, "subcode": 460})
    pottery.dm("Are you there?", customer="rosa.sample")
    page.goto(pottery.inbox)
    page.get_by_role("link", name=re.compile("Are you there")).first.click()
    page.get_by_role("textbox", name=re.compile("^Reply to")).fill("We are")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_text(re.compile("Reconnect the account"))).to_be_visible()
    page.goto(pottery.channels)
    expect(card(page).get_by_text("Stopped, sign in again")).to_be_visible()
    picture(page, "stay-connected")


def test_leaving_says_what_stays(pottery: Pottery, page: Page) -> None:
    page.goto(pottery.channels)
    opened(card(page)).get_by_role("button", name=re.compile("^Disconnect")).click()
    said = answer(page)
    expect(page.get_by_text(re.compile("is disconnected. Its conversations are kept."))).to_be_visible()
    page.get_by_text("1 disconnected account").click()
    expect(page.get_by_role("link", name=re.compile("^Reconnect"))).to_be_visible()
    picture(page, "leave")
    assert "Its conversations are kept" in said
