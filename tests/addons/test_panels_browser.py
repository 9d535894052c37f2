"""An addon's panel and composer button in a real browser: loaded when seen, pressed, inserted, WCAG."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from host.addons import lifecycle
from host.addons.package.build import build_addon
from host.core import db, guard
from host.models.inbox import Contact
from host.process.serving import HostApplication
from sandbox.shop import Shop
from tests.addons.conftest import EMAIL, PASSWORD, Admin, MakeZip, configuration
from tests.addons.test_panels import Opened
from tests.addons.test_shop_webhooks import set_up
from tests.browser.conftest import look
from tests.helpers import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANA = "ana@example.com"
SOURCE = Path(__file__).resolve().parents[2] / "addons/shop"


@pytest.fixture
def shop() -> Iterator[Shop]:
    found = Shop().start()
    found.add(ANA, (2, "Blue mug", "36.00"), status="completed")
    found.add(ANA, (1, "A" * 200, "9.50"), (3, "Plate", "37.50"), status="pending")
    guard.allow([f"127.0.0.1:{found.port}"])
    yield found
    guard.allow(())
    found.close()


@pytest.fixture
def opened(
    database: db.Database, data: Path, shop: Shop, toy_zip: MakeZip, tmp_path: Path
) -> Iterator[Opened]:
    """A desk with the toy and the shop, and a conversation with a customer who has orders."""
    allowed = {"LOBBY_ALLOW_HOSTS": f"127.0.0.1:{shop.port}"}
    desk = HostApplication(configuration(database, data, **allowed))
    admin = Admin(desk)
    build_addon(SOURCE, tmp_path / "shop.zip")
    for slug, path in (("toy", toy_zip()), ("shop", tmp_path / "shop.zip")):
        lifecycle.install_file(desk.config, path)
        outcome = lifecycle.activate(desk.config, slug, host=desk)
        assert outcome.ok, outcome.error
    desk.start()
    one = Opened(desk, admin)
    set_up(admin, one.workspace, shop)
    db.write(lambda session: session.execute(sa.update(Contact).values(email=ANA)))
    yield one
    desk.close()


def arrive(chromium: Any, url: str, troubles: list[str], **options: Any) -> Any:
    page = chromium.new_context(base_url=url, reduced_motion="reduce", **options).new_page()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto("/login")
    page.fill("#email", EMAIL)
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda address: "/login" not in address)
    return page


def test_settings_say_what_is_wrong_with_them(opened: Opened, shop: Shop, chromium: Any) -> None:
    troubles: list[str] = []
    with serving(opened.desk) as server:
        page = arrive(chromium, server.url(), troubles, viewport={"width": 1440, "height": 900})
        page.goto(f"/w/{opened.workspace}/settings/addons/shop")
        page.get_by_label("Shop address").fill("http://shop.example.com")
        page.get_by_role("region", name="Not saved").get_by_role("button", name="Save and check").click()
        page.get_by_text("Saved, but the check found a problem.").wait_for()
        address = page.get_by_label("Shop address")
        expect(address).to_have_accessible_description(re.compile("Enter the address with https://"))
        expect(address).to_have_value("http://shop.example.com")
        look(page, "settings-wrong")
        address.fill(shop.url)
        page.locator("form").get_by_role("button", name="Save and check").click()
        page.get_by_text("Saved. The shop answered, and Lobby can read its orders.").wait_for()
        look(page, "settings-right")
    assert troubles == []


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (360, 780)])
def test_orders_beside_a_conversation(
    opened: Opened, shop: Shop, chromium: Any, width: int, height: int
) -> None:
    troubles: list[str] = []
    with serving(opened.desk) as server:
        page = arrive(chromium, server.url(), troubles, viewport={"width": width, "height": height})
        page.goto(opened.beside)
        page.get_by_text("hello").last.wait_for()
        if width < 1000:
            assert len(shop.asked) == 1, "when its settings were saved; nobody looked at the panel yet"
            page.goto(f"{opened.beside}?pane=contact")
        orders = page.locator("[data-addon-panel$='shop.orders']")
        orders.get_by_role("link", name="Order 1002").wait_for()
        assert orders.get_by_text("Waiting for payment").is_visible()
        look(page, f"panel-{width}")
        orders.get_by_role("button", name="Insert into reply: Order 1001").click()
        text = page.get_by_label("Reply to Bo")
        text.wait_for()
        expect(text).to_have_value("Order 1001 (2 × Blue mug): Completed.")

        text.fill("")
        if page.get_by_role("button", name="Add to the reply").is_visible():
            page.get_by_role("button", name="Add to the reply").click()
        page.get_by_role("button", name="Insert newest order").click()
        expect(text).to_have_value(re.compile("1002"))

        asked = len(shop.asked)
        page.goto(opened.contact)
        page.locator("[data-addon-panel$='shop.orders']").scroll_into_view_if_needed()
        page.get_by_role("link", name="Order 1002").wait_for()
        assert len(shop.asked) == asked + 1
        look(page, f"panel-contact-{width}")
        shop.refuse = [503]
        page.reload()
        page.locator("[data-addon-panel$='shop.orders']").scroll_into_view_if_needed()
        page.get_by_text("The shop could not be reached: it answered 503.").wait_for()
    assert troubles == []
