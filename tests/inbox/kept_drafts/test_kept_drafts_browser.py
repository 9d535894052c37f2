"""Drafts that follow a person, in two browsers at once."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.inbox.kept_drafts import content, drafts
from host.inbox.kept_drafts.models import KeptDraft
from host.models.inbox import Conversation
from host.models.users import Role, Workspace
from tests import helpers
from tests.browser.conftest import look
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

REPLY = "[data-form=reply] textarea"
OTHER = "[data-version-text]"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def field(page: Any, form: str = "reply") -> str:
    return str(page.locator(f"[data-form={form}] textarea").input_value())


def stored() -> content.Content:
    rows = toys.everything_of(KeptDraft)
    return content.read(rows[0].content) if rows else content.EMPTY


def text(mode: content.Mode = "reply") -> str | None:
    found = stored().texts.get(mode)
    return None if found is None else found.text


def test_a_draft_is_on_the_other_device_within_two_seconds(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    here = f"/{scene.conversation('ana')}"
    laptop, phone = open_page(here), open_page(here, viewport={"width": 360, "height": 780})
    until(lambda: desk.hub.count == 2)
    laptop.locator(REPLY).fill("From the laptop")
    began = time.monotonic()
    until(lambda: field(phone) == "From the laptop")
    took = time.monotonic() - began
    assert took < 10  # two seconds, with room for a busy machine
    print(f"took {took:.2f} s")
    # And back, while the first one still has the focus.
    phone.locator(REPLY).fill("From the laptop, and the phone")
    until(lambda: field(laptop) == "From the laptop, and the phone")
    # Sent on one, it comes back on neither.
    laptop.locator(REPLY).press("Control+Enter")
    laptop.wait_for_selector(".log >> text=and the phone")
    until(lambda: not field(phone) and not field(laptop) and stored().is_empty)
    third = open_page(here)
    wait(third, "document.querySelector('[data-part=opened]') !== null")
    third.wait_for_timeout(500)
    assert field(third) == ""


def test_of_two_texts_written_at_once_none_is_lost(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    here = f"/{scene.conversation('ana')}"
    laptop, phone = open_page(here), open_page(here, viewport={"width": 360, "height": 780})
    until(lambda: desk.hub.count == 2)
    phone.context.set_offline(True)
    phone.locator(REPLY).fill("Phone says no")
    laptop.locator(REPLY).fill("Laptop says yes")
    until(lambda: text() == "Laptop says yes")
    phone.context.set_offline(False)
    phone.wait_for_selector(OTHER)
    assert field(phone) == "Phone says no"
    assert phone.locator(OTHER).inner_text() == "Laptop says yes"
    until(lambda: text() == "Phone says no")
    assert [one.text for one in stored().others["reply"]] == ["Laptop says yes"]
    laptop.wait_for_selector(OTHER)
    look(phone, "draft-versions")
    phone.locator("[data-choose=add]").click()
    until(lambda: text() == "Phone says no\n\nLaptop says yes" and not stored().others)
    until(lambda: field(laptop) == "Phone says no\n\nLaptop says yes" and not laptop.locator(OTHER).count())


def test_both_go_on_typing_and_the_versions_do_not_pile_up(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    here = f"/{scene.conversation('ana')}"
    pages = {name: open_page(here) for name in ("left", "right")}
    until(lambda: desk.hub.count == 2)
    for turn in range(6):
        for name, page in pages.items():
            page.locator(REPLY).fill(" ".join([name] * (turn + 1)))
        pages["left"].wait_for_timeout(900)

    def kept() -> set[str]:
        found = stored()
        texts = [text() or "", *(one.text for one in found.others.get("reply", ()))]
        return {one.split()[0] for one in texts if len(one.split()) == 6}

    until(lambda: kept() == {"left", "right"})
    assert len(stored().others["reply"]) == 1


def test_a_page_writes_at_most_once_in_two_seconds(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page: Any = open_page(f"/{scene.conversation('ana')}")
    page.wait_for_timeout(300)
    writes: list[float] = []
    page.on(
        "request",
        lambda one: (
            writes.append(time.monotonic()) if one.method == "POST" and one.url.endswith("/draft") else None
        ),
    )
    page.locator(REPLY).press_sequentially("x" * 60, delay=80)
    until(lambda: text() == "x" * 60)
    assert len(writes) >= 2
    assert min(two - one for one, two in pairwise(writes)) > 1.8


def test_what_the_desk_does_not_take_stays_in_the_tab(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    here = f"/{scene.conversation('ana')}"
    page: Any = open_page(here)
    page.locator(REPLY).fill("Fits")
    until(lambda: text() == "Fits")
    page.locator(REPLY).fill("x" * 100_000)
    page.wait_for_selector("[data-kept-problem]:not([hidden])")
    assert text() == "Fits"
    page.reload()
    until(lambda: len(field(page)) == 100_000)
    page.locator(REPLY).fill("Shorter")
    until(lambda: text() == "Shorter")
    page.wait_for_selector("[data-kept-problem]", state="hidden")
    # Nor does a tab whose storage is full, or none, lose what the desk has.
    page.evaluate(
        "void (Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); })"
    )
    page.locator(REPLY).fill("While the storage is full")
    until(lambda: text() == "While the storage is full")
    page.goto(desk.path(f"/{scene.conversation('jon')}"))
    page.goto(desk.path(here))
    until(lambda: field(page) == "While the storage is full")
    assert text() == "While the storage is full"


def test_a_reload_and_a_second_conversation_keep_to_themselves(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page: Any = open_page(f"/{scene.conversation('ana')}")
    page.locator(REPLY).fill("For Ana")
    page.locator("[data-tab=note]").click()
    page.locator("[data-form=note] textarea").fill("Ask the shop")
    page.locator(f"[data-row='{scene.conversation('jon')}'] a.conv").click()
    until(
        lambda: (
            page.locator("[data-part=opened]").get_attribute("data-conversation")
            == str(scene.conversation("jon"))
        )
    )
    assert field(page) == ""
    until(lambda: (text(), text("note")) == ("For Ana", "Ask the shop"))
    other: Any = open_page(f"/{scene.conversation('ana')}")
    until(lambda: (field(other), field(other, "note")) == ("For Ana", "Ask the shop"))
    assert len(toys.everything_of(KeptDraft)) == 1


def test_a_conversation_taken_away_leaves_the_text_in_the_tab(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page: Any = open_page(f"/{scene.conversation('ana')}")
    page.route(
        "**/draft", lambda route: route.fulfill(status=404, json={"error": {"message": "Gone", "next": ""}})
    )
    page.locator(REPLY).fill("Still here")
    page.wait_for_selector("[data-kept-problem]:not([hidden])")
    page.unroute("**/draft")
    assert field(page) == "Still here"
    page.locator(REPLY).fill("Still here, again")
    until(lambda: text() == "Still here, again")


def test_colleagues_see_a_draft_and_what_it_says_where_they_may(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    here = f"/{scene.conversation('ana')}"
    bo = helpers.client_for(
        desk.app, helpers.make_user(name="Bo T.", workspace=desk.workspace, role=Role.AGENT)
    )
    mias, bos = open_page(here), open_page(here, browser=bo)
    until(lambda: desk.hub.count == 2)
    mias.locator(REPLY).fill("Let me check the shelf")
    bos.wait_for_selector("[data-part=drafts] >> text=Mia R.")
    assert "shelf" not in bos.locator("[data-part=drafts]").inner_text()
    assert field(bos) == ""
    toys.change_row(Workspace, desk.workspace, shows_drafts=True)
    mias.locator(REPLY).fill("Let me check the shelf, please wait")
    bos.wait_for_selector("[data-part=drafts] summary")
    bos.locator("[data-part=drafts] summary").click()
    until(lambda: "please wait" in bos.locator("[data-part=drafts]").inner_text())
    look(bos, "colleague-draft")
    mias.locator(REPLY).fill("")
    bos.wait_for_selector("[data-part=drafts]", state="hidden")


def test_an_erased_draft_leaves_the_open_page(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    conversation = scene.conversation("ana")
    page: Any = open_page(f"/{conversation}")
    page.locator(REPLY).fill("About Ana")
    until(lambda: text() == "About Ana")
    db.write(drafts.erase, [conversation], clock.now())
    until(lambda: field(page) == "")
    assert "About Ana" not in json.dumps(page.evaluate("({...sessionStorage})"))


def test_an_answer_older_than_what_was_saved_meanwhile_takes_no_text_away(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    until(lambda: desk.hub.count == 1)
    held: list[tuple[Any, Any]] = []

    def hold(route: Any) -> None:
        if route.request.method == "GET" and not held:
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route(f"**/{scene.conversation('ana')}/draft", hold)
    # It asks what the desk has: nothing.
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: page.evaluate("1") and held)
    page.locator(REPLY).fill("Written meanwhile")
    until(lambda: page.evaluate("1") and text() == "Written meanwhile")
    page.wait_for_timeout(500)  # the answer to the save is there as well
    page.evaluate(f"""() => {{
        window.emptied = false;
        const field = document.querySelector({json.dumps(REPLY)});
        const look = () => {{ window.emptied ||= !field.value; requestAnimationFrame(look); }};
        look();
    }}""")
    route, answer = held[0]
    route.fulfill(response=answer)
    page.wait_for_timeout(500)
    assert not page.evaluate("window.emptied")
    assert field(page) == text() == "Written meanwhile"


def test_the_same_words_once_more_stay_while_the_desk_says_that_the_first_were_sent(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    until(lambda: desk.hub.count == 1)
    page.locator(REPLY).fill("Thank you!")
    until(lambda: page.evaluate("1") and text() == "Thank you!")
    page.wait_for_timeout(500)  # the page knows, too
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route(f"**/{scene.conversation('ana')}/draft", hold)
    page.click("[data-send]")
    page.wait_for_selector(".msg-out >> text=Thank you!")
    until(lambda: stored() == content.EMPTY)
    page.locator(REPLY).fill("Thank you!")
    answered: list[str] = []

    def kept() -> bool:
        """Let what was asked for and saved through, one after the other."""
        if held:
            route = held.pop(0)
            answered.append(route.request.method)
            route.continue_()
            page.wait_for_timeout(300)
        assert field(page) == "Thank you!"
        return text() == "Thank you!"

    until(kept)
    assert "GET" in answered, "the desk said that it has nothing any more"


def test_what_is_saved_only_after_it_was_sent_does_not_come_back(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    until(lambda: desk.hub.count == 1)
    held: list[Any] = []

    def hold(route: Any) -> None:
        if route.request.method == "POST" and not held:
            held.append(route)
        else:
            route.continue_()

    page.route(f"**/{scene.conversation('ana')}/draft", hold)
    page.locator(REPLY).fill("Nine o'clock.")
    until(lambda: page.evaluate("1") and held)
    # What is on its way is in the thread already; the desk has it when it answers.
    with page.expect_response(lambda answer: answer.url.endswith("/reply")):
        page.click("[data-send]")
    page.wait_for_selector(".msg-out >> text=Nine o'clock.")
    with page.expect_response(lambda answer: answer.url.endswith("/draft")):
        held[0].continue_()
    page.wait_for_timeout(300)
    until(lambda: page.evaluate("1") and stored() == content.EMPTY)
    assert field(page) == ""


LOCKED = "[data-kept-locked]"


def last_wrote(conversation: int, **ago: float) -> None:
    """Open or close the reply window."""

    def use_case(session: Any) -> None:
        session.get_one(Conversation, conversation).last_inbound_at = clock.now() - timedelta(**ago)

    db.write(use_case)


def test_a_draft_whose_field_is_locked_is_shown_and_sent_another_way(
    desk: Desk, scene: scenes.Scene, open_page: Open, base: str
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
    page.locator(REPLY).fill("It is in stock.")
    until(lambda: page.evaluate("1") and text() == "It is in stock.")
    assert page.locator(LOCKED).is_hidden()
    last_wrote(ana, days=9)
    page.reload()
    page.wait_for_selector(f"{LOCKED} >> text=Your draft can’t be sent here now.")
    assert page.locator(REPLY).count() == 0
    assert page.locator("[data-locked-text]").input_value() == "It is in stock."
    look(page, "locked-draft")
    page.click("[data-copy=draft-locked]")
    page.wait_for_selector("[data-copy=draft-locked] >> text=Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "It is in stock."
    page.locator("[data-form=note] textarea").fill("For the record:")
    page.click("[data-locked-to=note]")
    wait(page, "document.querySelector('[data-kept-locked]').hidden")
    assert field(page, "note") == "For the record:\n\nIt is in stock."
    assert page.evaluate("document.activeElement.closest('[data-form]').dataset.form") == "note"
    until(lambda: page.evaluate("1") and text() is None and text("note") is not None)


def test_a_locked_draft_comes_back_with_its_field_and_can_be_discarded(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    page.locator(REPLY).fill("It is in stock.")
    until(lambda: page.evaluate("1") and text() == "It is in stock.")
    last_wrote(ana, days=9)
    page.reload()
    page.wait_for_selector(LOCKED)
    last_wrote(ana, minutes=9)
    page.reload()
    wait(page, f"document.querySelector('{REPLY}')?.value === 'It is in stock.'")
    assert page.locator(LOCKED).is_hidden()
    last_wrote(ana, days=9)
    page.reload()
    page.click(f"{LOCKED} [data-locked-to='']")
    wait(page, "document.querySelector('[data-kept-locked]').hidden")
    until(lambda: page.evaluate("1") and stored().is_empty)
