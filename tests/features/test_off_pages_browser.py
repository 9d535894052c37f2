"""An open page of a feature that is turned off says so and keeps what was typed; its page leads on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from host.addons import switching
from host.core import clock, db
from host.events.models import ActorKind
from host.features import registry
from host.models.users import Role
from host.process.serving import HostApplication
from host.rules.models import Rule
from host.users import users
from host.users.actor import Actor
from tests import helpers
from tests.addons.conftest import EMAIL, PASSWORD, desk
from tests.browser.conftest import look
from tests.helpers import serving

__all__ = ["desk"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def arrive(chromium: Any, desk: HostApplication) -> Iterator[Callable[..., Any]]:
    """Open a page of the workspace as its owner, who is no admin of the desk."""
    desk.start()
    owner = db.write(lambda session: users.create(session, EMAIL, "Olu O.", PASSWORD))
    workspace = helpers.make_workspace()
    helpers.join(workspace, owner, Role.OWNER)
    contexts: list[Any] = []

    def open_page(path: str, **options: Any) -> Any:
        context = chromium.new_context(base_url=server.url(), reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.goto("/login")
        page.fill("#email", EMAIL)
        page.fill("#password", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/login" not in url)
        page.goto(f"/w/{workspace}/{path}")
        return page

    with serving(desk) as server:
        yield open_page
        for context in contexts:
            context.close()
    registry.switch_off(())


def test_an_open_page_says_that_its_feature_is_off(desk: HostApplication, arrive: Callable[..., Any]) -> None:
    ada = helpers.make_user("ada@example.com", name="Ada A.", is_admin=True)
    with_tab = arrive("settings/rules/new")
    name = with_tab.locator("#main input[type=text]:visible, #main input:not([type]):visible").first
    name.fill("Written before")
    with_tab.wait_for_function(
        "performance.getEntriesByType('resource').some(one => one.name.includes('/live/poll'))"
    )
    switching.switch("rules", on=False, config=desk.effective(), actor=Actor(ActorKind.USER, ada.id))
    desk.refresh()
    said = with_tab.get_by_role("alert").filter(has_text="Ada A. turned off Rules and campaigns on ")
    said.wait_for()
    assert name.input_value() == "Written before"
    said.get_by_role("link", name="Reload the page").click()
    with_tab.get_by_role("button", name="Ask the admins to turn it on").click()
    with_tab.get_by_text("The admins are notified").wait_for()
    with_tab.get_by_text("The admins were asked").wait_for()


def test_the_page_of_a_feature_that_is_off(desk: HostApplication, arrive: Callable[..., Any]) -> None:
    ada = helpers.make_user("ada@example.com", name="Ada A.", is_admin=True)
    page = arrive("inbox")
    workspace = int(page.url.split("/w/")[1].split("/")[0])

    def keep(session: db.Session) -> None:
        for number in range(22):
            session.add(
                Rule(
                    workspace_id=workspace,
                    name=f"Answer questions about delivery times and returns, number {number}"[:64],
                    state="live",
                    position=number,
                    version=1,
                    state_at=clock.now(),
                    created_at=clock.now(),
                )
            )

    db.write(keep)
    switching.switch("rules", on=False, config=desk.effective(), actor=Actor(ActorKind.USER, ada.id))
    desk.refresh()
    page.goto(f"/w/{workspace}/settings/rules")
    assert "Ada A. turned off Rules and campaigns on " in page.locator("#off-title").inner_text()
    assert page.get_by_text("And 2 more.").is_visible()
    look(page, "feature-off")
