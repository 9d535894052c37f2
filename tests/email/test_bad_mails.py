"""Mails as they should not be, through the whole desk: each is there, and holds up none behind it."""

from __future__ import annotations

import resource
import smtplib
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db, storage
from host.models.inbox import Attachment, Contact, Message
from host.models.notifications import Notification
from host.models.queue import EventState, InboundEvent
from host.models.users import Role
from tests.email.test_conversation import Desk, conversations, messages, whole
from tests.email.test_imap import Desk as Mailbox
from tests.email.test_imap import desk_of_mail, imap, mail, until
from tests.helpers import make_user, takes_at_most

__all__ = ["desk_of_mail", "imap", "whole"]

HEAD = b"From: Mia <mia@example.org>\r\nTo: hello@shop.example\r\nMessage-ID: <bad@example.org>\r\n"


def nested(depth: int) -> bytes:
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
    )
    return HEAD + opening + b"\r\nthe needle\r\n"


def beside(count: int) -> bytes:
    parts = b"".join(b"--x\r\nContent-Type: application/pdf\r\n\r\npart %d\r\n" % n for n in range(count))
    return HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + parts + b"--x--\r\n"


def everything() -> bytes:
    """Return all words and files of the messages."""
    with db.read() as session:
        keys = [key for key in session.scalars(sa.select(Attachment.storage_key)) if key]
    files = []
    for key in keys:
        with storage.open_stored(key) as file:
            files.append(file.read())
    return b"".join([*files, *(one.text.encode() for one in messages())])


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(lambda: nested(20_000), id="20,000 parts, each in the other"),
        pytest.param(lambda: beside(20_000), id="20,000 parts"),
        pytest.param(
            lambda: HEAD + b"Content-Type: text/plain; charset=utf-16\r\n\r\nGr\xf6\xdfe: the needle",
            id="charset",
        ),
        pytest.param(
            lambda: (
                HEAD
                + b"Subject: =?us-ascii?q?Gr=F6=DFe?=\r\nContent-Type: text/plain; charset=big5-hkscs\r\n\r\n"
                b"\xff\xff the needle"
            ),
            id="charsets of words and subject",
        ),
        pytest.param(lambda: HEAD + b"To: Us: hello@shop.example;, Nobody:;\r\n\r\nthe needle", id="groups"),
        pytest.param(lambda: b"To: hello@shop.example\r\n\r\nthe needle", id="no sender"),
        pytest.param(
            lambda: b"From: Team:;\r\nSender: Team: a@b.example;\r\n\r\nthe needle", id="a group wrote"
        ),
        pytest.param(lambda: b"From: Mia <mia@example.org>\r\n\r\nthe needle", id="no Message-ID"),
        pytest.param(
            lambda: HEAD + b"Date: Mon, 01 Jan 2125 00:00:00 +0000\r\n\r\nthe needle", id="the future"
        ),
        pytest.param(
            lambda: HEAD + b"Date: Mon, 01 Jan 99999 00:00:00 +9999\r\n\r\nthe needle", id="no date"
        ),
    ],
)
def test_it_is_there_whole_and_the_next_is_not_held_up(whole: Desk, bad: Callable[[], bytes]) -> None:
    with takes_at_most(600):
        whole.deliver(bad())
        whole.receive("An ordinary one", Message_ID="<after@example.org>")
    assert len(messages()) == 2
    assert sum(one.text == "An ordinary one" for one in messages()) == 1
    found = everything()
    if b"needle" in bad():
        assert found.count(b"the needle") == 1
    else:
        assert all(b"part %d\r\n" % number in found for number in range(20_000))
    with db.read() as session:
        states = set(session.scalars(sa.select(InboundEvent.state)))
    assert states == {EventState.APPLIED}


def test_a_date_in_the_future_puts_no_mail_above_those_to_come(whole: Desk) -> None:
    soon = clock.now() + timedelta(days=400)
    whole.receive("From the future", Message_ID="<1@example.org>", Date=f"{soon:%a, %d %b %Y %H:%M:%S} +0000")
    with clock.travel(timedelta(minutes=5)):
        whole.receive("Later", Message_ID="<2@example.org>", In_Reply_To="<1@example.org>")
    first, second = messages()
    assert first.sent_at < second.sent_at
    assert first.sent_at <= clock.now()
    (conversation,) = conversations()
    assert conversation.last_preview == "Later"


def test_mails_without_an_id_or_a_date_all_arrive(whole: Desk) -> None:
    for text in ("first", "second", "first"):
        whole.deliver(f"From: mia@example.org\r\nSubject: Order\r\n\r\n{text}\r\n".encode())
    assert [one.text for one in messages()] == ["first", "second", "first"]
    with db.read() as session:
        ids = list(session.scalars(sa.select(Message.external_id)))
        assert session.scalar(sa.select(sa.func.count()).select_from(Contact)) == 1
    assert len({*ids, None}) == 4
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    assert whole.outside.mails[0][1] == ["mia@example.org"]


LARGE = 60 * 1024 * 1024


def memory() -> int:
    """Return the most bytes this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize("declares", [True, False])
def test_60_mb_are_refused_for_good_where_the_sender_can_be_told(whole: Desk, declares: bool) -> None:
    whole.receive(Message_ID="<before@example.org>")
    raw = HEAD + b"\r\n" + b"x" * 998 + b"\r\n"
    raw += (b"y" * 998 + b"\r\n") * (LARGE // 1000)
    with smtplib.SMTP("127.0.0.1", whole.port, timeout=60) as client:
        client.ehlo()
        if not declares:
            client.esmtp_features.pop("size")
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPDataError)) as refused:
            client.sendmail("mia@example.org", "hello@shop.example", raw)
    assert refused.value.smtp_code == 552
    whole.receive("An ordinary one", Message_ID="<after@example.org>")
    assert [one.text for one in messages()] == ["Do you have blue mugs?", "An ordinary one"]


@pytest.mark.slow
def test_of_60_mb_in_a_mailbox_the_beginning_is_there_and_it_is_told(desk_of_mail: Mailbox) -> None:
    desk = desk_of_mail
    owner = make_user(workspace=desk.account.workspace_id, role=Role.OWNER)
    desk.fetch_from(since=clock.now())
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    large = (
        HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nThe picture you asked for\r\n"
    )
    large += b"--x\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    large += (b"QUJD" * 19 + b"\r\n") * (LARGE // 78) + b"--x--\r\n"
    before = memory()
    desk.server.add(large)
    desk.server.add(mail(1, "An ordinary one"))
    until(lambda: len(rows()) == 2, 60)
    desk.work()
    found = {one.text: one.content.get("cut") for one in messages()}
    assert found == {"The picture you asked for": len(large), "An ordinary one": None}
    with db.read() as session:
        (told,) = session.scalars(sa.select(Notification))
    assert told.user_id == owner.id
    assert memory() - before < LARGE


def rows() -> list[InboundEvent]:
    with db.read() as session:
        return list(session.scalars(sa.select(InboundEvent)))
