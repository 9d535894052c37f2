"""Labelling, snoozing and changing many at once, in the real browser, wide and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from tests.helpers import do
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.mark.parametrize("width", [360, 1440])
def test_a_person_labels_and_snoozes_without_leaving(
    desk: Desk, scene: Scene, open_page: Open, width: int
) -> None:
    do(labels.create, desk.workspace, name="order", tone=LabelTone.RED)
    page = open_page(f"/{scene.conversation('ana')}", viewport={"width": width, "height": 800})
    page.click("[data-menu=labels] summary")
    page.click("[data-menu=labels] .menu-item:has-text('order')")
    page.wait_for_selector(".labels .lbl-red")
    page.wait_for_timeout(1000)  # what the label changed is shown
    page.click("[data-menu=snooze] summary")
    box = page.locator(".menu-form").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.click(".menu-form button[value=reply]")
    page.wait_for_selector("text=Until they write")


def test_a_selection_is_closed_and_put_back(desk: Desk, scene: Scene, open_page: Open) -> None:
    page = open_page()
    page.click("[data-select]")
    page.check(".choose input >> nth=0")
    page.keyboard.press("Tab")
    page.click("[data-bulk-go]")
    page.click(".bulk-action summary >> nth=0")
    number = page.locator(".bulk-action[open] [data-count]")
    assert number.inner_text() == "0", "those that wait for a reply are left out first"
    page.uncheck("[name=leave_waiting]")
    assert number.inner_text() == "1"
    page.click(".bulk-action[open] button[type=submit]")
    page.wait_for_selector("text=1 conversation closed")
    page.mouse.move(2, 2)  # rows wait while one points at them
    wait(page, "document.querySelectorAll('[data-row]').length === 1")
    page.click("[data-bulk-undo]")
    page.wait_for_selector("text=1 conversation restored")
    wait(page, "document.querySelectorAll('[data-row]').length === 2")


def test_all_that_match_are_selected_and_counted(desk: Desk, scene: Scene, open_page: Open) -> None:
    page = open_page()
    page.click("[data-select]")
    page.click("[data-bulk-all]")
    page.wait_for_selector(".bulk h2 >> text=All 2 matching conversations")
    number = page.locator("[data-bulk-number]")
    assert number.inner_text() == "2"
    page.click("[data-bulk-shut]")
    assert page.locator(".choose input:checked").count() == 2
    page.click("[data-bulk-go]")  # still all of them
    page.wait_for_selector(".bulk h2 >> text=All 2 matching conversations")
    page.click("[data-bulk-shut]")
    page.uncheck(".choose input >> nth=0")
    assert number.inner_text() == "1"
    page.click("[data-bulk-go]")
    page.wait_for_selector(".bulk h2 >> text=1 conversation selected")
    page.click("[data-bulk-shut]")
    page.click("[data-bulk-end]")
    assert number.text_content() == "0"
