"""A section of the Reports page in a real browser: loaded when seen, in both themes and widths, WCAG."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from host.addons import lifecycle
from host.addons.package.build import build_addon
from host.core import clock, db
from host.models.inbox import Message
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip, configuration
from tests.addons.test_panels import Opened
from tests.addons.test_panels_browser import arrive
from tests.browser.conftest import look
from tests.helpers import serving

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SOURCE = Path(__file__).resolve().parents[2] / "addons/satisfaction"
SCORES = {None: 72, 1: 2, 2: 1, 3: 4, 4: 14, 5: 27}
REASONS = {"asked_recently": 31, "window_closed": 7, "people_only": 2, "opted_out": 3, "reopened": 1}


@pytest.fixture
def opened(database: db.Database, data: Path, toy_zip: MakeZip, tmp_path: Path) -> Iterator[Opened]:
    """A desk with the toy and the addon, which asked many customers this month and fewer before."""
    desk = HostApplication(configuration(database, data))
    admin = Admin(desk)
    build_addon(SOURCE, tmp_path / "satisfaction.zip")
    for slug, path in (("toy", toy_zip()), ("satisfaction", tmp_path / "satisfaction.zip")):
        lifecycle.install_file(desk.config, path)
        outcome = lifecycle.activate(desk.config, slug, host=desk)
        assert outcome.ok, outcome.error
    desk.start()
    one = Opened(desk, admin)
    _fill(one)
    yield one
    desk.close()


def _fill(one: Opened) -> None:
    asked = [("asked", score) for score, count in SCORES.items() for _ in range(count)]
    others = [(outcome, None) for outcome, count in REASONS.items() for _ in range(count)]
    now = clock.now()
    with db.read() as session:
        message = session.scalars(sa.select(Message.id)).one()  # without one, a comment is deleted
    rows = [
        {
            "workspace": one.workspace,
            "talk": one.conversation,
            "contact": one.contact_id,
            "event": f"{days}-{number}",
            "outcome": outcome,
            "at": now - timedelta(days=days),
            "score": score,
            "comment": "Thanks!" if score == 5 and number % 3 == 0 else None,
            "message": message,
        }
        for days, found in ((2, [*asked, *others]), (30, asked[:90]))
        for number, (outcome, score) in enumerate(found)
    ]
    insert = sa.text(
        "INSERT INTO satisfaction_answers (workspace_id, conversation_id, contact_id, event_id, outcome,"
        " asked_at, score, comment, comment_message_id)"
        " VALUES (:workspace, :talk, :contact, :event, :outcome, :at, :score, :comment, :message)"
    ).bindparams(sa.bindparam("at", type_=sa.DateTime()))
    db.write(lambda session: session.execute(insert, rows))


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (360, 780)])
def test_satisfaction_on_the_reports_page(opened: Opened, chromium: Any, width: int, height: int) -> None:
    troubles: list[str] = []
    with serving(opened.desk) as server:
        page = arrive(chromium, server.url(), troubles, viewport={"width": width, "height": height})
        page.goto(f"/w/{opened.workspace}/reports")
        section = page.locator("[data-addon-panel*='satisfaction.figures']")
        section.scroll_into_view_if_needed()
        expect(section.get_by_role("heading", name="Customer satisfaction")).to_be_visible()
        expect(section.get_by_role("heading", name="Answer rate")).to_be_visible()
        expect(section).to_contain_text("40 %")
        expect(section).to_contain_text("4.31")
        expect(section).to_contain_text("Comments9")
        toy = page.locator("[data-addon-panel*='toy.numbers']")
        toy.scroll_into_view_if_needed()
        expect(toy.get_by_role("heading", name="Still open")).to_be_visible()
        section.scroll_into_view_if_needed()
        look(page, f"sections-{width}", phone=width < 1000, wide=width > 1000)
        lifecycle.deactivate(opened.desk.config, "satisfaction", host=opened.desk)
        page.goto(f"/w/{opened.workspace}/reports")
        expect(page.get_by_role("heading", name="Customer satisfaction")).to_have_count(0)
    assert troubles == []
