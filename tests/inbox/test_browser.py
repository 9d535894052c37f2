"""The inbox in a real browser: two people at once, writing, moving by keyboard, losing the desk."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.core.backports.values import replace
from host.core.cleaning import clean_written
from host.events.models import ActorKind
from host.events.writing import show
from host.inbox import outcome
from host.inbox.contacts import merging
from host.models.inbox import Contact, Conversation
from host.models.queue import OutboxEntry
from host.sdk.channel import ReplyContext, ReplyPhase, ReplyPolicy, ReplyState
from host.sdk.messages import MessageKind
from host.sdk.text import TextUnit, byte_length, length
from host.users import sessions
from host.users.actor import Actor
from tests import helpers
from tests.accessibility import violations
from tests.helpers import do
from tests.inbox import desks, scenes, toys
from tests.inbox.browsing import Open, wait
from tests.inbox.desks import Desk
from tests.live.served import until

pytestmark = pytest.mark.browser

FAMILY = "👨‍👩‍👧‍👦"
TRICKY = [
    "plain",
    "é" * 501,
    "x" * 1001,
    "x" * 990 + FAMILY + "tail",
    FAMILY * 41,
    "Sentence one. " * 72,
    "one\r\ntwo\rthree\n" * 80,
    "  edges \u00a0\ufeff\n",
    "👩🏽‍🚀🇦🇹" * 60,
    "ক্ষ" * 120,
    "e\u0301" * 400,
    "日本語。" * 100,
    "a" + "\u0300" * 700,
]


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def outbox() -> list[str]:
    sent = {entry.message_id for entry in toys.everything(OutboxEntry)}
    return [m.text for m in toys.thread() if m.id in sent]


def names(page: Any) -> list[str]:
    return [str(name) for name in page.locator(".conv-name").all_text_contents()]


def test_a_message_appears_to_everybody_by_itself(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    bo = helpers.make_user(name="Bo T.", workspace=desk.workspace)
    ana = scene.conversation("ana")
    mine = open_page(f"/{ana}")
    theirs = open_page("", browser=helpers.client_for(desk.app, bo))
    assert names(theirs) == ["Jon B.", "Ana Q."]
    until(lambda: toys.everything(Conversation)[0].unread_count == 0)  # Mia looks at it
    scene.said("ana", "Ana Q.", "Could you hold the blue one?", clock.now())
    mine.wait_for_selector("text=Could you hold the blue one? >> nth=0")
    mine.wait_for_selector(".log >> text=Could you hold the blue one?")
    theirs.wait_for_selector(".convs >> text=Could you hold the blue one?")
    assert names(theirs) == ["Ana Q.", "Jon B."]
    # Mia has seen it, Bo has not: each has their own marks, and titles count what is one's own.
    until(lambda: toys.everything(Conversation)[0].unread_count == 0)
    scene.assign("ana", bo.id, desk.mia.id, clock.now())
    wait(theirs, "document.title.startsWith('(1) ')")
    scene.assign("jon", desk.mia.id, bo.id, clock.now())
    wait(mine, "document.title.startsWith('(1) ')")
    # Mia answers; Bo sees it in the list, and later that it arrived.
    mine.fill("[data-form=reply] textarea", "Of course.")
    mine.keyboard.press("Control+Enter")
    theirs.wait_for_selector(".convs >> text=Of course.")
    mine.wait_for_selector(".log [data-state=queued]")
    message = next(m for m in toys.thread(ana) if m.direction == "outbound")
    db.write(outcome.record_sent, message.id, "mid-1")
    mine.wait_for_selector(".log [data-state=sent]")
    scene.seen("ana", "mid-1")
    mine.wait_for_selector(".log >> text=Seen")


def test_what_happens_elsewhere_is_announced(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    scene.said("jon", "Jon B.", "Hello?", clock.now())
    wait(page, "document.querySelector('[data-announce]').textContent.includes('Jon B.')")


def test_a_late_message_takes_its_place(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    scene.said("ana", "Ana Q.", "third", scene.ago(minutes=1))
    page.wait_for_selector(".log >> text=third")
    scene.said("ana", "Ana Q.", "second", scene.ago(minutes=2))
    page.wait_for_selector(".log >> text=second")
    assert page.locator(".log .words").all_inner_texts() == ["Is it in stock?", "second", "third"]
    assert page.locator(".log .day").count() == 1


def test_a_row_that_no_longer_fits_the_filter_leaves_the_list(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    page = open_page("?view=unassigned")
    assert names(page) == ["Jon B.", "Ana Q."]
    scene.assign("jon", desk.mia.id, desk.mia.id, clock.now())
    page.wait_for_selector("text=Jon B.", state="detached")
    scene.assign("ana", desk.mia.id, desk.mia.id, clock.now())
    page.wait_for_selector("text=No conversations match this filter.")
    scene.assign("jon", None, desk.mia.id, clock.now())
    page.wait_for_selector(".convs >> text=Jon B.")


def test_two_clicks_send_once(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    text = "[data-form=reply] textarea"
    for words in ("one", "two"):
        page.fill(text, words)
        page.dblclick("[data-form=reply] button[type=submit]")
        page.wait_for_selector(f".log .words >> text={words}")
        wait(page, f"document.querySelector('{text}').value === ''")
    assert outbox() == ["one", "two"]


def test_a_reply_that_cannot_leave_keeps_its_text(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    text = page.locator("[data-form=reply] textarea")
    away = re.compile(r"/(reply|live|live/poll)(\?|$)")  # what answers again says that all is well
    page.route(away, lambda route: route.abort())
    text.fill("my words")
    page.click("[data-form=reply] button[type=submit]")
    # While nothing answers, the line at the top is what is seen of it.
    page.wait_for_selector("[data-problem]:has-text('your text is still here')", state="attached")
    page.wait_for_selector(".offline-line [data-line-whole]")
    assert text.input_value() == "my words"
    page.unroute(away)
    page.reload()
    assert text.input_value() == "my words"  # the draft survives
    with page.expect_response("**/reply"):
        page.click("[data-form=reply] button[type=submit]")
    page.wait_for_selector(".log .words >> text=my words")
    assert text.input_value() == ""
    page.reload()
    assert text.input_value() == ""
    assert outbox() == ["my words"]


def test_drafts_belong_to_their_conversation_and_form(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.fill("[data-form=reply] textarea", "for Ana")
    page.click("[data-tab=note]")
    assert page.locator("[data-form=reply]").is_hidden()
    page.fill("[data-form=note] textarea", "about Ana")
    page.click(".convs >> text=Jon B.")
    page.wait_for_selector(".thread-head >> text=Jon B.")
    page.wait_for_load_state()
    assert page.locator("[data-form=reply] textarea").input_value() == ""
    page.click(".convs >> text=Ana Q.")
    page.wait_for_selector(".thread-head >> text=Ana Q.")
    page.wait_for_load_state()
    assert page.locator("[data-form=reply] textarea").input_value() == "for Ana"
    page.click("[data-tab=note]")
    page.click("[data-form=note] button[type=submit]")
    page.wait_for_selector(".note >> text=about Ana")
    assert outbox() == []
    page.click("[data-tab=reply]")
    assert page.locator("[data-form=reply] textarea").input_value() == "for Ana"


def test_rich_text_becomes_plain(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.focus("[data-form=reply] textarea")
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text/html", "<b>bold</b>");
          data.setData("text/plain", "bold");
          const paste = new ClipboardEvent("paste", {clipboardData: data, bubbles: true});
          document.activeElement.dispatchEvent(paste);
          document.execCommand("insertText", false, data.getData("text/plain"));
        }"""
    )
    assert page.locator("[data-form=reply] textarea").input_value() == "bold"
    assert page.locator("[data-bytes]").inner_text().startswith("4 /")


def test_the_composer_counts_in_the_unit_of_the_channel(
    scene: scenes.Scene, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = type(scene.desk.generation.directory.adapters[0])
    counted = replace(adapter.capabilities, text_limit_unit=TextUnit.CHARACTERS)
    monkeypatch.setattr(adapter, "capabilities", counted)
    page = open_page(f"/{scene.conversation('ana')}")
    page.fill("[data-form=reply] textarea", "\u03b1" * 990)
    assert page.locator("[data-bytes]").inner_text() == "990 / 1,000 characters"
    page.fill("[data-form=reply] textarea", "\u03b1" * 1001)
    page.wait_for_selector("fieldset.split >> text=1,000 characters")
    assert page.locator("[data-bytes]").get_attribute("class") == "bytes near over"
    page.fill("[data-form=reply] textarea", "\u03b1" * 1000)
    page.wait_for_selector("fieldset.split", state="detached")
    page.click("[data-form=reply] button[type=submit]")
    page.wait_for_selector("text=" + "\u03b1" * 1000)
    assert outbox() == ["\u03b1" * 1000]


@pytest.mark.slow
@pytest.mark.parametrize("text", TRICKY, ids=range(len(TRICKY)))
def test_browser_and_server_count_and_split_alike(scene: scenes.Scene, open_page: Open, text: str) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    bytes_, *others = page.evaluate(
        """async (text) => {
          const loaded = performance.getEntriesByType("resource").map((entry) => entry.name);
          const module = await import(loaded.find((name) => name.includes("composer.js")));
          return ["bytes", "utf16", "characters"].map((unit) => module.textLength(text, unit));
        }""",
        text,
    )
    written = clean_written(text)
    assert bytes_ == byte_length(written)
    assert others == [length(written, TextUnit.UTF16), length(written, TextUnit.CHARACTERS)]
    page.fill("[data-form=reply] textarea", text)
    if bytes_ > 1000:
        page.wait_for_selector("fieldset.split")
        parts = page.locator(".choice").first.locator(".part").count()
        assert page.locator("[data-form=reply] [data-label]").inner_text() == f"Send {parts} messages"
    else:
        parts = 1
        assert page.locator("fieldset.split").count() == 0
    page.click("[data-form=reply] button[type=submit]")
    until(lambda: len(outbox()) == parts)
    assert all(byte_length(part) <= 1000 for part in outbox())
    assert "".join("".join(outbox()).split()) == "".join(written.split())


def test_cutting_sends_what_was_not_struck_through(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.fill("[data-form=reply] textarea", "x" * 990 + FAMILY + "tail")
    page.click("text=Cut at 1,000 bytes")
    assert page.locator(".cut").inner_text() == FAMILY + "tail"
    assert page.locator("[data-form=reply] [data-label]").inner_text() == "Send cut"
    page.keyboard.press("Escape")
    page.click("[data-form=reply] button[type=submit]")
    until(lambda: outbox() == ["x" * 990])


def test_moving_and_writing_by_keyboard(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page("")
    page.keyboard.press("j")
    assert "Jon B." in page.evaluate("document.activeElement.textContent")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_selector(".thread-head >> text=Ana Q.")
    page.wait_for_load_state()  # keys do nothing before the page's script has run
    page.keyboard.press("r")
    page.keyboard.type("jk by key")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".log .words >> text=jk by key")
    assert outbox() == ["jk by key"]


def test_every_script_runs_once(scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    loaded = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    names = [str(one).rpartition("/")[2].partition("?")[0] for one in loaded if ".js" in one]
    assert "base.js" in names
    assert sorted(names) == sorted(set(names))
    page.click("[data-theme-toggle]")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"


def test_acting_without_leaving_the_page(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.fill("[data-form=reply] textarea", "half a thought")
    page.click("[data-part=head] [data-menu=assign] summary")
    page.click(f"[data-part=head] [data-menu=assign] button[value='{desk.mia.id}']")
    page.wait_for_selector(".activity >> text=Mia R. took over this conversation")
    page.click("button:has-text('Close')")
    page.wait_for_selector("button:has-text('Reopen')")
    assert page.locator("[data-form=reply] textarea").input_value() == "half a thought"
    scene.said("ana", "Ana Q.", "One more thing", clock.now())
    page.wait_for_selector(".activity >> text=Reopened by a new message")
    page.wait_for_selector("button:has-text('Close')")


def test_a_failed_reply_is_sent_again_in_place(scene: scenes.Scene, open_page: Open) -> None:
    (message,) = scene.reply("ana", "It is wrapped.", clock.now())
    db.write(outcome.record_failed, message, scenes.LIMIT)
    page = open_page(f"/{scene.conversation('ana')}")
    page.click("text=Show error")
    assert page.locator(".failure pre").inner_text().startswith("10/2534022")
    page.click("button:has-text('Retry')")
    page.wait_for_selector(f"[data-message='{message}'][data-state=queued]")
    assert page.locator(".failure").count() == 0


@pytest.mark.slow
def test_a_message_is_hidden_on_every_screen_and_comes_back(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    scene.said("ana", "Ana Q.", "A rude word", clock.now())
    rude = next(message.id for message in toys.thread() if message.text == "A rude word")
    page, other = (open_page(f"/{scene.conversation('ana')}") for _ in range(2))
    message = page.locator(f"[data-message='{rude}']")
    message.get_by_role("button", name="Hide here").focus()
    page.keyboard.press("Enter")
    other.wait_for_selector(f"[data-message='{rude}'] >> text=Hidden for your team.")
    wait(other, "!document.querySelector('main').innerText.includes('A rude word')")
    message.get_by_role("button", name="Unhide").wait_for()
    wait(page, "document.activeElement.hasAttribute('data-hide')")
    assert page.locator(".conv-text").first.inner_text().strip() == "Hidden message"
    page.keyboard.press("Enter")
    message.get_by_text("A rude word").wait_for()
    other.wait_for_selector(f"[data-message='{rude}'] >> text=A rude word")


class Brief(toys.Toy):
    """Lets us reply for a moment."""

    ends = clock.now()

    def reply_policy(self, context: ReplyContext) -> ReplyPolicy:
        start = self.ends - timedelta(hours=24)
        phases = (ReplyPhase(ReplyState.OPEN, start, self.ends),)
        if context.now < self.ends:
            return ReplyPolicy(ReplyState.OPEN, until=self.ends, phases=phases)
        return ReplyPolicy(ReplyState.CLOSED, phases=phases, sentence="Time is up.")


@pytest.mark.slow
def test_a_window_closes_before_ones_eyes(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    brief = Brief()
    brief.ends = clock.now() + timedelta(minutes=2, seconds=50)
    desk.generation.directory = type(desk.generation.directory)((brief,))
    page = open_page(f"/{scene.conversation('ana')}")
    assert page.locator("[data-left]").inner_text() == "2 min"
    page.fill("[data-form=reply] textarea", "too slow")
    page.clock.install()
    with clock.travel(timedelta(minutes=3)):
        page.clock.run_for(180_000)
        page.wait_for_selector("text=Time is up.")
        assert page.locator("[data-form=reply]").count() == 0
        brief.ends = clock.now() + timedelta(hours=3)
        scene.said("ana", "Ana Q.", "Still there?", clock.now())
        page.clock.run_for(5_000)
        page.wait_for_selector("[data-form=reply] textarea")
        assert page.locator("[data-form=reply] textarea").input_value() == "too slow"


def test_without_a_stream_the_page_asks(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    desk.sign_in()
    with db.read() as session:
        login = sessions.active(session, desk.mia.id)[0]
    full = desk.hub.subscribe(desk.workspace, desk.mia.id, login.id, capacity=1)
    desk.app.extensions["lobby.config"] = helpers.make_config(Path("data"), live_streams="1")
    page = open_page(f"/{scene.conversation('ana')}")
    scene.said("ana", "Ana Q.", "Do you hear me?", clock.now())
    page.wait_for_selector(".log >> text=Do you hear me?")
    desk.hub.unsubscribe(full)


def test_a_page_that_missed_too_much_starts_afresh(desk: Desk, scene: scenes.Scene, open_page: Open) -> None:
    page = open_page(f"/{scene.conversation('ana')}")
    page.fill("[data-form=reply] textarea", "half a thought")
    wait(page, "performance.getEntriesByType('resource').length > 0")
    # A change of the addons concerns everything on the page.
    scene.said("kit", "Kit L.", "first", clock.now())
    db.write(show, 0, "addons")
    page.wait_for_selector(".convs >> text=Kit L.")
    assert page.locator("[data-form=reply] textarea").input_value() == "half a thought"


def test_somebody_who_reads_above_is_not_torn_away(scene: scenes.Scene, open_page: Open) -> None:
    for number in range(40):
        scene.said("ana", "Ana Q.", f"line {number}", scene.ago(minutes=8, seconds=-number))
    page = open_page(f"/{scene.conversation('ana')}")
    page.evaluate("document.querySelector('.thread-scroll').scrollTop = -600")
    before = page.evaluate("document.querySelector('.thread-scroll').scrollTop")
    scene.said("ana", "Ana Q.", "news", clock.now())
    page.wait_for_selector("[data-newer]:not([hidden])")
    assert abs(page.evaluate("document.querySelector('.thread-scroll').scrollTop") - before) < 120
    page.click("[data-newer]")
    wait(page, "document.querySelector('.thread-scroll').scrollTop > -5")
    until(lambda: next(c for c in toys.everything(Conversation)).unread_count == 0)


def test_earlier_messages_come_on_demand(desk: Desk, open_page: Open) -> None:
    changes = [toys.received(f"number {i}.", at=i, contact="ana") for i in range(120)]
    toys.apply(desk.account, *changes, adapter=toys.WINDOWED)
    page = open_page(f"/{toys.only(Conversation).id}")
    for expected in (100, 120):
        page.click("text=Earlier messages")
        wait(page, f"document.querySelectorAll('[data-message]').length === {expected}")
    assert page.locator(".log .words").all_inner_texts() == [f"number {i}." for i in range(120)]
    assert page.locator("text=Earlier messages").count() == 0


WIDTHS = [360, 1024, 1440]


@pytest.mark.parametrize(
    ("width", "dark"),
    [
        pytest.param(
            width,
            dark,
            id=f"{width}-{'dark' if dark else 'light'}",
            marks=() if (width, dark) == (360, False) else pytest.mark.slow,
        )
        for width in WIDTHS
        for dark in (False, True)
    ],
)
def test_every_state_fits_and_is_accessible(desk: Desk, open_page: Open, width: int, dark: bool) -> None:
    made = scenes.whole(desk)
    for kind in (*MessageKind, "yet unknown"):
        made.said("kim", "Kim W.", "", made.ago(minutes=3), kind=kind)
    rest = [
        "",
        "?pane=filters",
        f"/{made.conversation('ana.sample')}",
        f"/{made.conversation('ana.sample')}?pane=contact",
        f"/{made.conversation('rosa.sample')}",
        f"/{made.conversation('olu.sample')}",
        f"/{made.conversation('kim')}?write=note",
    ]
    scheme = "dark" if dark else "light"
    page = open_page("", viewport={"width": width, "height": 800}, color_scheme=scheme)
    for where in rest:
        page.goto(desk.path(where))
        if where == rest[2]:
            page.fill("[data-form=reply] textarea", "Long. " * 200 + FAMILY)
            page.wait_for_selector("fieldset.split")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where
        problems = [(v["id"], [n["html"][:160] for n in v["nodes"]]) for v in violations(page)]
        assert problems == [], where


def test_what_is_too_long_for_the_contact_pane_is_cut(
    desk: Desk, scene: scenes.Scene, open_page: Open
) -> None:
    scene.said("jon", "Jon B.", "Handle with care " * 20, scene.now)
    one, other = sorted(contact.id for contact in toys.everything(Contact))
    do(merging.merge, desk.workspace, one, other, actor=Actor(ActorKind.USER, desk.mia.id), now=scene.now)
    page = open_page(f"/{scene.conversation('ana')}?pane=contact")
    for width in (1440, 360):
        page.set_viewport_size({"width": width, "height": 800})
        pane = page.locator("#contact")
        assert pane.locator(".prev .conv-time").is_visible()
        assert pane.evaluate("pane => pane.scrollWidth <= pane.clientWidth"), width
