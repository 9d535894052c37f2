"""Canned replies, macros and emoji in the real browser, wide and on a phone."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from host.automation.actions import AssignMe, Close, SendReply, SnoozeUntil
from host.core import db, storage
from host.inbox.canned import macros, replies
from host.inbox.canned.models import CannedReply
from host.inbox.canned.replies import ANY, CannedReplyInput, Viewer
from host.media import uploads
from host.models.inbox import Conversation, Message
from tests.helpers import do
from tests.inbox import toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.live.served import until
from tests.media import samples

TEXT = (
    'Hello {{contact.first_name || "there"}}, parcel {{ask: number}} left, due {{ask: day}}. {{agent.name}}'
)


@pytest.fixture
def desk(database: db.Database, data: Path, tmp_path: Path) -> Desk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    return open_desk(data, toys.RICH)


@pytest.fixture
def kept(desk: Desk) -> Viewer:
    who = Viewer(desk.mia.id, keeps=True)
    whose = {"workspace_id": desk.workspace, "user_id": desk.mia.id}
    file = uploads.keep_upload(io.BytesIO(samples.PDF), "map.pdf", **whose)
    for wanted in (
        CannedReplyInput(
            "parcel-sent", "Parcel is on its way", {ANY: TEXT, "de": "Hallo {{contact.first_name}}"}
        ),
        CannedReplyInput("parcel-abroad", "Shipping abroad", {ANY: "x" * 1214}, own=True),
        CannedReplyInput("pickup", "Pickup times and map", {ANY: "From 9 to 5."}, uploads=(file.id,)),
    ):
        do(replies.create, desk.workspace, wanted, who)
    return who


def said(page: Any) -> list[str]:
    return [one.text for one in toys.everything(Message) if one.author_id is not None and one.text]


def test_a_slash_offers_fills_and_holds_back_what_is_open(
    desk: Desk, scene: Scene, kept: Viewer, open_page: Open
) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    text = page.locator("[data-form=reply] textarea")
    text.fill("and ")
    text.press_sequentially("/par")
    page.wait_for_selector(".canned")
    assert page.locator(".canned code").all_inner_texts() == ["/parcel-sent", "/parcel-abroad"]
    assert "too long by 214" in page.locator(".canned").nth(1).inner_text()
    assert page.locator(".canned-view .var").all_inner_texts() == ["Ana", "number", "day", "Mia R."]
    page.click(".lang [data-language=de]")
    assert page.locator(".canned-view .canned-text").inner_text() == "Hallo Ana"
    page.click(".lang [data-language=default]")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    filled = "and Hello Ana, parcel {{ask: number}} left, due {{ask: day}}. Mia R."
    assert text.input_value() == filled
    assert "Fill in “number” before you send, and 1 more" in page.locator("[data-unfilled]").inner_text()
    send = page.locator("[data-form=reply] [data-send]")
    assert send.is_disabled()
    assert page.locator(".send-more").is_disabled(), "nor later, nor with closing"
    for keys in ("Control+Enter", "Control+Shift+Enter"):
        page.keyboard.press(keys)
        assert text.input_value() == filled
    page.keyboard.type("10482")
    page.keyboard.press("Tab")
    assert "Fill in “day” before you send" in page.locator("[data-unfilled]").inner_text()
    page.keyboard.type("Sunday")
    assert send.is_enabled()
    assert page.locator(".send-more").is_enabled()
    page.keyboard.press("Control+Enter")
    sent = "and Hello Ana, parcel 10482 left, due Sunday. Mia R."
    until(lambda: said(page)[-1:] == [sent])  # the field is empty before the answer comes
    assert {one.shortcut: one.uses for one in toys.everything(CannedReply)}["parcel-sent"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1440])
def test_files_go_along_escape_leaves_and_ctrl_enter_sends(
    desk: Desk, scene: Scene, kept: Viewer, open_page: Open, width: int
) -> None:
    page = open_page(f"/{scene.conversation('ana')}", viewport={"width": width, "height": 740})
    if width == 360:
        page.click("[data-form=reply] .tools-plus")
    page.click("[data-tool=canned]")
    page.wait_for_selector(".canned")
    box = page.locator("[data-canned]").bounding_box()
    assert box is not None
    assert box["x"] >= -1
    assert box["x"] + box["width"] <= width + 1
    page.keyboard.press("Escape")
    text = page.locator("[data-form=reply] textarea")
    assert text.input_value() == "", "the slash of the button goes with it"
    text.press_sequentially("1 /2 of it")
    assert page.locator("[data-canned]").is_hidden()
    text.fill("")
    text.press_sequentially("/pick")
    page.wait_for_selector(".canned >> text=/pickup")
    page.keyboard.press("Control+Enter")
    wait(page, "document.querySelectorAll('[data-tray] li').length === 0")
    page.wait_for_selector(".msg >> text=From 9 to 5.")
    wait(page, "document.querySelector('[data-form=reply] textarea').value === ''")
    until(lambda: [one.kind for one in toys.everything(Message)][-2:] == ["file", "text"])


@pytest.mark.slow
def test_a_macro_runs_from_menu_and_palette_or_says_why_not(
    desk: Desk, scene: Scene, kept: Viewer, open_page: Open
) -> None:
    for name, steps in (("Take and close", (AssignMe(), Close())), ("Stuck", (Close(), SnoozeUntil("week")))):
        do(macros.create, desk.workspace, kept, name=name, steps=steps, shared=True)
    page = open_page(f"/{scene.conversation('ana')}")
    page.keyboard.press("q")
    page.wait_for_selector(".macro-item")
    page.keyboard.type("stu")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Stuck failed at step 2")
    assert toys.everything(Conversation)[0].status == "open"
    page.keyboard.press("Control+k")
    page.keyboard.type("take and")
    page.wait_for_selector("[data-palette] [role=option] >> text=Take and close")
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-part=head] form[data-act=reopen]")
    assert page.locator("[data-problem]").is_hidden()


@pytest.mark.slow
def test_one_press_of_a_macro_sends_once(desk: Desk, scene: Scene, kept: Viewer, open_page: Open) -> None:
    abroad = next(one for one in toys.everything_of(CannedReply) if one.shortcut == "parcel-abroad")
    steps = (SendReply(abroad.id),)
    do(macros.create, desk.workspace, kept, name="Abroad", steps=steps, shared=False)
    page = open_page(f"/{scene.conversation('ana')}")
    found: list[Any] = []
    page.route("**/macros/*", lambda route: found.append(route), times=2)  # noqa: PLW0108 - it wants a function

    def press() -> None:
        page.keyboard.press("q")
        page.wait_for_selector(".macro-item:visible")
        page.keyboard.type("abr")
        page.keyboard.press("Enter")
        wait(page, "!document.querySelector('details[data-macros]').open")

    press()
    until(lambda: page.evaluate("1") and len(found) == 1)
    press()  # impatient
    assert len(found) == 1
    found[0].fetch()
    found[0].abort()  # it arrived, but nobody was told
    page.wait_for_selector("[data-problem]:not([hidden])")
    press()
    until(lambda: page.evaluate("1") and len(found) == 2)
    found[1].continue_()
    page.wait_for_selector(".log >> text=xxxx")
    wait(page, "document.querySelector('[data-problem]').hidden")
    assert "".join(said(page)) == "x" * 1214


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1440])
def test_emoji_are_found_by_name_and_remembered(
    desk: Desk, scene: Scene, open_page: Open, width: int
) -> None:
    page = open_page(f"/{scene.conversation('ana')}", viewport={"width": width, "height": 740})
    text = page.locator("[data-form=reply] textarea")
    text.fill("Happy day!")
    text.evaluate("(element) => element.setSelectionRange(5, 5)")
    if width == 360:
        page.click("[data-form=reply] .tools-plus")
    page.click("[data-form=reply] [popovertarget=emoji-pop]")
    page.wait_for_selector(".emojis button")
    box = page.locator("[data-emoji]").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.keyboard.type("heart")
    wait(page, "document.querySelectorAll('.emojis button')[0].textContent === '❤️'")
    page.locator("[data-emoji] input").fill("birthd cak")
    wait(page, "document.querySelectorAll('.emojis button').length === 1")
    page.keyboard.press("Enter")
    assert text.input_value() == "Happy🎂 day!"
    if width == 360:
        page.click("[data-form=reply] .tools-plus")
    page.click("[data-form=reply] [popovertarget=emoji-pop]")
    wait(page, "document.querySelector('.emojis button')?.innerText === '🎂'")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert text.input_value().startswith("Happy🎂")
    assert len(text.input_value()) > len("Happy🎂 day!")
