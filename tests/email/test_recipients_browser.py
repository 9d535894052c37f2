"""Whom a mail goes to, in a browser: chosen in the composer's head, kept, and who is left out named."""

from __future__ import annotations

import email
import smtplib
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.models.inbox import Message
from host.models.users import Workspace
from host.web.request_helpers import Role
from tests.browser.conftest import look
from tests.email.conftest import Outside, connect
from tests.email.test_aliases_browser import _conversation, sign_in
from tests.email.test_browser import assert_fits, mail_port, served
from tests.helpers import make_user, make_workspace
from tests.live.served import until

__all__ = ["served"]

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MIA, KIM, BO, LIST = "mia@example.org", "kim@example.org", "bo@example.org", "mugs@lists.example.org"


def arrive(number: int, **headers: str) -> None:
    made = EmailMessage()
    made["To"], made["Subject"] = "hello@shop.example", "Mugs"
    made["Message-ID"], made["In-Reply-To"] = f"<{number}@example.org>", f"<{number - 1}@example.org>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(f"Blue mugs, number {number}?")
    with smtplib.SMTP("127.0.0.1", mail_port(), timeout=10) as client:
        client.sendmail(MIA, "hello@shop.example", made.as_bytes())
    until(lambda: _count() >= number)


def _count() -> int:
    with db.read() as session:
        inbound = sa.select(sa.func.count()).where(Message.direction == "inbound")
        return session.scalar(inbound) or 0


def gone(outside: Outside) -> dict[str, list[str]]:
    made = email.message_from_bytes(outside.mails[-1][2], policy=default)
    return {name: [one.addr_spec for one in made[name].addresses] for name in ("To", "Cc") if made[name]}


@pytest.mark.parametrize("width", [1440, 360])
def test_an_agent_sees_and_chooses_who_gets_a_reply(
    served: str, outside: Outside, chromium: Any, width: int
) -> None:
    workspace = make_workspace("Pottery")
    make_user("owner@example.com", "Anna Reuter", workspace=workspace, role=Role.OWNER, is_admin=True)
    connect(outside, workspace)
    db.write(lambda session: session.execute(sa.update(Workspace).values(undo_seconds=0)))
    arrive(1, From=f"Mia Rossi <{MIA}>", Cc=f"Kim Weber <{KIM}>")
    arrive(2, From=f"Kim Weber <{KIM}>", Cc=f"Mia Rossi <{MIA}>, {BO}")
    context = chromium.new_context(base_url=served, viewport={"width": width, "height": 900})
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    sign_in(page)
    page.goto(f"/w/{workspace}/inbox/{_conversation()}")
    form = page.locator("[data-form=reply]")
    answer, to, cc = form.locator("[name=answer]"), form.locator("[name=to]"), form.locator("[name=cc]")
    left_out = form.locator("[data-along-left-out]")
    assert form.locator("[data-along-to]").inner_text() == f"Kim Weber <{KIM}>"
    assert answer.locator("option").all_inner_texts() == ["Everyone", "Only Kim Weber"]
    assert left_out.is_hidden()
    assert_fits(page)
    look(page, f"recipients-{width}")

    # A choice names whom it leaves out, and is kept in the draft: in another tab too.
    answer.select_option("person")
    assert cc.input_value() == ""
    assert "Not to: Mia Rossi, bo@example.org" in left_out.inner_text()
    assert_fits(page)
    look(page, f"recipients-person-{width}")
    other = context.new_page()
    other.goto(page.url)
    until(lambda: other.locator("[data-form=reply] [name=answer]").input_value() == "person")
    assert other.locator("[data-form=reply] [data-along-left-out]").is_visible()
    other.close()

    # One press adds them back; who is removed by hand is named as well.
    left_out.locator("button").click()
    assert left_out.is_hidden()
    assert cc.input_value() == f"Mia Rossi <{MIA}>, {BO}"
    cc.fill(f"Mia Rossi <{MIA}>")
    assert "Not to: bo@example.org" in left_out.inner_text()
    form.locator("textarea").fill("Yes, eight.")
    form.locator("[data-send]").click()
    page.wait_for_selector(f".msg-out .copies >> text=to {KIM} · cc {MIA}")
    until(lambda: outside.mails)
    assert gone(outside) == {"To": [KIM], "Cc": [MIA]}
    until(lambda: answer.input_value() == "everyone")
    page.reload()

    # The next mail came through a list: the reply says so before it leaves, and a choice follows newer mails.
    answer.select_option("person")
    arrive(3, From=f"Mia Rossi <{MIA}>", Cc=LIST, List_Post=f"<mailto:{LIST}>")
    until(lambda: to.input_value() == f"Mia Rossi <{MIA}>")
    assert (answer.input_value(), cc.input_value()) == ("person", "")
    note = form.locator("[data-along-list]")
    assert note.is_hidden()
    answer.select_option("list")
    assert note.is_visible()
    said = f"Goes to the mailing list {LIST}. Everybody on it can read your reply."
    assert note.inner_text().strip() == said
    answer.select_option("person")
    assert note.is_hidden()
    fold = form.locator("details.along")
    fold.evaluate("fold => { fold.open = true }")
    form.locator("[name=bcc]").fill(LIST)
    assert note.is_visible(), "a hidden copy is read, too"
    form.locator("[name=bcc]").fill("")
    fold.evaluate("fold => { fold.open = false }")
    answer.select_option("list")
    assert_fits(page)
    look(page, f"recipients-list-{width}")
    form.locator("textarea").fill("For all of you.")
    form.locator("[data-send]").click()
    until(lambda: len(outside.mails) == 2)
    assert gone(outside) == {"To": [LIST]}
    assert troubles == []
