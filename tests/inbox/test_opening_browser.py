"""Opening conversations beside the list, in a browser: what stays, what waits, who is there, which keys."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.inbox import presence
from host.inbox.labels import labels
from host.inbox.labels.models import LabelTone
from host.inbox.pages.keys import KEYS
from host.models.inbox import Conversation, PresenceState
from tests import helpers
from tests.accessibility import violations
from tests.helpers import do
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until
from tests.search.desk import read_record

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 360, "height": 740}}
TEXT = "[data-form=reply] textarea"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def many(desk: Desk, count: int) -> None:
    """Have so many customers write, the first of them last."""
    changes = [
        toys.received("Do you ship?", at=-60 * i, contact=f"c{i}", contact_name=f"C{i:03d}")
        for i in range(count)
    ]
    with clock.travel(toys.START - clock.now() + timedelta(minutes=1)):
        toys.apply(desk.account, *changes, adapter=toys.WINDOWED)


def names(page: Any) -> list[str]:
    return [str(name) for name in page.locator(".conv-name").all_text_contents()]


def opened(page: Any, name: str) -> None:
    page.wait_for_selector(f".thread-head h2 >> text={name}")


def test_the_list_stays_and_the_addresses_work(desk: Desk, open_page: Open) -> None:
    many(desk, 130)
    page = open_page("")
    page.evaluate("window.stayed = true")
    # It loads as one scrolls.
    page.hover(".convs")
    for _ in range(12):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(60)
    wait(page, "document.querySelectorAll('[data-row]').length === 130")
    page.locator(".conv").nth(90).click()
    opened(page, "C090")
    first = page.url
    top = page.evaluate("document.querySelector('[data-part=scroll]').scrollTop")
    assert top > 2000
    page.locator(".conv").nth(92).click()
    opened(page, "C092")
    assert page.evaluate("document.querySelector('[data-part=scroll]').scrollTop") == top
    assert page.locator(".conv[aria-current]").count() == 1
    assert page.title().endswith("C092 · Inbox · Lobby")
    page.go_back()
    opened(page, "C090")
    assert page.url == first
    page.go_back()
    page.wait_for_selector("text=Choose a conversation to read it here.")
    page.go_forward()
    opened(page, "C090")
    assert page.evaluate("window.stayed"), "no page was loaded"
    page.reload()
    opened(page, "C090")


def test_a_reload_keeps_the_place_in_the_list_and_the_rows(desk: Desk, open_page: Open) -> None:
    many(desk, 130)
    page = open_page("")
    page.hover(".convs")
    for _ in range(12):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(60)
    wait(page, "document.querySelectorAll('[data-row]').length === 130")
    page.evaluate("document.querySelector('[data-part=scroll]').scrollTop = 3000")
    page.reload()
    wait(page, "document.querySelectorAll('[data-row]').length === 130")
    wait(page, "document.querySelector('[data-part=scroll]').scrollTop === 3000")
    assert len(set(names(page))) == 130
    # Another list, and a page that is opened rather than loaded again, begin at their top.
    page.goto(desk.path("?view=mine"))
    page.goto(desk.path())
    assert page.evaluate("document.querySelector('[data-part=scroll]').scrollTop") == 0


def test_what_comes_late_changes_nothing_of_what_is_open_now(
    scene: scenes.Scene, desk: Desk, open_page: Open
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    late: list[Any] = []
    page.route(f"**/updates**conversation={ana}**", lambda route: late.append(route))  # noqa: PLW0108 - it sets a mark on it
    scene.said("ana", "Ana Q.", "Said while it is open", clock.now())
    until(lambda: page.evaluate("1") and late)
    page.click(".convs >> text=Jon B.")
    opened(page, "Jon B.")
    page.unroute("**/updates**")
    with page.expect_response("**/updates**"):
        for route in late:
            route.continue_()
    page.wait_for_selector(f"[data-row='{ana}'] >> text=Said while it is open")
    assert page.locator(".conv[aria-current]").count() == 1
    assert page.locator(f"[data-row='{jon}'] .conv[aria-current]").count() == 1
    assert page.locator(".log >> text=Said while it is open").count() == 0
    assert page.locator(".thread-head h2").inner_text() == "Jon B."
    action = page.get_attribute("[data-form=reply] form, form[data-form=reply]", "action")
    assert f"/{jon}/" in action


def test_what_is_said_while_a_conversation_opens_is_there(scene: scenes.Scene, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page(f"/{scene.conversation('ana')}")
    held: list[Any] = []
    page.route("**/thread**", lambda route: held.append((route, route.fetch())))
    page.click(".convs >> text=Jon B.")
    until(lambda: page.evaluate("1") and held)
    scene.said("jon", "Jon B.", "Said meanwhile", clock.now())
    page.wait_for_selector(f"[data-row='{jon}'] >> text=Said meanwhile")
    ((route, read_before),) = held
    route.fulfill(response=read_before)
    page.wait_for_selector(".log >> text=Said meanwhile")


def test_a_click_back_wins_over_one_that_is_under_way(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    held: list[Any] = []
    page.route("**/thread**", lambda route: held.append(route))  # noqa: PLW0108
    page.click(".convs >> text=Jon B.")
    until(lambda: page.evaluate("1") and held)
    page.click(".convs >> text=Ana Q.")
    assert page.locator(".conv[aria-current] >> text=Ana Q.").count() == 1
    for route in held:
        route.abort()
    opened(page, "Ana Q.")


def test_rows_wait_while_somebody_points_at_them(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page("")
    page.hover(".convs >> text=Jon B.")
    scene.said("ana", "Ana Q.", "One more thing", clock.now())
    page.wait_for_selector(".convs >> text=One more thing")  # what it says is new, where it is is not
    assert names(page) == ["Jon B.", "Ana Q."]
    page.wait_for_selector("[data-changed] >> text=1 changed")
    page.click("[data-changed]")
    assert names(page) == ["Ana Q.", "Jon B."]
    assert page.locator("[data-changed]").is_hidden()
    page.hover(".convs >> text=Jon B.")
    scene.said("jon", "Jon B.", "Me too", clock.now())
    page.wait_for_selector("[data-changed] >> text=1 changed")
    page.mouse.move(900, 400)
    wait(page, "document.querySelector('.conv-name').textContent === 'Jon B.'")


def test_one_that_leaves_the_filter_stays_while_it_is_open(
    scene: scenes.Scene, desk: Desk, open_page: Open
) -> None:
    page = open_page("?only=waiting")
    page.click(".convs >> text=Jon B.")
    opened(page, "Jon B.")
    page.mouse.move(900, 300)
    page.fill(TEXT, "Of course.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".log >> text=Of course.")
    assert names(page) == ["Jon B.", "Ana Q."]
    page.click(".convs >> text=Ana Q.")
    page.mouse.move(900, 300)
    wait(page, "document.querySelectorAll('.conv').length === 1")


def test_what_is_gone_is_said_and_nothing_is_lost(scene: scenes.Scene, desk: Desk, open_page: Open) -> None:
    page = open_page("")
    page.click(".convs >> text=Jon B.")
    opened(page, "Jon B.")
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    page.fill(TEXT, "half a thought")
    gone = scene.conversation("jon")
    with db.current().write_engine.begin() as connection:
        connection.exec_driver_sql(f"DELETE FROM messages WHERE conversation_id = {gone}")
        connection.exec_driver_sql(f"DELETE FROM conversations WHERE id = {gone}")
    page.go_back()
    page.wait_for_selector("text=This conversation does not exist in this workspace.")
    opened(page, "Ana Q.")
    assert page.locator(TEXT).input_value() == "half a thought"
    assert page.url.endswith(f"/{scene.conversation('ana')}")
    # A desk that does not answer is said, and the click can be made again.
    page.click("[data-tab=reply]")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_selector("text=Choose a conversation to read it here.")
    page.route("**/thread**", lambda route: route.abort())
    page.click(".convs >> text=Ana Q.")
    page.wait_for_selector("text=Lobby is not responding.")
    page.unroute("**/thread**")
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    wait(page, "!document.querySelector('.offline')")


def test_two_agents_see_each_other_and_ask_before_they_cross(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    ana = scene.conversation("ana")
    mine, theirs = open_page(f"/{ana}"), open_page("", browser=helpers.client_for(desk.app, bo))
    theirs.wait_for_selector(f"[data-row='{ana}'] [aria-label='Mia R. has this open']")
    theirs.click(".convs >> text=Ana Q.")
    opened(theirs, "Ana Q.")
    mine.wait_for_selector(".here [aria-label='Bo T. has this open']")
    theirs.focus(TEXT)
    theirs.keyboard.type("Yes, three are left.")
    mine.wait_for_selector("[data-part=typing] >> text=Bo T. is typing a reply")
    assert violations(mine) == []
    mine.focus(TEXT)
    mine.keyboard.type("I think so.")
    theirs.keyboard.press("Control+Enter")
    mine.wait_for_selector(".log >> text=Yes, three are left.")
    mine.keyboard.press("Control+Enter")
    mine.wait_for_selector("[data-meanwhile][open] >> text=Yes, three are left.")
    assert mine.evaluate("document.activeElement.textContent") == "Save mine as a draft"
    assert violations(mine) == []
    mine.keyboard.press("Enter")
    assert mine.locator(TEXT).input_value() == "I think so."
    assert len([m for m in toys.thread(ana) if m.direction == "outbound"]) == 1
    mine.locator(TEXT).press("Control+Enter")
    if mine.locator("[data-meanwhile][open]").count():
        mine.click("[data-anyway]")
    mine.wait_for_selector(".log >> text=I think so.")
    until(lambda: len([m for m in toys.thread(ana) if m.direction == "outbound"]) == 2)
    # Whoever leaves is gone from the screens of the others at once.
    theirs.close()
    mine.wait_for_selector(".here [aria-label='Bo T. has this open']", state="detached")


def test_who_writes_while_a_colleague_closes_it_is_asked(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    bo = helpers.make_user("bo@example.com", "Bo T.", workspace=desk.workspace)
    page = open_page(f"/{ana}")
    page.focus(TEXT)
    page.keyboard.type("I think so.")
    scene.close("ana", bo.id, scene.now)
    page.wait_for_selector(".log >> text=Bo T. closed this")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-meanwhile][open] >> text=Someone else closed this in the meantime")
    assert page.locator("[data-theirs] >> text=Bo T. closed this").count() == 1
    assert page.locator("[data-part=sending] > li").count() == 0
    assert violations(page) == []
    assert [one for one in toys.thread(ana) if one.direction == "outbound"] == []
    page.click("[data-anyway]")
    page.wait_for_selector(".log .bubble >> text=I think so.")
    page.wait_for_selector(".log >> text=Mia R. reopened this")
    page.wait_for_selector("form[data-act=close]")
    now = next(one for one in toys.everything(Conversation) if one.id == ana)
    assert (now.status, now.waiting_since, now.handled_by) == ("open", None, "person")


@pytest.mark.slow
def test_three_agents_at_once_answer_and_none_is_missed(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    names_of = ("Mia R.", "Bo T.", "Cy U.")
    browsers = [
        None,
        *(
            helpers.client_for(
                desk.app, helpers.make_user(f"{n}@example.com", name, workspace=desk.workspace)
            )
            for n, name in enumerate(names_of[1:])
        ),
    ]
    pages = [open_page(f"/{ana}", browser=browser) for browser in browsers]
    for page, own in zip(pages, names_of, strict=True):
        for other in names_of:
            if other != own:
                page.wait_for_selector(f".here [aria-label='{other} has this open']")
    for page, own in zip(pages, names_of, strict=True):
        page.focus(TEXT)
        page.keyboard.type(f"Answer of {own}")
    pages[0].wait_for_selector("[data-part=typing] >> text=is typing a reply")
    for page in pages:
        page.locator(TEXT).press("Control+Enter")
    # Whoever was not the first is asked, and sends all the same.
    for page, own in zip(pages, names_of, strict=True):

        def settled(page: Any = page, own: str = own) -> bool:
            if page.locator("[data-meanwhile][open]").count():
                page.click("[data-anyway]")
            return bool(page.locator(f".log >> text=Answer of {own}").count())

        until(settled)
    for page in pages:
        for own in names_of:
            page.wait_for_selector(f".log >> text=Answer of {own}")
            assert page.locator(f"[data-part=log] .bubble >> text=Answer of {own}").count() == 1
        assert page.locator(".conv[aria-current]").count() == 1
    assert len([m for m in toys.thread(ana) if m.direction == "outbound"]) == 3


def test_what_arrives_is_announced_once_and_politely(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    said = page.locator("[data-announce]")
    assert said.get_attribute("aria-live") == "polite"
    assert page.locator(".thread-scroll").get_attribute("aria-live") == "polite"
    scene.said("jon", "Jon B.", "And the receipt?", clock.now())
    wait(page, "document.querySelector('[data-announce]').textContent.includes('New message from Jon B.')")
    scene.said("ana", "Ana Q.", "Still there?", clock.now())
    page.wait_for_selector(".log >> text=Still there?")
    # The log says what is added to it by itself.
    assert "Ana" not in said.inner_text()


def test_marks_are_ones_own(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page("")
    assert page.locator(".conv.is-unread").count() == 2
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    wait(page, "document.querySelectorAll('.conv.is-unread').length === 1")
    page.mouse.move(900, 300)
    page.keyboard.press("u")
    page.wait_for_selector("text=Choose a conversation to read it here.")
    wait(page, "document.querySelectorAll('.conv.is-unread').length === 2")
    page.reload()
    assert page.locator(".conv.is-unread").count() == 2


def test_every_key_and_the_palette(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page("")
    page.keyboard.press("?")
    sheet = page.locator("[data-keys] dt").all_inner_texts()
    assert sheet == [str(key.words) for _group, keys in KEYS for key in keys if not key.needs]
    page.keyboard.press("Escape")
    wait(page, "!document.querySelector('dialog[open]')")
    page.keyboard.press("j")
    page.keyboard.press("o")
    opened(page, "Jon B.")
    page.keyboard.press("n")
    page.keyboard.type("for the team")
    wait(page, "document.activeElement.closest('[data-form]').dataset.form === 'note'")
    wait(page, "document.querySelector('.conv-draft').textContent.includes('for the team')")
    page.keyboard.press("Escape")
    page.keyboard.press("m")
    page.wait_for_selector(".activity >> text=Mia R. took over this conversation")
    page.keyboard.press("Shift+E")
    opened(page, "Ana Q.")
    until(lambda: {c.status for c in toys.everything(Conversation)} == {"open", "closed"})
    page.keyboard.press("Control+k")
    page.keyboard.type("priv")
    assert page.locator("[data-palette] [aria-selected=true]").inner_text().startswith("Write a private note")
    assert violations(page) == []
    page.keyboard.press("Enter")
    wait(page, "document.activeElement.closest('[data-form]')?.dataset.form === 'note'")
    page.keyboard.press("Escape")
    # Customers, too.
    read_record()
    page.keyboard.press("Control+k")
    page.keyboard.type("jon")
    page.locator("[data-palette] [role=option] >> text=Jon B. · jon").wait_for()
    options = page.locator("[data-palette] [role=option]").all_inner_texts()
    assert options == ["Jon B. · jon", "Search messages for “jon”"]
    assert page.locator("[data-palette] .cmd-head").all_inner_texts() == ["Contacts"]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    opened(page, "Jon B.")
    page.wait_for_selector("[data-found]", state="detached")
    # Single letters can be switched off.
    page.keyboard.press("?")
    page.uncheck("[data-single]")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    assert page.evaluate("document.activeElement.tagName") != "TEXTAREA"


def test_the_composer_is_reached_in_a_few_tabs(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page("")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the conversations"
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    for again in (False, True):
        if again:
            page.reload()
        page.evaluate("document.body.tabIndex = -1; document.body.focus()")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the reply"
        page.keyboard.press("Enter")
        for _ in range(3):
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.matches('[data-form=reply] textarea')")


def test_menus_have_keys_and_escape_closes_them_alone(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page("")
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    address = page.url
    for key, menu in (("s", "snooze"), ("t", "labels"), ("d", "sort")):
        page.keyboard.press(key)
        wait(page, f"!!document.activeElement.closest('[data-menu={menu}][open]')")
        page.keyboard.press("Escape")
        wait(page, "!document.querySelector('details.menu[open]')")
        assert page.url == address
    page.keyboard.press("v")
    page.wait_for_selector(".choose input")
    page.keyboard.press("Escape")
    page.wait_for_selector(".choose input", state="detached")
    opened(page, "Ana Q.")
    assert page.url == address
    page.keyboard.press("!")
    page.get_by_role("button", name="Not spam").wait_for()
    page.keyboard.press("!")
    page.get_by_role("button", name="Not spam").wait_for(state="detached")
    page.keyboard.press("s")
    wait(page, "document.activeElement.matches('[data-menu=snooze] button[data-first]')")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Unsnooze").wait_for()
    (ana,) = (one for one in toys.everything(Conversation) if one.snoozed_until)
    assert timedelta(minutes=25) < ana.snoozed_until - clock.now() < timedelta(minutes=91)
    page.keyboard.press("s")
    page.get_by_role("button", name="Unsnooze").wait_for(state="detached")
    # Enter in the field of an own time takes that time, not the first that is offered.
    page.keyboard.press("s")
    page.locator("[data-menu=snooze] [name=until]").press("Enter")
    page.get_by_role("button", name="Unsnooze").wait_for()
    (ana,) = (one for one in toys.everything(Conversation) if one.snoozed_until)
    assert ana.snoozed_until - clock.now() > timedelta(hours=8)


def test_sixteen_whole_rows_are_in_view_on_a_usual_screen(desk: Desk, open_page: Open) -> None:
    many(desk, 20)
    page = open_page("", viewport={"width": 1440, "height": 900})
    rows = page.locator("[data-row]")
    ends = rows.evaluate_all("all => all.map(one => one.getBoundingClientRect().bottom)")
    assert sum(end <= 900 for end in ends) == 16


def test_labels_and_automation_have_keys_both_ways(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    do(labels.create, desk.workspace, name="order", tone=LabelTone.RED)
    page = open_page(f"/{scene.conversation('ana')}")
    opened(page, "Ana Q.")
    for name, shown in (("order", "attached"), ("Remove the label order", "detached")):
        page.keyboard.press("t")
        wait(page, "!!document.activeElement.closest('[data-menu=labels][open]')")
        page.locator("[data-menu=labels]").get_by_role("button", name=name, exact=True).press("Enter")
        page.wait_for_selector(".labels .lbl-off", state=shown)
    for there in ("leave", "keep"):
        page.keyboard.press("b")
        page.wait_for_selector(f"form[data-act={there}]", state="attached")


def test_on_a_phone_there_is_the_list_or_the_thread(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page("", **PHONE)
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    assert page.locator("#list").is_hidden()
    assert page.evaluate("document.querySelector('#thread').contains(document.activeElement)")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("[aria-label='More for this conversation']")
    page.get_by_role("button", name="Mark as unread").click()
    page.wait_for_selector("#list .conv.is-unread >> text=Ana Q.")
    page.click(".convs >> text=Ana Q.")
    opened(page, "Ana Q.")
    page.click("[aria-label='Back to conversations']")
    page.wait_for_selector("#list >> text=Ana Q.")
    assert page.locator("#thread").is_hidden()
    page.go_back()
    opened(page, "Ana Q.")
    assert page.locator("#list").is_hidden()


@pytest.mark.slow
def test_who_cannot_say_that_they_left_is_forgotten(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    ana = scene.conversation("ana")
    where = {"workspace_id": desk.workspace, "conversation_id": ana, "user_id": bo.id}
    db.write(presence.be_present, state=PresenceState.VIEWING, now=clock.now(), **where, accounts=None)
    page = open_page("")
    page.wait_for_selector("[aria-label='Bo T. has this open']")
    page.clock.install()
    with clock.travel(timedelta(seconds=40)):
        page.clock.run_for(50_000)
        page.wait_for_selector("[aria-label='Bo T. has this open']", state="detached")


def test_a_name_that_comes_later_is_beside_the_first_message_too(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    scene.said("zoe_p", "", "First words", scene.ago(minutes=3))
    page = open_page(f"/{scene.conversation('zoe_p')}")
    face = page.locator(".log .msg[data-inbound] > .avatar").first
    before = face.inner_text()
    until(lambda: desk.hub.count == 1)
    scene.said("zoe_p", "Quinn Arbor", "Second words", scene.ago(minutes=2))
    page.wait_for_selector(".thread-head h2 >> text=Quinn Arbor")
    assert before != "QA"
    until(lambda: face.inner_text() == "QA")
