"""Settings -> Integrations in a real browser: an endpoint added, tested, looked at, paused and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from standardwebhooks import Webhook

from host.core import db
from host.events.consuming import _make_rows, _Reader
from host.models.users import Role
from host.webhooks import sending
from host.webhooks.consumer import Webhooks
from tests import helpers
from tests.asking import agree_always
from tests.browser.conftest import look
from tests.helpers import LiveServer
from tests.inbox import desks, scenes
from tests.receiver import Receiver
from tests.webhooks.desk import BASE

pytestmark = pytest.mark.browser


@pytest.fixture
def inbox(database: db.Database, data: Any) -> desks.Desk:
    return desks.open_desk(data)


@pytest.fixture
def app(inbox: desks.Desk) -> Flask:
    return inbox.app


@pytest.fixture
def page(chromium: Any, live_server: LiveServer, inbox: desks.Desk) -> Iterator[Any]:
    owner = helpers.make_user("owner@example.com", "Ola", workspace=inbox.workspace, role=Role.OWNER)
    context = chromium.new_context(
        base_url=live_server.url(), viewport={"width": 1440, "height": 900}, reduced_motion="reduce"
    )
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    agree_always(page)
    page.goto("/login")
    page.fill("#email", owner.email)
    page.fill("#password", helpers.PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    yield page
    assert troubles == []
    context.close()


@pytest.mark.slow
def test_an_owner_adds_an_endpoint_and_sees_what_becomes_of_events(
    page: Any, inbox: desks.Desk, receiver: Receiver
) -> None:
    reader = _Reader(Webhooks(lambda: inbox.generation.directory, lambda: BASE))
    db.write(_make_rows, [reader.consumer])
    page.goto(f"/w/{inbox.workspace}/settings/integrations")
    look(page, "integrations-empty")
    page.click("text=Add endpoint >> nth=0")
    page.fill("#url", "http://10.0.0.1/inside")
    page.click("button:has-text('Create endpoint')")
    assert page.locator("[role=alert]").inner_text().startswith("Lobby can't send to this URL.")
    page.fill("#url", receiver.url)
    page.check("input[value='conversation.*']")
    page.click(".ev-group:has(input[value='conversation.*']) .ev-kinds > summary")
    page.locator(".ev-kinds[open] .ev-sample summary").first.click()
    look(page, "integrations-form")
    page.click("button:has-text('Create endpoint')")
    secret = page.input_value("#secret")
    assert secret.startswith("whsec_")
    look(page, "integrations-secret")

    scenes.whole(inbox)
    scene = scenes.Scene(inbox)
    while reader._step():
        pass
    sending.drain()
    receiver.script, receiver.words = [503], b"upstream away"
    scene.said("rosa.sample", "Rosa S.", "Is anybody there?", scene.ago(minutes=2), external_id="again")
    while reader._step():
        pass
    sending.drain()
    for got in receiver.got:
        Webhook(secret).verify(got.body, got.headers)
    page.goto(f"/w/{inbox.workspace}/settings/integrations")
    assert page.locator(".listed-hooks .say").inner_text() == "Failing"
    look(page, "integrations")
    page.click("text=View failures")
    assert "503" in page.locator(".log-open .became").or_(page.locator(".log-list")).first.inner_text()
    page.click("text=Failed and pending")
    page.locator(".dlv").first.click()
    assert "The endpoint returned 503." in page.locator(".became").inner_text()
    assert "upstream away" in page.locator(".log-open").inner_text()
    look(page, "integrations-log")
    page.click("text=Retry the failed delivery now")
    sending.drain()
    page.reload()
    page.locator(".seg a").first.click()
    page.wait_for_load_state()
    assert page.locator(".dlv .st-bad").count() == 0

    page.locator("summary[aria-label^='More actions for']").click()
    page.click("text=Pause")
    page.click("text=Resume")
    page.locator("summary[aria-label^='More actions for']").click()
    page.click("text=Rotate secret")
    assert page.input_value("#secret") not in {"", secret}
    page.locator("summary[aria-label^='More actions for']").click()
    page.click("button:has-text('Delete')")
    page.locator("text=No webhook endpoints yet.").wait_for()
