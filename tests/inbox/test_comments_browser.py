"""Comments in a browser, wide and on a phone: found, answered publicly and privately, hidden, deleted."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.inbox import outcome
from host.inbox.comments import threads
from host.media import person_pictures, portraits
from host.media.person_pictures import CachedPicture
from host.models.inbox import Message
from host.models.posts import MessageModeration
from host.sdk.channel import Moderated
from host.sdk.messages import PostKind
from tests.asking import answer
from tests.browser.conftest import look
from tests.inbox import desks
from tests.inbox.boards import Board
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.inbox.test_comments import REFUSED
from tests.inbox.test_private_replies_of_an_hour import Counted
from tests.live.served import until
from tests.media import samples

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PICTURE = "https://provider.example/mug.jpg"
GAPS = """() => [...document.querySelectorAll(".conv.has-post")].map((one) => {
  const box = (name) => one.querySelector(name).getBoundingClientRect();
  return box(".conv-main").left - box(".avatar").right;
})"""


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, Counted())


@pytest.fixture
def board(desk: Desk) -> Board:
    made = Board(desk)
    body, content_type = portraits.thumbnail(samples.picture("JPEG", size=(300, 240)), "image/jpeg")
    person_pictures._remember(PICTURE, CachedPicture(body, content_type, clock.now() + timedelta(minutes=9)))
    caption = "Tide mugs are back. Twelve of them, thrown on Monday, out of the kiln this morning. "
    made.post(text=f"{caption}Write TIDE below and we send you the link.", picture_url=PICTURE)
    made.post("p2", "First vases from the new kiln", url="")
    made.post("p3", "Rim plates, live", kind=PostKind.LIVE, ended_at=made.ago(hours=1))
    first = made.said(
        "kit", "Kit L.", "TIDE 💙 are these the ones from the story?", made.ago(days=2), mid="c1"
    )
    made.private(first, "Here is the link, Kit: pottery.example/tide", made.ago(days=2, hours=-1), "m1")
    made.sent_privately("kit", "Kit L.", "m1", "Here is the link, Kit", made.ago(days=2, hours=-1))
    made.wrote("kit", "Kit L.", "Thank you!! ordered two", made.ago(days=1, hours=20))
    made.said("kit", "Kit L.", "And how long is shipping?", made.ago(days=1, hours=18), mid="c2", about="c1")
    lid = made.said("kit", "Kit L.", "Is there a lid for it, too?", made.ago(days=1, hours=3), mid="c3")
    made.private(lid, "From January on. Shall I note you down?", made.ago(days=1, hours=2), "m2")
    rude = made.said("kit", "Kit L.", "buy cheap followers at example dot com", made.ago(days=1, hours=1))
    made.stands(rude, Moderated.HIDDEN)
    made.said("kit", "Kit L.", "Does the blue one go in the oven?", made.ago(minutes=5), mid="c9")
    made.said("rosa", "Rosa S.", "TIDE please 💙", made.ago(minutes=11))
    spam = made.said("crypto", "", "Best crypto signals, link in bio", made.ago(minutes=52))
    made.stands(spam, Moderated.HIDDEN)
    made.said("olu", "Olu P.", "Mine arrived today, so beautiful!", made.ago(hours=1), post="p2")
    for number in range(4):
        at = made.ago(days=1, hours=17 - number)
        made.said(
            f"o{number}", f"Olu {number}.", f"Mine is number {number}", at, about="c1", mid=f"o{number}"
        )
    made.stands(
        made.said("iu", "Spam", "Buy followers", made.ago(days=1, hours=12), about="c1"), Moderated.HIDDEN
    )
    made.said("dee", "Dee T.", "Is the live over? I missed the plate", made.ago(hours=2), post="p3")
    hal = made.private(made.said("hal", "Hal M.", "TIDE", made.ago(hours=3)), "Here", made.ago(hours=2))
    db.write(outcome.record_failed, hal, REFUSED)
    made.took_back(
        "pat", _external(made.said("pat", "Pat W.", "Oh no", made.ago(hours=30), post="p2")), made.now
    )
    return made


def _external(message_id: int) -> str:
    with db.read() as session:
        return session.get_one(Message, message_id).external_id or ""


def outbound() -> list[tuple[str, bool, str | None]]:
    with db.read() as session:
        query = sa.select(Message).where(Message.direction == "outbound", Message.state == "queued")
        return [
            (one.text, one.content.get("private") is True, one.reply_to) for one in session.scalars(query)
        ]


def moderated(message_id: int) -> str:
    with db.read() as session:
        row = session.get(MessageModeration, message_id)
        return "" if row is None else row.wanted


@pytest.mark.parametrize("width", [1440, 360])
def test_comments_are_found_answered_hidden_and_deleted(
    desk: Desk, board: Board, open_page: Open, width: int
) -> None:
    phone = width == 360
    page = open_page(viewport={"width": width, "height": 900})
    look(page, "comments-list", phone=phone, wide=not phone)
    gaps = page.evaluate(GAPS)
    assert gaps and min(gaps) > 5, gaps  # noqa: PT018
    if phone:
        page.click("text=Filters")
    page.click(".filter:has-text('Tide mugs')")
    page.wait_for_url("**post=**")
    page.click("[data-row] >> text=Kit L.")
    newest, first = board.message("c9"), board.message("c1")
    page.wait_for_selector(f"#m-{newest}.is-at")
    look(page, "comments-thread", phone=phone, wide=not phone)

    page.fill("[data-form=reply] textarea", "Up to 180 °C, if it warms up with the oven.")
    page.click("[data-form=reply] [data-send]")
    page.wait_for_selector(".cm-out >> text=Up to 180")
    assert outbound() == [("Up to 180 °C, if it warms up with the oven.", False, "c9")]
    order = page.locator("[data-message]").evaluate_all("all => all.map((one) => one.dataset.order)")
    assert order == sorted(order)

    # Another comment is chosen: the text stays, and the composer is about that one.
    page.fill("[data-form=reply] textarea", "Begun")
    third = board.message("c2")
    if phone:
        page.click(f"#m-{third} .cm-menu summary")
        page.click(f"#m-{third} .cm-menu [data-mode=private]")
    else:
        page.focus(f"#m-{third} .cm-acts a")
        page.keyboard.press("p")
    page.wait_for_selector(f"[data-composer][data-mode=private][data-answers='{third}']")
    page.fill("[data-form=private] textarea", "x" * 101)
    page.click("[data-form=private] button[type=submit]")
    page.wait_for_selector("[data-problem]:not([hidden])")
    assert page.input_value("[data-form=private] textarea") == "x" * 101
    look(page, "comments-private", phone=phone, wide=not phone)
    page.fill("[data-form=private] textarea", "Three days, Kit")
    page.click("[data-form=private] button[type=submit]")
    page.wait_for_selector(".pr >> text=Three days, Kit")
    wait(page, "document.querySelector('.clocks-why')?.textContent.includes('Used on') ?? false")
    assert outbound()[-1] == ("Three days, Kit", True, "c2")
    assert page.input_value("[data-form=reply] textarea") == "Begun"
    assert page.locator(".tab-locked").count() == 1
    assert page.locator(f"#m-{first} [data-mode=private]").count() == 0, "it was answered privately before"

    # Hiding, showing again, deleting.
    place = ".cm-menu" if phone else ".cm-acts"
    other = board.message("c3")

    def press(message: int, what: str) -> None:
        if phone:
            page.locator(f"#m-{message} .cm-menu").evaluate("menu => { menu.open = true; }")
        else:
            page.hover(f"#m-{message}")
        page.click(f"#m-{message} {place} [data-moderate={what}]")

    press(other, "hidden")
    page.wait_for_selector(f"#m-{other} >> text=Hiding…")
    assert moderated(other) == "hidden"
    press(other, "deleted")
    answer(page, yes=False)
    page.wait_for_timeout(200)
    button = page.locator(f"#m-{other} {place} [data-moderate=deleted]")
    assert button.evaluate("button => button === document.activeElement && button.checkVisibility()")
    assert moderated(other) == "hidden", "who says no deletes nothing"
    press(other, "deleted")
    answer(page)
    page.wait_for_selector(f"#m-{other} >> text=Deleting…")
    assert moderated(other) == "deleted"
    page.click("text=Open Direct >> nth=0")
    page.wait_for_selector(".thread-origin")
    look(page, "comments-direct", phone=phone, wide=not phone)
    page.click(".thread-origin")
    page.wait_for_selector(".post-cap")


@pytest.mark.parametrize("width", [1440, 360])
def test_below_a_broadcast_the_private_reply_is_on_top(
    desk: Desk, board: Board, open_page: Open, width: int
) -> None:
    phone = width == 360
    board.post("p4", "Glazing, live", kind=PostKind.LIVE)
    about = board.said("dee", "Dee T.", "Is the green one for sale?", board.ago(minutes=1), post="p4")
    page = open_page(viewport={"width": width, "height": 900})
    page.click("[data-row] >> text=Is the green one")
    page.wait_for_selector(f"[data-composer][data-mode=private][data-answers='{about}']")
    assert page.locator("[data-form=reply]").count() == 0
    look(page, "comments-live", phone=phone, wide=not phone)
    if not phone:
        page.focus(f"#m-{about} .cm-acts a")
        page.keyboard.press("n")
        page.wait_for_selector("[data-composer][data-mode=note]")
        page.focus(f"#m-{about} .cm-acts a")
        page.keyboard.press("r")
        page.wait_for_selector("[data-composer][data-mode=private]")
    page.fill("[data-form=private] textarea", "The green one is yours")
    page.click("[data-form=private] button[type=submit]")
    page.wait_for_selector(".pr >> text=The green one is yours")
    page.wait_for_selector("[data-composer]:has-text('Used on')")
    assert outbound()[-1][:2] == ("The green one is yours", True)


def test_what_one_chose_to_answer_stays_chosen_whatever_was_fetched_meanwhile(
    desk: Desk, board: Board, open_page: Open
) -> None:
    page = open_page()
    page.click(".filter:has-text('Tide mugs')")
    page.wait_for_url("**post=**")
    page.click("[data-row] >> text=Kit L.")
    page.wait_for_selector(f"#m-{board.message('c9')}.is-at")
    page.fill("[data-form=reply] textarea", "Begun")
    held = []

    def hold(route: Any) -> None:
        if "composer=1" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    def let_go(about: int) -> None:
        """Let the first request go that is held and asks about that comment."""
        for _ in range(200):
            for route in held:
                if f"quote={about}&" in route.request.url + "&":
                    held.remove(route)
                    route.continue_()
                    return
            page.wait_for_timeout(50)
        raise AssertionError(f"nothing about {about} in {[route.request.url for route in held]}")

    before, third = board.message("c9"), board.message("c2")
    page.route("**/updates?*", hold)
    page.focus(f"#m-{third} .cm-acts a")
    page.keyboard.press("p")
    board.said("kit", "Kit L.", "And a lid?", board.now)
    until(lambda: page.evaluate("1") and any(f"quote={before}" in route.request.url for route in held))
    let_go(third)
    chosen = f"[data-composer][data-mode=private][data-answers='{third}']"
    page.wait_for_selector(chosen)
    let_go(before)
    let_go(third)
    page.wait_for_timeout(500)
    assert page.locator(chosen).count() == 1


@pytest.mark.parametrize("width", [1440, 360])
def test_what_others_say_in_a_thread_is_read_and_followed(
    desk: Desk, board: Board, open_page: Open, width: int
) -> None:
    phone = width == 360
    page = open_page(viewport={"width": width, "height": 900})
    page.goto(f"{page.url.split('?')[0].rstrip('/')}/{board.conversation('kit')}")
    page.wait_for_selector(".cm-other >> text=Mine is number 3")
    assert page.locator(".cm-other").count() == threads.MOST
    look(page, "comments-others", phone=phone, wide=not phone)
    assert "Private replies in the last hour: 0 of 750" in page.text_content("#contact")
    page.click("text=Earlier replies from others")
    page.wait_for_selector(".cm-other >> text=Mine is number 0")
    assert page.locator("text=Earlier replies from others").count() == 0
    order = page.locator("[data-message]").evaluate_all("all => all.map((one) => one.dataset.order)")
    assert order == sorted(order)

    # What is said meanwhile comes in, and what is taken back goes.
    board.said("zoe", "Zoe Z.", "And mine?", board.now, about="c1", mid="z1")
    page.wait_for_selector(".cm-other.cm-below >> text=And mine?")
    board.said("zoe", "Zoe Z.", "Elsewhere", board.now, mid="z2")
    board.took_back("zoe", "z1", board.now)
    page.wait_for_selector(".cm-other >> text=And mine?", state="detached")
    assert page.locator(".cm-other >> text=Elsewhere").count() == 0

    page.click(".cm-other:has-text('Mine is number 2') .cm-link")
    page.wait_for_selector(".thread-who >> text=Olu 2.")
    page.wait_for_selector(".cm-other >> text=TIDE")
    look(page, "comments-of-other", phone=phone, wide=not phone)
