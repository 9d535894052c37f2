"""Who gets into a conversation: its customer and those it was shown to, and nobody by naming its messages."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.core import db
from host.inbox import erasure
from host.models.inbox import ContactIdentity
from host.models.queue import InboundEvent
from tests.email.test_conversation import Desk, conversations, messages, signed_in, whole
from tests.helpers import do

__all__ = ["whole"]


def test_what_a_colleague_wrote_names_them_on_screen(whole: Desk, data: Path) -> None:
    whole.receive(Message_ID="<one@example.org>", Cc="anna@example.org")
    whole.receive(
        "Two", From="Anna <anna@example.org>", Message_ID="<two@x>", In_Reply_To="<one@example.org>"
    )
    (talk,) = conversations()
    page = signed_in(whole, data).get(f"/w/{whole.account.workspace_id}/inbox/{talk.id}").text
    assert page.count('title="anna@example.org" translate="no">Anna</bdi>') == 1


def test_who_was_copied_joins_and_a_stranger_does_not(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>", Cc="Anna <anna@example.org>, hello@shop.example")
    (first,) = conversations()

    whole.receive(
        "I would like two",
        From="Anna <Anna@example.org>",
        Message_ID="<two@example.org>",
        In_Reply_To="<one@example.org>",
    )
    assert len(conversations()) == 1
    answer = messages()[-1]
    assert answer.conversation_id == first.id
    assert answer.content["author"] == {"name": "Anna", "address": "anna@example.org"}
    with db.read() as session:
        known = set(session.scalars(sa.select(ContactIdentity.external_id)))
    assert known == {"mia@example.org", "anna@example.org"}

    # Anna's friend was shown it by her; a stranger read the id in a mail that was passed on.
    whole.receive(
        "Let me in",
        From="eve@evil.example",
        Message_ID="<three@evil.example>",
        In_Reply_To="<two@example.org>",
        References="<one@example.org> <two@example.org>",
    )
    mine, other = conversations()
    assert mine.id == first.id
    theirs = [message for message in messages() if message.conversation_id == other.id]
    assert [(one.kind, one.text) for one in theirs] == [("text", "Let me in"), ("activity", "")]
    assert theirs[1].content == {"what": "may_belong_by_message", "conversation": str(first.id)}
    assert conversations()[0].unread_count == 2


def test_a_colleague_joins_who_answers_a_message_that_named_the_customer_alone(whole: Desk) -> None:
    """The customer showed it to her: she was in Cc before."""
    whole.receive(Message_ID="<one@example.org>", Cc="Anna <anna@example.org>")
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    answered = f"<{messages()[1].external_id}>"
    whole.receive("Two", From="Anna <anna@example.org>", Message_ID="<two@x>", In_Reply_To=answered)
    assert len(conversations()) == 1
    assert messages()[-1].content["author"] == {"name": "Anna", "address": "anna@example.org"}
    whole.receive("Me, too", From="eve@evil.example", Message_ID="<three@x>", In_Reply_To=answered)
    assert len(conversations()) == 2


@pytest.mark.parametrize("sender", ["hello@shop.example", "eve@evil.example"])
def test_neither_our_own_address_nor_a_forged_sender_takes_part(
    whole: Desk,
    sender: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("addons.email.lobby_mail.mail.parsing.authserv_id", lambda: "mx.shop.example")
    whole.receive(Message_ID="<one@example.org>", Cc="eve@evil.example, hello@shop.example")
    mail = EmailMessage(policy=SMTP)
    mail["Authentication-Results"] = "mx.shop.example; dmarc=fail"
    mail["From"] = sender
    mail["Message-ID"] = "<two@evil.example>"
    mail["In-Reply-To"] = "<one@example.org>"
    mail.set_content("Let me in")
    whole.deliver(mail.as_bytes())
    assert len(conversations()) == 2


def test_who_is_copied_by_a_forged_mail_takes_no_part(
    whole: Desk,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("addons.email.lobby_mail.mail.parsing.authserv_id", lambda: "mx.shop.example")
    whole.receive(Message_ID="<one@example.org>")
    mail = EmailMessage(policy=SMTP)
    mail["Authentication-Results"] = "mx.shop.example; dmarc=fail"
    mail["From"] = "mia@example.org"
    mail["Cc"] = "eve@evil.example"
    mail["Message-ID"] = "<forged@evil.example>"
    mail["In-Reply-To"] = "<one@example.org>"
    mail.set_content("I forgot to copy Eve")
    whole.deliver(mail.as_bytes())
    whole.receive(
        "Thanks", From="eve@evil.example", Message_ID="<3@evil.example>", In_Reply_To="<forged@evil.example>"
    )
    assert len(conversations()) == 2


def test_erasing_a_participant_erases_what_they_wrote_and_nothing_else(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>", Cc="anna@example.org")
    whole.receive(
        "I would like two",
        From="anna@example.org",
        Message_ID="<2@example.org>",
        In_Reply_To="<one@example.org>",
    )
    with db.read() as session:
        anna = session.scalar(
            sa.select(ContactIdentity.contact_id).where(ContactIdentity.external_id == "anna@example.org")
        )
    do(erasure.erase, whole.account.workspace_id, anna)
    mine, theirs = messages()
    assert (mine.text, mine.erased_at) == ("Do you have blue mugs?", None)
    assert (theirs.text, theirs.content) == ("", {})
    assert theirs.erased_at is not None
    (conversation,) = conversations()
    assert (conversation.last_preview, conversation.subject) == ("", "Blue mugs")
    with db.read() as session:
        bodies = list(session.scalars(sa.select(InboundEvent.body).order_by(InboundEvent.id)))
    assert bodies[0] is not None
    assert bodies[1] is None
