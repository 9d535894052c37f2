"""The whole journey as people live it, in a real browser: from the upload of the zip to the answered DM."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from demo.journey import ADDON_ZIP, ADMIN, AGENT, PASSWORD
from demo.outside import write_mail
from tests.asking import answer
from tests.browser.conftest import PHONE, Desk, look, screenshot

pytestmark = pytest.mark.browser

ON_SCREEN_SECONDS = 5.0
LONG = (
    "Thank you for the photos, they help a lot. The hairline you see is in the glaze and not in the "
    "clay, so the bowl holds water and may go in the dishwasher like every other piece of ours. It "
    "comes from the last minutes of the firing, when the kiln cools a little faster near the door, and "
    "we sort those pieces out when we find them. This one slipped through, and I am sorry about that. "
    "If you would like another one, we can send it on Monday: there are four of the same size on the "
    "shelf, two of them in the same blue, one in a lighter blue that we call Tide, and one in white. "
    "You would not have to send the first one back. If you prefer to keep it and get a part of the "
    "price back instead, that is fine too, tell me which you like better. In both cases I need nothing "
    "but your answer here. One more thing about the mug you asked for last week: it is fired on "
    "Thursday, glazed on Friday, and if all goes well it is in the post on Monday together with the "
    "bowl. The post takes two to four working days to you, a little longer before the holidays, and you "
    "get a number to follow it."
)

Arrive = Callable[..., Page]


@pytest.fixture(scope="module")
def admin(person: Arrive) -> Page:
    return person()


@pytest.fixture(scope="module")
def agent(person: Arrive) -> Page:
    return person()


def control(desk: Desk, path: str, body: object) -> Any:
    response = requests.post(f"{desk.sandbox.url}/control/{path}", json=body, timeout=30)
    assert response.ok, response.text
    return response.json()


def texts(desk: Desk) -> list[str]:
    """Return the texts that reached the other side; that somebody was writing is none."""
    entries = requests.get(f"{desk.sandbox.url}/control/ledger?kind=send", timeout=10).json()["entries"]
    return [entry["text"] for entry in entries if entry["what"] == "text"]


def dm(desk: Desk, text: str, customer: str = "ana.sample", **more: object) -> None:
    control(desk, "dm", {"customer": customer, "text": text, **more})


def test_the_first_admin_sets_the_desk_up(desk: Desk, admin: Page) -> None:
    assert desk.host.setup_link is not None
    admin.goto(desk.host.setup_link)
    look(admin, "setup")
    admin.locator("#name").fill("Mia R.")
    admin.locator("#email").fill(ADMIN)
    admin.locator("#password").fill(PASSWORD)
    admin.locator("#again").fill(PASSWORD)
    admin.locator("#workspace").fill("Sample Pottery")
    admin.get_by_role("button", name="Set up Lobby").click()
    expect(admin).to_have_url(re.compile(r"/w/1/inbox"))
    look(admin, "inbox-empty")


def test_an_agent_joins_by_link(desk: Desk, admin: Page, agent: Page) -> None:
    admin.goto("/w/1/settings/people")
    admin.get_by_label("Email addresses").fill(AGENT)
    admin.get_by_role("button", name="Create invitation link").click()
    link = admin.get_by_role("textbox", name="Link").input_value()
    look(admin, "team")
    agent.goto(link)
    look(agent, "invite")
    agent.get_by_label("Name").first.fill("Bo T.")
    passwords = agent.locator("input[type=password]")
    for index in range(passwords.count()):
        passwords.nth(index).fill(PASSWORD)
    agent.get_by_role("button", name="Join").click()
    expect(agent).to_have_url(re.compile(r"/w/1/inbox"))


def test_the_zip_is_reported_on_before_anything_runs(admin: Page) -> None:
    admin.goto("/admin/addons")
    admin.locator("input[type=file]").set_input_files(str(ADDON_ZIP))
    admin.get_by_role("button", name="Upload and install").click()
    report = admin.get_by_role("heading", level=1, name=re.compile("Instagram Direct"))
    expect(report).to_be_visible()
    expect(admin.get_by_text("instagram_accounts", exact=True)).to_be_visible()
    look(admin, "addon-report")
    # It comes with this release, so nobody is asked again; it is kept, and nothing of it runs.
    expect(admin.get_by_text("Included in this release").first).to_be_visible()
    admin.get_by_role("link", name="Back to addons").click()
    expect(admin.get_by_text("Inactive").first).to_be_visible()
    look(admin, "addons-inactive")


def test_activation_shows_its_steps_and_needs_no_restart(admin: Page, agent: Page) -> None:
    agent.goto("/w/1/inbox")
    expect(agent.get_by_role("link", name=re.compile("Instagram"))).to_have_count(0)
    admin.get_by_role("button", name="Activate").click()
    expect(admin.get_by_text("Active", exact=True).first).to_be_visible()
    expect(admin.locator("#addon-instagram").get_by_text("Switch over")).to_be_visible()
    look(admin, "addons-active")
    admin.get_by_role("link", name="Settings", exact=True).last.click()
    expect(admin).to_have_url(re.compile("/admin/addons/instagram/settings"))
    expect(
        admin.get_by_text("/addons/instagram/webhook")
        .or_(admin.locator("input[value$='/addons/instagram/webhook']"))
        .first
    ).to_be_visible()
    look(admin, "addon-overview-empty")
    agent.goto("/w/1/inbox")
    expect(agent.get_by_role("link", name=re.compile("Instagram"))).to_have_count(1)


def test_wrong_credentials_are_named_beside_their_field(admin: Page) -> None:
    admin.goto("/w/1/settings/channels")
    look(admin, "channels-empty")
    admin.goto("/w/1/settings/channels/instagram/new")
    fill_credentials(admin, token="EAASANDBOXPotteryExpired100000000000001")
    admin.get_by_role("button", name="Save and check").click()
    problem = admin.locator(
        "#page_access_token-error, [id*=page_access_token][class*=invalid-feedback]"
    ).first
    expect(problem).to_be_visible()
    expect(admin.get_by_label("Page ID")).to_have_value("100000000000001")
    expect(admin.get_by_label("Page Access Token")).to_have_value("")
    look(admin, "channel-form-errors")


def fill_credentials(page: Page, *, token: str) -> None:
    page.locator("#f-name").fill("Pottery")
    page.get_by_label("Page ID").fill("100000000000001")
    page.get_by_label("Page Access Token").fill(token)
    page.get_by_label("App Secret").fill("5a9db0c05a9db0c05a9db0c05a9db0c0")


def test_an_owner_connects_an_account(desk: Desk, admin: Page) -> None:
    fill_credentials(admin, token="EAASANDBOXPotteryLong100000000000001")
    admin.get_by_role("button", name="Save and check").click()
    expect(admin.get_by_text("Connected").first).to_be_visible()
    verify_token = admin.get_by_label("Verify Token").first.input_value()
    address = admin.get_by_label("Webhook URL").first.input_value()
    look(admin, "channels-connected")
    control(
        desk, "webhook", {"app": "1234567890123456", "callback_url": address, "verify_token": verify_token}
    )


def test_a_dm_appears_in_every_open_tab_within_seconds(desk: Desk, admin: Page, agent: Page) -> None:
    second = agent.context.new_page()
    for tab in (agent, second, admin):
        tab.goto("/w/1/inbox")
    started = time.monotonic()
    dm(desk, "Hi, is the blue mug still in stock? 💙")
    for tab in (agent, second, admin):
        expect(tab.get_by_text("Hi, is the blue mug still in stock? 💙").first).to_be_visible(timeout=5_000)
    took = time.monotonic() - started
    print(f"\nDM to three open tabs: {took * 1000:.0f} ms")
    assert took < ON_SCREEN_SECONDS
    expect(agent.get_by_text("Ana Q.").first).to_be_visible()
    second.close()


def test_the_reply_lands_in_instagram_and_is_shown_as_sent_to_a_second_agent(
    desk: Desk, admin: Page, agent: Page
) -> None:
    agent.get_by_role("link", name=re.compile("Ana Q.")).first.click()
    agent.wait_for_url(re.compile(r"/inbox/\d+"))
    admin.goto(agent.url)
    composer = agent.get_by_role("textbox", name=re.compile("^Reply to"))
    composer.fill("Yes, three are left. Shall I put one aside?")
    agent.get_by_role("button", name=re.compile("^Send(?! a heart| now)")).click()
    expect(composer).to_have_value("")
    for tab in (agent, admin):
        line = tab.get_by_role("listitem").filter(has_text="Shall I put one aside?").last
        expect(line.get_by_text("Sent", exact=True)).to_be_visible()
    assert texts(desk) == ["Yes, three are left. Shall I put one aside?"]
    dm(desk, "Oh yes please!")
    expect(agent.get_by_text("Oh yes please!").last).to_be_visible()


def test_two_agents_share_notes_assignment_and_status(agent: Page, admin: Page) -> None:
    agent.locator("[data-tab=note]").click()
    agent.get_by_role("textbox", name="Private note").fill("She is a regular, wrap it nicely.")
    agent.get_by_role("button", name="Add note").click()
    expect(admin.get_by_text("She is a regular, wrap it nicely.").last).to_be_visible()


def test_a_long_text_offers_to_split_or_to_cut(desk: Desk, agent: Page) -> None:
    agent.locator("[data-tab=reply]").click()
    composer = agent.get_by_role("textbox", name=re.compile("^Reply to"))
    composer.fill(LONG)
    expect(agent.get_by_text(re.compile("Send as 2 messages"))).to_be_visible()
    look(agent, "composer-over")
    agent.get_by_role("button", name="Send 2 messages").click()
    expect(composer).to_have_value("")

    def landed() -> list[str]:
        return texts(desk)[1:]

    deadline = time.monotonic() + 60
    while len(landed()) < 2 and time.monotonic() < deadline:
        agent.wait_for_timeout(50)
    parts = landed()
    assert len(parts) == 2
    assert all(len(part.encode()) <= 1000 for part in parts)
    assert " ".join(parts) == LONG


def test_a_refused_reply_says_why_and_retry_sends_it(desk: Desk, agent: Page) -> None:
    refusal = {"action": "error", "code": 551, "subcode": 1545041}
    control(desk, "faults", {"call": "send", "match": {"text": "It is wrapped"}, "times": 1, **refusal})
    agent.get_by_role("textbox", name=re.compile("^Reply to")).fill("It is wrapped and waiting.")
    agent.get_by_role("button", name=re.compile("^Send(?! a heart| now)")).click()
    retry = agent.get_by_role("button", name="Retry").last
    expect(retry).to_be_visible()
    look(agent, "thread-failed")
    retry.click()
    line = agent.get_by_role("listitem").filter(has_text="It is wrapped and waiting.").last
    expect(line.get_by_text("Sent", exact=True)).to_be_visible()


def test_mail_and_direct_messages_stand_in_one_inbox(desk: Desk, admin: Page, agent: Page) -> None:
    server, port = desk.outside.address.split(":")
    admin.goto("/w/1/settings/channels/email/new")
    admin.get_by_label("Name", exact=True).fill("Shop mail")
    admin.get_by_label("Email address").fill("hello@pottery.example")
    admin.get_by_label("Mail server (SMTP)").fill(server)
    admin.get_by_label("Port", exact=True).fill(port)
    admin.get_by_label("Encryption", exact=True).select_option("none")
    look(admin, "channel-form-email")
    admin.get_by_role("button", name="Save and check").click()
    expect(admin.get_by_text("hello@pottery.example").first).to_be_visible()
    for sender, name, subject, text in (
        ("jon@example.org", "Jon B.", "Wholesale prices", "Do you sell to cafés? We would need forty cups."),
        ("vera@example.org", "Vera N.", "The March workshop", "Both dates are free for us, which suits you?"),
    ):
        write_mail(
            desk.smtp_port,
            sender=sender,
            name=name,
            to="hello@pottery.example",
            subject=subject,
            text=text,
            message_id=f"<{name[:3]}@example.org>",
        )
    dm(desk, "Do you ship to Norway?", customer="kit.makes.sample")
    control(desk, "dm", {"customer": "rosa.sample", "kind": "image"})
    dm(desk, "The lid arrived cracked, what can we do?", customer="rosa.sample")
    agent.goto("/w/1/inbox")
    for name in ("Jon B.", "Vera N.", "Kit L.", "Rosa S.", "Ana Q."):
        expect(agent.get_by_text(name).first).to_be_visible()
    look(agent, "inbox-list")
    agent.get_by_role("link", name=re.compile("Rosa S.")).first.click()
    expect(agent.get_by_text("The lid arrived cracked").last).to_be_visible()
    look(agent, "thread-neutral-row")


def test_the_whole_inbox_with_a_reply_the_customer_has_seen(desk: Desk, agent: Page) -> None:
    agent.locator("[data-part=head] [data-menu=assign] summary").click()
    agent.get_by_role("button", name=re.compile(r"Bo T\. \(you\)")).first.click()
    expect(agent.get_by_text(re.compile("took over this conversation|assigned this")).last).to_be_visible()
    agent.locator("[data-tab=note]").click()
    agent.get_by_role("textbox", name="Private note").fill(
        "Second cracked lid this week. Shall we change the box?"
    )
    agent.get_by_role("button", name="Add note").click()
    expect(agent.get_by_text("Second cracked lid this week").last).to_be_visible()
    agent.locator("[data-tab=reply]").click()
    agent.get_by_role("textbox", name=re.compile("^Reply to")).fill(
        "I am sorry, Rosa! A new lid leaves today, at no charge. 🫖"
    )
    agent.get_by_role("button", name=re.compile("^Send(?! a heart| now)")).click()
    line = agent.get_by_role("listitem").filter(has_text="A new lid leaves today").last
    expect(line.get_by_text("Sent", exact=True)).to_be_visible()
    control(desk, "dm", {"customer": "rosa.sample", "kind": "read"})
    expect(line.get_by_text("Seen", exact=True)).to_be_visible()
    dm(desk, "That is so kind, thank you!", customer="rosa.sample")
    expect(agent.get_by_text("That is so kind, thank you!").last).to_be_visible()
    look(agent, "inbox")


def test_every_other_page_can_be_looked_at(desk: Desk, admin: Page, person: Arrive) -> None:
    for path, name in (
        ("/admin/addons/instagram/settings", "addon-overview"),
        ("/w/1/settings/channels", "channels"),
        ("/w/1/settings/general", "general"),
        ("/admin/journal", "journal"),
        ("/admin/audit", "audit"),
        ("/admin/workspaces", "workspaces"),
        ("/account", "account"),
        ("/nowhere", "not-found"),
    ):
        admin.goto(path)
        look(admin, name)
    stranger = person(color_scheme="dark", viewport=PHONE)
    stranger.goto("/login")
    look(stranger, "login")
    phone = person()
    phone.goto(desk.sandbox.url)
    expect(phone.get_by_text("Shall I put one aside?").first).to_be_visible()
    screenshot(phone, "phone-1440-light")


def test_on_a_phone_one_pane_at_a_time_is_enough_to_answer(desk: Desk, person: Arrive) -> None:
    page = person(viewport=PHONE, color_scheme="dark", has_touch=True)
    page.goto("/login")
    page.get_by_label("Email").first.fill(AGENT)
    page.get_by_label("Password").first.fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=re.compile("Kit L.")).first.click()
    page.get_by_role("textbox", name=re.compile("^Reply to")).fill("We do, within a week.")
    page.get_by_role("button", name=re.compile("^Send(?! a heart| now)")).click()
    line = page.get_by_role("listitem").filter(has_text="We do, within a week.").last
    expect(line.get_by_text("Sent", exact=True)).to_be_visible()
    screenshot(page, "phone-thread-360-dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_closed_window_says_why_and_refuses_on_the_server_too(desk: Desk, agent: Page) -> None:
    agent.goto("/w/1/inbox")
    agent.get_by_role("link", name=re.compile("Jon B.")).first.click()
    expect(agent.get_by_role("textbox", name=re.compile("^Reply to"))).to_be_visible()
    look(agent, "thread-mail")


def test_deactivating_takes_the_filter_away_and_keeps_conversations_readable(
    admin: Page, agent: Page
) -> None:
    admin.goto("/admin/addons")
    admin.get_by_label("More for Instagram Direct").click()
    admin.get_by_role("button", name="Deactivate").click()
    answer(admin)
    expect(admin.get_by_role("heading", name="Installed, not active")).to_be_visible()
    agent.goto("/w/1/inbox")
    filters = agent.get_by_role("navigation").get_by_role("link", name=re.compile("Instagram"))
    expect(filters).to_have_count(0)
    agent.get_by_role("link", name=re.compile("Ana Q.")).first.click()
    agent.wait_for_url(re.compile(r"/inbox/\d+"))
    expect(agent.get_by_text("Oh yes please!").last).to_be_visible()
    look(agent, "thread-addon-inactive")
    admin.get_by_role("button", name="Activate").click()
    expect(admin.get_by_text("Active", exact=True).first).to_be_visible()
    agent.reload()
    expect(agent.get_by_role("textbox", name=re.compile("^Reply to"))).to_be_visible()
