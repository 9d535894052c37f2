"""The pages of settings in a real browser, both widths and themes: each flow as a person goes it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from host.models.users import User
from tests.asking import answer
from tests.browser.conftest import look, screenshot
from tests.helpers import PASSWORD
from tests.inbox import toys
from tests.users.test_people_browser import page, place

__all__ = ["page", "place"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_owner_names_archives_brings_back_and_deletes_a_workspace(
    page: Page, place: tuple[int, User]
) -> None:
    workspace, _owner = place
    page.goto(f"/w/{workspace}/settings/general")
    look(page, "general")
    bar = page.locator("[data-savebar]")
    page.get_by_label("Name").fill("Clay & Co")
    page.get_by_label("Forever", exact=True).check()
    expect(bar).to_contain_text("2 unsaved changes: Name, Messages")
    look(page, "general-not-saved")
    bar.get_by_role("button", name="Discard").click()
    expect(bar).to_be_hidden()
    expect(page.get_by_label("Name")).to_have_value("Sample Pottery")
    page.get_by_label("Name").fill("Clay")
    page.get_by_label("Forever", exact=True).check()
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Clay")
    expect(page.get_by_label("Forever", exact=True)).to_be_checked()
    page.get_by_label("Name").fill("Clay & Co")
    page.get_by_label("Time zone").select_option("Europe/Berlin")
    page.locator("form").filter(has=page.get_by_label("Name")).get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("button", name="Archive…").click()
    answer(page)
    expect(page.locator(".banner")).to_contain_text("is archived")
    look(page, "general-archived")
    page.get_by_role("button", name="Restore").click()
    expect(page.locator(".banner")).to_have_count(0)
    page.get_by_role("link", name="Delete…").click()
    look(page, "delete-workspace")
    page.get_by_label(re.compile("Enter the name")).fill("Clay")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete workspace").click()
    expect(page.get_by_text("The name does not match")).to_be_visible()
    page.troubles.clear()  # type: ignore[attr-defined]  # a refusal is a 400 in the console
    page.get_by_label(re.compile("Enter the name")).fill("Clay & Co")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete workspace").click()
    expect(page.locator(".banner")).to_contain_text("will be deleted on")
    look(page, "general-to-be-deleted")
    page.locator("main").get_by_role("button", name="Cancel deletion").click()
    expect(page.locator(".banner")).to_have_count(0)


def test_an_admin_looks_at_the_settings_of_the_desk_and_changes_them(
    page: Page, place: tuple[int, User]
) -> None:
    page.goto("/admin/desk")
    look(page, "desk-settings")
    page.get_by_label("Name", exact=True).fill("Pottery desk")
    page.get_by_label("Color").fill("#ffcc00")
    page.locator("#look").get_by_role("button", name="Save").click()
    expect(page.get_by_text("White text on it would be hard to read")).to_be_visible()
    look(page, "desk-look")


def test_on_a_phone_the_navigation_of_settings_unfolds(page: Page, place: tuple[int, User]) -> None:
    workspace, _owner = place
    page.set_viewport_size({"width": 360, "height": 760})
    page.goto(f"/w/{workspace}/settings/people")
    nav = page.locator("[data-side-nav]")
    expect(nav.get_by_role("link", name="Desk settings")).not_to_be_visible()
    nav.locator("summary").click()
    expect(nav.get_by_role("link", name="Automation")).to_be_in_viewport()
    last = nav.get_by_role("link", name="Desk settings")
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()
    screenshot(page, "settings-nav-open-360")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.keyboard.press("Escape")
    expect(nav.get_by_role("link", name="Desk settings")).not_to_be_visible()


@pytest.mark.parametrize("locale", ["en", "de"])
def test_on_a_phone_the_tabs_are_one_line_and_the_heading_is_near_the_top(
    page: Page, place: tuple[int, User], locale: str
) -> None:
    workspace, owner = place
    toys.change_row(User, owner.id, locale=locale)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"/w/{workspace}/settings/people")
    links = page.locator("[data-side-nav] .nav-link").evaluate_all("(all) => all.map((one) => one.href)")
    lines: list[tuple[int, str]] = []
    for link in links:
        if link.endswith("/admin/hooks"):
            continue  # it reads the folder of hooks, which the stand-in for addons has not
        page.goto(link)
        assert page.locator("h1").bounding_box()["y"] < 740 / 4, link  # type: ignore[index]
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, link
        tabs = page.locator(".section-tabs > a")
        boxes = [box for box in (one.bounding_box() for one in tabs.all()) if box]
        assert len({box["y"] for box in boxes}) <= 1, link
        assert all(box["height"] >= 40 for box in boxes), link
        if boxes and "/admin/" not in link:
            lines.append((len(boxes), tabs.last.get_attribute("href") or ""))
    page.goto(max(lines)[1])
    expect(page.locator(".section-tabs [aria-current]")).to_be_in_viewport(ratio=1)
    look(page, f"settings-tabs-{locale}")
