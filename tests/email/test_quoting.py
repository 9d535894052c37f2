"""The message below a reply: off by default, and folded by the programs of whoever gets it."""

from __future__ import annotations

import email
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import composing, signatures
from addons.email.lobby_mail.channel import EmailAdapter
from addons.email.lobby_mail.mail import quotes
from host.core import db
from host.models.inbox import Message
from host.models.users import Workspace
from host.sdk.channel import QuotedMessage, SendRequest
from host.users import desk_language
from tests.email.conftest import Outside, connect
from tests.email.test_conversation import Desk, conversations, signed_in, whole
from tests.email.test_parsing import read
from tests.email.test_sending import body, html, request, send

__all__ = ["whole"]

AT = datetime(2026, 3, 2, 10, 12, tzinfo=UTC)
HERS = QuotedMessage("Do you have <b>blue</b> mugs?\n\n> earlier\n**two**\n", AT, ours=False)


def quoting(request: SendRequest) -> SendRequest:
    db.write(signatures.keep_shared, request.account.id, "", "", quotes=True)
    return request


@pytest.mark.usefixtures("desk")
def test_nothing_is_quoted_unless_the_account_wants_it(outside: Outside) -> None:
    send(connect(outside), quoted=HERS)
    assert body(outside) == "Yes, we do."
    assert "blockquote" not in html(outside)


@pytest.mark.usefixtures("desk")
def test_the_message_stands_marked_below_the_reply(outside: Outside) -> None:
    account = connect(outside)
    given = quoting(request(account, quoted=HERS, recipient_name="Mia Rossi"))
    EmailAdapter().send(given)
    words = body(outside).replace("\r\n", "\n")
    said, introduction, quoted = words.partition(
        "On Mar 2, 2026, 10:12 AM, Mia Rossi <mia@example.org> wrote:\n"
    )
    assert (said, bool(introduction)) == ("Yes, we do.\n\n", True)
    assert quoted == "> Do you have <b>blue</b> mugs?\n>\n>> earlier\n> **two**"
    shown = html(outside).replace("\r\n", "\n")
    assert "Mia Rossi &lt;mia@example.org&gt; wrote:" in shown
    assert shown.count("<blockquote") == 1
    assert 'type="cite"' in shown
    assert (
        "Do you have &lt;b&gt;blue&lt;/b&gt; mugs?<br>\n<br>\n&gt; earlier<br>\n**two**</blockquote>" in shown
    )

    # As a desk reads it to which it goes: all of it, and folded where the quote begins.
    raw = (
        outside.mails[-1][2]
        .replace(b"hello@shop.example", b"hello@other.example")
        .replace(b"X-Lobby", b"X-Else")
    )
    raw = raw.replace(b"@shop.example", b"@other.example")
    found = read(raw)
    assert found.text.startswith("Yes, we do.")
    start = found.content["quoted_from"]
    assert isinstance(start, int)
    assert found.text[:start].strip() == "Yes, we do."
    assert found.content["html"] == {"rich": False, "remote": 0}, "what is quoted counts for nothing"


@pytest.mark.usefixtures("desk")
def test_words_of_our_own_are_quoted_without_marks(outside: Outside) -> None:
    ours = QuotedMessage("Yes, **eight**.", AT, ours=True)
    EmailAdapter().send(quoting(request(connect(outside), quoted=ours, recipient_name="Mia Rossi")))
    assert body(outside).endswith("Shop <hello@shop.example> wrote:\r\n> Yes, eight.")


def test_a_long_message_is_quoted_in_part() -> None:
    quote = composing.Quote("She wrote:", "a" * 49_999 + "\n" + "b" * 100_000)
    assert quote.plain() == f"She wrote:\n> {'a' * 49_999}\n>\n> [\u2026]"


def test_a_hostile_introduction_is_text() -> None:
    assert "<script" not in composing.Quote("<script>", "</blockquote><script>").html()


def test_a_reply_quotes_what_the_customer_wrote(whole: Desk) -> None:
    db.write(signatures.keep_shared, whole.account.id, "", "", quotes=True)
    whole.receive(Message_ID="<one@example.org>")
    whole.reply(conversations()[0].id, "Yes, **eight** of them.", "reply-key-1")
    mail = email.message_from_bytes(whole.outside.mails[0][2])
    words = mail.get_payload()[0].get_payload(decode=True).decode().replace("\r\n", "\n")  # type: ignore[index,union-attr]
    start = quotes.start(words)
    assert start is not None
    assert words[:start].strip() == "Yes, eight of them."
    assert words.endswith("Mia Rossi <mia@example.org> wrote:\n> Do you have blue mugs?")
    # Somebody who takes part, and wrote to us alone: the customer does not get to read that.
    whole.receive("She does not pay.", Message_ID="<two@example.org>", In_Reply_To="<one@example.org>")
    change = sa.update(Message).where(Message.external_id == "two@example.org").values(writer_id=1)
    db.write(lambda session: session.execute(change))
    whole.reply(conversations()[0].id, "Anything else?", "reply-key-2")
    again = whole.outside.mails[1][2]
    assert b"Shop <hello@shop.example> wrote:" in again
    assert b"> Yes, eight of them." in again
    assert b"pay" not in again


@pytest.fixture
def german_desk() -> Iterator[None]:
    desk_language.use("de")
    yield
    desk_language.use("en")


@pytest.mark.usefixtures("german_desk")
def test_a_workspace_without_a_language_introduces_quotes_in_that_of_the_desk(whole: Desk) -> None:
    db.write(signatures.keep_shared, whole.account.id, "", "", quotes=True)
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    whole.reply(talk.id, "Ja, acht.", "reply-key-1")
    assert "schrieb Mia Rossi <mia@example.org>:" in body(whole.outside)
    db.write(lambda session: session.execute(sa.update(Workspace).values(language="en")))
    whole.receive("Great", Message_ID="<two@example.org>", In_Reply_To="<one@example.org>")
    whole.reply(talk.id, "See you.", "reply-key-2")
    assert "Mia Rossi <mia@example.org> wrote:" in body(whole.outside)


def test_the_preview_shows_the_quote_as_it_goes_out(whole: Desk, data: Path) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (talk,) = conversations()
    agent = signed_in(whole, data)
    path = f"/w/{whole.account.workspace_id}/inbox/{talk.id}/preview"
    assert "<blockquote" not in agent.post_form(path, text="Yes").text
    db.write(signatures.keep_shared, whole.account.id, "", "", quotes=True)
    shown = agent.post_form(path, text="Yes").text
    assert "Mia Rossi &lt;mia@example.org&gt; wrote:" in shown
    said, _, quoted = shown.partition("<blockquote")
    assert "Yes" in said
    assert "Do you have blue mugs?" in quoted
