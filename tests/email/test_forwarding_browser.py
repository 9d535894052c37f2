"""Forwarding in a browser: the form, and the line it leaves in the conversation."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from host.web.request_helpers import Role
from tests.browser.conftest import look
from tests.email.conftest import Outside, connect
from tests.email.test_aliases_browser import MAIL, _conversation, sign_in
from tests.email.test_browser import assert_fits, mail_port, served
from tests.helpers import make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_agent_forwards_a_message(served: str, outside: Outside, chromium: Any) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER, is_admin=True)
    connect(outside, workspace)
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", "hello@shop.example", MAIL)
    until(_conversation)
    context = chromium.new_context(base_url=served, viewport={"width": 1440, "height": 900})
    page = context.new_page()
    sign_in(page)
    page.goto(f"/w/{workspace}/inbox/{_conversation()}")
    page.locator("[data-inbound] a[href$='/forward']").click()
    page.locator("#forward-to").wait_for()
    page.locator("#forward-to").fill("not an address")
    page.get_by_role("button", name="Forward").click()
    assert "is not a valid email address" in page.locator("[role=alert]").inner_text()
    page.locator("#forward-to").fill("Ana Lima <ana@maker.example>")
    page.locator("#forward-note").fill("Can you look at this?")
    assert_fits(page)
    look(page, "forward-form")
    page.get_by_role("button", name="Forward").click()
    line = page.locator(".activity:has(.forward-line)")
    assert "Anna Reuter forwarded a message to Ana Lima" in line.inner_text()
    assert_fits(page)
    look(page, "forwarded")
    until(lambda: outside.mails)
