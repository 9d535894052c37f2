"""Connecting an account in a browser: what works now first, and what was typed stays, at every width."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from host.channels import connecting
from host.channels.directory import Directory
from host.core import db
from host.core.backports.values import replace
from host.models.users import User
from host.sdk.cards import CardStatus, Missing, Problems, SignIn
from host.web.request_helpers import Role
from tests.accessibility import violations
from tests.automation import test_page_browser
from tests.browser.conftest import screenshot
from tests.channels.test_overview_browser import RULES
from tests.channels.toy import ToyAdapter, ToyProvider, toy_card
from tests.helpers import join, make_workspace
from tests.inbox import conftest as inbox
from tests.inbox.desks import Desk, open_desk
from tests.rules.below import WALL, Below

base, page = inbox.base, test_page_browser.page
WHY = "Sign-in needs a Toy app, and none is registered on this desk yet."


@pytest.fixture
def provider() -> ToyProvider:
    return ToyProvider()


@pytest.fixture
def automated(database: db.Database, data: Path, provider: ToyProvider) -> Below:
    ask: Any = None
    ways = tuple(
        SignIn(name, f"Connect with {name}", ask, ask, ask, available=lambda _id: WHY)
        for name in ("Lego", "Brio")
    )
    desk = open_desk(data, WALL)
    desk.generation.directory = Directory([WALL, ToyAdapter()], [replace(toy_card(provider), sign_ins=ways)])
    return Below(desk)


@pytest.fixture
def desk(automated: Below) -> Desk:
    return automated.desk


def look(page: Any, name: str) -> None:
    """Hold the page to WCAG and to its width, narrow and wide, light and dark."""
    found = []
    for width in (360, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            screenshot(page, f"{name}-{width}-{scheme}", full_page=True)
            if page.evaluate("document.documentElement.scrollWidth") > width:
                found.append(f"{name} is wider than {width}")
            found.extend(f"{name}: {one['id']}" for one in violations(page, runOnly=RULES))
    assert found == []


@pytest.mark.slow
def test_an_account_of_another_workspace_moves_from_the_refusal(
    desk: Desk, provider: ToyProvider, page: Any
) -> None:
    with db.read() as session:
        owner = session.scalars(sa.select(User).where(User.name == "Olu O.")).one()
    studio = make_workspace("Studio")
    join(studio, owner, Role.OWNER)
    connecting.save(workspace_id=studio, channel="toy", connection=provider.connection("17"))
    page.goto(f"/w/{desk.workspace}/settings/channels/toy/new")
    page.get_by_label("Toy ID").fill("17")
    page.get_by_label("Toy Secret").fill("s3cret-of-the-toy")
    page.get_by_label("Name").fill("Shop")
    page.get_by_label("Name").press("Enter")
    move = page.get_by_role("button", name="Move here")
    move.wait_for()
    look(page, "move-here")
    page.get_by_label("Name").press("Enter")
    page.get_by_role("alert").filter(has_text="Not saved.").wait_for()
    assert provider.disconnected == [], "Enter moves nothing"
    move.click()
    page.get_by_text("@17 is connected.").first.wait_for()
    assert [one.workspace_id for one in provider.disconnected] == [studio]
    assert provider.requests[-1].values["toy_secret"] == "s3cret-of-the-toy"


@pytest.mark.slow
def test_what_an_account_lacks_is_one_press_away(desk: Desk, provider: ToyProvider, page: Any) -> None:
    lacks = Missing(
        "This account can send, but no mail arrives here: it has no mailbox.",
        "Add a mailbox",
        "toy_id",
        "Or ask an admin to set LOBBY_SMTP_LISTEN and route mail for this address there.",
    )
    provider.status = lambda _account: CardStatus(missing=lacks, values={"toy_id": "17", "name": "Shop"})
    connecting.save(workspace_id=desk.workspace, channel="toy", connection=provider.connection("17"))
    page.goto(f"/w/{desk.workspace}/settings/channels")
    page.get_by_text("it has no mailbox").wait_for()
    look(page, "missing-card")
    page.get_by_role("link", name="Add a mailbox").click()
    page.get_by_role("heading", name="Settings of @17").wait_for()
    expect(page.get_by_label("Toy ID")).to_be_focused()
    look(page, "missing-page")


@pytest.mark.slow
def test_what_was_typed_stays_when_connecting_fails(desk: Desk, provider: ToyProvider, page: Any) -> None:
    provider.connect = lambda _request: Problems({"toy_id": "No such toy."})
    page.goto(f"/w/{desk.workspace}/settings/channels/toy/connect")
    page.get_by_text("Connect with Lego, Connect with Brio:").wait_for()
    assert page.get_by_role("button", name="Connect with Lego").count() == 0
    look(page, "connect")
    page.goto(f"/w/{desk.workspace}/settings/channels/toy/new")
    page.get_by_label("Toy ID").fill("17")
    page.get_by_label("Toy Secret").fill("s3cret-of-the-toy")
    page.get_by_label("Name").fill("Shop")
    page.get_by_role("button", name="Save and check").click()
    page.get_by_text("No such toy.").wait_for()
    look(page, "refused")
    provider.connect = None
    page.get_by_label("Toy ID").fill("18")
    page.get_by_role("button", name="Save and check").click()
    page.get_by_text("@18 is connected.").first.wait_for()
    assert provider.requests[-1].values["toy_secret"] == "s3cret-of-the-toy"
