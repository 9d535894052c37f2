"""Business hours in a real browser, both widths and themes: as an owner sets them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from host.core import clock
from host.inbox.teams import teams
from host.models.users import User
from tests.browser.conftest import look
from tests.helpers import do
from tests.users.test_people_browser import page, place

__all__ = ["page", "place"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_an_owner_sets_hours_of_the_workspace_and_of_a_team(page: Page, place: tuple[int, User]) -> None:
    workspace, _owner = place
    for name in ("Shop", "Orders"):
        do(teams.create, workspace, name=name)
    page.goto(f"/w/{workspace}/settings/hours")
    expect(page.get_by_text("No hours set, so you are always open.")).to_be_visible()
    expect(page.get_by_label("Monday")).to_be_hidden()
    look(page, "hours-none")
    page.get_by_label("Schedule").select_option("Custom hours")
    page.get_by_label("Time zone").select_option("Europe/Vienna")
    page.get_by_label("Monday").fill("9 - 12:30, 13.30–18")
    page.locator('[data-copy-day="monday"] > summary').click()
    page.get_by_role("button", name="Copy to Monday through Friday").click()
    expect(page.get_by_label("Friday")).to_have_value("9 - 12:30, 13.30–18")
    expect(page.get_by_label("Saturday")).to_have_value("")
    page.get_by_label("Thursday").fill("09:00 – 12:30, 13:30 – 20:00")
    expect(page.locator('[data-bar="thursday"] .wk-on')).to_have_count(2)
    page.get_by_label("Saturday").fill("10-14")
    expect(page.locator("[data-savebar]")).to_contain_text("Saturday")
    page.locator("form.hours").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Tuesday")).to_have_value("09:00 – 12:30, 13:30 – 18:00")
    today = clock.now().date()
    for first, last, open_, name, yearly in (
        (today + timedelta(days=9), today + timedelta(days=10), "10-20", "Christmas market", False),
        (today + timedelta(days=30), today + timedelta(days=33), "", "Holidays", True),
        (today + timedelta(days=37), None, "9-12:30", "Stocktaking", False),
    ):
        page.locator(".exc-new > summary").click()
        new = page.locator(".exc-new")
        new.get_by_label("From").fill(str(first))
        if last:
            new.get_by_label("Through").fill(str(last))
        new.get_by_label("Open").fill(open_)
        new.get_by_label("Why").fill(name)
        if yearly:
            new.get_by_label("Each year").check()
        page.locator("form.hours").get_by_role("button", name="Save").click()
        expect(page.locator(".exc-list").get_by_text(name, exact=True)).to_be_visible()
    look(page, "hours")
    page.get_by_text("Holidays").click()
    page.locator(".exc-new > summary").click()
    look(page, "hours-exception")
    page.get_by_label("Wednesday").fill("9-12, 11-14")
    page.locator("form.hours").get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Wednesday: 09:00 – 12:00 and 11:00 – 14:00 overlap.")
    expect(page.get_by_label("Wednesday")).to_have_value("9-12, 11-14")
    look(page, "hours-refused")
    page.troubles.clear()  # type: ignore[attr-defined]  # a refusal is a 400 in the console
    page.goto(f"/w/{workspace}/settings/hours")
    page.get_by_role("link", name="Shop").click()
    page.get_by_label("Schedule").select_option("Custom hours")
    expect(page.get_by_label("Thursday")).to_have_value("09:00 – 12:30, 13:30 – 20:00")
    page.get_by_label("Sunday").fill("0 - 24")
    page.locator("form.hours").get_by_role("button", name="Save").click()
    look(page, "hours-team")
    page.get_by_role("link", name=re.compile("^Working hours")).first.click()
    expect(page.locator(".hours-team").filter(has_text="Shop")).to_contain_text("70 h a week")
