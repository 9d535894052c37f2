"""Everything a reply can have beside its text, by hand in a browser, and what of it reaches the customer."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PHONE, WIDE, Desk, look
from tests.browser.pottery import Pottery, agent_signs_in, pdf, png, wait

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Arrive = Callable[..., Page]
MUG = {"name": "mug.png", "mimeType": "image/png", "buffer": png()}
BOWL = {"name": "bowl.png", "mimeType": "image/png", "buffer": png(48, 32)}
PRICES = {"name": "prices.pdf", "mimeType": "application/pdf", "buffer": pdf()}

GIVE = """([type, files, target]) => {
  const data = new DataTransfer();
  for (const [name, mime, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, { type: mime }));
  }
  const element = document.querySelector(target);
  if (type === "paste") {
    const paste = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    element.dispatchEvent(paste);
    return;
  }
  for (const name of type.split(" ")) {
    element.dispatchEvent(new DragEvent(name, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""


def give(page: Page, how: str, target: str, *files: dict[str, Any]) -> None:
    """Paste or drop files as a browser would."""
    given = [[one["name"], one["mimeType"], base64.b64encode(one["buffer"]).decode()] for one in files]
    page.evaluate(GIVE, [how, given, target])


@pytest.fixture(scope="module")
def pottery(desk: Desk) -> Pottery:
    made = Pottery(desk)
    made.dm("Hi, is the blue mug still in stock?")
    owner = made.journey.admin
    owner.open(f"/w/{made.journey.workspace}/settings/general")
    owner.press("Save", {"undo": "0"})  # what is sent goes out at once
    return made


@pytest.fixture(scope="module")
def page(pottery: Pottery, person: Arrive) -> Page:
    arrived = person(permissions=["microphone", "clipboard-read", "clipboard-write"])
    agent_signs_in(arrived)
    arrived.goto(pottery.inbox)
    arrived.get_by_role("link", name=re.compile("Ana")).first.click()
    expect(arrived.get_by_role("textbox", name=re.compile("^Reply to"))).to_be_visible()
    return arrived


@pytest.fixture(autouse=True)
def fresh(page: Page) -> None:
    """Begin each test with an empty composer."""
    page.unroute_all()
    page.set_viewport_size(WIDE)
    page.evaluate("sessionStorage.clear()")
    page.reload()
    page.wait_for_load_state()


def text(page: Page) -> Locator:
    return page.get_by_role("textbox", name=re.compile("^Reply to"))


def composer(page: Page) -> Locator:
    return page.get_by_role("region", name="Write")


def send(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Send( |$)|^Send$")).last.click()


def tool(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def tray(page: Page) -> Locator:
    return page.get_by_role("list", name="Files to send").get_by_role("listitem")


def ready(page: Page, count: int) -> None:
    expect(page.locator("[data-tray] [data-state=ready]")).to_have_count(count)


def choose(page: Page, *files: dict[str, Any]) -> None:
    with page.expect_file_chooser() as chooser:
        tool(page, "Attach files")
    chooser.value.set_files(list(files))


def attachments(entry: dict[str, Any]) -> list[dict[str, Any]]:
    message = entry["request"]["message"]
    return message.get("attachments") or [message["attachment"]]


def test_files_by_picker_go_out_with_the_text(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    choose(page, MUG, BOWL, PRICES)
    ready(page, 3)
    text(page).fill("Here they are, with the prices.")
    expect(tray(page).first.locator("canvas")).to_be_visible()
    look(page, "composer-files")
    send(page)
    expect(text(page)).to_have_value("")
    expect(tray(page)).to_have_count(0)
    (pictures,) = pottery.wait_sent(page, since, "image")
    assert len(attachments(pictures)) == 2
    pottery.wait_sent(page, since, "file")
    (words,) = pottery.wait_sent(page, since, "text")
    assert words["text"] == "Here they are, with the prices."
    expect(page.locator(".log .gallery-picture").first).to_be_visible()


def test_a_pasted_picture_is_a_file_and_pasted_words_stay_words(pottery: Pottery, page: Page) -> None:
    text(page).focus()
    give(page, "paste", "[data-form=reply] textarea", MUG)
    ready(page, 1)
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/plain", "cells");
          data.items.add(new File(["x"], "cells.png", { type: "image/png" }));
          document.querySelector("[data-form=reply] textarea").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    expect(tray(page)).to_have_count(1)
    page.get_by_role("button", name="Remove mug.png").click()
    expect(tray(page)).to_have_count(0)
    expect(text(page)).to_be_focused()


def test_files_are_dropped_anywhere_on_the_thread(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    give(page, "dragenter dragover", ".thread-scroll", MUG)
    expect(page.get_by_text("Drop files here to attach them")).to_be_visible()
    give(page, "drop", ".thread-scroll", MUG)
    expect(page.get_by_text("Drop files here to attach them")).to_be_hidden()
    ready(page, 1)
    send(page)
    pottery.wait_sent(page, since, "image")
    # Dropped beside the thread it is not taken, and the browser does not leave the page for it.
    give(page, "dragenter drop", ".pane-list", MUG)
    expect(tray(page)).to_have_count(0)
    expect(text(page)).to_be_visible()


def test_what_cannot_be_sent_is_said_beside_the_file_and_nothing_leaves(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    choose(
        page,
        {"name": "photo.webp", "mimeType": "image/webp", "buffer": b"RIFF----WEBP"},
        {"name": "large.jpg", "mimeType": "image/jpeg", "buffer": b"\xff\xd8" + bytes(8 * 1024 * 1024)},
        {"name": "song.mp3", "mimeType": "audio/mpeg", "buffer": b"ID3"},
        {"name": "setup.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ"},
        {"name": "nothing.png", "mimeType": "image/png", "buffer": b""},
        # The browser has no objection; the desk looks into it.
        {"name": "pretends.png", "mimeType": "image/png", "buffer": b"MZ this is no picture"},
        MUG,
    )
    ready(page, 1)
    item = lambda name: tray(page).filter(has_text=name)  # noqa: E731
    expect(item("photo.webp")).to_contain_text("Images on this channel must be GIF, JPEG or PNG.")
    expect(item("large.jpg")).to_contain_text("It is 8.1 MB; images on this channel can be up to 8 MB.")
    expect(item("song.mp3")).to_contain_text("AAC, M4A")
    expect(item("setup.exe")).to_contain_text("Documents on this channel must be PDF.")
    expect(item("nothing.png")).to_contain_text("The file is empty.")
    expect(item("pretends.png").locator("[data-file-error]")).not_to_be_empty()
    look(page, "composer-files-refused")
    text(page).fill("All of them")
    send(page)
    expect(page.get_by_text("A file cannot be sent, so nothing was sent.")).to_be_visible()
    assert pottery.messages(since) == []
    expect(text(page)).to_have_value("All of them")
    for name in ("photo.webp", "large.jpg", "song.mp3", "setup.exe", "nothing.png", "pretends.png"):
        page.get_by_role("button", name=f"Remove {name}").click()
    send(page)
    pottery.wait_sent(page, since, "image")


def test_a_lost_upload_is_tried_again(pottery: Pottery, page: Page) -> None:
    page.route("**/uploads", lambda route: route.abort())
    choose(page, MUG)
    expect(tray(page)).to_contain_text("The upload failed.")
    page.unroute("**/uploads")
    page.get_by_role("button", name="Try again").click()
    ready(page, 1)
    page.get_by_role("button", name="Remove mug.png").click()


def test_a_send_waits_for_its_files(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    held: list[Any] = []
    page.route("**/uploads", lambda route: held.append(route))  # noqa: PLW0108 - it wants a function
    choose(page, MUG)
    text(page).fill("With a picture")
    send(page)
    wait(page, lambda: held, "the upload")
    expect(text(page)).to_have_value("")
    assert pottery.messages(since) == []
    held[0].continue_()
    pottery.wait_sent(page, since, "image")
    pottery.wait_sent(page, since, "text")
    expect(text(page)).to_have_value("")
    page.unroute("**/uploads")


def test_everything_survives_a_failed_send_a_reload_and_another_conversation(
    pottery: Pottery, page: Page
) -> None:
    pottery.dm("Do you ship to Norway?", customer="kit.makes.sample")
    choose(page, MUG)
    ready(page, 1)
    tool(page, "Add quick replies")
    page.get_by_label("Answer the customer can tap").fill("Yes")
    page.keyboard.press("Enter")
    text(page).fill("Is this the one?")
    away = re.compile(r"/(reply|live|live/poll)(\?|$)")  # what answers again says that all is well
    page.route(away, lambda route: route.abort())
    send(page)
    expect(page.locator("[data-problem]")).to_contain_text("your text is still here")
    page.unroute(away)
    page.reload()
    page.get_by_role("link", name=re.compile("Kit")).first.click()
    page.wait_for_load_state()
    expect(page.locator(".thread-head")).to_contain_text("Kit")
    expect(text(page)).to_have_value("")
    expect(tray(page)).to_have_count(0)
    page.get_by_role("link", name=re.compile("Ana")).first.click()
    page.wait_for_load_state()
    expect(text(page)).to_have_value("Is this the one?")
    expect(tray(page)).to_have_count(1)
    expect(tray(page).first.locator("img")).to_be_visible()
    since = pottery.last()
    send(page)
    pottery.wait_sent(page, since, "image")
    (asked,) = pottery.wait_sent(page, since, "text")
    assert [one["title"] for one in asked["request"]["message"]["quick_replies"]] == ["Yes"]


def test_a_heart_is_sent_by_itself(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    text(page).fill("half a thought")
    tool(page, "Send a heart")
    (heart,) = pottery.wait_sent(page, since, "like_heart")
    assert heart["request"]["message"] == {"attachment": {"type": "like_heart"}}
    expect(text(page)).to_have_value("half a thought")


def test_quick_replies_are_offered_with_the_text(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    text(page).fill("")  # a draft of the test before may have been kept
    tool(page, "Add quick replies")
    field = page.get_by_label("Answer the customer can tap")
    expect(field).to_be_focused()
    expect(composer(page).get_by_role("group", name="Quick replies")).to_contain_text(
        "Shown only in the mobile app"
    )
    for title in ("The blue one", "The white one 🤍"):
        field.fill(title)
        page.keyboard.press("Enter")
    field.fill("x" * 21)
    page.keyboard.press("Enter")
    expect(page.get_by_text("It has 21 characters; an answer can have 20.")).to_be_visible()
    field.fill("The blue one")
    page.keyboard.press("Enter")
    expect(page.get_by_text("This answer already exists.")).to_be_visible()
    field.fill("Neither|nor")
    look(page, "composer-quick-replies")
    send(page)  # what stands in the field is meant to go along
    expect(page.get_by_text("Quick replies need a text above them.")).to_be_visible()
    text(page).fill("Which one would you like?")
    send(page)
    (asked,) = pottery.wait_sent(page, since, "text")
    offered = asked["request"]["message"]["quick_replies"]
    assert [one["title"] for one in offered] == ["The blue one", "The white one 🤍", "Neither|nor"]
    expect(composer(page).get_by_role("group", name="Quick replies")).to_be_hidden()


def test_no_more_answers_than_there_may_be(page: Page) -> None:
    tool(page, "Add quick replies")
    field = page.get_by_label("Answer the customer can tap")
    for number in range(13):
        field.fill(f"Answer {number}")
        page.keyboard.press("Enter")
    expect(page.get_by_text("13 of 13")).to_be_visible()
    expect(field).to_be_hidden()
    page.get_by_role("button", name="Remove Answer 3").click()
    expect(field).to_be_visible()
    page.get_by_role("button", name="Remove: Quick replies").click()
    expect(composer(page).get_by_role("group", name="Quick replies")).to_be_hidden()
    expect(text(page)).to_be_focused()


def test_a_carousel_with_pictures_and_buttons(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    tool(page, "Carousel")
    dialog = page.get_by_role("dialog", name="Carousel")
    expect(dialog).to_contain_text("Shown only in the mobile app")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_contain_text("A card needs a title.")
    dialog.get_by_label("Title", exact=True).fill("The blue mug")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_contain_text("Besides its title, a card needs")
    dialog.get_by_label("Subtitle").fill("0.3 l, 28 euros")
    with page.expect_file_chooser() as chooser:
        dialog.get_by_role("button", name="Upload an image").click()
    chooser.value.set_files([MUG])
    expect(dialog.get_by_text("mug.png")).to_be_visible()
    dialog.get_by_role("button", name="Add a button").click()
    dialog.get_by_label("Label of the button").fill("Buy it")
    dialog.get_by_label("Page URL").fill("pottery.example")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_contain_text("An address starts with https://.")
    dialog.get_by_label("Page URL").fill("https://pottery.example/blue")
    dialog.get_by_role("button", name="Add a card").click()
    second = dialog.get_by_role("group", name=re.compile("Card 2"))
    second.get_by_label("Title", exact=True).fill("The white mug")
    second.get_by_role("button", name="Add a button").click()
    second.get_by_label("Label of the button").fill("Put one aside")
    second.get_by_label("What the button does").select_option("payload")
    look(page, "composer-carousel")
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_be_hidden()
    strip = composer(page).get_by_role("group", name="Carousel")
    expect(strip).to_contain_text("2 cards")
    page.reload()
    expect(strip).to_contain_text("2 cards")
    page.get_by_role("button", name="Edit the carousel").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    send(page)
    (cards,) = pottery.wait_sent(page, since, "generic template")
    elements = cards["request"]["message"]["attachment"]["payload"]["elements"]
    assert [one["title"] for one in elements] == ["The blue mug", "The white mug"]
    assert elements[0]["image_url"].startswith("http")
    assert elements[0]["buttons"][0]["url"] == "https://pottery.example/blue"
    assert elements[1]["buttons"][0]["payload"] == "Put one aside"
    expect(strip).to_be_hidden()


def test_products_and_an_own_post(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    tool(page, "More")
    tool(page, "Products")
    page.get_by_label("Product IDs").fill("no id!")
    page.keyboard.press("Enter")
    expect(page.get_by_text("is not a product ID.")).to_be_visible()
    page.get_by_label("Product IDs").fill("4000000000000001, 4000000000000002")
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 10")).to_be_visible()
    tool(page, "More")
    tool(page, "One of your posts")
    page.get_by_label("ID or link of the post").fill("our best")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter the post’s ID")).to_be_visible()
    page.get_by_label("ID or link of the post").fill("17900000000000001")
    look(page, "composer-more")
    send(page)
    (products,) = pottery.wait_sent(page, since, "product template")
    payload = products["request"]["message"]["attachment"]["payload"]
    assert payload["template_type"] == "product"
    assert [one["id"] for one in payload["elements"]] == ["4000000000000001", "4000000000000002"]
    (post,) = pottery.wait_sent(page, since, "MEDIA_SHARE")
    assert post["request"]["message"]["attachment"]["payload"] == {"id": "17900000000000001"}


def test_a_reply_quotes_the_message_it_answers(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    pottery.dm("Could you wrap the second one?")
    message = page.locator(".log .msg").filter(has_text="Could you wrap the second one?").last
    expect(message).to_be_visible()
    message.hover()
    message.get_by_role("link", name="Reply to this message").click()
    strip = page.locator("[data-quoted]")
    expect(strip).to_contain_text("Could you wrap the second one?")
    expect(text(page)).to_be_focused()
    look(page, "composer-quote")
    page.keyboard.press("Escape")
    expect(strip).to_be_hidden()
    message.get_by_role("link", name="Reply to this message").focus()
    page.keyboard.press("Enter")
    expect(strip).to_be_visible()
    text(page).fill("Of course, both.")
    send(page)
    (answer,) = pottery.wait_sent(page, since, "text")
    assert answer["request"]["reply_to"]["mid"]
    expect(strip).to_be_hidden()


def test_quoting_works_by_address_too(pottery: Pottery, page: Page) -> None:
    message = page.locator(".log .msg[data-inbound]").last
    link = message.get_by_role("link", name="Reply to this message").get_attribute("href")
    assert link is not None
    page.goto(link)
    expect(page.locator("[data-quoted]")).to_be_visible()
    assert "quote=" not in page.url  # a reload later on quotes nothing
    page.get_by_role("link", name="Remove quote").click()
    expect(page.locator("[data-quoted]")).to_be_hidden()


def test_a_reaction_is_put_on_a_message_and_taken_away(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    pottery.dm("You are the best pottery in town!")
    message = page.locator(".log .msg").filter(has_text="You are the best pottery in town!").last
    expect(message).to_be_visible()
    button = message.get_by_role("button", name="React")
    button.focus()
    page.keyboard.press("Enter")
    picker = page.get_by_role("group", name="React with")
    heart = picker.get_by_role("button", name="❤️")
    expect(heart).to_be_focused()
    look(page, "composer-reactions")
    page.keyboard.press("Escape")
    expect(picker).to_be_hidden()
    expect(button).to_be_focused()
    second = page.context.new_page()
    second.goto(page.url)
    button.click()
    heart.click()
    (reacted,) = pottery.wait_sent(page, since, "react")
    assert reacted["request"]["payload"]["reaction"] == "love"
    expect(message.locator(".reaction")).to_be_visible()
    expect(button).to_be_focused()
    expect(second.locator(".log .reaction")).to_be_visible()
    second.close()
    button.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    heart.click()
    pottery.wait_sent(page, since, "unreact")
    expect(message.locator(".reaction")).to_have_count(0)


def test_the_customer_is_shown_that_somebody_writes(pottery: Pottery, page: Page) -> None:
    since = pottery.last()
    text(page).focus()
    page.keyboard.type("Let me look")
    pottery.wait_sent(page, since, "typing_on")
    page.keyboard.type(" into it")
    page.get_by_role("heading", name="Ana Q.").first.click()
    pottery.wait_sent(page, since, "typing_off")
    told = [one["what"] for one in pottery.sent(since)]
    assert told == ["typing_on", "typing_off"]  # not once for each letter
    page.get_by_role("link", name="Private note").click()
    page.get_by_role("textbox", name="Private note").fill("For the team only")
    page.wait_for_timeout(500)
    assert [one["what"] for one in pottery.sent(since)] == told
    page.get_by_role("textbox", name="Private note").fill("")


class TestVoice:
    """The microphone of the tests beeps once a second."""

    def test_a_voice_note_is_recorded_listened_to_and_sent(self, pottery: Pottery, page: Page) -> None:
        since = pottery.last()
        tool(page, "Record a voice note")
        strip = composer(page).get_by_role("group", name="Voice note")
        expect(strip.get_by_role("timer")).to_have_text("0:02")
        expect(page.get_by_role("button", name="Stop recording")).to_be_focused()
        look(page, "composer-recording")
        page.get_by_role("button", name="Stop recording").click()
        expect(strip).to_be_hidden()
        ready(page, 1)
        listen = page.get_by_role("button", name="Play recording")
        listen.click()
        expect(listen).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".voice .wave .on").first).to_be_attached()
        listen.click()
        expect(listen).to_have_attribute("aria-pressed", "false")
        look(page, "composer-voice")
        send(page)
        pottery.wait_sent(page, since, "audio")
        player = page.locator(".log audio").last
        expect(player).to_be_attached()
        file = page.request.get(str(player.get_attribute("src"))).body()
        assert file[:4] == b"RIFF"
        assert file[8:16] == b"WAVEfmt "
        channels, rate = int.from_bytes(file[22:24], "little"), int.from_bytes(file[24:28], "little")
        bits, size = int.from_bytes(file[34:36], "little"), int.from_bytes(file[40:44], "little")
        assert (channels, bits) == (1, 16)
        assert size == len(file) - 44
        assert 1.5 < size / 2 / rate < 30
        assert any(file[44:])  # it is not silence

    def test_a_recording_can_be_thrown_away(self, pottery: Pottery, page: Page) -> None:
        tool(page, "Record a voice note")
        page.get_by_role("button", name="Cancel").click()
        expect(composer(page).get_by_role("group", name="Voice note")).to_be_hidden()
        tool(page, "Record a voice note")
        expect(page.get_by_role("button", name="Stop recording")).to_be_focused()
        page.keyboard.press("Escape")
        expect(composer(page).get_by_role("group", name="Voice note")).to_be_hidden()
        expect(tray(page)).to_have_count(0)

    @pytest.mark.parametrize(
        ("error", "sentence"),
        [
            ("NotAllowedError", "The browser blocks the microphone on this page."),
            ("NotFoundError", "No microphone was found."),
            ("NotReadableError", "The microphone could not be used."),
        ],
    )
    def test_without_a_microphone_it_says_why(self, page: Page, error: str, sentence: str) -> None:
        page.evaluate(
            """name => {
              navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("", name));
            }""",
            error,
        )
        tool(page, "Record a voice note")
        expect(page.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
        expect(composer(page).get_by_role("group", name="Voice note")).to_be_hidden()


def test_on_a_phone_the_tools_are_one_menu(pottery: Pottery, page: Page) -> None:
    page.set_viewport_size(PHONE)
    expect(page.get_by_role("button", name="Attach files")).to_be_hidden()
    more = page.get_by_role("button", name="Add to the reply")
    more.click()
    expect(more).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#composer-tools button:focus")).to_be_visible()
    for name in ("Record a voice note", "Send a heart", "Add quick replies", "Carousel", "Products"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    look(page, "composer-menu-open", wide=False)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Attach files")).to_be_hidden()
    expect(more).to_be_focused()
    more.click()
    tool(page, "Add quick replies")
    expect(page.get_by_role("button", name="Attach files")).to_be_hidden()
    expect(page.get_by_label("Answer the customer can tap")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_every_tool_is_reached_by_keyboard(page: Page) -> None:
    text(page).focus()
    names = []
    for _step in range(11):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
    assert names == [
        "Emoji",
        "Canned replies",
        "Attach files",
        "Record a voice note",
        "Send a heart",
        "Add quick replies",
        "Add buttons",
        "Carousel",
        "More",
        "Send",
        names[-1],
    ]


def test_files_and_reactions_need_no_scripts(pottery: Pottery, page: Page, chromium: Any) -> None:
    since = pottery.last()
    context = chromium.new_context(
        base_url=pottery.desk.host.url,
        java_script_enabled=False,
        storage_state=page.context.storage_state(),
        viewport=WIDE,
    )
    try:
        plain = context.new_page()
        plain.goto(page.url)
        expect(plain.locator("[data-tool=voice]")).to_be_hidden()
        plain.get_by_label("Attach files").set_input_files([MUG])
        text(plain).fill("Without scripts")
        plain.get_by_role("button", name="Send", exact=True).click()
        expect(plain.get_by_text("Without scripts").last).to_be_visible()
        pottery.wait_sent(page, since, "image")
        pottery.wait_sent(page, since, "text")
        plain.get_by_role("link", name="React", exact=True).last.click()
        form = plain.get_by_role("form", name="React with")
        form.get_by_role("button", name="❤️").click()
        pottery.wait_sent(page, since, "react")
        expect(plain.locator(".log .reaction")).to_be_visible()
    finally:
        context.close()
