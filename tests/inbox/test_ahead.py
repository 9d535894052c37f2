"""Conversations loaded ahead: nothing of it shows to others, and one that may not be seen is not shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.events.models import DomainEvent
from host.models.inbox import ConversationRead, Presence
from host.models.users import LoginSession
from host.users import members
from host.web.request_helpers import PREFETCH
from tests import helpers
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def traces() -> list[object]:
    """Return what a conversation leaves behind when somebody opens it, and how many events there are."""
    with db.read() as session:
        counted = [
            session.scalar(sa.select(sa.func.count()).select_from(table))
            for table in (DomainEvent, Presence, ConversationRead)
        ]
        return [*counted, session.scalars(sa.select(LoginSession.seen_at)).one()]


def test_loading_ahead_leaves_no_trace(desk: Desk, scene: scenes.Scene) -> None:
    desk.sign_in()
    path = desk.path(f"/{scene.conversation('ana')}/thread")
    before = traces()
    with clock.travel(timedelta(hours=2)):
        ahead = desk.browser.get(path, headers={PREFETCH: "1"})
        assert "Is it in stock?" in ahead.json["html"]
        assert traces() == before
        # Somebody who opens it is active; that is all an opened conversation says without its page.
        assert desk.browser.get(path).status_code == 200
        assert traces()[:-1] == before[:-1]
        assert traces()[-1] > before[-1]


def test_a_form_with_the_header_is_a_persons(desk: Desk, scene: scenes.Scene) -> None:
    desk.sign_in()
    id_ = scene.conversation("ana")
    before = traces()
    with clock.travel(timedelta(hours=2)):
        desk.browser.post(desk.path(f"/{id_}/close"), headers={PREFETCH: "1"})
        assert traces()[-1] > before[-1]


def test_whether_it_may_be_seen_is_asked_without_its_content(desk: Desk, scene: scenes.Scene) -> None:
    id_ = scene.conversation("ana")
    answer = desk.browser.head(desk.path(f"/{id_}/thread"))
    assert answer.status_code == 200
    assert answer.data == b""
    assert desk.browser.head(desk.path("/987654/thread")).status_code == 404
    kim = helpers.make_user("kim@example.com", "Kim L.", workspace=desk.workspace)
    browser = helpers.client_for(desk.app, kim)
    assert browser.head(desk.path(f"/{id_}/thread")).status_code == 200
    db.write(members.set_accounts, desk.workspace, kim.id, frozenset())
    assert browser.head(desk.path(f"/{id_}/thread")).status_code == 404
    db.write(members.remove, desk.workspace, kim.id)
    assert browser.head(desk.path(f"/{id_}/thread")).status_code == 404
    assert desk.app.test_client().head(desk.path(f"/{id_}/thread")).status_code in {302, 401}


class Asked:
    """The requests for threads that a page makes: method, conversation, whether it is ahead."""

    def __init__(self, page: Any) -> None:
        self.all: list[tuple[str, int, bool]] = []
        page.on("request", self._note)

    def _note(self, request: Any) -> None:
        if request.url.split("?")[0].endswith("/thread"):
            ahead = PREFETCH.lower() in request.headers
            self.all.append((request.method, int(request.url.split("/")[-2]), ahead))


def hover(page: Any, name: str) -> None:
    """Point at a row until its conversation is loaded."""
    with page.expect_response(lambda response: PREFETCH.lower() in response.request.headers) as loaded:
        page.hover(f".convs >> text={name}")
    loaded.value.finished()


def opened(page: Any, name: str) -> None:
    page.wait_for_selector(f".thread-head h2 >> text={name}")


@pytest.mark.browser
def test_a_row_that_is_pointed_at_opens_without_loading(scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{scene.conversation('jon')}")
    wait(page, "document.querySelectorAll('.conv.is-unread').length === 1")
    asked = Asked(page)
    hover(page, "Ana Q.")
    assert asked.all == [("GET", ana, True)]
    assert page.locator(".conv.is-unread").count() == 1, "nothing is read by pointing at it"
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    assert asked.all == [("GET", ana, True), ("HEAD", ana, False)]
    wait(page, "document.querySelectorAll('.conv.is-unread').length === 0")
    # It is one like any other: what happens in it comes, and it can be answered.
    scene.said("ana", "Ana Q.", "Still there?", clock.now())
    page.wait_for_selector(".log >> text=Still there?")
    page.fill("[data-form=reply] textarea", "Yes, it is.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".log >> text=Yes, it is.")
    assert len([one for one in toys.thread(ana) if one.direction == "outbound"]) == 1


@pytest.mark.browser
def test_what_happens_meanwhile_is_shown(scene: scenes.Scene, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page(f"/{scene.conversation('ana')}")
    hover(page, "Jon B.")
    scene.said("jon", "Jon B.", "Said meanwhile", clock.now())
    page.wait_for_selector(f"[data-row='{jon}'] >> text=Said meanwhile")
    page.click(f"[data-row='{jon}'] .conv")
    page.wait_for_selector(".log >> text=Said meanwhile")


@pytest.mark.browser
def test_one_that_may_not_be_seen_any_more_is_not_shown(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    other = toys.make_account(desk.workspace, desk.account.channel, handle="@hidden.shop")
    scene.said("ben", "Ben H.", "A secret order", clock.now(), account=other)
    kim = helpers.make_user("kim@example.com", "Kim L.", workspace=desk.workspace)
    page = open_page(f"/{scene.conversation('ana')}", browser=helpers.client_for(desk.app, kim))
    page.evaluate(
        """() => {
            window.shown = false;
            const look = () => document.querySelector('.log')?.textContent.includes('secret');
            new MutationObserver(() => { window.shown ||= look() })
                .observe(document.body, { childList: true, subtree: true });
        }"""
    )
    hover(page, "Ben H.")
    db.write(members.set_accounts, desk.workspace, kim.id, frozenset({desk.account.id}))
    asked = Asked(page)
    with page.expect_response(lambda response: response.request.method == "GET" and response.status == 404):
        page.click(".convs >> text=Ben H.")
    page.wait_for_selector("[data-problem]:not([hidden])")
    opened(page, "Ana Q.")
    hidden = scene.conversation("ben")
    # What was fetched ahead is checked first, unless the page has heard by then that it is gone.
    assert asked.all in ([("HEAD", hidden, False), ("GET", hidden, False)], [("GET", hidden, False)])
    assert not page.evaluate("window.shown")


@pytest.mark.browser
def test_the_keys_load_the_next_two_and_old_ones_are_loaded_again(
    scene: scenes.Scene, open_page: Open
) -> None:
    scene.said("cy", "Cy U.", "Where is it?", scene.ago(minutes=20))
    ana, cy = scene.conversation("ana"), scene.conversation("cy")
    page = open_page(f"/{scene.conversation('jon')}")
    asked = Asked(page)
    page.keyboard.press("j")
    until(lambda: page.evaluate("1") and len(asked.all) == 2)
    assert asked.all == [("GET", ana, True), ("GET", cy, True)]
    page.evaluate(
        "() => { const now = performance.now.bind(performance); performance.now = () => now() + 7000 }"
    )
    page.keyboard.press("Enter")
    opened(page, "Ana Q.")
    assert asked.all[2:] == [("GET", ana, False)], "what is old is not shown"
