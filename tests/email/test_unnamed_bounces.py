"""Reports of servers that name no mail of ours: found by recipient and time, or shown where they belong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from addons.email.lobby_mail.mail import bounces
from addons.email.lobby_mail.mail.headers import parse_mail
from host.core import clock
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.models.inbox import DeliveryState, Message
from tests.email.test_bounces import OURS, receipt
from tests.email.test_conversation import Desk, Generation, conversations, messages, signed_in, whole
from tests.helpers import do

__all__ = ["whole"]

QMAIL = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example.org
To: hello@shop.example
Subject: failure notice
Message-ID: <{number}@mx.example.org>

Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.

<{to}>:
{said}
"""


def unnamed(to: str = "mia@example.org", said: str = "550 5.1.1 User unknown", number: int = 1) -> bytes:
    return QMAIL.format(to=to, said=said, number=number).replace("\n", "\r\n").encode()


def shown() -> list[Message]:
    return [one for one in messages() if one.direction != "internal"]


def answered(whole: Desk, replies: int = 1) -> Message:
    """Return the last of our answers to a mail of Mia's."""
    whole.receive(Message_ID="<one@example.org>")
    for number in range(replies):
        whole.reply(conversations()[0].id, f"Answer {number}.", f"reply-key-{number}")
    return messages()[-1]


def page(whole: Desk, data: Path) -> str:
    browser = signed_in(whole, data)
    where = f"/w/{whole.account.workspace_id}/inbox/{conversations()[0].id}"
    return " ".join(browser.get(where).get_data(as_text=True).split())


def test_a_report_that_only_one_message_fits_marks_it_and_says_why(whole: Desk, data: Path) -> None:
    answered(whole)
    for number in (1, 2):
        whole.deliver(unnamed(number=number))
        (_, sent) = messages()
        assert sent.state == DeliveryState.FAILED
        assert sent.error is not None
        assert (sent.error["code"], sent.error["only_to"]) == ("bounced", "mia@example.org")
        assert "address doesn't exist" in sent.error["sentence"]
        assert "User unknown" in sent.error["raw"]
        assert [one.failed_count for one in conversations()] == [1]
    assert "Only this one was sent to mia@example.org in the week before it." in page(whole, data)


def test_a_report_that_several_messages_fit_is_shown_with_a_hint(whole: Desk, data: Path) -> None:
    newest = answered(whole, 2)
    whole.deliver(unnamed())
    *_, report = messages()
    assert len(conversations()) == 1
    assert [one.state for one in messages()[1:3]] == [DeliveryState.SENT] * 2
    assert [one.error for one in messages()] == [None] * 4
    assert report.content["author"]["address"] == "mailer-daemon@mx.example.org"
    assert report.reply_to == newest.external_id
    seen = page(whole, data)
    assert "This is probably about the quoted message." in seen
    assert "2 messages to mia@example.org fit; the newest is quoted." in seen


def test_the_next_answer_goes_to_the_customer_and_quotes_no_report(whole: Desk) -> None:
    answered(whole, 2)
    whole.deliver(unnamed())
    whole.reply(conversations()[0].id, "Once more.", "reply-key-9")
    _, to, mail = whole.outside.mails[-1]
    assert to == ["mia@example.org"]
    assert b"qmail-send" not in mail
    assert b"mx.example.org" not in mail


def test_a_message_that_was_read_is_not_marked(whole: Desk, data: Path) -> None:
    sent = answered(whole)
    whole.deliver(receipt(sent.external_id or ""))
    whole.deliver(unnamed())
    assert messages()[1].state == DeliveryState.READ
    assert (len(conversations()), len(messages())) == (1, 3)
    assert "it may have arrived." in page(whole, data)


def test_a_message_whose_customer_wrote_since_is_not_marked(whole: Desk) -> None:
    sent = answered(whole)
    whole.receive("Thanks!", Message_ID="<two@example.org>", In_Reply_To=f"<{sent.external_id}>")
    whole.deliver(unnamed())
    assert messages()[1].state == DeliveryState.SENT
    assert (len(conversations()), len(messages())) == (1, 4)


def test_a_copy_counts_like_the_customer(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    do(
        queue_parts,
        whole.account.workspace_id,
        conversations()[0].id,
        [Draft(text="Yes.", content={"cc": ["ada_1@example.org"]})],
        reply_key="reply-key-1",
        adapter=Generation.directory.adapter("email"),
        actor=whole.agent,
    )
    whole.work()
    whole.deliver(unnamed("ada_1@example.org"))
    marked = shown()[1]
    assert marked.state == DeliveryState.SENT
    assert marked.error is not None
    assert (marked.error["code"], marked.error["to"]) == ("copy_bounced", "ada_1@example.org")
    whole.deliver(unnamed("adax1@example.org", number=2))
    assert len(conversations()) == 2


def test_a_copy_makes_a_report_about_its_customer_unsure(whole: Desk) -> None:
    """A mail to Bo that Mia gets a copy of fits a report about Mia as well as the one to her."""
    answered(whole)
    whole.receive(Message_ID="<bo@example.org>", From="Bo <bo@example.org>", Subject="Red mugs")
    do(
        queue_parts,
        whole.account.workspace_id,
        conversations()[1].id,
        [Draft(text="Yes.", content={"cc": ["mia@example.org"]})],
        reply_key="reply-key-bo",
        adapter=Generation.directory.adapter("email"),
        actor=whole.agent,
    )
    whole.work()
    whole.deliver(unnamed())
    assert [one.error for one in messages()] == [None] * len(messages())
    assert messages()[-1].content["probably_about"] == {"to": "mia@example.org", "fitting": 2}


@pytest.mark.parametrize(
    "report",
    [
        unnamed("stranger@example.org"),
        unnamed().replace(b"User unknown", b"User unknown\r\n\r\nMessage-ID: <x@other.example>"),
        unnamed().replace(b"Subject:", b"References: <x@other.example>\r\nSubject:"),
        unnamed().replace(b"From: MAILER-DAEMON@", b"From: bo@").replace(b"Return-Path: <>\r\n", b""),
    ],
    ids=["of a stranger", "names another mail", "answers another mail", "from a person"],
)
def test_a_report_about_nothing_of_ours_is_a_conversation_of_its_own(whole: Desk, report: bytes) -> None:
    answered(whole)
    whole.deliver(report)
    assert messages()[1].state == DeliveryState.SENT
    assert len(conversations()) == 2


def test_a_report_comes_within_a_week(whole: Desk) -> None:
    answered(whole)
    with clock.travel(timedelta(days=8)):
        whole.deliver(unnamed())
    assert messages()[1].state == DeliveryState.SENT
    assert len(conversations()) == 2


def test_a_message_sent_again_counts_from_then(whole: Desk) -> None:
    answered(whole)
    whole.deliver(unnamed())
    with clock.travel(timedelta(days=9)):
        whole.retry(messages()[1].id)
        whole.receive("Again?", Message_ID="<again@example.org>", Subject="Red mugs")
        whole.reply(conversations()[1].id, "Yes.", "reply-key-again")
    with clock.travel(timedelta(days=10)):
        whole.deliver(unnamed(number=2))
    outbound = [one for one in messages() if one.direction == "outbound"]
    assert [one.state for one in outbound] == [DeliveryState.SENT] * 2
    assert messages()[-1].content["probably_about"]["fitting"] == 2


def test_a_delay_without_a_name_is_noted(whole: Desk) -> None:
    answered(whole)
    text = EXIM.format(named="", said="  mia@example.org\n    Delay reason: 450 4.2.0 Greylisted")
    text = text.replace("Mail delivery failed: returning message to sender", "Warning: message delayed")
    text = text.replace("This is a permanent error. The following address(es) failed:", "It was not yet.")
    text = text.replace("could not be delivered", "has not yet been delivered")
    whole.deliver(text.replace("\n", "\r\n").encode())
    noted = messages()[1]
    assert (noted.state, len(messages())) == (DeliveryState.SENT, 2)
    assert noted.error is not None
    assert noted.error["code"] == "delayed"


# ---- formats of servers ------------------------------------------------------------------------------

KDDI = """\
From: no-reply@m7.dion.ne.jp
Reply-To: no-reply@app.auone-net.jp
To: hello@shop.example
Subject: Mail delivery failed

Your mail {when}: Fri, 20 Nov 2026 18:00:00 +0900
    Could not be delivered to: <mia@example.org>
    {said}

Content-Type: message/rfc822

From: hello@shop.example
To: mia@example.org
{named}Subject: Our mailbox is full, we are blacklisted at spamhaus
"""
EZWEB = """\
From: <Postmaster@ezweb.ne.jp>
To: hello@shop.example
Subject: Mail System Error - Returned Mail

{said}

--------------------------------------------------
From: hello@shop.example
To: mia@example.org
{named}Subject: Our mailbox is full, we are blacklisted at spamhaus
"""
EXIM = """\
From: Mail Delivery System <Mailer-Daemon@mx.example.net>
To: hello@shop.example
Subject: Mail delivery failed: returning message to sender

This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

{said}

------ This is a copy of the message, including all the headers. ------

Return-path: <hello@shop.example>
To: mia@example.org
{named}Subject: Our mailbox is full, we are blacklisted at spamhaus
"""


@pytest.mark.parametrize("named", [f"Message-ID: <{OURS}>\n", ""], ids=["named", "unnamed"])
@pytest.mark.parametrize(
    ("form", "said", "words"),
    [
        (KDDI, "As their mailbox is full.", "mailbox is full"),
        (KDDI, "As the remote domain doesnt exist.", "couldn't be reached"),
        (KDDI, "Due to the following SMTP relay error:\n    550 5.1.1 no such user", "doesn't exist"),
        (EZWEB, "The user(s) account is temporarily over quota.\n\n<mia@example.org>", "mailbox is full"),
        (EZWEB, "The user(s) account is temporarily limited.\n\n<mia@example.org>", "disabled"),
        (
            EZWEB,
            "The user(s) account is disabled.\n\n<mia@example.org>: 550 user unknown (in reply to RCPT TO)",
            "disabled",
        ),
        (
            EZWEB,
            "Each of the following recipients was rejected by a remote\nmail server.\n\n"
            "    Recipient: <mia@example.org>\n    >>> RCPT TO:<mia@example.org>\n"
            "    <<< 550 <mia@example.org>: User unknown",
            "doesn't exist",
        ),
        (
            EZWEB,
            "Your message was not delivered within 0 days and 1 hours.\nRemote host is not responding.\n\n"
            "<mia@example.org>",
            "couldn't be reached",
        ),
        (EZWEB, "The following recipients did not receive this message:\n\n<mia@example.org>", "came back"),
        (
            EXIM,
            "  mia@example.org\n    SMTP error from remote mail server after RCPT TO:<mia@example.org>:\n"
            "    host mx.example.org [192.0.2.1]: 550 5.1.1 <mia@example.org>... User Unknown",
            "doesn't exist",
        ),
        (EXIM, "  mia@example.org\n    all host address lookups failed permanently", "couldn't be reached"),
        (
            EXIM,
            "  mia@example.org\n    all relevant MX records point to non-existent hosts",
            "couldn't be reached",
        ),
        (
            EXIM,
            "  mia@example.org\n    an MX or SRV record indicated no SMTP service",
            "couldn't be reached",
        ),
        (EXIM, "  mia@example.org\n    retry timeout exceeded", "couldn't be reached"),
        (EXIM, "  an undisclosed address\n    (generated from mia@example.org)\n    mailbox is full", "full"),
    ],
)
def test_reports_of_carriers_and_exim_are_known(form: str, said: str, words: str, named: str) -> None:
    text = form.format(said=said, named=named, when="sent on")
    for one in (text, text.replace("sent on", "attempted to be delivered on")):
        found = bounces.read(parse_mail(one.replace("\n", "\r\n").encode()))
        assert found is not None
        assert (found.message_id, found.recipient) == (OURS if named else "", "mia@example.org")
        assert words in found.why.sentence


@pytest.mark.parametrize(
    ("status", "said", "words"),
    [
        ("4.2.0", "450 4.2.0 <mia@example.org>: Recipient address rejected: Greylisted", "in time"),
        ("4.1.1", "450 4.1.1 <mia@example.org>: Recipient address rejected: unverified address", "in time"),
        ("4.0.0", "450 Requested mail action not taken: mailbox unavailable", "in time"),
        ("5.2.1", "550-5.2.1 The email account that you tried to reach is disabled.", "disabled"),
        ("5.1.1", "550 5.1.1 Mailbox disabled, not accepting messages", "disabled"),
        ("5.1.1", "550 Verification failed for <hello@shop.example> Sender verify failed", "rejected"),
        ("5.1.0", "550 5.1.0 <hello@shop.example> Sender rejected", "rejected"),
        ("5.1.1", "554 5.1.1 Sender address rejected: Domain not found", "rejected"),
        ("5.1.1", "550 5.1.1 Your message was identified as SPAM", "rejected"),
        ("5.1.1", "550 5.1.1 messages from 192.0.2.1 weren't sent: on our block list (S3140)", "rejected"),
        ("5.1.10", "556 5.1.10 <mia@example.org>: Recipient address has null MX", "couldn't be reached"),
        ("5.7.1", "550 5.7.1 <mia@example.org>: Recipient address rejected: Access denied", "rejected"),
        ("5.1.1", "550-5.1.1 The email account that you tried to reach does not exist.", "doesn't exist"),
        ("5.0.0", "554 delivery error: dd This user doesn't have an example.com account", "doesn't exist"),
    ],
)
def test_it_is_never_said_of_a_good_address_that_it_does_not_exist(
    status: str, said: str, words: str
) -> None:
    text = (
        "From: MAILER-DAEMON@mx.example.org\nTo: hello@shop.example\nSubject: Undelivered Mail\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n--b\n'
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.org\n\n"
        f"Final-Recipient: rfc822; mia@example.org\nAction: failed\nStatus: {status}\n"
        f"Diagnostic-Code: smtp; {said}\n\n--b--\n"
    )
    found = bounces.read(parse_mail(text.replace("\n", "\r\n").encode()))
    assert found is not None
    assert words in found.why.sentence
