"""The composer on a page of its own, without a thread: what comes back stands there again."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.inbox import Contact
from host.web.request_helpers import Role
from tests.email.conftest import Outside, connect
from tests.email.test_browser import served
from tests.email.test_first_mail_browser import sent, sign_in
from tests.email.test_writing_browser import arrive
from tests.helpers import make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = pytest.mark.browser


def test_what_a_page_without_a_thread_sends(served: str, outside: Outside, chromium: Any) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER)
    connect(outside, workspace)
    arrive()
    with db.read() as session:
        contact = session.scalars(sa.select(Contact)).one().id
    troubles: list[str] = []
    page = sign_in(chromium, served, troubles)
    page.goto(f"/w/{workspace}/contacts/{contact}")
    page.click("text=Write an email")
    text = page.locator("[data-form=onward] textarea")
    problem = page.locator("[data-problem]")
    address = f"**/w/{workspace}/contacts/{contact}/write*"

    def refused(route: Any) -> None:
        answer = {"error": {"code": "no", "message": "The subject is too strange.", "next": "Change it."}}
        route.fulfill(status=422, content_type="application/json", body=json.dumps(answer))

    def only_posts(answer: Any) -> Any:
        return lambda route: answer(route) if route.request.method == "POST" else route.continue_()

    text.fill("The kiln is free.")
    page.route(address, only_posts(refused))
    page.click("[data-send]")
    problem.get_by_text("The subject is too strange.").wait_for()
    assert text.input_value() == "The kiln is free."

    page.unroute(address)
    page.route(address, only_posts(lambda route: route.abort()))
    page.click("[data-send]")
    problem.get_by_text("The subject is too strange.").wait_for(state="hidden")
    until(lambda: text.input_value() == "The kiln is free." and problem.is_visible())

    page.unroute(address)
    page.click("[data-send]")
    page.wait_for_url(lambda url: "/inbox/" in url)
    page.locator(".msg-out").get_by_text("The kiln is free.").wait_for()
    assert not troubles
    recipients, mail = sent(outside)
    assert recipients == ["mia@example.org"]
    assert "The kiln is free." in str(mail.get_body(("plain",)))
