"""Writing first with a template in a browser: from a contact's page, and where a window is closed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import db
from host.inbox import approved_fetching
from tests.browser.conftest import look
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk, open_desk
from tests.inbox.phones import OFFERED, PHONES, Scene, opened_up
from tests.inbox.toys import WINDOWED

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SENT = "Hello Ana, your order B-9 is on its way."


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[Desk]:
    opened_up(data)
    yield open_desk(data, WINDOWED, PHONES)
    PHONES.reset()
    approved_fetching.forget_pages()


@pytest.fixture
def customer(desk: Desk) -> Scene:
    return Scene(desk)


def fill_in(page: Any) -> None:
    page.click(f"text={OFFERED}")
    page.locator("[data-template-pick]").first.click()
    page.fill("[data-key=order]", "B-9")


def sent(page: Any) -> None:
    page.wait_for_selector(f"[data-part=log] >> text={SENT}")


def test_from_their_page_a_template_begins_a_conversation(customer: Scene, open_page: Open) -> None:
    page = open_page()
    page.goto(customer.path())
    look(page, "first-template-contact")
    page.click(f"text={OFFERED}")
    page.wait_for_selector("[data-template-item]")
    look(page, "first-template-list")
    page.keyboard.press("Escape")
    wait(page, "document.activeElement.matches('[data-templates-open]')")
    fill_in(page)
    page.keyboard.press("Enter")
    sent(page)


def test_where_the_window_is_closed_it_continues_elsewhere(customer: Scene, open_page: Open) -> None:
    page = open_page(f"/{customer.old}")
    look(page, "first-template-closed")
    fill_in(page)
    PHONES.templates = PHONES.templates[1:]
    approved_fetching.forget_pages()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-template-problem]:not([hidden])")
    assert page.input_value("[data-key=order]") == "B-9", "what was typed stays"
    PHONES.reset()
    page.click("[data-template-form] [type=submit]")
    sent(page)


def test_a_picker_that_does_not_open_says_so_on_their_page(customer: Scene, open_page: Open) -> None:
    page = open_page()
    page.goto(customer.path())
    page.route("**/write/templates*", lambda route: route.abort())
    page.click(f"text={OFFERED}")
    page.wait_for_selector("[data-unopened]:not([hidden])")
    look(page, "first-template-unopened")
    page.unroute("**/write/templates*")
    fill_in(page)
    assert page.is_hidden("[data-unopened]")


def test_a_picker_whose_script_does_not_arrive_says_so_too(customer: Scene, open_page: Open) -> None:
    page = open_page()
    page.goto(customer.path())
    page.route("**/*composer-templates*", lambda route: route.abort())
    page.click(f"text={OFFERED}")
    page.wait_for_selector("[data-unopened]:not([hidden])")
