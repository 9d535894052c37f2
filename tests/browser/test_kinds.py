"""Every kind of message, from a customer's phone to the agent's screen, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from demo import journey
from demo.journey import ADMIN, PASSWORD, Journey
from sandbox import catalogue
from tests.accessibility import violations
from tests.browser.conftest import PHONE, WIDE, Desk, screenshot
from tests.browser.pottery import wait
from tests.live.served import until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

Arrive = Callable[..., Page]
SOON = 15_000


@pytest.fixture(scope="module")
def connected(desk: Desk) -> Journey:
    """A desk with the addon and a connected account."""
    j = Journey(desk.sandbox, desk.host, desk.outside, desk.smtp_port)
    steps = (
        journey.sandbox_answers,
        journey.set_up,
        journey.upload,
        journey.install,
        journey.activate,
        journey.connect,
        journey.verify,
    )
    for step in steps:
        step(j)
    return j


@pytest.fixture(scope="module")
def agent(connected: Journey, person: Arrive) -> Page:
    page = person()
    page.goto("/login")
    page.get_by_label("Email").first.fill(ADMIN)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile("/inbox"))
    return page


@pytest.fixture(scope="module")
def phone(desk: Desk, person: Arrive) -> Iterator[Page]:
    page = person()
    page.goto(desk.sandbox.url)
    yield page
    page.close()


def message(page: Page, label: str) -> Locator:
    """Return the last message whose accessible name says what it is."""
    return page.locator(".log").get_by_role("listitem", name=re.compile(f"^{label}, ")).last


ANA = r"Ana Q\."
# What it is called on the agent's screen, and the role and name of what is inside of it.
SEEN: list[tuple[str, str | None, str]] = [
    (f"{ANA}: Message", None, r"Hi, is the blue mug still in stock\?"),
    (f"{ANA}: Message", "link", r"shop\.example.mugs.blue"),
    (f"{ANA}: Message", "img", r"😍"),
    (f"{ANA}: Sticker", "img", r"Sticker"),
    (f"{ANA}: Photo", "link", rf"Open Photo from {ANA}"),
    (f"{ANA}: 4 photos", "group", "4 photos"),
    (f"{ANA}: Sticker", "link", rf"Open Sticker from {ANA}"),
    (f"{ANA}: Video", "group", rf"Video from {ANA}"),
    (f"{ANA}: Voice message", "group", rf"Voice message from {ANA}"),
    (f"{ANA}: File", "group", "File PDF"),
    (f"{ANA}: 4 files", "group", rf"Photo from {ANA}"),
    (f"{ANA}: Mentioned you in a story", "group", "Mentioned you in a story"),
    (f"{ANA}: Replied to your story", "group", "Replied to your story"),
    (f"{ANA}: Shared a post", "group", "Shared a post: Autumn glazes"),
    (f"{ANA}: Shared a reel", "group", "Shared a reel: Trimming a foot ring"),
    (f"{ANA}: Shared a story", "group", "Shared a story"),
    (f"{ANA}: Tapped a quick reply", None, "Delivery times"),
    (f"{ANA}: Tapped a button", None, "Talk to a person"),
    (f"{ANA}: Message", None, "Came from your ad “Summer sale”"),
    (f"{ANA}: Message", None, "Asks about product 4381572605000001"),
    (f"{ANA}: Came through a link", None, "Came through the link “flyer-7”"),
    ("Your account: Message", None, "Not sent from Lobby"),
    ("Your account: Message", "img", rf"{ANA} reacted with love"),
    (f"{ANA}: Message", "link", "In reply to Your team Two to four working days"),
    (f"{ANA}: Message", "img", rf"{ANA} reacted with 🎉"),
    (f"{ANA}: Message", None, r"Edited \d\d:\d\d"),
    (f"{ANA}: Unsent a message", None, rf"{ANA} unsent this message"),
    (f"{ANA}: Disappearing message", None, "shown only in the Instagram app"),
    (f"{ANA}: Unsupported message", None, "A message type that Instagram does not share"),
    (
        f"{ANA}: Unsupported message",
        None,
        "A message from Instagram that Lobby cannot show yet",
    ),
    (f"{ANA}: Message", None, r"Is anybody there\?"),
]


def test_one_press_shows_the_agent_every_kind(connected: Journey, agent: Page, phone: Page) -> None:
    phone.get_by_role("button", name="Play every kind").click()
    expect(phone.locator("#playing")).to_have_text(f"All {len(catalogue.ITEMS)} played", timeout=60_000)
    connected.control("POST", "wait", {"timeout": 20})
    # Until there is a conversation, the first steps stand in the inbox's place.
    wait(agent, lambda: agent.reload() and agent.locator("[data-row]").count(), "the messages")
    agent.get_by_role("link", name=re.compile(ANA)).first.click()
    expect(message(agent, f"{ANA}: Disappearing message.*")).to_be_visible(timeout=SOON)
    expect(message(agent, f"{ANA}: Unsent a message")).to_be_visible(timeout=SOON)


@pytest.mark.parametrize(("label", "role", "inside"), SEEN, ids=[inside for *_, inside in SEEN])
def test_each_has_a_role_and_a_name(agent: Page, label: str, role: Any, inside: str) -> None:
    items = agent.locator(".log").get_by_role("listitem", name=re.compile(f"^{label}"))
    if role is None:
        expect(items.filter(has_text=re.compile(inside)).last).to_be_visible()
    else:
        expect(items.get_by_role(role, name=re.compile(inside)).last).to_be_visible()


def test_nothing_raw_is_shown(agent: Page) -> None:
    for part in ("main", ".log", ".convs"):
        shown = agent.locator(part).first.inner_text()
        assert "{" not in shown
        assert "://" not in shown


def test_the_whole_thread_can_be_looked_at(agent: Page) -> None:
    portrait(agent, "kinds")


DRAWN = "[...document.querySelectorAll('.log img')].every((one) => one.complete || !one.offsetParent)"


def portrait(page: Page, name: str) -> None:
    """Keep pictures of a whole thread, however long, in both widths and themes; hold each to WCAG."""
    for size, label in ((WIDE, "1440"), (PHONE, "360")):
        page.set_viewport_size(size)
        for _ in range(2):  # what is near the eye is fetched first, and takes its place
            long = page.evaluate("document.querySelector('.thread-inner').scrollHeight")
            page.set_viewport_size({"width": size["width"], "height": long + 500})
            until(lambda: page.evaluate(DRAWN))
        for theme in ("light", "dark"):
            page.evaluate("theme => document.documentElement.setAttribute('data-bs-theme', theme)", theme)
            found = [
                f"{one['id']}: {node['html'][:200]}" for one in violations(page) for node in one["nodes"]
            ]
            assert found == [], f"{name} at {label}, {theme}:\n" + "\n".join(found)
            screenshot(page, f"{name}-{label}-{theme}")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= size["width"], f"{name} scrolls sideways at {label}: {wide}"
    page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'light')")
    page.set_viewport_size(WIDE)


def test_the_gallery_is_worked_by_keyboard(agent: Page) -> None:
    first = message(agent, f"{ANA}: 4 photos").get_by_role("link").first
    first.focus()
    agent.keyboard.press("Enter")
    dialog = agent.get_by_role("dialog", name="Pictures")
    expect(dialog).to_be_visible()
    expect(dialog.get_by_text("1 of 4")).to_be_visible()
    expect(dialog.get_by_role("img", name=re.compile("1 of 4"))).to_be_visible()
    agent.keyboard.press("ArrowRight")
    expect(dialog.get_by_text("2 of 4")).to_be_visible()
    agent.keyboard.press("End")
    expect(dialog.get_by_text("4 of 4")).to_be_visible()
    agent.keyboard.press("ArrowRight")
    expect(dialog.get_by_text("1 of 4")).to_be_visible()
    agent.keyboard.press("ArrowLeft")
    agent.keyboard.press("ArrowLeft")
    expect(dialog.get_by_text("3 of 4")).to_be_visible()
    expect(dialog.get_by_role("link", name="Download")).to_have_attribute("href", re.compile("/w/1/"))
    screenshot(agent, "gallery-1440-light")
    agent.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(message(agent, f"{ANA}: 4 photos").get_by_role("link").nth(2)).to_be_focused()


@pytest.mark.parametrize(
    ("entry", "link"),
    [
        ("Mentioned you in a story", "Open the story"),
        ("Replied to your story", "Open the story"),
        ("Shared a story", "Open Shared a story"),
    ],
)
def test_a_small_picture_can_be_looked_at_large(agent: Page, entry: str, link: str) -> None:
    small = message(agent, f"{ANA}: {entry}").first.get_by_role("link", name=link, exact=True)
    small.click()
    dialog = agent.get_by_role("dialog", name="Pictures")
    expect(dialog).to_be_visible()
    until(lambda: dialog.locator("[data-large]").evaluate("one => one.naturalWidth > 100"))
    agent.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["1440", "360"])
def test_a_voice_message_can_be_wound(agent: Page, size: Any) -> None:
    agent.set_viewport_size(size)
    player = message(agent, f"{ANA}: Voice message").first
    slider = player.get_by_role("slider")
    expect(slider).to_be_enabled()
    expect(player.get_by_text("0:03", exact=True)).to_be_visible()
    box = slider.bounding_box()
    assert box is not None
    assert box["width"] > 120, "there is something to hold"
    slider.fill("2")
    expect(player.get_by_text("0:02", exact=True)).to_be_visible()
    player.get_by_role("button", name="Play").click()
    expect(player.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")
    agent.set_viewport_size(WIDE)


def settled(log: Locator) -> str:
    """Return what a thread shows once nothing comes any more: one press may change it twice."""
    shown = ""
    while shown != (shown := log.inner_html()):
        log.page.wait_for_timeout(500)
    return shown


@pytest.mark.slow
def test_a_second_customers_phone_sends_each_by_its_own_button(
    connected: Journey, agent: Page, phone: Page
) -> None:
    phone.get_by_label("You are").select_option(label="Kit L. (@kit.makes.sample)")
    expect(phone.locator("#log")).to_contain_text("Nobody has written anything yet")
    buttons = phone.get_by_role("region", name="Every kind")
    first = catalogue.ITEMS[0]
    buttons.get_by_role("button", name=first.name, exact=True).click()
    agent.get_by_role("link", name=re.compile("Kit L.")).first.click(timeout=SOON)
    log = agent.locator("[data-part=log]")
    expect(log.get_by_role("listitem")).to_have_count(2, timeout=SOON)
    for item in catalogue.ITEMS[1:]:
        before = settled(log)
        button = buttons.get_by_role("button", name=item.name, exact=True)
        expect(button).to_be_enabled()
        button.click()
        if item.kind == "read" or item.group == catalogue.BELOW:
            # The shop's own phone has read it already; the account's Comments are off.
            continue
        expect(log).not_to_have_js_property("innerHTML", before, timeout=SOON)
    connected.control("POST", "wait", {"timeout": 20})
    shown = agent.locator("main").inner_text()
    assert "{" not in shown
    assert "://" not in shown
    portrait(agent, "kinds-one-by-one")
