"""Further addresses of an account in a browser: entered on its card, told in the composer."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.inbox import Conversation
from host.web.request_helpers import Role
from tests.email.conftest import Outside, connect
from tests.email.test_browser import assert_fits, mail_port, served
from tests.helpers import PASSWORD, make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MAIL = (
    b"From: Mia <mia@example.org>\r\nTo: support@shop.example, anna@example.org\r\nSubject: Mugs\r\n"
    b"Message-ID: <1@example.org>\r\n\r\nBlue mugs?\r\n"
)


def _conversation() -> int | None:
    with db.read() as session:
        return session.scalar(sa.select(Conversation.id))


def sign_in(page: Any) -> None:
    page.goto("/login")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)


@pytest.mark.parametrize("width", [1440, 360])
def test_a_further_address_is_entered_and_answered_from(
    served: str, outside: Outside, chromium: Any, tmp_path: Any, width: int
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER, is_admin=True)
    account = connect(outside, workspace)
    context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    sign_in(page)
    page.goto(f"/w/{workspace}/settings/channels/accounts/{account.id}")
    page.fill("[name=aliases]", "support@shop.example\nnobody")
    page.fill("[name=smtp_password]", outside.password)
    page.locator("[name=aliases]").locator("xpath=ancestor::form").locator(
        "button[type=submit]"
    ).first.click()
    page.wait_for_selector("text=Not an email address: nobody.")
    assert_fits(page)
    page.screenshot(path=str(tmp_path / f"aliases-{width}.png"), full_page=True)
    page.fill("[name=aliases]", "support@shop.example\norders@other.example")
    page.fill("[name=smtp_password]", outside.password)
    page.locator("[name=aliases]").locator("xpath=ancestor::form").locator(
        "button[type=submit]"
    ).first.click()
    page.wait_for_url(lambda url: "/accounts/" not in url)
    page.goto(f"/w/{workspace}/settings/channels/accounts/{account.id}")
    assert page.input_value("[name=aliases]") == "orders@other.example\nsupport@shop.example"
    assert "orders@other.example, support@shop.example" in page.content()
    assert_fits(page)
    page.screenshot(path=str(tmp_path / f"card-{width}.png"), full_page=True)

    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", "support@shop.example", MAIL)
    until(_conversation)
    page.goto(f"/w/{workspace}/inbox/{_conversation()}")
    chosen = page.locator("[data-form=reply] select[name=own_address]")
    assert chosen.is_visible()
    assert chosen.input_value() == "support@shop.example"
    assert page.input_value("input[name=cc]") == "anna@example.org"
    assert_fits(page)
    page.screenshot(path=str(tmp_path / f"composer-{width}.png"))
    page.locator("[data-form=reply] textarea").fill("Yes, eight.")
    page.click("[data-send]")
    page.wait_for_selector(".msg-out .copies")
    told = page.locator(".msg-out .copies").inner_text()
    assert told.startswith("from support@shop.example · cc anna@example.org")
    page.screenshot(path=str(tmp_path / f"sent-{width}.png"))
    until(lambda: outside.mails)
    assert b"From: Shop <support@shop.example>" in outside.mails[0][2]
    assert troubles == []
