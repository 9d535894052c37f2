"""The pages about people in a real browser, both widths and themes: each flow as a person goes it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from host.core import db, storage
from host.inbox.teams import teams
from host.models.users import Role, User
from host.users import audit, failed_tries, members, sessions
from tests.asking import answer
from tests.browser.conftest import look, screenshot
from tests.helpers import PASSWORD, LiveServer, do, make_user, make_workspace
from tests.inbox import toys
from tests.web.test_browser import page, sign_in

__all__ = ["page"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NEW = "quite other words here 7"


@pytest.fixture
def place(page: Page, tmp_path: Path, live_server: LiveServer) -> tuple[int, User]:
    """A workspace with people of every role; its owner, an admin, is signed in on *page*."""
    storage.use(storage.FolderStore(tmp_path / "files"))
    page.emulate_media(reduced_motion="reduce")  # colours in the middle of a transition are nobody's
    workspace = make_workspace("Sample Pottery")
    owner = make_user("mia@pottery.example", "Mia R.", workspace=workspace, role=Role.OWNER, is_admin=True)
    bo = make_user("bo@pottery.example", "Bo T.", workspace=workspace, role=Role.LEAD)
    kim = make_user("kim@pottery.example", "Kim L.", workspace=workspace)
    make_user("tess@books.example", "Tess S.", workspace=workspace, role=Role.AUDITOR)
    accounts = [
        toys.make_account(workspace, handle=handle).id for handle in ("@sample.studio", "@sample.shop")
    ]
    db.write(members.set_accounts, workspace, kim.id, frozenset(accounts[:1]))
    agent = "Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0"
    for person in (owner, bo):
        db.write(sessions.start, person.id, "192.0.2.10", user_agent=agent)
    sign_in(page, "mia@pottery.example")
    page.troubles.clear()  # type: ignore[attr-defined]
    return workspace, owner


def menu(page: Page, name: str, entry: str | re.Pattern[str]) -> None:
    """Choose an entry of the menu in somebody's row."""
    row = page.get_by_role("row", name=re.compile(re.escape(name)))
    row.locator("summary").click()
    row.locator(".menu-item").filter(has_text=entry).click()


def test_an_admin_looks_after_the_people_of_the_desk(
    page: Page, place: tuple[int, User], chromium: Any, live_server: LiveServer
) -> None:
    page.goto("/admin/people")
    look(page, "desk-people")
    page.get_by_label("Name", exact=True).fill("Noor O.")
    page.get_by_label("Email address").fill("noor@pottery.example")
    page.get_by_role("button", name="Add and show link").click()
    link = page.get_by_label("Link", exact=True).input_value()
    look(page, "desk-people-added")
    context = chromium.new_context(base_url=live_server.url(), reduced_motion="reduce")
    theirs = context.new_page()
    theirs.goto(live_server.url() + link[link.index("/password/") :])
    look(theirs, "choose-password")
    theirs.get_by_role("textbox", name="New password").fill(NEW)
    theirs.get_by_label("Confirm password").fill(NEW)
    theirs.get_by_role("button", name="Save and sign in").click()
    expect(theirs.get_by_role("heading", name="You're not in a workspace")).to_be_visible()
    page.goto("/admin/people")
    menu(page, "Noor O.", "Require new password")
    assert answer(page).startswith("Require a new password of Noor O.?")
    expect(page.get_by_text("They must choose a new password.")).to_be_visible()
    theirs.goto("/account")
    expect(theirs.get_by_role("heading", name="Choose a new password")).to_be_visible()
    look(theirs, "new-password")
    theirs.get_by_label("Current password").fill(NEW)
    theirs.get_by_role("textbox", name="New password").fill(PASSWORD)
    theirs.get_by_label("Confirm password").fill(PASSWORD)
    theirs.get_by_role("button", name="Change password").click()
    expect(theirs.get_by_role("heading", name="Your account")).to_be_visible()
    menu(page, "Noor O.", "Lock out…")
    expect(page.get_by_role("heading", name="Lock Noor O. out?")).to_be_visible()
    look(page, "lock-out")
    page.get_by_role("button", name="Lock out").click()
    expect(page.get_by_text("They can no longer sign in.")).to_be_visible()
    theirs.reload()
    expect(theirs.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Unlock")).click()
    expect(page.get_by_text("They can sign in again.")).to_be_visible()
    page.get_by_label("Which").select_option("Admins")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto("/admin/people")
    for name in ("Bo T.", "Kim L."):
        page.get_by_label(f"Choose {name}", exact=True).check()
    expect(page.locator("[data-tick-count]")).to_have_text("2")
    page.get_by_label("Action").select_option("Lock out…")
    look(page, "desk-people-ticked")
    page.get_by_role("button", name="Apply", exact=True).click()
    expect(page.get_by_role("heading", name="Lock 2 people out?")).to_be_visible()
    look(page, "lock-many")
    page.get_by_role("button", name="Lock out").click()
    expect(page.get_by_text("Applied to 2 people.")).to_be_visible()
    own = page.get_by_role("row", name=re.compile(r"Mia R\."))
    own.locator("summary").click()
    expect(own.get_by_text("The only admin can't be removed")).to_be_visible()
    context.close()


def test_a_hundred_people_make_no_endless_page_of_a_phone(page: Page, place: tuple[int, User]) -> None:
    workspace, _owner = place
    for number in range(100):
        make_user(f"person.of.the.shop.{number:03}@pottery.example", workspace=workspace)
        make_workspace(f"Shop {number:03}")
    team = do(teams.create, workspace, name="Orders").id
    page.set_viewport_size({"width": 360, "height": 780})
    for address, most in (
        ("/admin/people", 6_000),
        ("/admin/workspaces", 6_000),
        (f"/w/{workspace}/settings/people", 6_000),
        (f"/w/{workspace}/settings/teams/{team}", 2_000),
    ):
        page.goto(address)
        screenshot(page, f"a-hundred{address.replace('/', '-')}")
        assert page.evaluate("document.documentElement.scrollHeight") < most, address
    page.goto(f"/w/{workspace}/settings/people")
    row = page.get_by_role("row", name=re.compile("shop.000@"))
    words, button = row.locator("th .any").last.bounding_box(), row.locator("summary").bounding_box()
    assert words
    assert button
    assert words["x"] + words["width"] <= button["x"], "the address runs under the button"
    page.get_by_role("link", name="More", exact=True).click()
    expect(page.get_by_text("26 to 50 of 104")).to_be_visible()
    look(page, "people-second-page")


def test_an_owner_says_who_may_see_what(page: Page, place: tuple[int, User]) -> None:
    workspace, _owner = place
    people = f"/w/{workspace}/settings/people"
    page.goto(people)
    expect(page.get_by_role("row", name=re.compile("Kim L."))).to_contain_text("1 of 2 accounts")
    look(page, "people")
    page.get_by_role("row", name=re.compile("Kim L.")).locator("summary").click()
    screenshot(page, "people-menu")
    page.get_by_role("link", name=re.compile("Role and access.*Kim L.")).click()
    look(page, "member")
    page.get_by_label("@sample.shop").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=re.compile("Kim L."))).to_contain_text("2 of 2 accounts")
    menu(page, "Bo T.", "Role and access")
    page.get_by_role("radio", name=re.compile("^Auditor")).check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name=re.compile("Bo T."))).to_contain_text("Everything, read-only")
    page.get_by_label("Email address").fill("ivo@pottery.example")
    page.get_by_label("Selected accounts").check()
    page.get_by_label("@sample.studio").check()
    page.get_by_role("button", name="Create invitation link").click()
    expect(page.get_by_label("Link for ivo@pottery.example")).to_have_value(re.compile("/invite/"))
    expect(page.get_by_role("row", name=re.compile("ivo@pottery.example"))).to_contain_text("1 of 2 accounts")
    look(page, "people-invited")
    page.get_by_label("Find a person").fill("o")
    page.get_by_label("Role", exact=True).select_option("agent")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_label("State").select_option("disabled")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_text("No matching people.")).to_be_visible()
    look(page, "people-nobody")
    page.get_by_role("link", name="Show everyone").click()
    expect(page.get_by_role("row")).to_have_count(6)
    page.get_by_role("link", name="Role permissions").click()
    look(page, "roles")


def test_ones_own_account(page: Page, place: tuple[int, User], tmp_path: Path) -> None:
    page.goto("/account")
    expect(page.get_by_text("Firefox on Windows", exact=True)).to_be_visible()
    made = io.BytesIO()
    Image.linear_gradient("L").resize((600, 400)).convert("RGB").save(made, "JPEG")
    page.get_by_label("Choose a picture").set_input_files(
        {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": made.getvalue()}
    )
    page.get_by_role("button", name="Upload").click()
    expect(page.locator("main .avatar img")).to_be_visible()
    size = page.locator("main .avatar img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert size == [256, 256]
    page.get_by_label("Time zone").select_option("Asia/Kathmandu")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    look(page, "account")
    page.get_by_role("button", name="Sign out all others").click()
    expect(page.get_by_text("Firefox on Windows")).to_have_count(0)
    expect(page.get_by_role("button", name="Delete account…")).to_be_disabled()
    expect(page.get_by_text("The only admin.")).to_be_visible()


def test_somebody_deletes_their_account(page: Page, place: tuple[int, User]) -> None:
    page.context.clear_cookies()
    sign_in(page, "bo@pottery.example")
    page.goto("/account")
    page.get_by_label("Your password").fill("not this one")
    page.get_by_role("button", name="Delete account…").click()
    expect(page.get_by_text("Wrong password. Nothing was changed.")).to_be_visible()
    look(page, "account-not-deleted")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete account…").click()
    expect(page.get_by_text("Your account was deleted.")).to_be_visible()
    page.get_by_label("Email address").fill("bo@pottery.example")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("The email address or password is incorrect.")).to_be_visible()


def test_the_audit_is_read_and_narrowed(page: Page, place: tuple[int, User], live_server: LiveServer) -> None:
    workspace, owner = place
    for person in ("kim@pottery.example", None):
        for _ in range(6):
            failed_tries.note(failed_tries.SIGN_IN, person, "203.0.113.24")
    for action, subject, details in (
        ("member.invited", "ivo@pottery.example", {"role": "agent"}),
        ("api_key.created", "Wiki", {"scopes": "read"}),
        ("member.access_changed", "kim@pottery.example", {"accounts": "@sample.studio"}),
    ):
        db.write(
            audit.record, action, subject, user_id=owner.id, remote="192.0.2.10", workspace_id=workspace,
            details=details,
        )  # fmt: skip
    page.goto(f"/w/{workspace}/settings/audit")
    expect(page.get_by_text("Failed passwords for kim@pottery.example: 6")).to_be_visible()
    expect(page.get_by_text("an unknown address")).to_have_count(0)
    page.locator("details.entry").first.locator("summary").click()
    look(page, "audit")
    page.get_by_label("Kind").select_option("API keys and webhook endpoints")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("details.entry")).to_have_count(1)
    page.goto("/admin/audit")
    expect(page.get_by_text("Failed passwords for an unknown address: 6")).to_be_visible()
    look(page, "audit-desk")


def test_the_sign_in_page_says_how_to_get_in_again(page: Page, live_server: LiveServer) -> None:
    make_user("mia@pottery.example")
    page.goto("/login")
    expect(page.get_by_text("Ask a desk admin for a link")).to_be_visible()
    look(page, "login")
