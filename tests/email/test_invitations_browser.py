"""An invitation in a browser: read, answered, and changed, on a phone as well."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest

from host.web.request_helpers import Role
from tests.browser.conftest import look
from tests.email.conftest import Outside, connect
from tests.email.test_aliases_browser import _conversation, sign_in
from tests.email.test_browser import assert_fits, mail_port, served
from tests.email.test_invitations import ICS, invitation
from tests.helpers import make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize("width", [1440, 360])
def test_an_agent_answers_an_invitation(served: str, outside: Outside, chromium: Any, width: int) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER, is_admin=True)
    connect(outside, workspace)
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        raw = invitation(ICS.replace("mailto:mia@example.org", "mailto:boss@example.org"))
        client.sendmail("mia@example.org", "hello@shop.example", raw)
    until(lambda: _conversation() is not None)
    context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
    page = context.new_page()
    sign_in(page)
    page.goto(f"/w/{workspace}/inbox/{_conversation()}")
    card = page.locator("[data-invitation]").first
    assert_fits(page)
    look(page, f"invitation-{width}")
    card.get_by_role("button", name="Accept").click()
    assert outside.mails == [], "nobody agreed to the organizer's address"
    card.get_by_role("checkbox").check()
    card.get_by_role("button", name="Accept").click()
    until(lambda: outside.mails)
    assert outside.mails[0][1] == ["boss@example.org"]
    page.wait_for_selector("[data-answered]")
    assert "Anna Reuter accepted" in card.inner_text()
    assert_fits(page)
    look(page, f"invitation-answered-{width}")
