"""A browser that loses its line: it says so at once, and what was sent meanwhile is kept and offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from tests.accessibility import violations
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

REPLY = "[data-form=reply] textarea"
LINE = "body > .offline"
PROBLEM = "[data-problem]:not([hidden])"
OFFERED = "[data-unsent]:not([hidden])"
BACK = "dialog[data-back][open]"
CARD = f"{BACK} .back-card"
LINE_BACK = "[data-back-line]:not([hidden])"


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def opened(page: Any, name: str) -> None:
    page.wait_for_selector(f".thread-head h2 >> text={name}")


def sent(id_: int) -> list[str | None]:
    return [one.text for one in toys.thread(id_) if one.direction == "outbound"]


def connected(page: Any) -> None:
    page.wait_for_selector(LINE, state="detached")


def test_it_is_said_at_once_and_only_while_it_is_so(scene: scenes.Scene, open_page: Open) -> None:
    jon = scene.conversation("jon")
    page = open_page(f"/{scene.conversation('ana')}")
    page.context.set_offline(True)
    page.wait_for_selector(LINE)
    # Going to another conversation does not take it away.
    page.click(f"[data-row='{jon}'] .conv")
    page.wait_for_selector(PROBLEM)
    assert page.locator(LINE).count() == 1
    scene.said("jon", "Jon B.", "Said while away", clock.now())
    page.context.set_offline(False)
    connected(page)
    page.wait_for_selector(f"[data-row='{jon}'] >> text=Said while away")
    assert page.locator(PROBLEM).count() == 0, "the desk answers again"
    page.click(f"[data-row='{jon}'] .conv")
    opened(page, "Jon B.")


def test_a_reply_that_was_not_sent_is_offered_once_the_line_is_back(
    scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    page.context.set_offline(True)
    page.fill(REPLY, "Yes, it is.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"{LINE} [data-line-whole] >> text=1 reply waits.")
    assert not page.locator(PROBLEM).is_visible(), "it is said once"
    assert page.locator(OFFERED).count() == 0, "it could not be sent yet"
    page.context.set_offline(False)
    page.wait_for_selector(OFFERED)
    assert page.locator(PROBLEM).count() == 0
    assert page.locator(REPLY).input_value() == "Yes, it is."
    assert violations(page) == []
    assert sent(ana) == [], "nothing is sent unasked"
    page.click("[data-unsent-send]")
    page.wait_for_selector(".log >> text=Yes, it is.")
    assert page.locator(OFFERED).count() == 0
    assert sent(ana) == ["Yes, it is."]
    page.reload()
    opened(page, "Ana Q.")
    assert page.locator(OFFERED).count() == 0


def test_it_is_offered_from_elsewhere_and_after_a_reload(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    page.context.set_offline(True)
    page.fill(REPLY, "Yes, it is.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"{LINE} [data-line-whole] >> text=1 reply waits.")
    page.context.set_offline(False)
    page.wait_for_selector(OFFERED)
    page.goto(desk.path(f"/{jon}"))
    page.wait_for_selector(f"{CARD} >> text=Ana Q.")
    page.click(f"{BACK} [data-back-later]")
    page.wait_for_selector(f"{LINE_BACK} >> text=1 reply waits for you")
    assert violations(page) == []
    page.reload()
    page.wait_for_selector(LINE_BACK)
    assert page.locator(BACK).count() == 0, "it was put off"
    page.click(f"{LINE_BACK} button")
    page.click(f"{CARD} [data-back-edit]")
    opened(page, "Ana Q.")
    page.wait_for_selector(OFFERED)
    assert page.locator(LINE_BACK).count() == 0
    # Whoever deletes the text does not mean to send it any more.
    page.fill(REPLY, "")
    page.wait_for_selector(OFFERED, state="detached")
    page.reload()
    opened(page, "Ana Q.")
    assert page.locator(OFFERED).count() == 0
    assert sent(ana) == []


def test_one_that_arrived_although_its_answer_was_lost_is_sent_once(
    scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/reply", lose, times=1)
    page.fill(REPLY, "Yes, it is.")
    page.keyboard.press("Control+Enter")
    until(lambda: page.evaluate("1") and sent(ana) == ["Yes, it is."])
    # It is offered, and sent under the same key.
    page.click(f"{OFFERED} [data-unsent-send]")
    page.wait_for_selector(".log >> text=Yes, it is.")
    wait(page, f"!document.querySelector('{REPLY}').value")
    assert sent(ana) == ["Yes, it is."]


def test_what_an_act_complained_of_goes_when_the_next_one_works(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    refused = '{"error": {"message": "Not now.", "next": ""}}'
    page.route("**/close", lambda route: route.fulfill(status=409, body=refused))
    page.mouse.move(900, 300)
    page.keyboard.press("e")
    page.wait_for_selector(f"{PROBLEM} >> text=Not now.")
    page.unroute("**/close")
    page.keyboard.press("e")
    page.wait_for_selector(PROBLEM, state="detached")


def with_another_composer(route: Any) -> bool:
    """Answer with a composer that has to be drawn anew; return whether there is one."""
    answer = route.fetch()
    text = answer.text()
    route.fulfill(response=answer, body=text.replace('data-signature=\\"', 'data-signature=\\"new-'))
    return "data-signature=" in text


def test_a_composer_drawn_anew_while_a_reply_is_sent_holds_the_reply_no_more(
    scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    held: list[tuple[Any, Any]] = []
    redrawn: list[bool] = []

    page.route("**/inbox/updates*", lambda route: redrawn.append(with_another_composer(route)))
    page.route("**/reply", lambda route: held.append((route, route.fetch())), times=1)
    page.fill(REPLY, "Yes, it is.")
    page.keyboard.press("Control+Enter")
    until(lambda: page.evaluate("1") and any(redrawn))
    page.wait_for_timeout(300)
    route, answer = held[0]
    route.fulfill(response=answer)
    page.wait_for_selector(".log >> text=Yes, it is.")
    wait(page, f"!document.querySelector('{REPLY}').value")
    page.wait_for_selector("[data-composer][data-signature^=new-]")
    assert page.locator(REPLY).input_value() == ""
    assert sent(ana) == ["Yes, it is."]


def test_why_a_reply_was_refused_stays_when_the_composer_is_drawn_anew(
    scene: scenes.Scene, open_page: Open
) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")
    refused = '{"error": {"message": "Not now.", "next": "Later."}}'
    page.route("**/reply", lambda route: route.fulfill(status=409, body=refused))

    page.fill(REPLY, "Yes, it is.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(f"{PROBLEM} >> text=Not now.")
    page.route("**/inbox/updates*", with_another_composer)
    scene.said("ana", "Ana Q.", "Hello?", scene.ago(minutes=1))
    page.wait_for_selector("[data-composer][data-signature^=new-]")
    assert page.locator(PROBLEM).inner_text().split("\n") == ["Not now. Later."]
    assert page.locator(REPLY).input_value() == "Yes, it is."


def test_coming_back_while_a_reply_is_sent_finds_an_empty_field(scene: scenes.Scene, open_page: Open) -> None:
    ana, jon = scene.conversation("ana"), scene.conversation("jon")
    page = open_page(f"/{ana}")
    held: list[tuple[Any, Any]] = []
    page.route("**/draft", lambda route: route.abort())
    page.route("**/reply", lambda route: held.append((route, route.fetch())), times=1)
    page.fill(REPLY, "Yes, it is.")
    page.keyboard.press("Control+Enter")
    until(lambda: page.evaluate("1") and held)
    page.click(f"[data-row='{jon}'] .conv")
    opened(page, "Jon B.")
    page.click(f"[data-row='{ana}'] .conv")
    opened(page, "Ana Q.")
    assert page.locator(REPLY).input_value() == "", "it is on its way"
    page.press(REPLY, "Control+Enter")  # impatient
    route, answer = held[0]
    route.fulfill(response=answer)
    page.wait_for_selector(".log >> text=Yes, it is.")
    assert page.locator(REPLY).input_value() == ""
    assert sent(ana) == ["Yes, it is."]
    page.unroute("**/reply")
    page.fill(REPLY, "And this.")
    page.press(REPLY, "Control+Enter")
    until(lambda: page.evaluate("1") and sent(ana) == ["Yes, it is.", "And this."])


def test_one_that_arrived_is_not_sent_twice_after_a_reload(scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    page = open_page(f"/{ana}")

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/draft", lambda route: route.abort())  # it does not learn that the text was sent
    page.route("**/reply", lose, times=1)
    page.fill(REPLY, "Yes, it is.")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(OFFERED)
    page.reload()
    page.click("[data-unsent-send]")
    wait(page, f"!document.querySelector('{REPLY}').value")
    assert sent(ana) == ["Yes, it is."]
