"""The address a mail goes from, in a browser: chosen in the composer's head, kept, and chosen anew."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.users import Workspace
from host.web.request_helpers import Role
from tests.browser.conftest import look
from tests.email.conftest import Outside, connect
from tests.email.test_aliases_browser import MAIL, _conversation, sign_in
from tests.email.test_browser import assert_fits, mail_port, served
from tests.helpers import make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OWN, SUPPORT, ORDERS = "hello@shop.example", "support@shop.example", "orders@other.example"
LONG = f"{'a' * 60}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example"


@pytest.mark.parametrize("width", [1440, 360])
def test_an_agent_chooses_where_a_mail_goes_from(
    served: str, outside: Outside, chromium: Any, width: int
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER, is_admin=True)
    connect(outside, workspace, aliases=f"{SUPPORT}\n{ORDERS}\n{LONG}")
    db.write(lambda session: session.execute(sa.update(Workspace).values(undo_seconds=0)))
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", SUPPORT, MAIL)
    until(_conversation)
    context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    sign_in(page)
    page.goto(f"/w/{workspace}/inbox/{_conversation()}")
    chosen = page.locator("[data-form=reply] select[name=own_address]")
    assert chosen.input_value() == SUPPORT
    box = chosen.bounding_box()
    assert box["height"] >= 24
    assert_fits(page)
    look(page, f"from-{width}")

    # A choice is kept in the draft: in another tab too, and over the page.
    chosen.select_option(ORDERS)
    other = context.new_page()
    other.goto(page.url)
    until(lambda: other.locator("[data-form=reply] select[name=own_address]").input_value() == ORDERS)
    other.close()
    page.reload()
    assert chosen.input_value() == ORDERS
    chosen.select_option(LONG)
    page.locator("[data-along-opens]").click()
    assert_fits(page)
    look(page, f"from-long-{width}")
    chosen.select_option(ORDERS)

    # It is lost while the page is open: nothing is sent, everything stays, and another is chosen.
    page.locator("[data-form=reply] textarea").fill("Yes, eight.")
    connect(outside, workspace, aliases=SUPPORT)
    page.click("[data-send]")
    page.wait_for_selector(f"text=“{ORDERS}” is not an address of this account")
    assert page.locator("[data-form=reply] textarea").input_value() == "Yes, eight."
    assert_fits(page)
    look(page, f"from-lost-{width}")
    chosen.select_option(OWN)
    page.click("[data-send]")
    page.wait_for_selector(f".msg-out .copies >> text=from {OWN}")
    until(lambda: outside.mails)
    assert f"From: Shop <{OWN}>".encode() in outside.mails[0][2]

    # Queued, lost, failed: the message says why, and where it can go from.
    outside.mails.clear()
    db.write(lambda session: session.execute(sa.update(Workspace).values(undo_seconds=60)))
    page.wait_for_function(
        "document.querySelector('[data-form=reply] select').value !== 'hello@shop.example'"
    )
    assert chosen.input_value() == SUPPORT, "the next begins as the customer wrote"
    chosen.select_option(OWN)
    page.locator("[data-form=reply] textarea").fill("And large ones.")
    page.click("[data-send]")
    page.wait_for_selector(".msg-out [data-leaves]")
    until(lambda: chosen.input_value() == SUPPORT)
    page.locator(".msg-out form[data-act=undo] button").click()
    until(lambda: chosen.input_value() == OWN)  # what was undone comes back with where it went from
    chosen.select_option(SUPPORT)
    page.click("[data-send]")
    page.wait_for_selector(".msg-out [data-leaves]")
    connect(outside, workspace, aliases=f"{ORDERS}\n{LONG}")
    page.locator(".msg-waits form[data-act=send_now] button").first.click()
    page.wait_for_selector("text=The sender address was removed from the account.")
    again = page.locator(".msg-failed select[name=own_address]")
    assert again.input_value() == OWN
    assert again.bounding_box()["height"] >= 24
    assert_fits(page)
    again.select_option(LONG)
    assert_fits(page)
    look(page, f"from-failed-{width}")
    again.select_option(ORDERS)
    page.locator(".msg-failed button:has-text('Retry')").click()
    page.wait_for_selector(f".msg-out .copies >> text=from {ORDERS}")
    until(lambda: outside.mails)
    assert f"From: Shop <{ORDERS}>".encode() in outside.mails[0][2]
    assert troubles == []


def test_a_first_mail_follows_the_account_it_goes_from(served: str, outside: Outside, chromium: Any) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER, is_admin=True)
    first = connect(outside, workspace, aliases=SUPPORT)
    second = connect(outside, workspace, address="art@studio.example", name="Art", aliases="a@b.example")
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", SUPPORT, MAIL)
    until(_conversation)
    with db.read() as session:
        contact = session.execute(sa.text("SELECT contact_id FROM conversations")).scalar_one()
    db.write(lambda session: session.execute(sa.update(Workspace).values(undo_seconds=0)))
    page = chromium.new_context(base_url=served, viewport={"width": 1440, "height": 900}).new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    sign_in(page)
    page.goto(f"/w/{workspace}/contacts/{contact}/write")
    chosen, place = page.locator("select[name=own_address]"), page.locator("[data-place]")
    chosen.select_option(SUPPORT)
    look(page, "from-first-mail")
    place.select_option(f"{second.id}:mia@example.org")
    assert chosen.input_value() == "", "what the other account has is no choice any more"
    assert chosen.locator(f"optgroup[data-of='{first.id}']").is_disabled()
    chosen.select_option("a@b.example")
    page.reload()
    place.select_option(f"{second.id}:mia@example.org")
    chosen.select_option("a@b.example")
    page.locator("[data-form=onward] textarea").fill("The kiln is free.")
    page.click("[data-send]")
    page.wait_for_url(lambda url: "/inbox/" in url, timeout=60_000)
    page.wait_for_selector(".msg-out .copies >> text=from a@b.example")
    until(lambda: outside.mails)
    assert b"From: Art <a@b.example>" in outside.mails[0][2]
    assert troubles == []
