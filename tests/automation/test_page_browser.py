"""Greeting, hours and routing set up by a person in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from host.models.users import Role
from tests import helpers
from tests.automation.automated import Automated
from tests.automation.test_page import path


class Person:
    """Counts what somebody does with hand and keys."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.steps = 0

    def click(self, *given: Any, **named: Any) -> None:
        self.steps += 1
        self.page.get_by_role(*given, **named).first.click()

    def fill(self, label: str, text: str) -> None:
        self.steps += 1
        self.page.get_by_label(label).fill(text)

    def choose(self, label: str, choice: str) -> None:
        self.steps += 1
        self.page.get_by_label(label, exact=True).select_option(label=choice)


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


def test_greeting_hours_and_routing_in_at_most_twelve_steps(automated: Automated, page: Any) -> None:
    desk = automated
    team = desk.team(desk.person("Lea K."), desk.person("Per N.", on=False), desk.person("Bo T."))
    page.goto(path(desk).replace("/automation", "/messages"))
    person = Person(page)
    person.click("link", name="Greeting & routing")
    person.click("switch", name="Greeting")
    person.fill("Greeting text", "Hello, lovely that you write! We read every message and answer soon.")
    person.click("switch", name="Away")
    person.fill("Away message text", "Our kiln is cooling down. We answer in the order you wrote.")
    person.click("switch", name="Routing")
    person.choose("Everyone else goes to team", "Shop")
    page.get_by_text("Team Shop, then").wait_for()  # the preview follows what is typed
    person.click("button", name="Save", exact=True)
    page.get_by_text("Saved.").wait_for()
    assert desk.settings.team_id == team
    assert (desk.settings.greets, desk.settings.tells_away, desk.settings.routes) == (True, True, True)
    person.click("link", name="Change hours")
    page.wait_for_url(f"**/settings/hours/teams/{team}*")
    assert person.steps <= 12
    desk.said(text="Is it in stock?")
    desk.run()
    assert len(desk.automatic()) == 1
    assert desk.talk().assignee_id is not None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_phone(automated: Automated, page: Any, scheme: str) -> None:
    desk = automated
    team = desk.team(desk.person("Lea K."), desk.person("Per N.", on=False))
    desk.set(
        greets=True,
        greeting='Hello {{contact.first_name || "there"}}, lovely that you write!',
        tells_away=True,
        away='We are back {{hours.opens_at || "soon"}}.',
        routes=True,
        team_id=team,
    )
    page.emulate_media(color_scheme=scheme)
    for width in (360, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(path(desk))
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_variable_is_put_where_the_caret_is(automated: Automated, page: Any) -> None:
    page.goto(path(automated))
    page.get_by_label("Away message text").fill("Back ")
    page.locator("summary", has_text="Variables").nth(1).click()
    page.get_by_role("button", name="hours.opens_at").nth(0).click()
    value = page.get_by_label("Away message text").input_value()
    assert value == 'Back {{hours.opens_at || "soon"}}'
