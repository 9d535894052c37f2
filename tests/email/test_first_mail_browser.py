"""A first mail in a browser: where nothing can be sent on the old account, and from a contact's page."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Contact, Conversation
from host.models.users import Workspace
from host.web.request_helpers import Role
from tests.browser.conftest import look
from tests.email.conftest import Outside, connect
from tests.email.test_browser import served
from tests.email.test_writing_browser import arrive
from tests.helpers import PASSWORD, make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = pytest.mark.browser


def sign_in(chromium: Any, served: str, troubles: list[str]) -> Any:
    page = chromium.new_context(base_url=served, viewport={"width": 1440, "height": 900}).new_page()
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda message: troubles.append(message.text) if "Content Security" in message.text else None,
    )
    page.goto("/login")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "/login" not in url)
    return page


def sent(outside: Outside) -> tuple[list[str], EmailMessage]:
    """Return whom the only mail that went out went to, and the mail."""
    until(lambda: outside.mails, seconds=30)
    ((_sender, recipients, raw),) = outside.mails
    outside.mails.clear()
    mail = email.message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return recipients, mail


def words(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_first_mail_is_written_like_a_reply(served: str, outside: Outside, chromium: Any) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER)
    old = connect(outside, workspace)
    conversation = arrive()
    new = connect(outside, workspace, address="desk@shop.example", name="Shop desk")
    gone = sa.update(ChannelAccount).where(ChannelAccount.id == old.id)
    db.write(lambda session: session.execute(gone.values(state=AccountState.DISCONNECTED)))
    troubles: list[str] = []
    page = sign_in(chromium, served, troubles)

    # Nothing can be sent on the old account: it goes on by another.
    page.goto(f"/w/{workspace}/inbox/{conversation}")
    page.click("text=Write by e-mail instead")
    form = page.locator("[data-form=onward]")
    form.locator("textarea").fill("Yes, **eight**:\n\n- large\n- small")
    form.locator("[data-along-opens]").click()
    form.locator("input[name=cc]").fill("ben@example.org")
    form.locator("input[name=subject]").fill("Our blue mugs")
    page.set_input_files(
        "[data-file-input]", {"name": "prices.csv", "mimeType": "text/csv", "buffer": b"a,b\n"}
    )
    page.wait_for_selector(".tray-item[data-state=ready]")
    look(page, "first-mail")
    page.reload()  # what was begun is there again
    page.click("text=Write by e-mail instead")
    assert form.locator("input[name=cc]").input_value() == "ben@example.org"
    assert form.locator(".tray-item").count() == 1
    with page.expect_navigation():
        form.locator("textarea").press("Control+Enter")
    page.wait_for_selector(".msg-out [data-leaves]")
    assert not outside.mails, "it waits, so that it can be undone"
    page.keyboard.press("z") if page.evaluate("document.activeElement === document.body") else page.click(
        ".msg-out form[data-act=undo] button"
    )
    reply = page.locator("[data-form=reply]")
    until(lambda: reply.locator("textarea").input_value().startswith("Yes, **eight**"))
    assert reply.locator(".tray-item").count() == 1
    assert reply.locator("input[name=cc]").input_value() == "ben@example.org"
    assert reply.locator("input[name=subject]").input_value() == "Our blue mugs"
    db.write(lambda session: session.execute(sa.update(Workspace).values(undo_seconds=0)))
    page.click("[data-send]")
    page.wait_for_selector(".msg-out [data-sent]", timeout=60_000)
    recipients, mail = sent(outside)
    assert recipients == ["mia@example.org", "ben@example.org"]
    assert (mail["Subject"], mail["Cc"]) == ("Our blue mugs", "ben@example.org")
    assert "desk@shop.example" in mail["From"]
    assert mail["In-Reply-To"] is None
    assert "<strong>eight</strong>" in words(mail, "html")
    assert [one.get_filename() for one in mail.iter_attachments()] == ["prices.csv"]

    # From the contact's page: a conversation of its own.
    with db.read() as session:
        contact = session.scalars(sa.select(Contact)).one().id
    page.goto(f"/w/{workspace}/contacts/{contact}")
    look(page, "contact-with-address")
    page.click("text=Write an e-mail")
    page.wait_for_selector("[data-form=onward] textarea")
    assert form.locator("input[name=subject]").input_value() == "A message from Shop desk"
    form.locator("textarea").fill("The **kiln** is free.")
    form.locator("textarea").press("End")
    look(page, "write-first")
    page.click("[data-send]")
    page.wait_for_url(lambda url: "/inbox/" in url, timeout=60_000)
    page.wait_for_selector(".msg-out [data-sent]", timeout=60_000)
    recipients, mail = sent(outside)
    assert recipients == ["mia@example.org"]
    assert mail["Subject"] == "A message from Shop desk"
    assert "<strong>kiln</strong>" in words(mail, "html")
    with db.read() as session:
        accounts = list(session.scalars(sa.select(Conversation.account_id).order_by(Conversation.id)))
    assert accounts == [old.id, new.id, new.id]
    assert troubles == []
    page.context.close()
