"""What is put together in the composer outlives the composer: it is drawn anew while somebody is at it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.inbox import outcome
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation, Handler
from host.sdk.channel import ProviderProblem
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TEXT = "[data-form=reply] textarea"
SEND = "[data-form=reply] [data-send]"
FILE = {"name": "<b>mug</b>.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"}


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data, toys.RICH)


@pytest.fixture
def page(scene: scenes.Scene, open_page: Open) -> Iterator[Any]:
    opened = open_page(f"/{scene.conversation('ana')}", permissions=["microphone"])
    answer = {"id": "a" * 32, "kind": "image", "name": "mug.png", "size": 1234, "url": None}
    opened.route(
        "**/uploads",
        lambda route: route.fulfill(status=201, content_type="application/json", body=json.dumps(answer)),
    )
    return opened


def redrawn(scene: scenes.Scene, page: Any) -> None:
    """Let the composer be drawn anew: the account shows no typing any more, and a message comes."""
    page.evaluate("document.querySelector('[data-composer]').dataset.old = '1'")
    account = scene.desk.account
    toys.change_row(ChannelAccount, account.id, settings={**account.settings, "typing": False})
    scene.said("ana", "Ana Q.", "Hello?", clock.now())
    page.wait_for_selector("[data-composer]:not([data-old])")


def add(page: Any, tool: str, *answers: str) -> None:
    page.click(f"[data-tool={tool}]")
    for one in answers:
        page.keyboard.type(one)
        page.keyboard.press("Enter")


def posted(page: Any) -> dict[str, list[str]]:
    """Send, and return the fields that left."""
    with page.expect_request("**/reply") as caught:
        page.click(SEND)
    parts = caught.value.post_data_buffer.decode(errors="replace").split("Content-Disposition: form-data; ")
    found: dict[str, list[str]] = {}
    for part in parts[1:]:
        head, _blank, rest = part.partition("\r\n\r\n")
        found.setdefault(head.split('name="')[1].split('"')[0], []).append(rest.rpartition("\r\n--")[0])
    return found


def test_a_new_drawing_keeps_everything(scene: scenes.Scene, page: Any) -> None:
    page.set_input_files("[data-file-input]", [FILE])
    page.wait_for_selector("[data-tray] [data-state=ready]")
    add(page, "quick", "Yes", "No")
    page.hover(".msg >> nth=0")
    page.click("[data-quote]")
    page.fill(TEXT, "Is it this one?")
    redrawn(scene, page)
    assert page.locator(TEXT).input_value() == "Is it this one?"
    assert page.evaluate("document.activeElement.matches('textarea')")
    assert page.locator("[data-file-name]").inner_text() == "<b>mug</b>.png"
    assert page.locator("[data-strip=quick] [data-chip-text]").all_inner_texts() == ["Yes", "No"]
    fields = posted(page)
    assert fields["upload"] == ["a" * 32]
    assert fields["quick_reply"] == ["Yes|Yes", "No|No"]
    assert fields["text"] == ["Is it this one?"]
    assert len(fields["reply_to"]) == 1
    assert "file" not in fields


def test_that_replies_wait_is_said_above_what_is_being_written(scene: scenes.Scene, page: Any) -> None:
    page.fill(TEXT, "Is it this")
    page.evaluate("document.querySelector('[data-composer]').dataset.old = '1'")
    toys.change_row(ChannelAccount, scene.desk.account.id, state=AccountState.NEEDS_RECONNECT)
    scene.said("ana", "Ana Q.", "Hello?", clock.now())
    page.wait_for_selector("[data-composer] >> text=Replies are on hold.")
    assert page.locator("[data-composer][data-old]").count() == 1, "nothing else is drawn anew"
    page.keyboard.type(" one?")
    assert page.locator(TEXT).input_value() == "Is it this one?"


@pytest.mark.parametrize("width", [360, 1440])
def test_an_unbroken_string_leaves_everything_on_the_screen(
    scene: scenes.Scene, open_page: Open, width: int
) -> None:
    page = open_page(f"/{scene.conversation('ana')}", viewport={"width": width, "height": 800})
    for text in ("w" * 300, "https://shop.example/" + "a" * 300, "w" * 1200):
        page.fill(TEXT, text)
        if len(text) > 1000:
            page.wait_for_selector("[data-overflow] .part")
        for what in (SEND, TEXT, "[data-tab=note]" if width > 560 else "[data-form=reply] .tools-plus"):
            box = page.locator(what).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width, what
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("e => e.scrollWidth <= e.clientWidth", page.query_selector("[data-composer]"))


@pytest.mark.parametrize("width", [360, 1440])
def test_nor_does_one_in_a_name_a_message_or_a_reason(
    scene: scenes.Scene, open_page: Open, width: int
) -> None:
    long = "w" * 90
    scene.said("long", long, f"https://shop.example/{long}{long}", scene.ago(days=9))
    waits, fails = (scene.reply_anyway("long", f"{long} {n}") for n in range(2))
    db.write(outcome.record_waiting, waits, {"sentence": long, "until": None})
    db.write(outcome.record_failed, fails, ProviderProblem("1", long, long, long, long))
    page = open_page(f"/{scene.conversation('long')}", viewport={"width": width, "height": 800})
    page.click("details.more summary")
    for part in ("html", ".pane-thread", ".thread-scroll", "[data-composer]"):
        assert page.evaluate("e => e.scrollWidth - e.clientWidth", page.query_selector(part)) <= 0, part


def test_a_reply_that_waits_is_edited_in_a_sheet(scene: scenes.Scene, open_page: Open) -> None:
    (message,) = scene.reply("ana", "It ships tomorrow", scene.now)
    db.write(outcome.record_waiting, message, {"sentence": "It waits for a limit.", "until": None})
    page = open_page(f"/{scene.conversation('ana')}")
    page.click("[data-edit]")
    sheet = page.locator("[data-edit-sheet=reply]")
    assert sheet.locator("textarea").input_value() == "It ships tomorrow"
    sheet.locator("textarea").fill("x" * 1200)
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-edit-error]:not(:empty)")
    sheet.locator("textarea").fill("It ships on Friday")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-edit-sheet=reply]", state="hidden")
    page.wait_for_selector("text=It ships on Friday")
    page.click(f'[data-message="{message}"] button:has-text("Cancel")')
    page.wait_for_selector(f'[data-message="{message}"][data-state="cancelled"]')
    assert page.locator(f'[data-message="{message}"] [data-edit]').count() == 0


def test_a_location_and_a_contact_card_are_sent(scene: scenes.Scene, page: Any) -> None:
    page.click("[popovertarget=composer-more]")
    add(page, "location", "over there")
    assert "Paste coordinates" in page.locator("[data-strip=location] [data-strip-error]").inner_text()
    strip = page.locator("[data-strip=location]")
    strip.locator("input").first.fill("https://www.google.com/maps/@52.5163,13.3777,17z")
    strip.locator("[data-strip-second]").fill("Our workshop")
    page.keyboard.press("Enter")
    assert strip.locator("[data-chip-text]").all_inner_texts() == ["Our workshop"]
    assert strip.locator("[data-strip-form]").is_hidden(), "one is all it takes"
    page.click("[popovertarget=composer-more]")
    add(page, "contacts", "Zoe Sample")
    cards = page.locator("[data-strip=contacts]")
    assert "phone number" in cards.locator("[data-strip-error]").inner_text()
    cards.locator("[data-strip-second]").fill("+49 30 1234")
    page.click(SEND)
    page.wait_for_selector(".product >> text=Our workshop")
    page.wait_for_selector(".product >> text=Zoe Sample")
    assert strip.is_hidden()
    place, card = toys.thread()[-2:]
    assert (place.text, card.text) == ("Our workshop", "Zoe Sample, +49 30 1234")
    assert place.content["location"]["latitude"] == 52.5163


def test_buttons_and_what_is_asked_for_go_with_the_text_but_not_together(
    scene: scenes.Scene, page: Any
) -> None:
    add(page, "buttons", "Yes")
    page.keyboard.type("Look")
    page.fill("[data-strip-second]", "shop.example")
    page.keyboard.press("Enter")
    assert "https://" in page.locator("[data-strip=buttons] [data-strip-error]").inner_text()
    page.fill("[data-strip-second]", "https://shop.example/mug")
    page.keyboard.press("Enter")
    chips = page.locator("[data-strip=buttons] [data-chip-text]").all_inner_texts()
    assert chips == ["Yes", "Look → shop.example"]
    assert page.locator("[data-strip=buttons] [data-strip-form]").is_hidden(), "two are all it takes"
    page.click("[data-tool=quick]")
    page.click("[data-strip-ask=phone]")
    assert page.locator("[data-strip-ask=phone]").is_hidden()
    page.fill(TEXT, "Set it aside?")
    page.click(SEND)
    page.wait_for_selector("[data-problem]:not([hidden])")
    page.click("[data-strip=quick] [data-strip-close]")
    redrawn(scene, page)
    fields = posted(page)
    assert [json.loads(one) for one in fields["button"]] == [
        {"title": "Yes"},
        {"title": "Look", "url": "https://shop.example/mug"},
    ]
    assert "quick_reply_ask" not in fields
    page.wait_for_selector(".slide-btn:has-text('Look')")
    page.click("[data-tool=quick]")
    page.click("[data-strip-ask=phone]")
    page.fill(TEXT, "Call you?")
    assert posted(page)["quick_reply_ask"] == ["phone"]
    page.wait_for_selector("text=Their phone number")


def test_an_upload_under_way_arrives_in_the_new_drawing(scene: scenes.Scene, page: Any) -> None:
    held: list[Any] = []
    page.unroute("**/uploads")
    page.route("**/uploads", lambda route: held.append(route))  # noqa: PLW0108 - it wants a function
    page.set_input_files("[data-file-input]", [FILE])
    until(lambda: page.evaluate("1") and held)
    redrawn(scene, page)
    held[0].fulfill(
        status=201, content_type="application/json", body='{"id": "b", "kind": "image", "size": 9}'
    )
    page.wait_for_selector("[data-tray] [data-state=ready]")
    assert posted(page)["upload"] == ["b"]


def test_what_was_said_of_a_file_goes_with_it(scene: scenes.Scene, page: Any) -> None:
    page.set_input_files("[data-file-input]", [{**FILE, "buffer": b""}])
    page.wait_for_selector("[data-tray] [data-state=failed]")
    page.fill(TEXT, "Look")
    page.click(SEND)
    page.wait_for_selector("[data-problem]:not([hidden])")
    assert page.locator(TEXT).input_value() == "Look"
    page.click("[data-tray] [data-remove]")
    page.wait_for_selector("[data-problem]", state="hidden")


@pytest.mark.parametrize("mends", ["taken away", "written"])
def test_what_quick_replies_lacked_is_said_no_longer_than_they_lack_it(page: Any, mends: str) -> None:
    add(page, "quick", "Yes")
    page.click(SEND)
    page.wait_for_selector("[data-problem]:not([hidden]) >> text=need a text")
    if mends == "written":
        page.fill(TEXT, "Set it aside?")
    else:
        page.click("[data-strip=quick] [data-strip-close]")
    page.wait_for_selector("[data-problem]", state="hidden")


def test_what_buttons_lack_is_said_anew_when_it_is_something_else(page: Any) -> None:
    add(page, "buttons", "Yes")
    page.click("[data-tool=quick]")
    page.click("[data-strip-ask=phone]")
    page.click(SEND)
    said = page.locator("[data-problem]:not([hidden]) b")
    said.wait_for()
    first = said.inner_text()
    page.click("[data-strip=quick] [data-strip-close]")
    until(lambda: said.inner_text() != first)
    page.fill(TEXT, "Set it aside?")
    page.wait_for_selector("[data-problem]", state="hidden")


def test_what_was_being_recorded_is_kept(scene: scenes.Scene, page: Any) -> None:
    page.click("[data-tool=voice]")
    wait(page, "document.querySelector('[data-recorder] [data-time]').textContent === '0:01'")
    redrawn(scene, page)
    page.wait_for_selector("[data-tray] .voice")
    assert page.locator("[data-recorder]").is_hidden()
    # Nor does it go on behind a note.
    page.click("[data-tool=voice]")
    wait(page, "document.querySelector('[data-recorder] [data-time]').textContent === '0:01'")
    page.click("[data-tab=note]")
    wait(page, "document.querySelectorAll('[data-tray] .voice').length === 2")


def test_cards_being_written_are_still_open(scene: scenes.Scene, page: Any) -> None:
    page.click("[data-tool=cards]")
    page.keyboard.type("The blue mug")
    redrawn(scene, page)
    page.wait_for_selector("dialog[open]")
    assert page.locator('[data-card-field="title"]').input_value() == "The blue mug"
    page.keyboard.press("Escape")
    page.wait_for_selector("[data-cards-strip]:not([hidden])")


def test_what_a_channel_no_longer_takes_is_not_sent_unseen(
    desk: Desk,
    scene: scenes.Scene,
    page: Any,
) -> None:
    page.set_input_files("[data-file-input]", [FILE])
    page.wait_for_selector("[data-tray] [data-state=ready]")
    add(page, "quick", "Yes")
    page.fill(TEXT, "Only words")
    desk.generation.directory = type(desk.generation.directory)((toys.WINDOWED,))
    page.reload()
    tools = page.locator("[data-tool]").evaluate_all("them => them.map(one => one.dataset.tool)")
    assert tools == ["emoji", "canned"], "words are all it takes"
    fields = posted(page)
    assert fields["text"] == ["Only words"]
    assert not {"upload", "quick_reply"} & set(fields)


def test_only_a_person_may_answer_so_nothing_goes_that_has_no_tag(
    desk: Desk,
    scene: scenes.Scene,
    open_page: Open,
) -> None:
    scene.said("old", "Old O.", "Two days ago", scene.ago(days=2))
    page = open_page(f"/{scene.conversation('old')}")
    assert page.locator("[data-react]").count() == 0
    assert page.locator("[data-typing-url]").count() == 0
    assert page.locator("[data-quote]").count() == 1
    assert page.locator("[data-tool=file]").is_visible()


@pytest.mark.parametrize("locale", ["en-GB", "de-DE"])
def test_a_phone_tells_how_long_is_left_in_full(scene: scenes.Scene, open_page: Open, locale: str) -> None:
    page = open_page(f"/{scene.conversation('ana')}", viewport={"width": 360, "height": 800}, locale=locale)
    page.locator(".clocks-text b").wait_for()
    ends = page.wait_for_function(  # in one look: the line is drawn anew once it is known how long is left
        """() => {
            const parts = [".clocks-text b", ".clocks-text"].map((one) => document.querySelector(one));
            const ends = parts.map((one) => one?.getBoundingClientRect());
            return ends.every((one) => one?.width) && ends.map((one) => one.right);
        }"""
    ).json_value()
    assert ends[0] <= ends[1]


def test_a_draft_that_makes_no_sense_is_left_out(page: Any) -> None:
    conversation = page.locator("[data-form=reply]").get_attribute("data-conversation")
    no_drafts = {"lobby-who", "lobby-tab", f"lobby-kept-mark-{conversation}"}
    assert set(page.evaluate("Object.keys(sessionStorage)")) <= no_drafts
    for odd in ("{", "null", "[]", '{"files": 7}', '{"files": [null]}'):
        page.evaluate(
            "([key, value]) => sessionStorage.setItem(key, value)", [f"lobby-reply-{conversation}", odd]
        )
        page.reload()
        assert page.locator("[data-tool=file]").is_visible()
        assert page.locator("[data-tray]").is_hidden()


def test_a_person_takes_over_from_automation(scene: scenes.Scene, open_page: Open) -> None:
    ana = scene.conversation("ana")
    toys.change_row(Conversation, ana, handled_by=Handler.AUTOMATION)
    page = open_page(f"/{ana}")
    page.get_by_role("button", name="Take over", exact=True).click()
    page.wait_for_selector("text=paused automation")
    assert page.locator("text=Automation is replying here.").count() == 0
    page.click("[aria-label='More for this conversation']")
    page.click("text=Resume automation")
    page.wait_for_selector("text=resumed automation")


def test_a_request_that_stands_alone_leaves_no_room_for_answers(
    scene: scenes.Scene, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = toys.Rich.capabilities.quick_replies
    assert quick is not None
    alone = replace(toys.Rich.capabilities, quick_replies=replace(quick, ask_alone=True))
    monkeypatch.setattr(toys.Rich, "capabilities", alone)
    page = open_page(f"/{scene.conversation('ana')}")
    add(page, "quick", "No")
    assert page.locator("[data-strip-ask=phone]").is_hidden(), "it has no answers beside it"
    page.click("[data-strip=quick] [data-strip-close]")
    page.click("[data-tool=quick]")
    page.set_viewport_size({"width": 360, "height": 720})
    page.screenshot(path="/tmp/ask360.png")
    page.click("[data-strip-ask=phone]")
    assert page.locator("[data-strip=quick] [data-strip-form]").is_hidden(), "it is all there can be"
    page.fill(TEXT, "Call you?")
    assert posted(page)["quick_reply_ask"] == ["phone"]
