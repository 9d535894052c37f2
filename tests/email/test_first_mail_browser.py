"""A first mail in a browser: where nothing can be sent on the old account, and from a contact's page."""

from __future__ import annotations

import email
import re
from base64 import b64decode, b64encode
from email.message import EmailMessage
from email.policy import default
from io import BytesIO
from typing import Any

import pytest
import sqlalchemy as sa
from PIL import Image

from addons.email.lobby_mail.models import EmailAccount
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

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
    third = connect(outside, workspace, address="news@shop.example", name="Shop news")
    signs = sa.update(EmailAccount).where(EmailAccount.account_id == third.id)
    db.write(lambda session: session.execute(signs.values(signature="Yours, *{{account.name}}*")))
    gone = sa.update(ChannelAccount).where(ChannelAccount.id == old.id)
    db.write(lambda session: session.execute(gone.values(state=AccountState.DISCONNECTED)))
    troubles: list[str] = []
    page = sign_in(chromium, served, troubles)

    # Nothing can be sent on the old account: it goes on by another.
    page.goto(f"/w/{workspace}/inbox/{conversation}")
    page.click("text=Write an email instead")
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
    page.click("text=Write an email instead")
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
    page.click("text=Write an email")
    page.wait_for_selector("[data-form=onward] textarea")
    assert form.locator("input[name=subject]").input_value() == "A message from Shop desk"
    signature = form.locator(".signed")
    assert not signature.is_visible()
    form.locator("[data-place]").select_option(f"{third.id}:mia@example.org")
    signature.wait_for()  # the page's scripts may come after the choice
    assert signature.inner_text() == "Yours, Shop news"
    assert form.locator("input[name=subject]").input_value() == "A message from Shop news"
    assert form.get_attribute("data-account") == str(third.id)
    form.locator("textarea").fill("The **kiln** is free.")
    form.locator("textarea").press("End")
    look(page, "write-first")
    page.click("[data-send]")
    page.wait_for_url(lambda url: "/inbox/" in url, timeout=60_000)
    page.wait_for_selector(".msg-out [data-sent]", timeout=60_000)
    recipients, mail = sent(outside)
    assert recipients == ["mia@example.org"]
    assert mail["Subject"] == "A message from Shop news"
    assert "news@shop.example" in mail["From"]
    assert "<strong>kiln</strong>" in words(mail, "html")
    assert "Yours, <em>Shop news</em>" in words(mail, "html")
    with db.read() as session:
        accounts = list(session.scalars(sa.select(Conversation.account_id).order_by(Conversation.id)))
    assert accounts == [old.id, new.id, third.id]
    assert troubles == []
    page.context.close()


PASTE = """(text, given) => {
  const data = new DataTransfer();
  for (const one of given.files) {
    const bytes = Uint8Array.from(atob(one.content), (char) => char.charCodeAt(0));
    data.items.add(new File([bytes], one.name, { type: one.type }));
  }
  const event = given.drop
    ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
    : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
  text.dispatchEvent(event);
}"""
"""What a browser does where somebody pastes or drops files into a field."""


def given(name: str, colour: str, *, drop: bool = False) -> dict[str, Any]:
    content = BytesIO()
    Image.new("RGB", (320, 180), colour).save(content, "PNG")
    file = {"name": name, "type": "image/png", "content": b64encode(content.getvalue()).decode()}
    return {"files": [file], "drop": drop}


def test_a_picture_stands_where_it_was_pasted(served: str, outside: Outside, chromium: Any) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER)
    account = connect(outside, workspace)
    conversation = arrive()
    signed = sa.update(EmailAccount).where(EmailAccount.account_id == account.id)
    db.write(lambda session: session.execute(signed.values(signature="**{{account.name}}**")))
    db.write(lambda session: session.execute(sa.update(Workspace).values(undo_seconds=0)))
    troubles: list[str] = []
    page = sign_in(chromium, served, troubles)
    page.goto(f"/w/{workspace}/inbox/{conversation}")
    text = page.locator("[data-form=reply] textarea")
    text.fill("Here it is:\n\n")
    text.evaluate(PASTE, given("image.png", "blue"))
    until(lambda: text.input_value() == "Here it is:\n\n![image.png]")
    text.press("End")
    text.evaluate(PASTE, given("image.png", "red", drop=True))
    until(lambda: text.input_value().endswith("![image.png] ![image-2.png]"))
    small = b64decode(given("", "green")["files"][0]["content"])
    chosen = {"name": "small [1].png", "mimeType": "image/png", "buffer": small}
    page.set_input_files("[data-file-input]", chosen)
    until(lambda: page.locator(".tray-item[data-state=ready]").count() == 3)
    assert "small" not in text.input_value()
    page.locator(".tray-item [data-remove]").nth(1).click()  # its place goes with it
    until(lambda: "image-2" not in text.input_value())
    text.press("Control+End")
    text.type("\n\nand ")
    page.locator(".tray-item [data-into]:visible").click()
    until(lambda: text.input_value().endswith("and ![small (1).png]"))
    assert page.locator(".tray-item [data-into]:visible").count() == 0
    look(page, "pictures-in-a-text")

    page.click("[data-preview]")
    frame = page.frame_locator(".preview-frame")
    frame.locator("img").nth(1).wait_for()
    shown = frame.locator("img")
    until(lambda: shown.evaluate_all("all => all.map((one) => one.naturalWidth)") == [320, 320])
    assert frame.locator("strong").inner_text() == "Shop"
    assert page.locator(".preview-frame").get_attribute("sandbox") == (
        "allow-same-origin allow-popups allow-popups-to-escape-sandbox"
    )
    look(page, "preview")
    page.keyboard.press("Escape")
    until(lambda: page.locator(".preview-frame").count() == 0)
    assert not outside.mails

    text.fill(text.input_value() + " ![gone.png]")
    page.click("[data-preview]")
    frame.locator("text=The text refers to “gone.png”").wait_for()
    page.click("[data-preview-close]")
    page.click("[data-send]")
    page.wait_for_selector("[data-problem]:visible >> text=which is not attached")
    assert not outside.mails
    text.fill(text.input_value().replace(" ![gone.png]", ""))
    page.click("[data-send]")
    page.wait_for_selector(".msg-out [data-sent]", timeout=60_000)
    pictures = page.locator(".msg-out .formatted img")
    until(lambda: pictures.evaluate_all("all => all.map((one) => one.naturalWidth)") == [320, 320])
    assert page.locator(".msg-out .bubble img").count() == 2, "none of them stands below as well"
    look(page, "pictures-sent")

    recipients, mail = sent(outside)
    assert recipients == ["mia@example.org", "anna@example.org"]
    assert list(mail.iter_attachments()) == []
    assert words(mail, "plain").startswith("Here it is:\n\n[image.png]\n\nand [small (1).png]")
    plain, related = mail.iter_parts()
    assert plain.get_content_type() == "text/plain"
    html, *parts = related.iter_parts()
    sources = re.findall('src="cid:([^"]+)" alt="[^"]+" width="320" height="180"', html.get_content())
    ids = {one["Content-ID"].strip("<>"): one for one in parts}
    colours = [Image.open(BytesIO(ids[one].get_content())).convert("RGB").getpixel((0, 0)) for one in sources]
    assert colours == [(0, 0, 255), (0, 128, 0)]
    assert troubles == []
    page.context.close()
