"""Two agents in Chromium: a mention by the picker, the bell, the title, and one notification of all tabs."""

from __future__ import annotations

from typing import Any

import pytest

from host.core import clock
from host.notifications.rules import Kind, Way
from tests import helpers
from tests.accessibility import violations
from tests.inbox import toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.inbox.scenes import Scene
from tests.notifications.telling import choose, mention, tell
from tests.notifications.test_telling import limit, team

pytestmark = pytest.mark.browser

NOTE = "[data-form=note] textarea"
RECORD = """
  window.shownHere = [];
  const Real = window.Notification;
  window.Notification = class extends Real {
    constructor(title, options) { super(title, options); window.shownHere.push([title, options.body]); }
  };
"""


def shown(page: Any) -> list[list[str]]:
    found: list[list[str]] = page.evaluate("window.shownHere")
    return found


@pytest.mark.slow
def test_a_mention_is_chosen_and_told_to_one_tab(
    desk: Desk, scene: Scene, open_page: Open, base: str
) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    away = helpers.make_user(name="Bob Far", workspace=desk.workspace)
    team(desk, bo.id, away.id)  # told once, although named twice
    limit(away.id, desk.workspace, toys.make_account(desk.workspace).id)
    scene.said("jon", "Jon B.", "Invoice", scene.ago(minutes=5))
    theirs = open_page("", browser=helpers.client_for(desk.app, bo))
    context = theirs.context
    context.grant_permissions(["notifications"], origin=base)
    context.add_init_script(RECORD)
    other = context.new_page()
    other.goto("/account")
    theirs.goto(desk.path(f"/{scene.conversation('jon')}"))
    wait(theirs, "document.title.startsWith('Jon B.')")
    icon = theirs.get_attribute("link[data-icon]", "href")

    mine = open_page(f"/{scene.conversation('ana')}?write=note")
    mine.locator(NOTE).press_sequentially("Is it ready, @bo")
    mine.wait_for_selector("[data-mention-menu] >> text=Bo T.")
    assert mine.locator("[data-mention-menu] [aria-disabled=true]").all_inner_texts() == [
        "BF\nBob Far\nno access to this account"
    ]
    assert violations(mine) == []
    mine.keyboard.press("Enter")
    assert mine.input_value(NOTE) == "Is it ready, @Bo T. "
    mine.locator(NOTE).press_sequentially("or @ord")
    mine.wait_for_selector("[data-mention-menu] >> text=team")
    mine.keyboard.press("Enter")
    assert mine.input_value(NOTE) == "Is it ready, @Bo T. or @Orders "
    mine.keyboard.press("Control+Enter")
    mine.wait_for_selector(".log mark.mention >> text=@Bo T.")
    mine.wait_for_selector(".log mark.mention >> text=@Orders")
    tell()

    wait(theirs, "document.title.startsWith('(1) Jon B.')")
    wait(theirs, "document.querySelector('.bell-count').textContent === '1'")
    wait(theirs, "document.querySelector('link[data-icon]').href.startsWith('data:image/png')")
    wait(other, "document.title.startsWith('(1) ')")  # by what the first tab learned
    theirs.wait_for_selector(".convs >> text=Mentions you:")
    wait(theirs, "window.shownHere.length === 1")
    assert shown(theirs) + shown(other) == [["Ana Q.", "Mia R. mentioned you in a note."]]

    theirs.click("a.filter:has-text('Mentions')")
    theirs.click(".convs >> text=Ana Q.")
    theirs.wait_for_selector(".log mark.mention-me >> text=@Bo T.")
    wait(theirs, "document.title.startsWith('Ana Q.')")  # seen: nothing waits any more
    wait(theirs, "document.querySelector('.bell-count').hidden")
    assert theirs.get_attribute("link[data-icon]", "href").endswith(icon.rpartition("/")[2])
    scene.said("ana", "", "While Bo looks", clock.now())
    tell()
    theirs.wait_for_selector(".log >> text=While Bo looks")
    assert shown(theirs) + shown(other) == [], "who looks at it is not told, and nothing is shown again"


@pytest.mark.slow
def test_each_way_is_tried_on_its_page(desk: Desk, scene: Scene, open_page: Open, base: str) -> None:
    page = open_page("")
    page.goto("/notifications/settings")
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        page.set_viewport_size(size)
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.context.clear_permissions()

    def tried(way: str) -> str:
        page.click(f"[data-test={way}] button")
        wait(page, f"/t-(good|bad)/.test(document.querySelector('[data-way={way}] [data-result]').className)")
        said = page.inner_text(f"[data-way={way}] [data-result]")
        return str(said)

    assert tried("desk") == "Sent. Check the bell at the top of this page."
    wait(page, "document.querySelector('.bell-count').textContent === '1'")
    assert tried("mail") == "Lobby has no mail server, so no email is sent. An admin can set one up."
    assert "If you heard nothing" in tried("sound")
    page.context.grant_permissions(["notifications"], origin=base)
    page.reload()
    assert page.inner_text("[data-way=browser] [data-result]") == "Allowed in this browser."
    assert tried("browser").startswith("The browser accepted it.")
    page.check("[value='new.sound']")
    page.wait_for_selector(
        "[data-savebar]:not([hidden]) >> text=New message in an unassigned conversation: Sound"
    )
    page.keyboard.press("Control+s")
    page.wait_for_selector("text=Saved.")
    assert page.is_checked("[value='new.sound']")


LISTEN = """
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...given) {
    localStorage.setItem("notes", `${localStorage.getItem("notes") || ""} ${this.frequency.value}`);
    return start.apply(this, given);
  };
"""


def test_a_sound_is_heard_in_one_tab_of_all(desk: Desk, scene: Scene, open_page: Open) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    choose(bo.id, {Kind.MENTION: (Way.DESK, Way.SOUND), Kind.NEW: (Way.DESK, Way.SOUND)})
    one = open_page("", browser=helpers.client_for(desk.app, bo))
    one.context.add_init_script(LISTEN)
    other = one.context.new_page()
    for tab in (one, other):
        tab.goto("/account")
        tab.click("h1")  # a page that nobody pressed anything on may not sound
    mention(scene, "ana", "@Bo T.", desk.mia.id)
    tell()
    wait(one, "localStorage.getItem('notes') === ' 660 880'")
    scene.said("jon", "", "For whoever has time", clock.now())
    tell()
    wait(other, "document.querySelector('.bell-count').textContent === '2'")
    wait(other, "localStorage.getItem('notes') === ' 660 880 440'")


def test_the_list_of_notices(desk: Desk, scene: Scene, open_page: Open) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    mention(scene, "ana", "@Bo T.", desk.mia.id)
    tell()
    page = open_page("", browser=helpers.client_for(desk.app, bo))
    page.goto("/notifications")
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        page.set_viewport_size(size)
        assert violations(page) == []
    page.click(".told-link")
    page.wait_for_selector(".log mark.mention-me")
