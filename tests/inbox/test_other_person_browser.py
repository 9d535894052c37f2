"""One browser, two people: a tab that was left open shows and sends nothing once another one is signed in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.users import LoginSession
from host.users import sessions
from tests.accessibility import violations
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

REPLY = "[data-form=reply] textarea"
DEAF = """
  delete window.BroadcastChannel;
  for (const name of ['storage', 'visibilitychange']) {
    window.addEventListener(name, (event) => event.stopImmediatePropagation(), true);
  }
"""
"""A page that hears nothing of other tabs."""
WITHOUT_CHANNEL = "delete window.BroadcastChannel"
SLOW = "**/page-user"
"""Where a page that may be somebody else's asks who is signed in."""

SignIn = Callable[[Any, int], None]


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


@pytest.fixture
def bo(desk: Desk) -> int:
    return toys.make_user(desk.workspace, "Bo K.")


@pytest.fixture
def sign_in(desk: Desk, base: str) -> SignIn:
    """Give a context the cookie of a new session."""

    def signed_in(context: Any, user_id: int) -> None:
        browser = desk.app.test_client()
        token = db.write(sessions.start, user_id, "127.0.0.1")
        with browser.session_transaction() as session:
            session["login"] = token
        cookie = browser.get_cookie("lobby")
        assert cookie is not None
        context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])

    return signed_in


def outbound(id_: int) -> list[str | None]:
    return [one.text for one in toys.thread(id_) if one.direction == "outbound"]


def belongs(page: Any, user_id: int) -> None:
    page.wait_for_selector(f"html[data-user='{user_id}']:not([data-covered])", state="attached")


@pytest.mark.parametrize("script", ["", WITHOUT_CHANNEL], ids=["channel", "storage"])
def test_the_next_persons_page_takes_the_old_one_along(
    desk: Desk, scene: scenes.Scene, open_page: Open, bo: int, sign_in: SignIn, script: str
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.context.add_init_script(script)
    page.reload()
    page.wait_for_selector(REPLY)
    sign_in(page.context, bo)
    page.context.new_page().goto(desk.path())
    belongs(page, bo)
    assert "BK" in page.inner_text("summary[aria-label^='Your account']")


def test_a_tab_that_heard_nothing_sends_nothing(
    desk: Desk, scene: scenes.Scene, open_page: Open, bo: int, sign_in: SignIn
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    page.context.add_init_script(DEAF)
    page.reload()
    page.wait_for_selector(REPLY)
    sign_in(page.context, bo)
    page.fill(REPLY, "Yes, it is.")
    page.press(REPLY, "Control+Enter")
    belongs(page, bo)
    assert page.input_value(REPLY) == ""
    assert outbound(ana) == []
    sign_in(page.context, desk.mia.id)
    page.reload()
    belongs(page, desk.mia.id)
    until(lambda: page.input_value(REPLY) == "Yes, it is.")


def test_what_is_covered_is_seen_and_read_by_nobody(
    desk: Desk, scene: scenes.Scene, open_page: Open, bo: int, sign_in: SignIn
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.wait_for_selector(REPLY)
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route(SLOW, hold)
    sign_in(page.context, bo)
    page.context.new_page().goto(desk.path())
    page.wait_for_selector("dialog.cover[open] >> text=Someone else may have signed in")
    assert page.locator(REPLY).is_hidden()
    assert page.locator("[data-part=log]").is_hidden()
    assert "Ana" not in page.title()
    assert "Ana" not in page.locator("body").aria_snapshot()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    assert page.locator("dialog.cover[open]").count() == 1
    assert violations(page) == []
    until(lambda: page.evaluate("1") and held)
    for one in held:
        one.continue_()
    page.unroute(SLOW)
    belongs(page, bo)


def test_signing_out_tells_all_tabs(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    account = page.context.new_page()
    account.goto("/account")
    page.fill(REPLY, "Yes, it is.")
    account.click("[aria-label^='Your account']")
    account.click(".topbar [data-signs-out] button")
    account.wait_for_url("**/login**")
    page.wait_for_url("**/login**")
    wait(account, "!Object.keys(localStorage).some((key) => /^lobby-(waits|left)-/.test(key))")
    assert (
        page.evaluate("Object.keys(sessionStorage).filter((key) => /^lobby-(draft|reply|kept)/.test(key))")
        == []
    )


def test_an_ended_session_covers_the_page_and_keeps_the_draft(
    desk: Desk, scene: scenes.Scene, open_page: Open, sign_in: SignIn
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.context.add_init_script("window.EventSource = class extends EventTarget { close() {} }")
    page.reload()
    page.fill(REPLY, "Yes, it is.")
    db.write(lambda session: session.execute(sa.delete(LoginSession)))
    page.evaluate("window.dispatchEvent(new Event('offline'))")  # it doubts, and asks
    page.wait_for_url("**/login**")
    sign_in(page.context, desk.mia.id)
    page.reload()
    until(lambda: page.input_value(REPLY) == "Yes, it is.")


def test_the_same_person_signs_in_again_and_sends(
    desk: Desk, scene: scenes.Scene, open_page: Open, sign_in: SignIn
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    page.context.add_init_script(DEAF)
    page.reload()
    page.fill(REPLY, "Yes, it is.")
    sign_in(page.context, desk.mia.id)
    page.press(REPLY, "Control+Enter")
    until(lambda: page.evaluate("1") and outbound(ana) == ["Yes, it is."])
    wait(page, "!document.querySelector('[data-problem]:not([hidden])')")
    page.reload()
    page.wait_for_selector(".log >> text=Yes, it is.")
    assert page.input_value(REPLY) == ""
    assert outbound(ana) == ["Yes, it is."]


def test_a_form_that_is_begun_waits_for_its_person(desk: Desk, open_page: Open, sign_in: SignIn) -> None:
    page = open_page("")
    page.goto("/account")
    page.fill("#name", "Mia Rose")
    db.write(lambda session: session.execute(sa.delete(LoginSession)))
    page.context.clear_cookies()
    other = page.context.new_page()
    other.goto("/login")
    page.wait_for_selector("dialog.cover[open] >> text=What you wrote is still here")
    assert page.locator("#name").is_hidden()
    sign_in(page.context, desk.mia.id)
    other.goto("/account")
    belongs(page, desk.mia.id)
    assert page.input_value("#name") == "Mia Rose"
    page.click("form:has(#name) button[type=submit]")
    until(lambda: page.evaluate("1") and page.input_value("#name") == "Mia Rose")
    page.reload()
    assert page.input_value("#name") == "Mia Rose"


def test_a_page_from_the_history_asks_first(desk: Desk, open_page: Open, bo: int, sign_in: SignIn) -> None:
    page = open_page("")
    page.context.add_init_script(DEAF)
    page.reload()
    sign_in(page.context, bo)
    page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
    belongs(page, bo)
