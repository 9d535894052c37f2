"""The list of first steps in a real browser: live, by hand, on a phone, WCAG."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from host.channels.directory import Directory
from host.core import clock, db
from host.live.hub import Hub
from host.models.users import Role
from tests import helpers
from tests.accessibility import violations
from tests.browser.conftest import PHONE, THEMES, WIDE, look
from tests.inbox import scenes, toys
from tests.inbox.desks import Desk
from tests.live.served import serve

pytestmark = pytest.mark.browser

Arrive = Callable[..., Any]


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    from types import SimpleNamespace

    generation = helpers.StandInGeneration(directory=Directory((toys.WINDOWED,)))
    hub = Hub()
    workspace = helpers.make_workspace("Sample Pottery", leads=True)
    return Desk(
        make_app=lambda: helpers.build_app(data, generation=generation, host=SimpleNamespace(hub=hub)),
        hub=hub,
        workspace=workspace,
        account=toys.make_account(workspace, handle="shop@example.com"),
        mia=helpers.make_user(name="Mia R.", workspace=workspace, role=Role.OWNER, is_admin=True),
        generation=generation,
    )


@pytest.fixture
def arrive(chromium: Any, desk: Desk) -> Iterator[Arrive]:
    """Open the inbox as an owner; what goes wrong in a page fails the test."""
    contexts, troubles = [], []

    with serve(desk) as port:
        base = f"http://127.0.0.1:{port}"

        def opener(rest: str = "", **options: Any) -> Any:
            context = chromium.new_context(
                base_url=base, **{"viewport": WIDE, "reduced_motion": "reduce", **options}
            )
            contexts.append(context)
            cookie = desk.browser.get_cookie("lobby")
            assert cookie is not None
            context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])
            page = context.new_page()
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.on(
                "console",
                lambda one: troubles.append(one.text) if "Content Security" in one.text else None,
            )
            page.goto(desk.path(rest))
            return page

        yield opener
        for context in contexts:
            context.close()
    assert troubles == []


def test_the_step_turns_green_when_the_message_is_there(desk: Desk, arrive: Arrive) -> None:
    page = arrive()
    page.wait_for_selector('[data-step="write"] .qr')
    page.click('[data-step="invite"] summary')
    page.fill("#start-email", "bo@example.com")
    scenes.Scene(desk).said("mia.at.home", "Mia at home", "hello!", clock.now())
    page.wait_for_selector('[data-step="write"][data-state="done"] >> text=hello!', timeout=60_000)
    assert page.input_value("#start-email") == "bo@example.com", "what somebody writes stays"
    assert page.locator("[data-announce]").inner_text().startswith("Send yourself a message: 3 of 5")
    page.click("text=Go to the inbox")
    page.wait_for_selector("[data-inbox]", state="attached")
    assert page.locator(".convs >> text=hello!").count() == 1


def test_the_counts_beside_it_and_a_name_that_comes_later_are_put_in(desk: Desk, arrive: Arrive) -> None:
    page = arrive()
    page.wait_for_selector('[data-step="write"] .qr')
    assert page.locator(".filter-urgent .count").inner_text() == "0"
    scene = scenes.Scene(desk)
    scene.said("mia.at.home", "", "hello!", clock.now())
    page.wait_for_selector('[data-step="write"][data-state="done"] >> text=hello!', timeout=60_000)
    page.wait_for_selector(".filter-urgent .count >> text=1", timeout=60_000)
    page.focus(".filter-urgent")
    assert page.locator('[data-step="write"] >> text=Mia at home').count() == 0
    scene.said("mia.at.home", "Mia at home", "anybody there?", clock.now())
    page.wait_for_selector('[data-step="write"] >> text=Mia at home', timeout=60_000)
    assert page.evaluate("document.activeElement.matches('.filter-urgent')"), "the focus stays in the sidebar"


def test_steps_open_in_place_and_are_skipped(desk: Desk, arrive: Arrive) -> None:
    page = arrive()
    page.wait_for_selector('[data-step="write"] details[open]')
    page.focus('[data-step="hours"] summary')
    page.keyboard.press("Enter")
    page.wait_for_selector('[data-step="hours"] details[open]')
    assert page.locator("details[open]").count() == 1
    page.click('[data-step="hours"] >> text=Skip')
    page.wait_for_selector('[data-step="hours"][data-state="skipped"]')
    page.click("text=Hide this list")
    page.click("text=Show the first steps")
    page.wait_for_selector('[data-step="hours"][data-state="skipped"]')


def test_hours_and_greeting_are_saved_in_the_step(desk: Desk, arrive: Arrive) -> None:
    page = arrive()
    page.click('[data-step="hours"] summary')
    page.fill("#start-closes", "08:00")
    page.fill("#start-greeting", "Welcome to the pottery!")
    page.click("button[form=start-hours]")
    page.wait_for_selector('[data-step="hours"] [role="alert"]')
    assert page.input_value("#start-greeting") == "Welcome to the pottery!"
    page.fill("#start-closes", "18:00")
    page.click("button[form=start-hours]")
    page.wait_for_selector('[data-step="hours"][data-state="done"]')


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_it_can_be_read_by_everybody(
    desk: Desk, arrive: Arrive, theme: tuple[str, dict[str, Any]], size: dict[str, int]
) -> None:
    name, rules = theme
    page = arrive(viewport=size, color_scheme=name)
    for _state in ("waiting", "arrived"):
        page.wait_for_selector("[data-start]")
        page.evaluate("for (const one of document.querySelectorAll('details[name=start]')) one.name = ''")
        page.evaluate("for (const one of document.querySelectorAll('[data-step] details')) one.open = true")
        assert violations(page, **rules) == []
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], "nothing is cut off at the side"
        scenes.Scene(desk).said("mia.at.home", "Mia at home", "hello!", clock.now())
        page.goto(page.url.replace("/inbox", "/start"))


def test_what_no_provider_reaches_says_so_before_an_account_is_connected(desk: Desk, arrive: Arrive) -> None:
    studio = helpers.make_workspace("Studio", leads=True)
    helpers.join(studio, desk.mia, Role.OWNER)
    page = arrive()
    page.goto(f"/w/{studio}/start")
    page.wait_for_selector("[data-reach] >> text=No provider can reach this desk yet.")
    page.click("[data-reach] [data-copy='try-first']")
    page.wait_for_selector("[data-reach] [data-copy='try-first'] >> text=Copied")
    look(page, "start-not-reachable")
    page.click("[data-reach] >> text=Enter the address")
    page.wait_for_selector("#public-url")
