"""Texts written without a connection: they outlive the app, and "Back online" sends them with one press."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Error

from host.core import clock, db
from host.models.inbox import Conversation
from tests import helpers
from tests.accessibility import violations
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

REPLY = "[data-form=reply] textarea"
NOTE = "[data-form=note] textarea"
PROBLEM = "[data-problem]:not([hidden])"
BACK = "dialog[data-back][open]"
CARD = f"{BACK} .back-card"
SEND = f"{CARD} [data-back-send]"
FULL = "void (Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); })"
LINE_BACK = "[data-back-line]:not([hidden])"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def sent(id_: int) -> list[str | None]:
    return [one.text for one in toys.thread(id_) if one.direction == "outbound"]


def opened(page: Any, name: str) -> None:
    page.wait_for_selector(f".thread-head h2 >> text={name}")


def write_offline(page: Any, text: str, field: str = REPLY) -> None:
    """Write and send while the desk can't be reached."""
    page.context.set_offline(True)
    page.fill(field, text)
    page.press(field, "Control+Enter")
    page.wait_for_selector(PROBLEM, state="attached")  # a phone says it in the line at the top instead


def left(page: Any) -> bool:
    """Return whether the inbox is gone from *page*, which the browser can't load."""
    with suppress(Error):  # on its way
        return bool(page.evaluate("!document.querySelector('[data-inbox]')"))
    return False


def killed(page: Any) -> Any:
    """End the app without a word, as a phone does; return its next page, online again."""
    context = page.context
    page.close(run_before_unload=False)
    context.set_offline(False)
    return context.new_page()


def test_a_reply_outlives_the_app_and_is_sent_with_one_press(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    write_offline(page, "Yes, it is.")
    page.wait_for_selector(f"[data-row='{ana}'] .conv-waits >> text=Waits: Yes, it is.")
    page = killed(page)
    page.goto(desk.path())
    page.wait_for_selector(f"{CARD} >> text=Nothing changed")
    assert "1 reply waits for you" in page.inner_text(BACK)
    assert "you wrote at" in page.inner_text(CARD)
    assert violations(page) == []
    assert sent(ana) == [], "nothing is sent unasked"
    page.click(SEND)
    page.wait_for_selector(f"{CARD} >> text=Sent")
    page.wait_for_selector(BACK, state="detached")
    assert sent(ana) == ["Yes, it is."]
    assert page.locator(LINE_BACK).count() == 0
    wait(page, "!document.querySelector('.conv-draft')")
    page.goto(desk.path(f"/{ana}"))
    page.wait_for_selector(".log >> text=Yes, it is.")
    assert page.locator(REPLY).input_value() == ""
    wait(page, "!Object.keys(localStorage).some((key) => /^lobby-(waits|left)-/.test(key))")


def test_a_draft_outlives_the_app_and_is_merged(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    page.fill(REPLY, "Hello")
    with page.expect_response("**/draft"):
        pass
    page.context.set_offline(True)
    page.fill(REPLY, "Hello Ana, yes")
    wait(page, "Object.keys(localStorage).some((key) => key.startsWith('lobby-left-'))")
    page = killed(page)
    page.goto(desk.path())
    page.wait_for_selector(f"[data-row='{ana}'] .conv-draft >> text=Draft: Hello Ana, yes")
    assert page.locator(BACK).count() == 0, "nobody sent it"
    with page.expect_response(lambda one: one.url.endswith("/draft") and one.request.method == "POST"):
        page.click(f"[data-row='{ana}'] .conv")
    opened(page, "Ana Q.")
    assert page.locator(REPLY).input_value() == "Hello Ana, yes"
    wait(page, "!Object.keys(localStorage).some((key) => key.startsWith('lobby-left-'))")
    assert page.locator("[data-kept-versions]:not([hidden])").count() == 0


def test_two_tabs_send_once(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    write_offline(page, "Yes, it is.")
    one = killed(page)
    one.goto(desk.path())
    one.wait_for_selector(CARD)
    two = one.context.new_page()
    two.goto(desk.path())
    two.wait_for_selector(CARD)
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    for each in (one, two):
        each.route("**/reply", hold)
        each.click(SEND)
    until(lambda: one.evaluate("1") and two.evaluate("1") and len(held) == 2)
    for route in held:
        route.continue_()
    for each in (one, two):
        each.wait_for_selector(BACK, state="detached")
    assert sent(ana) == ["Yes, it is."]


def test_one_tab_tells_the_other(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    write_offline(page, "Yes, it is.")
    one = killed(page)
    one.goto(desk.path())
    two = one.context.new_page()
    two.goto(desk.path())
    for each in (one, two):
        each.wait_for_selector(CARD)
    one.click(f"{CARD} [data-back-discard]")
    one.click("[data-ask-yes]")
    for each in (one, two):
        each.wait_for_selector(BACK, state="detached")
        assert each.locator(LINE_BACK).count() == 0


def test_what_a_colleague_did_meanwhile_is_shown(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    bo = helpers.make_user("bo@example.com", "Bo T.", workspace=desk.workspace).id
    page = open_page(f"/{ana}")
    write_offline(page, "Yes, it is.")
    scene.said("ana", "Ana Q.", "Never mind!", clock.now())
    scene.reply("ana", "You’re welcome, Ana", clock.now(), by=bo)
    page = killed(page)
    page.goto(desk.path())
    page.wait_for_selector(f"{CARD} >> text=2 things changed")
    assert "Never mind!" in page.inner_text(CARD)
    assert "You’re welcome, Ana" in page.inner_text(CARD)
    assert violations(page) == []
    # One more answers after the card was made.
    scene.reply("ana", "And one more", clock.now(), by=bo)
    page.click(SEND)
    page.wait_for_selector(f"{CARD} >> text=And one more")
    assert page.locator(f"{CARD} [data-back-problem]").inner_text().strip()
    assert "Yes, it is." not in sent(ana)
    page.click(SEND)
    page.wait_for_selector(BACK, state="detached")
    assert sent(ana)[-1] == "Yes, it is."


def test_a_window_that_closed_keeps_the_text(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    write_offline(page, "Yes, it is.")
    toys.change_row(Conversation, ana, last_inbound_at=scene.ago(days=8))
    page = killed(page)
    page.goto(desk.path())
    page.wait_for_selector(f"{CARD} >> text=1 thing changed")
    page.click(SEND)
    page.wait_for_selector(f"{CARD} [data-back-problem]:not([hidden])")
    assert page.inner_text(f"{CARD} [data-back-text]") == "Yes, it is."
    assert violations(page) == []
    assert sent(ana) == []
    page.reload()
    page.wait_for_selector(f"{CARD} >> text=Yes, it is.")


def test_another_person_sees_nothing_of_it(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    write_offline(page, "A word of Mia’s")
    page.context.set_offline(False)
    page.wait_for_selector("[data-unsent]:not([hidden])")
    page.route("**/draft", lambda route: route.abort())
    kim = helpers.client_for(
        desk.app, helpers.make_user("kim@example.com", "Kim L.", workspace=desk.workspace)
    )
    cookie = kim.get_cookie("lobby")
    assert cookie is not None
    base = page.evaluate("location.origin")
    mine = [one for one in page.context.cookies() if one["name"] == "lobby"]
    page.goto("about:blank")  # else it would notice the other person, and reload while the next one opens
    page.context.add_cookies([{"name": "lobby", "value": cookie.value, "url": base}])
    page.goto(desk.path(f"/{ana}"))  # in the same tab
    opened(page, "Ana Q.")
    assert page.locator(REPLY).input_value() == ""
    page.wait_for_timeout(300)
    assert "A word of Mia’s" not in page.content()
    assert page.locator(f"{BACK}, {LINE_BACK}, .conv-waits").count() == 0
    page.goto("about:blank")
    page.context.add_cookies([{"name": "lobby", "value": mine[0]["value"], "url": base}])
    page.goto(desk.path())
    page.wait_for_selector(f"{CARD} >> text=A word of Mia’s")


def test_a_full_storage_changes_nothing_on_the_page(scene: scenes.Scene, open_page: Open) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    page.evaluate(FULL)
    write_offline(page, "Yes, it is.")
    page.context.set_offline(False)
    page.wait_for_selector("[data-unsent]:not([hidden])")
    page.click(f"[data-row='{jon}'] .conv")
    opened(page, "Jon B.")
    page.click(f"{LINE_BACK} button")
    page.click(SEND)
    until(lambda: page.evaluate("1") and sent(ana) == ["Yes, it is."])


def test_a_note_stays_a_note(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}?write=note")
    write_offline(page, "Ask Bo", NOTE)
    page = killed(page)
    page.goto(desk.path())
    page.wait_for_selector(f"{CARD} >> text=Private note")
    page.click(SEND)
    page.wait_for_selector(BACK, state="detached")
    assert sent(ana) == []
    assert any(one.text == "Ask Bo" and one.direction == "internal" for one in toys.thread(ana))


def test_signing_out_asks_first(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    write_offline(page, "Yes, it is.")
    page = killed(page)
    page.goto(desk.path())
    page.click(f"{BACK} [data-back-later]")
    page.click("[aria-label^='Your account']")
    page.click("[data-signs-out] button")
    page.wait_for_selector("dialog[open] >> text=1 text is only on this device")
    page.click("[data-ask-no]")
    assert page.locator(LINE_BACK).count() == 1
    if not page.locator("[data-signs-out] button").is_visible():
        page.click("[aria-label^='Your account']")
    page.click("[data-signs-out] button")
    page.click("[data-ask-yes]")
    page.wait_for_selector("[data-signed-out]")
    wait(page, "!Object.keys(localStorage).some((key) => /^lobby-(waits|left)-/.test(key))")


def test_what_signing_out_offline_deletes_reaches_the_desk_from_no_tab(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    other = page.context.new_page()
    other.goto(desk.path(f"/{jon}"))
    other.wait_for_selector(REPLY)
    asked: list[str] = []
    page.context.on("request", lambda one: asked.append(one.url) if one.method == "POST" else None)
    page.context.set_offline(True)
    for one in (page, other):
        one.fill(REPLY, "Not for keeps")
        wait(one, "Object.keys(localStorage).some((key) => key.startsWith('lobby-left-'))")
    until(lambda: page.evaluate("1") and len(asked) > 1)  # each tab tried to save it
    page.click("[aria-label^='Your account']")
    page.click("[data-signs-out] button")
    page.click("[data-ask-yes]")
    until(lambda: all(left(one) for one in (page, other)))
    page.context.set_offline(False)
    page.goto(desk.path(f"/{jon}"))
    page.wait_for_selector(REPLY)
    assert page.input_value(REPLY) == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_it_fits_every_screen(
    desk: Desk, scene: scenes.Scene, open_page: Open, width: int, scheme: str
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}", viewport={"width": width, "height": 740}, color_scheme=scheme)
    write_offline(page, "Yes, it is. It should be with you on Saturday, " + "and" * 40)
    page.context.set_offline(False)
    page.goto(desk.path(f"/{jon}"))
    page.click(f"{BACK} [data-back-later]")
    write_offline(page, "Yours until Monday.")
    scene.said("ana", "Ana Q. " + "with a very long name " * 4, "Never mind! " * 40, clock.now())
    page = killed(page)
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(desk.path())
    page.wait_for_selector(f"{BACK} >> text=2 replies wait for you")
    assert violations(page) == []
    assert page.evaluate("document.querySelector('dialog[data-back]').scrollWidth <= innerWidth")
    assert page.evaluate(
        "[...document.querySelectorAll('.back-card')].every((one) => one.scrollWidth <= one.clientWidth)"
    )
