"""The script of the pickers: what somebody types is looked for, and what they chose stays chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from host.models.users import Role
from tests import helpers
from tests.browser.conftest import look
from tests.helpers import LiveServer
from tests.web.test_account_picker import fill as add_accounts
from tests.web.test_browser import sign_in
from tests.web.test_full_workspace import FIRST, fill_all

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Any, live_server: LiveServer) -> Iterator[Page]:
    context = chromium.new_context(base_url=live_server.url(), viewport={"width": 1440, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    yield page
    context.close()
    assert troubles == []


def test_somebody_looks_for_what_they_choose(app: Flask, page: Page) -> None:
    workspace = helpers.make_workspace()
    ids = add_accounts(workspace, 60)
    fill_all(workspace)
    owner = helpers.make_user("olu@example.com", "Olu O.", workspace=workspace, role=Role.OWNER)
    browser = helpers.client_for(app, owner)
    here = f"/w/{workspace}/settings"
    sign_in(page, "olu@example.com")
    # Accounts and people of a team: found, chosen, kept through another search, and saved.
    page.goto(f"{here}/teams/{FIRST + 50}")
    accounts = page.get_by_role("group", name="Accounts")
    expect(accounts.get_by_role("button", name="Find")).to_have_count(0)
    find = accounts.get_by_role("searchbox", name="Find accounts")
    find.fill("shop.0041")
    accounts.get_by_role("checkbox", name=re.compile("0041")).check()
    find.fill("shop.0007")
    find.press("Enter")
    accounts.get_by_role("checkbox", name=re.compile("0007")).check()
    expect(accounts.get_by_role("checkbox", name=re.compile("0041"))).to_be_checked()
    expect(accounts).to_contain_text("2 of 60 chosen")
    find.fill("nothing")
    expect(accounts.get_by_role("status")).to_have_text("No accounts found.")
    members = page.get_by_role("group", name="Members")
    members.get_by_role("searchbox", name="Find people").fill("number 555")
    members.get_by_role("checkbox", name=re.compile("Team lead.*555")).check()
    expect(members).to_contain_text("1 of 601 chosen")
    look(page, "team-with-pickers")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(members.get_by_role("checkbox", name="Agent Number 555", exact=True)).to_be_checked()
    expect(members.get_by_role("checkbox", name=re.compile("Team lead.*555"))).to_be_checked()
    assert f'value="{ids[41]}" checked' in browser.get(f"{here}/teams/{FIRST + 50}").text
    # Options of a rule: what was chosen stays, and what was found is offered.
    page.goto(f"{here}/rules/new")
    condition = page.get_by_role("combobox", name="Condition 1")
    select = page.locator("select[name=if]")
    condition.fill("label 444")
    page.locator(".combo").get_by_role("option", name="the label is Label 444", exact=True).click()
    condition.fill("shop 0041")
    expect(page.locator(".combo").get_by_role("option")).to_have_count(1)
    expect(select.locator(f'option[value="account:{ids[41]}"]')).to_be_attached()
    expect(select.locator("option:checked")).to_have_text(re.compile("Label 444"))
    expect(select.locator('option[value="words:any"]')).to_have_attribute("data-text", "words")
    look(page, "rule-with-picker")
