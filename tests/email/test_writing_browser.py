"""An agent writes a mail in a browser: marks, a file, copies, a signature; it goes out as it is shown."""

from __future__ import annotations

import email
import smtplib
from email.policy import default
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.inbox import Conversation, Direction, Message
from host.web.request_helpers import Role
from tests.email.conftest import Outside, connect
from tests.email.test_browser import assert_fits, mail_port, served
from tests.helpers import PASSWORD, make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = pytest.mark.browser

MAIL = b"From: Mia <mia@example.org>\r\nSubject: Mugs\r\nMessage-ID: <1@example.org>\r\n\r\nBlue mugs?\r\n"
COPIED = {"cc": [{"name": "Anna", "address": "anna@example.org"}], "to": [{"address": "hello@shop.example"}]}


def _conversation() -> int | None:
    with db.read() as session:
        return session.scalar(sa.select(Conversation.id))


def arrive() -> int:
    """Have the mail come, with a copy to Anna; return its conversation."""
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", "hello@shop.example", MAIL)
    until(_conversation)
    found = _conversation()
    assert found is not None
    db.write(lambda session: session.execute(sa.update(Message).values(content=COPIED)))
    return found


@pytest.mark.parametrize("width", [1440, pytest.param(360, marks=pytest.mark.slow)])
def test_a_mail_is_written_and_goes_out_as_it_is_shown(
    served: str, outside: Outside, chromium: Any, tmp_path: Any, width: int
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER)
    account = connect(outside, workspace)
    conversation = arrive()
    context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.goto("/login")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)

    page.goto(f"/w/{workspace}/inbox/{conversation}")
    page.click("textarea[name=text]")  # on a phone, an empty field has one row until it is used
    page.click("text=Add signature")
    page.fill("#own", "{{agent.shoe}}")
    page.click("button:has-text('Save') >> nth=0")
    page.wait_for_selector("text=“agent.shoe” in line 1 is not a variable")
    page.fill("#reply_to", "nobody")
    page.click("button:has-text('Save') >> nth=1")
    page.wait_for_selector("text=Enter a valid email address")
    page.fill("#own", "**{{agent.name}}**\nPottery, [our page](https://shop.example/)")
    assert_fits(page)
    page.screenshot(path=str(tmp_path / f"signature-{width}.png"))
    page.click("button:has-text('Save') >> nth=0")
    page.wait_for_selector("text=Saved.")

    page.goto(f"/w/{workspace}/settings/channels/accounts/{account.id}")
    page.click("text=Signatures and replies")
    page.wait_for_selector("#own")
    for wanted in (True, False):
        page.set_checked("#quotes", wanted)
        page.click("button:has-text('Save') >> nth=1")
        page.wait_for_selector("text=Saved.")
        assert page.is_checked("#quotes") is wanted

    page.goto(f"/w/{workspace}/inbox/{conversation}")
    text = page.locator("[data-form=reply] textarea")
    assert page.input_value("input[name=cc]") == "Anna <anna@example.org>"
    page.locator("[data-along-opens]").click()
    page.fill("input[name=bcc]", "boss@shop.example")
    page.fill("input[name=subject]", "Our blue mugs")
    text.fill("Yes, ")
    text.press("End")
    page.click("[data-mark=bold]")
    page.keyboard.type("eight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.type(":\n\n")
    page.click("[data-mark=list]")
    page.keyboard.type("large\nsmall\n")
    page.keyboard.press("Enter")
    page.keyboard.type("see this")
    page.keyboard.press("Shift+Home")
    page.keyboard.press("Control+k")
    page.keyboard.type("https://shop.example/mugs")
    written = "Yes, **eight**:\n\n- large\n- small\n\n[see this](https://shop.example/mugs)"
    assert text.input_value() == written
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+Shift+z")
    assert text.input_value() == written
    page.reload()  # what was begun is there again
    assert page.input_value("input[name=bcc]") == "boss@shop.example"
    with page.expect_response(lambda one: "/uploads" in one.url or "upload" in one.url):
        page.set_input_files(
            "[data-file-input]", {"name": "prices.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
        )
    page.wait_for_selector(".tray-item[data-state=ready]")
    assert page.locator("[data-signature-shown] strong").inner_text() == "Anna Reuter"
    assert_fits(page)
    page.screenshot(path=str(tmp_path / f"composer-{width}.png"))
    page.click("[data-send]")
    bubble = page.locator(".msg-out .formatted").first
    assert bubble.locator("strong").inner_text() == "eight"
    assert bubble.locator("li").count() == 2
    assert "cc anna@example.org · bcc boss@shop.example" in page.locator(".msg-out .copies").inner_text()
    page.wait_for_selector(".msg-out [data-sent]", timeout=30_000)
    assert_fits(page)
    page.screenshot(path=str(tmp_path / f"sent-{width}.png"))

    ((_sender, recipients, raw),) = outside.mails
    assert recipients == ["mia@example.org", "anna@example.org", "boss@shop.example"]
    mail = email.message_from_bytes(raw, policy=default)
    assert mail["Subject"] == "Our blue mugs"
    assert mail["Cc"] == "Anna <anna@example.org>"
    assert [one.get_filename() for one in mail.iter_attachments()] == ["prices.csv"]
    shown, plain = mail.get_body(("html",)), mail.get_body(("plain",))
    assert shown is not None
    assert plain is not None
    assert "<strong>Anna Reuter</strong>" in shown.get_content()
    words = "Yes, eight:\n\n- large\n- small\n\nsee this <https://shop.example/mugs>"
    assert plain.get_content().replace("\r\n", "\n").startswith(words)
    with db.read() as session:
        sent = session.scalars(sa.select(Message).where(Message.direction == Direction.OUTBOUND)).one()
        last = session.get_one(Conversation, conversation).last_preview
    assert "Anna" not in sent.text + last, "a signature is in neither search nor list"
    assert sent.account_id == account.id
    assert page.input_value("input[name=cc]") == "Anna <anna@example.org>"
    assert troubles == []
    context.close()


TYPED = [
    ("- one\n- two\n- three", "- one\n- two\n- three"),
    ("1. one\n2. two\n", "1. one\n2. two\n3. "),
    ("1. one\n5. five\nsix", "1. one\n5. five\n6. six"),
    ("- one\n* two", "- one\n* two"),
    ("> one\n> two", "> one\n> two"),
    # Marks that the person writes themselves stay, also a list within a quote.
    ("- - two", "- - two"),
    ("1. 2. x", "1. 2. x"),
    ("> one\n- two", "> one\n> - two"),
    ("- one\ntwo - three", "- one\n- two - three"),
]


def test_a_mark_typed_in_a_list_that_goes_on_stands_once(
    served: str, outside: Outside, chromium: Any
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", workspace=workspace, role=Role.OWNER)
    connect(outside, workspace)
    conversation = arrive()
    page = chromium.new_context(base_url=served).new_page()
    page.goto("/login")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    page.goto(f"/w/{workspace}/inbox/{conversation}")
    text = page.locator("[data-form=reply] textarea")
    for typed, stands in TYPED:
        text.fill("")
        text.click()
        page.keyboard.type(typed)
        assert text.input_value() == stands, typed
    text.fill("")
    page.keyboard.type("- one\n- ")
    page.keyboard.press("Control+z")
    assert text.input_value() == "- one\n- - ", "what was taken away comes back"
    page.keyboard.press("End")
    page.keyboard.type("x")
    assert text.input_value() == "- one\n- - x"
    text.fill("")
    page.keyboard.type("- one\n")
    page.keyboard.insert_text("- two, pasted")
    assert text.input_value() == "- one\n- two, pasted"
