"""Choosing a template in a browser: searching, filling it in with a preview, and sending it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.core.backports.values import replace
from host.inbox import approved_fetching
from host.models.inbox import Contact, Conversation
from host.sdk.channel import ApprovalState, ProviderProblem
from tests.accessibility import violations
from tests.browser.conftest import look
from tests.inbox import desks, toys
from tests.inbox.approving import APPROVING, ORDER
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.inbox.toys import apply, received

pytestmark = [pytest.mark.browser, pytest.mark.slow]

OPENER = ".composer-window [data-templates-open]"
SHOWN = "[data-template-item]:not([hidden])"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Iterator[Desk]:
    opened = desks.open_desk(data, APPROVING)
    apply(opened.account, received("Is it in stock?", contact_name="Zoe K."), adapter=APPROVING)
    yield opened
    APPROVING.reset()
    approved_fetching.forget_pages()


def opened(open_page: Open) -> Any:
    page = open_page(f"/{toys.only(Conversation).id}")
    page.click(OPENER)
    wait(page, "document.querySelectorAll('[data-template-item]').length === 5")
    return page


def test_a_template_is_found_filled_in_and_sent(desk: Desk, open_page: Open) -> None:
    toys.change_row(Contact, toys.only(Conversation).contact_id, opted_out_at=clock.now())
    page = open_page(f"/{toys.only(Conversation).id}")
    look(page, "templates-closed")
    page.click(OPENER)
    wait(page, "document.querySelectorAll('[data-template-item]').length === 5")
    assert "opted out of automated messages" in page.inner_text("[data-templates-choose]")
    assert page.inner_text("[data-templates-status]") == "5 templates"
    look(page, "templates-list")
    assert violations(page) == []
    page.select_option("[data-templates-filter=language]", "English")
    assert page.locator(SHOWN).count() == 3
    page.select_option("[data-templates-filter=state]", "approved")
    assert page.locator(SHOWN).count() == 2
    page.fill("[data-templates-search]", "ORDER way")
    assert page.locator(SHOWN).count() == 1
    page.fill("[data-templates-search]", "nothing like it")
    assert page.is_visible("[data-templates-none]")
    page.fill("[data-templates-search]", "order")
    page.click(f"{SHOWN} [data-template-pick]")
    preview = ".template-preview"
    assert "A-17" not in page.inner_text(preview), "an example is nothing that is sent"
    assert "Hello Zoe, your order" in page.inner_text(preview)
    wait(page, "document.activeElement.dataset.key === 'order'")
    page.keyboard.type("B-9")
    assert "Hello Zoe, your order B-9 is on its way." in page.inner_text(preview)
    assert "Order B-9" in page.inner_text(preview)
    assert "https://toy.example/track/B-9" in page.inner_text(preview)
    look(page, "templates-form")
    assert violations(page) == []
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-templates]", state="detached")
    page.wait_for_selector("[data-part=log] .approved-head")
    assert "Hello Zoe, your order B-9 is on its way." in page.inner_text("[data-part=log]")
    wait(page, "document.activeElement.matches('[data-templates-open]')")
    look(page, "templates-sent")


def test_a_paused_one_is_shown_and_one_paused_meanwhile_keeps_what_was_typed(
    desk: Desk, open_page: Open
) -> None:
    page = opened(open_page)
    page.select_option("[data-templates-filter=state]", "paused")
    page.click(f"{SHOWN} [data-template-pick]")
    assert "Too many people blocked the account after it." in page.inner_text("[data-template-form]")
    assert page.locator("[data-template-form] [type=submit]").count() == 0
    look(page, "templates-paused")
    page.click("[data-template-back]")
    wait(page, "document.activeElement.matches('[data-template-pick]')")
    page.select_option("[data-templates-filter=state]", "")
    page.click("[data-template-item] >> nth=0")
    page.fill("[data-key=order]", "B-9")
    APPROVING.templates[0] = replace(ORDER, state=ApprovalState.PAUSED, sentence="Too many complaints.")
    approved_fetching.forget_pages()
    page.click("[data-template-form] [type=submit]")
    page.wait_for_selector("[data-template-problem]:not([hidden])")
    assert "Too many complaints." in page.inner_text("[data-template-problem]")
    assert page.input_value("[data-key=order]") == "B-9"
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-templates]", state="detached")


def test_it_survives_a_new_drawing_of_the_composer_and_opens_among_the_tools(
    desk: Desk, open_page: Open
) -> None:
    page = opened(open_page)
    page.click("[data-template-item] >> nth=1")
    page.fill("[data-key='1']", "Freitag")
    at = (clock.now() - toys.START).total_seconds()
    apply(desk.account, received("Hello?", at=at, contact_name="Zoe K."), adapter=APPROVING)
    page.wait_for_selector("[data-tool=templates]", state="attached")
    assert page.input_value("[data-key='1']") == "Freitag"
    page.click("[data-templates-close]") if page.is_visible("[data-templates-close]") else None
    page.click("[data-tool=templates]")
    page.wait_for_selector("[data-templates][open]")


def test_a_list_that_fails_can_be_tried_again(desk: Desk, open_page: Open) -> None:
    APPROVING.problem = ProviderProblem("190", "The sign-in has expired.", "Reconnect the account.")
    page = open_page(f"/{toys.only(Conversation).id}")
    page.click(OPENER)
    page.wait_for_selector("[data-templates-load]")
    assert "The sign-in has expired." in page.inner_text("[data-templates-more]")
    look(page, "templates-failed")
    APPROVING.problem = None
    approved_fetching.forget_pages()
    page.click("[data-templates-load]")
    wait(page, "document.querySelectorAll('[data-template-item]').length === 5")
