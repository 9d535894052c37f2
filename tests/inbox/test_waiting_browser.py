"""Undo, send later and what is due, in Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, Direction, Message
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "[data-form=reply] textarea"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.RICH)


@pytest.fixture
def page(scene: scenes.Scene, open_page: Open) -> Iterator[Any]:
    return open_page(f"/{scene.conversation('ana')}")


def write(page: Any, text: str) -> None:
    page.fill(TEXT, text)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".msg-waits [data-leaves]")


def sent_kinds() -> list[str]:
    return [str(one.kind) for one in toys.everything(Message) if one.direction == Direction.OUTBOUND]


def test_a_reply_is_undone_in_its_thread_by_key_and_elsewhere_by_the_toast(
    scene: scenes.Scene, page: Any
) -> None:
    page.hover(".msg >> nth=0")
    page.click("[data-quote]")
    write(page, "Yes, both")
    wait(page, "/Sending in \\d+ s/.test(document.querySelector('[data-leaves]').textContent)")
    assert page.locator(TEXT).input_value() == ""
    page.click(".msg-waits form[data-act=undo] button")
    page.wait_for_selector(".msg-waits", state="detached")
    until(lambda: page.locator(TEXT).input_value() == "Yes, both")
    assert page.locator("[data-quoted-text]").inner_text() == "Is it in stock?"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".msg-waits")
    until(lambda: page.locator(TEXT).input_value() == "")
    page.keyboard.press("Escape")  # out of the field
    page.keyboard.press("z")
    page.wait_for_selector(".msg-waits", state="detached")
    until(lambda: page.locator(TEXT).input_value() == "Yes, both")
    page.keyboard.press("Control+Shift+Enter")
    page.wait_for_selector(".undo-bar [data-toast-undo]")  # the next conversation is open
    assert "Jon" in page.locator("[data-part=head] h2").inner_text()
    assert "Sending reply to Ana Q. in" in page.locator("[data-toast-text]").inner_text()
    page.click("[data-toast-undo]")
    until(lambda: "Ana" in page.locator("[data-part=head] h2").inner_text())
    until(lambda: page.locator(TEXT).input_value() == "Yes, both")
    assert page.locator("[data-toast-undo]").count() == 0
    with db.read() as session:
        assert session.get_one(Conversation, scene.conversation("ana")).status == "open"


def test_a_heart_is_undone_and_what_is_being_written_stays(page: Any) -> None:
    page.fill(TEXT, "half a thought")
    page.click("[data-tool=heart]")
    page.wait_for_selector(".msg-waits [data-leaves]")
    page.click(".msg-waits form[data-act=undo] button")
    page.wait_for_selector(".msg-waits", state="detached")
    until(lambda: sent_kinds() == [])
    assert page.locator(TEXT).input_value() == "half a thought"
    page.keyboard.press("Control+Enter")
    until(lambda: sent_kinds() == ["text"])


def test_control_z_in_the_empty_composer_undoes_what_was_sent(page: Any) -> None:
    write(page, "Yes, both")
    assert page.locator(".msg-waits form[data-act=undo] kbd").inner_text() == "Ctrl + Z"
    until(lambda: page.locator(TEXT).input_value() == "")
    page.focus(TEXT)
    page.keyboard.type("z")
    page.keyboard.press("Control+z")  # takes back what is typed, as in every field
    assert page.locator(".msg-waits").count() == 1
    until(lambda: page.locator(TEXT).input_value() == "")
    page.keyboard.press("Control+z")
    page.wait_for_selector(".msg-waits", state="detached")
    until(lambda: page.locator(TEXT).input_value() == "Yes, both")


def test_a_row_with_a_draft_shows_nothing_of_what_the_customer_wrote(page: Any) -> None:
    page.fill(TEXT, "We have")
    line = page.locator(".conv[aria-current] .conv-text")
    until(lambda: line.inner_text().strip() == "Draft: We have")


def test_an_answer_of_before_does_not_bring_back_what_was_undone(page: Any) -> None:
    held: list[Any] = []
    page.route("**/updates?*messages=*", lambda route: held.append((route, route.fetch())), times=1)
    write(page, "Not like that")
    until(lambda: page.evaluate("1") and held)
    page.click(".msg-waits form[data-act=undo] button")
    page.wait_for_selector(".msg-waits", state="detached")
    (route, read_before), *_ = held
    assert "msg-waits" in read_before.text()
    route.fulfill(response=read_before)
    page.wait_for_timeout(500)
    assert page.locator(".msg-waits").count() == 0


def test_what_was_begun_since_stays_below_what_comes_back(page: Any) -> None:
    write(page, "First")
    page.fill(TEXT, "Second")
    page.click(".msg-waits form[data-act=undo] button")
    until(lambda: page.locator(TEXT).input_value() == "First\n\nSecond")


def test_a_reply_is_planned_changed_and_taken_back(scene: scenes.Scene, page: Any) -> None:
    page.fill(TEXT, "Tomorrow then")
    page.click(".send-more")
    page.click("#send-menu button[name=later] >> nth=0")
    page.wait_for_selector(".msg-waits .replan")
    assert "unless they write first" in page.locator(".msg-waits .leaves").inner_text()
    until(lambda: page.locator(".conv[aria-current] .chip", has_text="later").count() == 1)
    page.click(".replan summary")
    page.click(".replan input[name=unless_written]")
    page.click(".replan button[type=submit]")
    until(lambda: "not if" not in page.locator(".msg-waits .leaves").inner_text())
    page.click(".msg-waits form[data-act=undo] button")
    page.wait_for_selector(".msg-waits", state="detached")
    assert page.locator(TEXT).input_value() == "Tomorrow then"


def test_enter_in_the_field_of_an_own_time_sends_nothing_now(scene: scenes.Scene, page: Any) -> None:
    page.fill(TEXT, "At some time")
    page.click(".send-more")
    page.focus("#send-menu [name=later_at]")
    page.keyboard.press("Enter")
    page.wait_for_selector(".msg-waits .replan")


def test_a_row_says_when_an_answer_is_due_and_late_as_time_passes(scene: scenes.Scene, page: Any) -> None:
    toys.change_row(ChannelAccount, scene.desk.account.id, reply_target=15)
    toys.change_row(Conversation, scene.conversation("jon"), waiting_since=clock.now() - timedelta(minutes=5))
    page.clock.install()
    page.reload()
    row = f"[data-row='{scene.conversation('jon')}']"
    assert page.locator(f"{row} .conv-due").inner_text().startswith("due 9 min")
    assert not page.locator(f"{row} .conv-time").is_visible()
    page.clock.fast_forward("12:30")
    until(lambda: page.locator(f"{row} .conv-due").inner_text() == "overdue 2 min")
    assert page.locator(f"{row} .conv-late").count() == 1
