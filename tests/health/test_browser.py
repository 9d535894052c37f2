"""The operators' pages in a real browser: both themes, both widths, WCAG, by keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from host import recording
from host.core import clock, db
from host.models.health import Kind
from tests.browser.conftest import look, picture
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk
from tests.health import pretend
from tests.helpers import StandInGeneration, build_app, make_user, serving
from tests.web.test_browser import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def admin(desk: Desk, data: Path, chromium: Any) -> Iterator[Page]:
    """An admin's page on a desk with a toy channel."""
    failures = {"pigeon": "Its migration 0003 failed, so it was left out."}
    app = build_app(
        data, generation=StandInGeneration(directory=desk.generation.directory, failures=failures)
    )
    make_user("mia@example.com", "Mia", is_admin=True)
    with serving(app) as server:
        context = chromium.new_context(base_url=server.url(), reduced_motion="reduce")
        page = context.new_page()
        troubles: list[str] = []
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda message: troubles.append(message.text) if "Content Security" in message.text else None,
        )
        sign_in(page, "mia@example.com")
        yield page
        context.close()
    assert troubles == []


def test_health_shows_trouble_first_then_a_week_in_plots(desk: Desk, admin: Page) -> None:
    accounts = [desk.account.id, *(desk.connect(str(number)).id for number in range(200, 211))]
    db.write(pretend.counts, {"email": accounts}, every=15)
    db.write(pretend.process, "web", Kind.WEB)
    db.write(pretend.process, "worker", Kind.WORKER, timedelta(minutes=4), machine="desk-2")
    for seconds in (12, 98.8):
        recording.slow("inbox.index", seconds)
    recording.flush()
    spooling = {
        "spooled": 312,
        "spooled_bytes": 700 * 1024**2,
        "spooled_since": clock.now(),
        "broker": "away",
    }
    db.write(pretend.process, "third", Kind.WORKER, machine="desk-3", broker_since=clock.now(), **spooling)
    db.write(pretend.process, "fourth", Kind.WORKER, machine="desk-4", counts_at="")
    desk.reply("hi", desk.customer_wrote())
    desk.set_account(limited_until=clock.now() + timedelta(hours=1))
    admin.goto("/admin/health")
    expect(admin.get_by_role("heading", name="6 issues need attention")).to_be_visible()
    expect(admin.get_by_text("Conversations waiting for a provider limit: 1")).to_be_visible()
    look(admin, "health")
    admin.locator("summary", has_text=" OK").press("Enter")
    expect(admin.get_by_role("img", name="68 % full")).to_be_visible()
    admin.get_by_text("Charts and figures").press("Enter")
    expect(admin.get_by_role("rowheader", name="GET /w/<workspace_id>/inbox")).to_be_visible()
    picture(admin, "health", of=admin.locator(".grid-2").first)
    plot = admin.get_by_role("region", name="Events per minute")
    plot.get_by_text("Show as table").focus()
    admin.keyboard.press("Enter")
    expect(plot.get_by_role("cell").first).to_be_visible()
    admin.get_by_role("link", name="7 days").click()
    expect(admin.get_by_role("img", name="Events received per minute")).to_be_visible()
    expect(admin.get_by_role("row", name="toy100")).to_be_visible()
    look(admin, "health-week")


def test_a_desk_where_all_is_well(admin: Page) -> None:
    db.write(pretend.process, "web", Kind.WEB, started_at=clock.now())
    admin.goto("/admin/health")
    expect(admin.get_by_text("Nothing is waiting").first).to_be_visible()
    look(admin, "health-empty")


def test_failed_events_are_found_selected_and_replayed(
    desk: Desk, door: Door, admin: Page, travel: Callable[[timedelta], None]
) -> None:
    for number in range(6):
        desk.toy.broken[f"mid-{number}"] = ValueError("the provider sent a field nobody knows")
        door.receive(desk.account.id, f"mid-{number}", contact=f"customer-{number}")
    desk.later(travel, timedelta(minutes=3))
    desk.toy.broken.clear()
    admin.goto("/admin/health")
    admin.get_by_role("link", name="Events that could not be read").click()
    look(admin, "journal-dead")
    admin.get_by_label("Any ID").fill("customer-4")
    admin.keyboard.press("Enter")
    expect(admin.get_by_role("checkbox")).to_have_count(1)
    admin.get_by_role("link", name="Clear").click()
    admin.get_by_role("checkbox", name="Select event 2").check()
    admin.get_by_role("checkbox", name="Select event 5").check()
    admin.get_by_role("button", name="Replay selected").click()
    expect(admin.get_by_role("heading", name="Replay 2 events?")).to_be_visible()
    look(admin, "journal-replay")
    admin.get_by_role("button", name="Replay", exact=True).click()
    expect(admin.get_by_text("2 events are queued for replay.")).to_be_visible()
    desk.drain()
    admin.get_by_role("button", name="Replay all matching").click()
    expect(admin.get_by_role("heading", name="Replay 4 events?")).to_be_visible()
    admin.get_by_role("button", name="Replay", exact=True).click()
    desk.drain()
    admin.goto("/admin/journal")
    look(admin, "journal")
    admin.get_by_role("row").nth(1).get_by_role("link").click()
    expect(admin.get_by_role("heading", name="Event 6")).to_be_visible()
    look(admin, "journal-event")
