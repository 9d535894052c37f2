"""Four ice breakers with answers, set up by a person in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.models.users import Role
from tests import helpers
from tests.automation.asking import Asking
from tests.automation.automated import Automated
from tests.automation.test_page_browser import Person
from tests.automation.test_taps import tap
from tests.inbox.desks import Desk, open_desk

pytestmark = pytest.mark.slow
FOUR = {
    "Where is my order?": "Send us your order number, and we look.",
    "Do you ship abroad?": "Yes, within the EU, in 4 to 6 days.",
    "When are you open?": "From 9 to 18, Monday to Saturday.",
    "Can I order a set?": 'Gladly, {{contact.first_name || "there"}}. How many pieces?',
}


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data, Asking())


@pytest.fixture
def page(automated: Automated, chromium: Any, base: str) -> Iterator[Any]:
    desk = automated.desk
    owner = helpers.make_user(name="Olu O.", workspace=desk.workspace, role=Role.OWNER)
    context = chromium.new_context(base_url=base, viewport={"width": 1440, "height": 900})
    cookie = helpers.client_for(desk.app, owner).get_cookie("lobby")
    assert cookie is not None
    context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])
    troubles: list[str] = []
    made = context.new_page()
    made.on("pageerror", lambda error: troubles.append(str(error)))
    yield made
    context.close()
    assert troubles == []


def path(desk: Automated, which: str = "ice-breakers") -> str:
    return f"/w/{desk.desk.workspace}/settings/channels/accounts/{desk.desk.account.id}/{which}"


def test_four_ice_breakers_with_answers_in_at_most_nine_steps(automated: Automated, page: Any) -> None:
    page.goto(path(automated))
    person = Person(page)
    for number, (question, answer) in enumerate(FOUR.items(), 1):
        person.fill(f"Question {number}", question)
        person.fill(f"Answer {number}", answer)
    person.click("button", name="Save", exact=True)
    page.get_by_text("Saved. Toy now shows 4.").wait_for()
    assert person.steps <= 9
    assert page.get_by_label("Answer 2").input_value() == FOUR["Do you ship abroad?"]
    tap(automated, "Can I order a set?")
    automated.run()
    assert automated.automatic() == ["Gladly, Ana. How many pieces?"]
    page.reload()
    page.get_by_text("1 tap, 1 answered").wait_for()


def test_common_questions_take_fewer_steps_still(automated: Automated, page: Any) -> None:
    page.goto(path(automated))
    person = Person(page)
    person.click("button", name="Use common questions")
    for number, answer in enumerate(FOUR.values(), 1):
        person.fill(f"Answer {number}", answer)
    person.click("button", name="Save", exact=True)
    page.get_by_text("Saved. Toy now shows 4.").wait_for()
    assert person.steps <= 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(automated: Automated, page: Any, scheme: str) -> None:
    team = automated.team(automated.person("Lea K."), name="Wholesale")
    page.emulate_media(color_scheme=scheme)
    page.goto(path(automated))
    for number, (question, answer) in enumerate(FOUR.items(), 1):
        page.get_by_label(f"Question {number}").fill(question)
        page.get_by_label(f"Answer {number}").fill(answer)
    page.locator("summary", has_text="Quick replies, link or team").nth(1).click()
    page.get_by_label("Quick replies, separated by commas").nth(1).fill("Prices, Other country")
    page.locator("summary", has_text="Quick replies, link or team").nth(3).click()
    page.get_by_label("Hand to a team").nth(3).select_option(str(team))
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved. Toy now shows 4.").wait_for()
    page.goto(path(automated, "menu"))
    page.get_by_label("Label 1").fill("Talk to us")
    page.get_by_label("Label 2").fill("Shop")
    page.get_by_label("Action").nth(1).select_option("url")
    page.get_by_label("URL, or value for your systems").nth(1).fill("https://shop.example.com")
    assert not page.get_by_label("Answer 2").is_visible(), "a link has no answer"
    page.get_by_label("Answer 1").fill("Gladly.")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_text("Saved. Toy now shows 2.").wait_for()
    for width in (360, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for which in ("ice-breakers", "menu"):
            page.goto(path(automated, which))
            assert page.evaluate("document.documentElement.scrollWidth") <= width
