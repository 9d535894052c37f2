"""The whole way: a mail comes in, an agent answers, and their answer lands in the same conversation."""

from __future__ import annotations

import email
import smtplib
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail import receiving
from addons.email.lobby_mail.addon import register_channels
from host.channels.directory import Directory
from host.core import clock, db, storage
from host.delivery.worker import drain
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.inbox.unsent import resending
from host.models.inbox import Attachment, Contact, Conversation, DeliveryState, Direction, Message
from host.models.queue import EventState, InboundEvent
from host.models.users import Role, User
from host.queue.journal import Journal
from host.sdk.channel import AccountRef
from host.sdk.webhooks import Envelope
from tests.email.conftest import Outside, connect
from tests.helpers import Browser, StandInGeneration, build_app, client_for, do, make_user, queue_reply


class Generation:
    number = 1
    directory = Directory(register_channels())


class Desk:
    """A desk whose journal and listener run, and whose workers work when told to."""

    def __init__(self, account: AccountRef, port: int, outside: Outside) -> None:
        self.account = account
        self.port = port
        self.outside = outside
        self.agent = make_user(workspace=account.workspace_id, role=Role.AGENT).id

    def receive(self, text: str = "Do you have blue mugs?", **headers: str) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = headers.pop("From", "Mia Rossi <mia@example.org>")
        mail["To"] = "hello@shop.example"
        mail["Subject"] = headers.pop("Subject", "Blue mugs")
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        self.deliver(mail.as_bytes())
        return mail

    def deliver(self, raw: bytes) -> None:
        with smtplib.SMTP("127.0.0.1", self.port, timeout=10) as client:
            client.sendmail("mia@example.org", "hello@shop.example", raw)
        self.work()

    def work(self) -> None:
        drain(Generation())

    def reply(self, conversation: int, text: str, key: str) -> None:
        do(
            queue_reply,
            self.account.workspace_id,
            conversation,
            text,
            reply_key=key,
            adapter=Generation.directory.adapter("email"),
            actor=self.agent,
        )
        self.work()

    def retry(self, message: int) -> None:
        db.write(resending.retry, message)
        self.work()


@pytest.fixture
def whole(any_desk: db.Database, data: Path, outside: Outside) -> Iterator[Desk]:
    yield from desk_at(data, outside)


def desk_at(data: Path, outside: Outside, **entered: str) -> Iterator[Desk]:
    storage.use(storage.FolderStore(data / "attachments"))
    account = connect(outside, **entered)
    journal = Journal(data / "spool")
    journal.start()

    def ingest(raw: bytes, envelopes: tuple[Envelope, ...]) -> None:
        journal.ingest(source="receiver:smtp", channel="email", raw=raw, remote="", envelopes=envelopes)

    stop = receiving.start(("127.0.0.1", 0), ingest)
    port = receiving._listeners["127.0.0.1", 0].socket.getsockname()[1]
    try:
        yield Desk(account, port, outside)
    finally:
        stop()
        journal.stop()


def conversations() -> list[Conversation]:
    with db.read() as session:
        return list(session.scalars(sa.select(Conversation).order_by(Conversation.id)))


def messages() -> list[Message]:
    with db.read() as session:
        return list(session.scalars(sa.select(Message).order_by(Message.id)))


def signed_in(desk: Desk, data: Path) -> Browser:
    """Return a browser without scripts in which the desk's agent is signed in."""
    app = build_app(data, generation=StandInGeneration(directory=Generation.directory))
    with db.read() as session:
        agent = session.get_one(User, desk.agent)
    return client_for(app, agent)


def test_question_answer_and_thanks_are_one_conversation(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    conversation = conversations()[0]
    assert (conversation.channel, conversation.subject) == ("email", "Blue mugs")
    with db.read() as session:
        contact = session.get_one(Contact, conversation.contact_id)
    assert (contact.name, contact.email) == ("Mia Rossi", "mia@example.org")

    whole.reply(conversation.id, "Yes, eight of them.", "reply-key-1")
    sent = messages()[1]
    assert (sent.state, sent.direction) == (DeliveryState.SENT, Direction.OUTBOUND)
    arrived = email.message_from_bytes(whole.outside.mails[0][2])
    assert arrived["In-Reply-To"] == "<one@example.org>"
    assert arrived["Subject"] == "Re: Blue mugs"
    assert arrived["To"] == "Mia Rossi <mia@example.org>"
    assert arrived["Message-ID"] == f"<{sent.external_id}>"

    whole.receive(
        "Thanks!",
        Message_ID="<two@example.org>",
        Subject="AW: Blue mugs",
        In_Reply_To=arrived["Message-ID"],
        References=f"<one@example.org> {arrived['Message-ID']}",
    )
    whole.reply(conversation.id, "You are welcome.", "reply-key-2")
    assert [c.id for c in conversations()] == [conversation.id]
    assert [m.text for m in messages()] == [
        "Do you have blue mugs?",
        "Yes, eight of them.",
        "Thanks!",
        "You are welcome.",
    ]
    last = email.message_from_bytes(whole.outside.mails[1][2])
    assert last["In-Reply-To"] == "<two@example.org>"
    assert last["References"].split() == [
        "<one@example.org>",
        f"<{sent.external_id}>",
        "<two@example.org>",
    ]


def test_a_mail_that_answers_nothing_starts_a_conversation(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.receive(Message_ID="<two@example.org>", Subject="Red mugs")
    assert [c.subject for c in conversations()] == ["Blue mugs", "Red mugs"]
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 1


def test_a_mail_with_a_file_waits_for_where_files_are_kept_and_is_never_given_up(
    whole: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = "Mia <mia@example.org>", "hello@shop.example"
    mail["Message-ID"], mail["Subject"] = "<one@example.org>", "A plan"
    mail.set_content("See the plan.")
    mail.add_attachment(b"the plan", maintype="application", subtype="pdf", filename="plan.pdf")

    def away(*_: object, **__: object) -> None:
        raise storage.StoreAwayError("it does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(storage.FolderStore, "size", away)
        whole.deliver(mail.as_bytes())
        for hours in range(1, 40):
            with clock.travel(timedelta(hours=hours)):
                whole.work()
    assert messages() == []
    with db.read() as session:
        event = session.scalars(sa.select(InboundEvent)).one()
    assert (event.state, event.attempts) == (EventState.PENDING, 0)
    with clock.travel(timedelta(hours=41)):
        whole.work()
    (message,) = messages()
    assert message.text == "See the plan."
    with db.read() as session:
        key = session.scalars(sa.select(Attachment.storage_key)).one()
    with storage.open_stored(key or "") as file:
        assert file.read() == b"the plan"


def test_a_mail_delivered_twice_appears_once(whole: Desk) -> None:
    mail = whole.receive(Message_ID="<one@example.org>")
    whole.deliver(b"Received: by another way\r\n" + mail.as_bytes())
    assert len(messages()) == 1


def test_two_mails_with_one_message_id_are_two_messages(whole: Desk) -> None:
    """Programs reuse ids, and anybody may send one they have seen."""
    whole.receive(Message_ID="<one@example.org>")
    mail = whole.receive("It is broken.", From="Jon <jon@example.net>", Message_ID="<one@example.org>")
    whole.deliver(b"Received: by another way\r\n" + mail.as_bytes())
    whole.receive("Page 2", Subject="Scan", Message_ID="<one@example.org>")
    assert [m.text for m in messages()] == ["Do you have blue mugs?", "It is broken.", "Page 2"]
    assert len(conversations()) == 3
    with db.read() as session:
        assert {event.state for event in session.scalars(sa.select(InboundEvent))} == {EventState.APPLIED}
        session.rollback()
    whole.reply(conversations()[1].id, "We are sorry.", "reply-key-1")
    whole.receive("Fine.", From="jon@example.net", In_Reply_To=f"<{messages()[3].external_id}>")
    assert messages()[4].conversation_id == conversations()[1].id


def test_two_mails_with_one_message_id_in_one_batch_are_two_messages(whole: Desk) -> None:
    mails = [
        f"From: {who}@example.org\r\nMessage-ID: <one@x.example>\r\n\r\n{what}\r\n".encode()
        for who, what in (("mia", "first"), ("mia", "second"), ("jon", "third"), ("mia", "first"))
    ]
    with smtplib.SMTP("127.0.0.1", whole.port, timeout=10) as client:
        for raw in mails:
            client.sendmail("mia@example.org", "hello@shop.example", raw)
    whole.work()
    assert sorted(m.text for m in messages()) == ["first", "second", "third"]


def test_a_mail_that_claims_the_id_of_our_reply_is_shown(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    whole.receive("Not swallowed", Message_ID=f"<{messages()[1].external_id}>")
    assert [m.text for m in messages()] == ["Do you have blue mugs?", "Yes.", "Not swallowed"]


def test_a_contact_form_that_writes_as_ourselves_is_the_visitors_message(whole: Desk) -> None:
    whole.receive(
        "Do you ship?",
        From="Shop <hello@shop.example>",
        Reply_To="Mia <mia@example.org>",
        Message_ID="<form@web.example>",
    )
    with db.read() as session:
        contact = session.scalars(sa.select(Contact)).one()
    assert (contact.name, contact.email) == ("Mia", "mia@example.org")
    whole.reply(conversations()[0].id, "We do.", "reply-key-1")
    assert whole.outside.mails[0][1] == ["mia@example.org"]


def test_our_own_reply_coming_back_is_no_message(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    sent = whole.outside.mails[0][2]
    whole.deliver(sent)
    whole.deliver(b"Reply-To: mia@example.org\r\n" + sent)
    # Some servers write an id of their own.
    whole.deliver(sent.replace(b"Message-ID: <", b"Message-ID: <changed-"))
    assert [m.text for m in messages()] == ["Do you have blue mugs?", "Yes."]


def test_files_are_kept_and_can_be_opened(whole: Desk) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "mia@example.org"
    mail["Subject"] = "Photo"
    mail["Message-ID"] = "<three@example.org>"
    mail.set_content("See the photo")
    mail.add_attachment(b"\xff\xd8\xff" * 1000, maintype="image", subtype="jpeg", filename="mug.jpg")
    whole.deliver(mail.as_bytes())
    with db.read() as session:
        attachment = session.scalars(sa.select(Attachment)).one()
    assert (attachment.name, attachment.content_type, attachment.size) == ("mug.jpg", "image/jpeg", 3000)
    assert attachment.storage_key is not None
    with storage.open_stored(attachment.storage_key) as file:
        assert file.read() == b"\xff\xd8\xff" * 1000


def test_a_contact_form_that_names_nobody_is_shown_and_cannot_be_answered(whole: Desk) -> None:
    whole.receive("Mia, 030 1234: call me", From="Shop <hello@shop.example>", Message_ID="<a@web.example>")
    assert [m.text for m in messages()] == ["Mia, 030 1234: call me"]
    whole.reply(conversations()[0].id, "Whom?", "reply-key-1")
    assert whole.outside.mails == []
    assert messages()[1].state == DeliveryState.FAILED


def test_a_large_mail_is_stored_on_every_database(whole: Desk) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = "mia@example.org"
    mail["Message-ID"] = "<large@example.org>"
    mail.set_content("large")
    mail.add_attachment(b"\x00\xff" * 2_500_000, maintype="application", subtype="zip", filename="a.zip")
    whole.deliver(mail.as_bytes())
    with db.read() as session:
        assert session.scalars(sa.select(Attachment.size)).one() == 5_000_000


def test_junk_becomes_a_message_and_the_next_mail_is_not_held_up(whole: Desk) -> None:
    whole.deliver(b"Subject: \xff\x00\r\nContent-Type: multipart/mixed\r\n\r\n\x00\xff\r\n")
    whole.receive(Message_ID="<after@example.org>")
    assert [m.text for m in messages()][1] == "Do you have blue mugs?"
    assert len(conversations()) == 2


def test_while_the_server_refuses_the_password_the_reply_waits(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.outside.password = "changed since"
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    assert messages()[1].state == DeliveryState.QUEUED
    whole.outside.password = "correct horse"
    connect(whole.outside, whole.account.workspace_id)
    whole.work()
    assert messages()[1].state == DeliveryState.SENT
    assert len(whole.outside.mails) == 1


def test_a_mailbox_that_does_not_exist_fails_with_what_the_server_said(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.outside.answers["RCPT"] = "550 5.1.1 no such user"
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    failed = messages()[1]
    assert failed.state == DeliveryState.FAILED
    assert failed.error is not None
    assert "no such user" in failed.error["raw"]


def test_a_copy_that_was_refused_stands_with_the_mail_that_was_sent(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.outside.answers["gone@example.org"] = "550 no such user"
    do(
        queue_parts,
        whole.account.workspace_id,
        conversations()[0].id,
        [Draft(text="Here", content={"cc": ["gone@example.org"], "subject": "Mugs, blue"})],
        reply_key="reply-key-1",
        adapter=Generation.directory.adapter("email"),
        actor=whole.agent,
    )
    whole.work()
    sent = messages()[1]
    assert sent.state == DeliveryState.SENT
    assert sent.error is not None
    assert (sent.error["code"], sent.error["raw"]) == ("copies", "gone@example.org: 550 no such user")
    assert [recipients for _sender, recipients, _raw in whole.outside.mails] == [["mia@example.org"]]
    assert conversations()[0].subject == "Mugs, blue"
