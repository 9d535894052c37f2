"""A draft of a mail that follows a person: its addresses, its subject and its file, in two browsers."""

from __future__ import annotations

import smtplib
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.inbox.kept_drafts.models import KeptDraft
from host.models.users import Workspace
from host.web.request_helpers import Role
from tests.email.conftest import Outside, connect
from tests.email.test_aliases_browser import MAIL, _conversation, sign_in
from tests.email.test_browser import mail_port, served
from tests.helpers import make_user, make_workspace
from tests.inbox import toys
from tests.live.served import until

__all__ = ["served"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_mail_begun_on_one_device_is_sent_from_another(
    served: str, outside: Outside, chromium: Any
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER, is_admin=True)
    connect(outside, workspace, aliases="support@shop.example")
    db.write(lambda session: session.execute(sa.update(Workspace).values(undo_seconds=0)))
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail("mia@example.org", "support@shop.example", MAIL)
    until(_conversation)
    pages = []
    for size in ({"width": 1440, "height": 900}, {"width": 360, "height": 780}):
        page = chromium.new_context(base_url=served, viewport=size).new_page()
        sign_in(page)
        page.goto(f"/w/{workspace}/inbox/{_conversation()}")
        pages.append(page)
    laptop, phone = pages

    def entered(page: Any, name: str) -> str:
        return str(page.locator(f"[data-form=reply] [name={name}]").input_value())

    laptop.locator("[data-along-opens]").click()
    laptop.locator("[data-form=reply] [name=cc]").fill("jo@example.org")
    laptop.locator("[data-form=reply] [name=subject]").fill("Eight bowls")
    file = {"name": "prices.txt", "mimeType": "text/plain", "buffer": b"a bowl: 8 EUR"}
    laptop.locator("[data-form=reply] [data-file-input]").set_input_files(file)
    laptop.locator("[data-form=reply] textarea").fill("Yes, eight.")
    until(lambda: entered(phone, "text") == "Yes, eight.")
    until(lambda: (entered(phone, "cc"), entered(phone, "subject")) == ("jo@example.org", "Eight bowls"))
    phone.wait_for_selector("[data-tray] >> text=prices.txt")

    # Two addresses entered at the same time both stay.
    phone.context.set_offline(True)
    phone.locator("[data-form=reply] [name=bcc]").fill("books@example.org")
    laptop.locator("[data-form=reply] [name=bcc]").fill("tax@example.org")
    laptop.locator("[data-form=reply] textarea").focus()
    until(lambda: "tax@" in toys.only(KeptDraft).content)
    phone.locator("[data-form=reply] textarea").focus()
    phone.context.set_offline(False)
    until(lambda: set(entered(phone, "bcc").split(", ")) == {"books@example.org", "tax@example.org"})

    phone.locator("[data-send]").click()
    until(lambda: outside.mails)
    _sender, recipients, mail = outside.mails[0]
    assert {"jo@example.org", "books@example.org", "tax@example.org"} <= set(recipients)
    assert b"Subject: Eight bowls" in mail
    assert b"prices.txt" in mail
    until(lambda: toys.only(KeptDraft).content == "")
    until(lambda: (entered(laptop, "text"), entered(laptop, "bcc")) == ("", ""))
    assert not laptop.locator("[data-tray] >> text=prices.txt").count()
    for page in pages:
        page.context.close()
