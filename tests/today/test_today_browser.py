"""The Today page in a browser: narrow and wide, light and dark."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.channels.directory import Directory
from host.channels.warnings import raise_warning
from host.core import clock, db
from host.models.channels import AccountState
from host.models.inbox import Conversation, DeliveryState
from host.models.users import Role
from tests.accessibility import violations
from tests.delivery.desk import Desk
from tests.helpers import StandInGeneration, build_app, client_for, make_user, serving
from tests.reports.test_figures import span, store
from tests.today.test_today import automatic, path, update


def fill(desk: Desk) -> None:
    """Let a day have something in every section."""
    now = clock.now()
    talks = [desk.customer_wrote(name) for name in ("anna", "a-customer-with-a-name-that-is-long", *"bcdef")]
    mia = make_user("mia@example.com", name="Mia R.", workspace=desk.workspace_id)
    for number, talk in enumerate(talks):
        automatic(desk, talk, f"auto-greeting-{number}")
        update(Conversation, talk, waiting_since=now - timedelta(minutes=7 * number), last_inbound_at=now)
    automatic(desk, talks[0], "rule-1-1-1", DeliveryState.FAILED, sentence="The toy is broken.")
    values = {"account_id": desk.account.id, "conversation_id": talks[0], "user_id": mia.id}
    store(
        desk.workspace_id,
        [span("first", now - timedelta(minutes=4), now, **values), span("resolve", now, None, **values)],
        received=[now] * 1234,
    )
    account = desk.connect("200").id
    desk.set_account(account, state=AccountState.NEEDS_RECONNECT)
    sentence = "Meta paused the template “%(name)s”, because customers disliked it."
    told = {"details": {"name": "hello"}}
    db.write(raise_warning, desk.account.id, kind="template", sentence=sentence, **told)


@pytest.mark.parametrize("width", [360, 1440])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_is_read_and_pressed_on_every_screen(
    chromium: Any, desk: Desk, tmp_path: Path, width: int, colours: str
) -> None:
    fill(desk)
    app = build_app(tmp_path, generation=StandInGeneration(directory=Directory((desk.toy,))))
    browser = client_for(app, make_user("owner@example.com", workspace=desk.workspace_id, role=Role.OWNER))
    cookie = browser.get_cookie("lobby")
    assert cookie is not None
    with serving(app) as server:
        base = f"http://127.0.0.1:{server.port}"
        context = chromium.new_context(
            base_url=base, viewport={"width": width, "height": 900}, color_scheme=colours
        )
        context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])
        page = context.new_page()
        page.goto(path(desk))
        assert page.locator(".td-section").count() == 6
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        page.locator(".td-row", has_text="Greeting").click()
        page.wait_for_selector(".crumbs a")
        assert page.locator(".td-row").count() == 7
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        page.locator(".td-row").first.click()
        page.wait_for_url("**/inbox/*")
        context.close()
