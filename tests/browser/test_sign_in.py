"""Connecting by signing in, in a real browser against the sandbox's dialogs, and every way it can fail."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from demo.journey import ADDON_ZIP, ADMIN, PASSWORD, until
from demo.processes import clean_environment
from tests.browser.conftest import PHONE, Desk, look, picture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Arrive = Callable[..., Page]
FACEBOOK = "Connect with Facebook"
INSTAGRAM = "Connect Instagram"


def control(desk: Desk, method: str, path: str, body: object = None) -> Any:
    response = requests.request(method, f"{desk.sandbox.url}/control/{path}", json=body, timeout=30)
    assert response.ok, response.text
    return response.json()


@pytest.fixture(scope="module")
def owner(desk: Desk, person: Arrive) -> Page:
    """Somebody who set the desk up and looks at Settings, Channels, with the addon active."""
    page = person()
    page.goto(desk.host.setup_link or "")
    for field, value in (("name", "Mia R."), ("email", ADMIN), ("workspace", "Sample Pottery")):
        page.locator(f"#{field}").fill(value)
    page.locator("#password").fill(PASSWORD)
    page.locator("#again").fill(PASSWORD)
    page.get_by_role("button", name="Set up Lobby").click()
    expect(page).to_have_url(re.compile(r"/w/1/inbox"))
    environment = {**clean_environment(), "LOBBY_DATA": str(desk.host.data)}
    for arguments in (["install", str(ADDON_ZIP)], ["activate", "instagram"]):
        subprocess.run(
            [sys.executable, "-m", "host.cli", "addon", *arguments], check=True, env=environment, timeout=120
        )

    def offered() -> bool:
        page.goto("/w/1/settings/channels")
        return page.get_by_role("button", name=FACEBOOK).is_visible()

    until(offered, "the running server took the addon in", seconds=60)
    return page


CONNECT = "/w/1/settings/channels/instagram/connect"


def menu(card: Locator) -> Locator:
    """Open the menu of an account; return it."""
    card.locator("details.menu summary").click()
    return card.locator("details.menu")


def press(page: Page, name: str) -> Page:
    """Press a button that opens the provider's window; return the window."""
    with page.expect_popup() as opened:
        page.get_by_role("button", name=name).click()
    return opened.value


def closes(popup: Page) -> None:
    """Wait until the window has closed itself."""
    if not popup.is_closed():
        popup.wait_for_event("close")


def told(page: Page) -> Any:
    return page.locator("[data-sign-in-box]:visible")


def test_pages_are_offered_each_or_why_not_and_several_are_connected(desk: Desk, owner: Page) -> None:
    control(
        desk, "POST", "pages", {"name": "Sample Gallery", "username": "sample.gallery", "tasks": ["ANALYZE"]}
    )
    look(owner, "channels-sign-in")
    picture(owner, "connect-buttons")
    popup = press(owner, FACEBOOK)
    expect(popup.get_by_role("heading", name="Facebook (sandbox)")).to_be_visible()
    expect(told(owner)).to_contain_text("Continue in the window")
    popup.get_by_role("button", name="Continue").click()
    expect(popup.get_by_role("heading", name="Choose accounts to connect")).to_be_visible()
    expect(popup.get_by_text("No professional Instagram account is linked")).to_be_visible()
    expect(popup.get_by_text("You aren't allowed to reply to messages of this Page")).to_be_visible()
    assert "EAA" not in popup.content()
    look(popup, "sign-in-choose")
    picture(popup, "connect-choose", of=popup.locator("main section"))
    popup.get_by_role("button", name="Connect").click()
    expect(popup.get_by_text("Select the accounts to connect first.")).to_be_visible()
    popup.get_by_label(re.compile("@sample.pottery")).check()
    popup.get_by_label(re.compile("@sample.studio")).check()
    popup.get_by_role("button", name="Connect").click()
    expect(popup.get_by_role("heading", name="Connected: @sample.pottery, @sample.studio")).to_be_visible()
    for handle in ("@sample.pottery", "@sample.studio"):
        expect(owner.get_by_role("heading", name=handle)).to_be_visible()
    closes(popup)
    tokens = [token["value"] for token in control(desk, "GET", "state")["tokens"]]
    page = owner.content()
    assert not [token for token in tokens if token in page], "no token reaches the browser"
    look(owner, "channels-signed-in")
    picture(owner, "connect-done", of=owner.get_by_role("article").filter(has_text="@sample.pottery"))


def test_an_account_without_a_page_is_connected(desk: Desk, owner: Page) -> None:
    owner.goto(CONNECT)
    popup = press(owner, INSTAGRAM)
    popup.get_by_label("You are").select_option(label="@sample.cafe")
    popup.get_by_role("button", name="Continue").click()
    popup.get_by_role("button", name="Connect").click()
    expect(popup.get_by_role("heading", name="Connected: @sample.cafe")).to_be_visible()
    expect(owner.get_by_role("heading", name="@sample.cafe")).to_be_visible()
    account = next(
        one for one in control(desk, "GET", "state")["accounts"] if one["username"] == "sample.cafe"
    )
    assert "messages" in next(iter(account["subscriptions"].values()))
    closes(popup)


def test_cancelling_is_said_on_the_page_and_closes_the_window(owner: Page) -> None:
    owner.goto(CONNECT)
    popup = press(owner, FACEBOOK)
    popup.get_by_role("button", name="Cancel").click()
    expect(told(owner)).to_contain_text("You canceled the sign-in")
    expect(told(owner)).to_contain_text("choose Continue")
    closes(popup)


def test_permissions_that_were_unticked_are_named(owner: Page) -> None:
    owner.goto(CONNECT)
    popup = press(owner, FACEBOOK)
    popup.get_by_label("instagram_manage_messages").uncheck()
    popup.get_by_role("button", name="Continue").click()
    sentence = "Missing permissions: instagram_manage_messages."
    expect(told(owner)).to_contain_text(sentence)
    closes(popup)


def test_a_closed_window_is_noticed_and_the_button_works_again(owner: Page) -> None:
    owner.goto(CONNECT)
    press(owner, FACEBOOK).close()
    expect(told(owner)).to_contain_text("seems to have been closed")
    press(owner, FACEBOOK).close()


def test_a_blocked_window_opens_with_a_link(desk: Desk, owner: Page) -> None:
    owner.goto(CONNECT)
    owner.evaluate("window.open = () => null")
    button = owner.get_by_role("button", name=FACEBOOK)
    button.click()
    expect(told(owner)).to_contain_text("Your browser blocked the window.")
    link = told(owner).get_by_role("link", name="Open the window")
    expect(link).to_be_focused()
    expect(button).to_be_enabled()
    look(owner, "sign-in-blocked")
    with owner.expect_popup() as opened:
        owner.keyboard.press("Enter")
    expect(told(owner)).to_contain_text("Continue in the window that opened.")
    expect(link).to_have_count(0)
    opened.value.get_by_role("button", name="Cancel").click()
    expect(told(owner)).to_contain_text("You canceled the sign-in")
    closes(opened.value)


def test_the_window_has_no_navigation_and_says_when_nobody_waits_for_it(desk: Desk, owner: Page) -> None:
    owner.goto(CONNECT)
    popup = press(owner, FACEBOOK)
    popup.get_by_role("button", name="Continue").click()
    expect(popup.get_by_role("heading", name="Choose accounts to connect")).to_be_visible()
    expect(popup.get_by_role("navigation")).to_have_count(0)
    expect(popup.get_by_role("banner").get_by_role("link")).to_have_count(0)
    popup.close()
    owner.goto(CONNECT)
    popup = press(owner, FACEBOOK)
    owner.goto(CONNECT)
    popup.get_by_role("button", name="Cancel").click()
    expect(popup.get_by_text("The page you started from is no longer open.")).to_be_visible()
    look(popup, "sign-in-cancelled")
    popup.close()


def test_an_app_in_development_ends_at_metas_page_and_the_desk_says_what_to_look_at(
    desk: Desk, owner: Page
) -> None:
    app = control(desk, "GET", "state")["apps"][0]["id"]
    control(desk, "PATCH", f"apps/{app}", {"mode": "dev"})
    try:
        owner.goto(CONNECT)
        popup = press(owner, FACEBOOK)
        popup.get_by_role("button", name="Continue").click()
        expect(popup.get_by_text("App not active")).to_be_visible()
        popup.close()
        expect(told(owner)).to_contain_text("it said that the app is not available")
    finally:
        control(desk, "PATCH", f"apps/{app}", {"mode": "live"})


def test_a_dialog_that_leaves_its_opener_still_ends_well(desk: Desk, owner: Page) -> None:
    control(desk, "PATCH", "settings", {"cut_opener": True})
    try:
        owner.goto(CONNECT)
        popup = press(owner, INSTAGRAM)
        popup.get_by_label("You are").select_option(label="@sample.cafe")
        popup.get_by_role("button", name="Continue").click()
        popup.get_by_role("button", name="Connect").click()
        expect(popup.get_by_role("heading", name="Connected: @sample.cafe")).to_be_visible()
        expect(told(owner)).to_have_count(0)
        owner.wait_for_timeout(1500)  # the page loads itself anew
    finally:
        control(desk, "PATCH", "settings", {"cut_opener": False})


def test_meta_down_is_said_plainly(desk: Desk, owner: Page) -> None:
    control(desk, "POST", "faults", {"call": "oauth", "action": "error", "status": 503, "times": 1})
    owner.goto(CONNECT)
    popup = press(owner, FACEBOOK)
    popup.get_by_role("button", name="Continue").click()
    expect(told(owner)).to_contain_text("Nothing was connected because Meta couldn't be reached.")
    expect(told(owner)).to_contain_text("Try again in a few minutes.")
    closes(popup)


def test_a_return_that_was_used_or_forged_connects_nothing(desk: Desk, owner: Page, person: Arrive) -> None:
    owner.goto(CONNECT)
    seen: list[str] = []
    with owner.expect_popup() as opened:
        owner.get_by_role("button", name=FACEBOOK).click()
    popup = opened.value
    owner.goto(CONNECT)  # the window stays if nobody waits for it
    popup.on("request", lambda request: seen.append(request.url))
    popup.get_by_role("button", name="Cancel").click()
    expect(popup.get_by_text("You canceled the sign-in")).to_be_visible()
    used = next(address for address in seen if "/channels/instagram/sign-in/facebook?" in address)
    popup.goto(used)
    expect(popup.get_by_text("This sign-in response was already used.")).to_be_visible()
    popup.goto("/channels/instagram/sign-in/facebook?code=x&state=forged")
    expect(popup.get_by_text("does not match a sign-in started here")).to_be_visible()
    look(popup, "sign-in-forged")
    popup.close()


def test_signing_in_again_keeps_the_account(owner: Page) -> None:
    owner.goto("/w/1/settings/channels")
    card = owner.get_by_role("article").filter(has_text="@sample.studio").last
    with owner.expect_popup() as opened:
        menu(card).get_by_role("button", name=re.compile("^Reconnect")).click()
    popup = opened.value
    popup.get_by_role("button", name="Continue").click()
    expect(popup.get_by_role("heading", name="Connected: @sample.studio")).to_be_visible()
    closes(popup)
    with owner.expect_popup() as opened:
        menu(card).get_by_role("button", name=re.compile("^Reconnect")).click()
    other = opened.value
    other.get_by_label("Sample Studio").uncheck()
    other.get_by_role("button", name="Continue").click()
    expect(other.get_by_text("@sample.studio is not one of the accounts you allowed.")).to_be_visible()
    other.close()
    card.get_by_role("link", name=re.compile("^Settings")).first.click()
    expect(owner.get_by_label("Page Access Token")).to_have_count(0)
    owner.get_by_label(re.compile("^Name")).fill("The studio")
    owner.get_by_role("button", name="Save").click()
    expect(owner.get_by_text("The studio")).to_be_visible()


def test_what_an_account_needs_is_told_under_the_bell(desk: Desk, owner: Page) -> None:
    for token in control(desk, "GET", "state")["tokens"]:
        if token["type"] == "IG_USER" and token["id"].startswith("login"):
            control(desk, "PATCH", f"tokens/{token['id']}", {"valid": False, "subcode": 460})
    owner.goto("/w/1/settings/channels")
    card = owner.get_by_role("article").filter(has_text="@sample.cafe").last
    menu(card).get_by_role("button", name="Subscribe again").click()
    expect(owner.get_by_text("Meta no longer accepts this account's sign-in.").first).to_be_visible()
    look(owner, "channels-needs-reconnect")
    owner.get_by_role("link", name="Notifications, 1 new").click()
    expect(owner.get_by_role("heading", name="@sample.cafe")).to_be_visible()
    look(owner, "notifications")
    owner.locator(".told-link").first.click()
    expect(card).to_be_in_viewport()
    owner.goto("/notifications")
    owner.get_by_role("button", name="Mark all as read").click()
    bell = owner.get_by_role("banner").get_by_role("link", name="Notifications", exact=True)
    expect(bell).to_be_visible()


@pytest.mark.slow
def test_a_workspaces_own_app_and_every_check_stand_well(desk: Desk, owner: Page) -> None:
    app = control(desk, "GET", "state")["apps"][0]
    owner.goto("/w/1/settings/channels")
    owner.get_by_role("link", name="Your own Meta app").click()
    owner.get_by_label("Meta App ID").fill(app["id"])
    owner.locator("#f-facebook_app_secret").fill("0" * 32)
    owner.get_by_role("button", name="Save and check").click()
    expect(owner.get_by_text("This secret doesn't belong to that app")).to_be_visible()
    look(owner, "own-app-wrong")
    owner.locator("#f-facebook_app_secret").fill("5a9db0c05a9db0c05a9db0c05a9db0c0")
    owner.get_by_role("button", name="Save and check").click()
    expect(owner.get_by_label("Verify Token")).to_be_visible()
    look(owner, "own-app")
    owner.goto("/w/1/settings/channels")
    card = owner.get_by_role("article").filter(has_text="@sample.studio").last
    card.get_by_role("button", name=re.compile("^Diagnose")).first.click()
    owner.locator("details.fold summary").click()
    expect(owner.locator("[data-finding=window]")).to_be_visible()
    look(owner, "diagnosis")


def test_the_buttons_stand_well_on_a_phone(owner: Page) -> None:
    owner.set_viewport_size(PHONE)
    owner.goto("/w/1/settings/channels")
    assert owner.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
