"""Giving a conversation to a team and to a person with one menu, and what the other agent sees of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from host.inbox.teams import teams
from host.models.users import Role
from tests import helpers
from tests.browser.conftest import look
from tests.helpers import do
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene

pytestmark = pytest.mark.slow
MENU = "[data-part=head] [data-menu=assign]"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


def make_team(desk: Desk, name: str, *people: int) -> int:
    members = dict.fromkeys(people, False)
    return do(teams.create, desk.workspace, name=name, people=members).id


def test_a_conversation_goes_to_a_team_and_somebody_there_takes_it(
    desk: Desk, scene: Scene, open_page: Open
) -> None:
    bo = helpers.make_user("bo@example.com", "Bo T.", workspace=desk.workspace)
    make_team(desk, "Orders", desk.mia.id)
    repairs = make_team(desk, "Réparations", bo.id)
    at = f"/{scene.conversation('ana')}"
    mine = open_page(at)
    theirs = open_page(browser=helpers.client_for(desk.app, bo))
    number = f".filter[href*='team={repairs}'] .count"
    assert theirs.locator(number).inner_text() == "0"
    # The key opens the menu, the field narrows it without accents, Enter takes the first that is left.
    mine.keyboard.press("a")
    field = mine.locator(f"{MENU} input[type=search]")
    field.fill("nobody by this name")
    assert mine.locator(f"{MENU} [data-none]").is_visible()
    field.fill("repar")
    assert mine.locator(f"{MENU} button:visible").count() == 1
    field.press("Enter")
    mine.wait_for_selector(".activity >> text=Mia R. assigned this to the team Réparations")
    mine.wait_for_selector(f"{MENU} summary[aria-label*='Réparations']")
    # Bo's page hears of it.
    wait(theirs, f"document.querySelector(\"{number}\").textContent.trim() === '1 / 1'")
    theirs.click(f".filter[href*='team={repairs}']")
    theirs.click(".filter-in >> text=Unassigned")
    theirs.click("[data-row] a")
    theirs.wait_for_selector(".thread-head")
    theirs.keyboard.press("m")
    theirs.wait_for_selector(".activity >> text=Bo T. took over this conversation")
    theirs.wait_for_selector(f"{MENU} summary[aria-label*='Bo T.']")
    mine.wait_for_selector(f"{MENU} summary[aria-label*='Bo T.']")
    # By keys alone, back to no team.
    mine.keyboard.press("a")
    field.press("ArrowUp")
    assert "No team" in mine.evaluate("document.activeElement.textContent")
    mine.keyboard.press("Enter")
    mine.wait_for_selector(".activity >> text=Mia R. unassigned this from the team Réparations")


def test_on_a_phone_the_menu_stands_in_the_head(desk: Desk, scene: Scene, open_page: Open) -> None:
    make_team(desk, "Orders", desk.mia.id)
    page = open_page(f"/{scene.conversation('ana')}", viewport={"width": 360, "height": 800})
    page.click(f"{MENU} summary")
    box = page.locator(f"{MENU} .menu-list").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
    page.click(f"{MENU} button:has-text('Orders')")
    page.wait_for_selector(f"{MENU} summary[aria-label*='Orders']")


def test_the_page_of_teams_on_a_phone(desk: Desk, scene: Scene, open_page: Open) -> None:
    make_team(desk, "Réparations et retours à domicile", desk.mia.id)
    lea = helpers.make_user("lea@example.com", "Lea", workspace=desk.workspace, role=Role.LEAD)
    page = open_page(browser=helpers.client_for(desk.app, lea), viewport={"width": 360, "height": 800})
    page.goto(f"/w/{desk.workspace}/settings/teams")
    name, opened = page.locator("tbody th a").bounding_box(), page.locator("[data-label=Open]").bounding_box()
    assert name is not None
    assert opened is not None
    assert opened["y"] >= name["y"] + name["height"], "a long name and the figure stand below each other"
    look(page, "teams")
    page.click("tbody th a")
    look(page, "team")
