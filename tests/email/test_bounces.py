"""Reports that a mail of ours did not arrive: which mail, whom, and why in plain words."""

from __future__ import annotations

import email
import re

import pytest

from addons.email.lobby_mail.mail import bounces
from addons.email.lobby_mail.mail.headers import parse_mail
from host.inbox.drafts import Draft
from host.inbox.reply import queue_parts
from host.models.inbox import DeliveryState
from tests.email.test_conversation import Desk, Generation, conversations, messages, whole
from tests.email.test_parsing import HEAD
from tests.email.test_parsing import read as read_mail
from tests.helpers import do, takes_at_most

__all__ = ["whole"]

OURS = "0123456789abcdef0123456789abcdef@shop.example"

_CODE = re.compile(r"(?<![\d.])[245]\.\d\.\d")

POSTFIX = """\
Return-Path: <>
From: MAILER-DAEMON@mx.shop.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: hello@shop.example
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"
Message-Id: <bounce-1@mx.shop.example>

--b
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

<mia@example.org>: host mx.example.org said: 550 5.1.1 User unknown

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.shop.example
Arrival-Date: Fri, 20 Nov 2026 09:00:00 +0000

Final-Recipient: rfc822; mia@example.org
Original-Recipient: rfc822;mia@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} User unknown

--b
Content-Type: {returned}

From: Shop <hello@shop.example>
To: mia@example.org
Subject: Re: Blue mugs
Message-ID: <{id}>

--b--
"""

QMAIL = """\
Return-Path: <>
From: MAILER-DAEMON@mx.example.org
To: hello@shop.example
Subject: failure notice

Hi. This is the qmail-send program at mx.example.org.
I'm afraid I wasn't able to deliver your message to the following addresses.

<mia@example.org>:
550 5.2.2 Mailbox full

--- Below this line is a copy of the message.

Return-Path: <hello@shop.example>
From: Shop <hello@shop.example>
Message-ID: <{id}>
"""

EXIM = """\
Return-Path: <>
X-Failed-Recipients: mia@example.org
Auto-Submitted: auto-replied
From: Mail Delivery System <Mailer-Daemon@mx.example.org>
To: hello@shop.example
References: <{id}>
Subject: Mail delivery failed: returning message to sender

A message that you sent could not be delivered to one or more of its recipients.

  mia@example.org
    host mx.example.org [192.0.2.1]
    SMTP error from remote mail server: 552 5.3.4 Message too big
"""


def dsn(
    id_: str = OURS, *, action: str = "failed", status: str = "5.1.1", returned: str = "message/rfc822"
) -> str:
    return POSTFIX.format(id=id_, action=action, status=status, returned=returned)


def read(text: str) -> bounces.Bounce | None:
    return bounces.read(parse_mail(text.replace("\n", "\r\n").encode()))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("550 5.1.1 The IP 192.0.2.1 is blacklisted at zen.spamhaus.org", "rejected"),
        ("550-5.7.1 [192.0.2.1] Our system has detected that this message is likely spam", "rejected"),
        ("554 5.1.1 Message rejected: your sending server has been blocked", "rejected"),
        ("550 5.1.1 <mia@example.org>: mailbox full", "full"),
        ("550 5.7.1 Mailbox of mia@example.org is over quota", "full"),
        ("550 5.1.1 Recipient address rejected: domain example.org is not reachable", "couldn't be reached"),
        ("550 5.1.1 Host or domain name not found. Name service error", "couldn't be reached"),
        ("452 4.5.3 Too many recipients", "more recipients"),
        ("550 5.1.1 Number of recipients: maximum number of recipients is 100", "more recipients"),
        ("421 4.7.0 Rate limit exceeded for 192.0.2.1", "further emails"),
        ("550 5.4.5 Daily sending quota exceeded", "further emails"),
        ("450 4.2.1 The user is receiving mail at a rate that prevents more", "further emails"),
        ("550 5.1.1 <mia@example.org>: Recipient address rejected: User unknown", "address doesn't exist"),
        ("552 5.2.2 There are too many messages in this box", "full"),
        ("550 5.1.1 no such user, we do not list anybody", "address doesn't exist"),
        ("550 5.2.1 <mia@example.org>... User unknown", "address doesn't exist"),
        ("550 5.7.1 User unknown: mia@example.org", "address doesn't exist"),
        (
            "550 5.4.1 [mia@example.org]: Recipient address rejected: Access denied [x.example.org]",
            "address doesn't exist",
        ),
        ("550 5.7.0 <mia@example.org>: Recipient address rejected: it contains spam", "rejected the email"),
        ("554 5.3.0 <mia@example.org>: Recipient address rejected: internal error", "came back"),
        ("450 4.2.0 <mia@example.org>: Recipient address rejected: Greylisted", "in time"),
        ("451 4.3.0 <mia@example.org>: Temporary lookup failure", "in time"),
        ("521 5.5.0 mx.example.org is not accepting connections, blocked", "rejected the email"),
        (
            "553 5.1.8 <hello@shop.example>: Domain of sender\n    address does not exist",
            "rejected the email",
        ),
        ("450 4.7.1 Access denied. IP name lookup failed [192.0.2.1]", "rejected the email"),
        ("554 5.0.0 your mail server needs a PTR record, which it does not have", "rejected the email"),
        ("450 4.4.7 <mx.example[192.0.2.1]>: Client host rejected: no exchanger", "rejected the email"),
        (
            "421 4.7.0 Messages from 192.0.2.1 temporarily deferred due to user complaints",
            "rejected the email",
        ),
        ("550 5.0.0 The account or domain may not exist, they may be blacklisted", "couldn't be reached"),
        ("550 5.1.10 The domain does not accept mail", "couldn't be reached"),
        ("550 5.0.0 All hosts for 'example.org' have been failing for a long time", "couldn't be reached"),
        ("550 5.0.0 Mailbox is frozen", "disabled"),
        ("550 5.0.0 Connection frequency limited", "further emails"),
        ("452 4.5.3 Go away, Mia", "more recipients"),
        ("450 4.7.1 Greylisting is on, come back in five minutes", "in time"),
        ("550 5.5.0 We think that this is spam", "rejected the email"),
        ("550 5.1.1 Spam detected by our filter", "rejected the email"),
        ("550 5.0.0 Domain shop.example does not pass SPF", "rejected the email"),
        ("550 5.0.0 We cannot find your hostname", "rejected the email"),
        ("553 5.0.0 Your envelope sender is in our list of unwanted ones", "rejected the email"),
        ("550 5.0.0 Sender domain must exist", "rejected the email"),
        ("550 5.0.0 This mailbox has been blocked due to inactivity", "disabled"),
        ("421 4.3.2 Too many SMTP sessions for now", "further emails"),
        ("421 4.4.5 The maximum number of connections is reached", "further emails"),
        ("550 5.1.1 The account is full", "full"),
        ("554 5.0.0 No SMTP service here", "couldn't be reached"),
        ("550 5.1.1 Illegal host name", "couldn't be reached"),
        ("550 5.1.1 I could not find any host of this name", "couldn't be reached"),
        ("550 5.0.0 This mail is looping", "couldn't be reached"),
    ],
)
def test_clear_words_outweigh_the_code(said: str, words: str) -> None:
    status = _CODE.findall(said)[0]
    text = dsn(status=status).replace(f"550 {status} User unknown", said)
    text = text.replace("550 5.1.1 User unknown", said)
    assert said in text
    found = read(text)
    assert found is not None
    assert words in found.why.sentence


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("after MAIL FROM:<hello@shop.example> SIZE=1024:\n    553 5.1.0 shop does not exist", "rejected"),
        ("after MAIL FROM:<hello@shop.example> SIZE=9999:\n    552 5.0.0 message too big", "too large"),
        ("after RCPT TO:<mia@example.org>:\n    550 5.1.0 it does not exist", "address doesn't exist"),
    ],
)
def test_a_refusal_before_the_recipient_was_named_is_about_the_sender(said: str, words: str) -> None:
    refused = "remote mail server: 552 5.3.4 Message too big"
    found = read(EXIM.format(id=OURS).replace(refused, f"remote mail server {said}"))
    assert found is not None
    assert words in found.why.sentence


def test_the_lines_of_a_server_are_read_across_their_breaks() -> None:
    text = QMAIL.format(id=OURS).replace("550 5.2.2 Mailbox full", "Host not\n    found, try again")
    found = read(text)
    assert found is not None
    assert "couldn't be reached" in found.why.sentence


def test_a_report_that_lost_its_separators_is_read_as_text() -> None:
    found = read(dsn().replace("\n--b", "\n"))
    assert found is not None
    assert (found.message_id, found.recipient) == (OURS, "mia@example.org")
    assert "address doesn't exist" in found.why.sentence


def test_a_report_without_separators_about_another_mail_is_none() -> None:
    assert read(dsn("other@mx.example.org").replace("\n--b", "\n")) is None


def test_a_delivery_that_expired_has_failed() -> None:
    found = read(dsn(action="expired", status=""))
    assert found is not None
    assert found.kind == "failed"


POST_MASTER = """\
From: post_master@mx.example.org
To: hello@shop.example
Subject: Re:Blue mugs
In-Reply-To: <{id}>

Error: Invalid user address

550 - no such user here: mia@example.org
"""


def test_a_server_may_answer_under_the_subject_of_the_mail() -> None:
    found = read(POST_MASTER.format(id=OURS))
    assert found is not None
    assert (found.recipient, found.message_id) == ("mia@example.org", OURS)
    assert "address doesn't exist" in found.why.sentence


def test_the_mail_that_came_back_says_nothing_about_why() -> None:
    text = QMAIL.format(id=OURS).replace("550 5.2.2 Mailbox full", "550 5.1.1 User unknown")
    found = read(text + "\nWe are blacklisted at spamhaus, our mailbox is full, too many recipients\n")
    assert found is not None
    assert "address doesn't exist" in found.why.sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (dsn(), "address doesn't exist"),
        (dsn(returned="text/rfc822-headers"), "address doesn't exist"),
        (dsn(status="5.2.2"), "full"),
        (dsn(status="5.7.26"), "rejected"),
        (dsn(status="5.7.13"), "disabled"),
        (dsn(status="4.7.28"), "further emails"),
        (dsn(status="4.4.7"), "couldn't be reached"),
        (dsn(status="5.0.0"), "address doesn't exist"),
        (
            dsn(status="5.0.0").replace("5.1.1 User", "").replace("User", "").replace("unknown", ""),
            "came back",
        ),
        (QMAIL.format(id=OURS), "full"),
        (EXIM.format(id=OURS), "too large"),
    ],
)
def test_it_says_which_mail_whom_and_why(text: str, words: str) -> None:
    found = read(text)
    assert found is not None
    assert (found.message_id, found.recipient) == (OURS, "mia@example.org")
    assert words in found.why.sentence
    assert found.raw


BESIDE = """\
From: System Administrator <administrator@mx.example.org>
To: hello@shop.example
Subject: Undeliverable: Order
In-Reply-To: <{id}>

Your message

  To:      orders@example.org
  Subject: Order
  Sent:    Fri, 20 Nov 2026 09:00:00 +0000

did not reach the following recipient(s):

mia@example.org on Fri, 20 Nov 2026 09:00:05 +0000
    The recipient name is not recognized

--- Original message ---

To: orders@example.org
Subject: Order
"""
REFUSED = """\
From: Kiln Gate <gate@mx.example.org>
To: hello@shop.example
Subject: RE: Blue mugs : non remis (delivery failed)
Auto-Submitted: auto-replied
In-Reply-To: <{id}>

The message could not be delivered to:

<mia@example.org>: 550 5.1.1 user unknown
"""


def test_whom_it_did_not_reach_comes_before_whom_it_was_written_to() -> None:
    found = read(BESIDE.format(id=OURS))
    assert found is not None
    assert found.recipient == "mia@example.org"


@pytest.mark.parametrize("end", [": non remis (delivery failed)", ": non remis", " (delivery failed)"])
def test_a_report_may_have_the_subject_of_an_answer(end: str) -> None:
    found = read(REFUSED.format(id=OURS).replace(" : non remis (delivery failed)", end))
    assert found is not None
    assert (found.recipient, found.message_id) == ("mia@example.org", OURS)


def test_an_answer_about_a_delivery_is_none() -> None:
    text = REFUSED.format(id=OURS).replace("Auto-Submitted: auto-replied\n", "")
    assert read(text.replace(" : non remis (delivery failed)", ": the delivery failed")) is None


BELOW = """
From: Shop <hello@shop.example>
Date: Fri, 20 Nov 2026 09:00:00 +0000
To: mia@example.org
Subject: Blue mugs

Text
"""


@pytest.mark.parametrize(
    ("head", "folds"),
    [
        ("From: Mia <mia@example.org>\nSubject: Re: Blue mugs", True),
        ("From: postmaster@example.org\nSubject: Re: Blue mugs", False),
        ("From: Mail Delivery System <x@example.org>\nSubject: Hello", False),
        ("From: Mia <mia@example.org>\nSubject: Undeliverable: Blue mugs", False),
        ("From: Mia <mia@example.org>\nX-Failed-Recipients: bo@example.org\nSubject: Blue mugs", False),
        ("From: Mia <mia@example.org>\nSubject: Hello\nContent-Type: multipart/report; boundary=b", False),
        ("From: Mia <mia@example.org>\nSubject: Hello\nContent-Type: multipart/digest; boundary=b", False),
    ],
)
def test_nothing_of_a_report_or_a_digest_is_folded(head: str, folds: bool) -> None:
    words = f"It says:\n{BELOW}"
    if "boundary" in head:
        words = f"--b\nContent-Type: text/plain\n\n{words}\n--b--\n"
    got = read_mail(HEAD + f"{head}\n\n{words}".replace("\n", "\r\n").encode())
    assert got.text.startswith("It says:")
    assert ("quoted_from" in got.content) == folds


@pytest.mark.parametrize(
    "text",
    [
        dsn(action="relayed", status="2.0.0"),
        dsn("somebody-elses-id@example.org"),
        "From: mia@example.org\n\nYour mail <x@y.example> 550 5.1.1\nMessage-ID: <" + OURS + ">\n",
        "From: postmaster@example.org\n\nWe move house on Monday.\nMessage-ID: <" + OURS + ">\n",
        "From: MAILER-DAEMON@mx.example.org\nContent-Type: multipart/report; boundary=b\n\n--b\n"
        "Content-Type: message/delivery-status\n\n\n--b--\n",
    ],
)
def test_what_reports_nothing_of_ours_is_a_mail(text: str) -> None:
    assert read(text) is None


def test_a_mail_that_came_back_is_marked_once_and_can_be_sent_again(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (conversation,) = conversations()
    whole.reply(conversation.id, "Yes, eight of them.", "reply-key-1")
    sent = messages()[1]
    assert sent.state == DeliveryState.SENT
    assert sent.external_id is not None
    report = dsn(sent.external_id).replace("\n", "\r\n").encode()
    for number in (1, 2):
        whole.deliver(report.replace(b"bounce-1", b"bounce-%d" % number))
        ours = messages()[1]
        assert ours.state == DeliveryState.FAILED
        assert ours.error is not None
        assert ours.error["code"] == "bounced"
        assert "address doesn't exist" in ours.error["sentence"]
        assert "User unknown" in ours.error["raw"]
        assert [one.failed_count for one in conversations()] == [1]
        assert len(messages()) == 2

    whole.retry(ours.id)
    assert messages()[1].state == DeliveryState.SENT
    assert conversations()[0].failed_count == 0
    assert len(whole.outside.mails) == 2
    first, second = (email.message_from_bytes(mail[2])["Message-ID"] for mail in whole.outside.mails)
    assert first == second


def test_a_report_about_what_is_not_here_is_shown_as_it_came(whole: Desk) -> None:
    whole.deliver(dsn().replace("\n", "\r\n").encode())
    (report,) = messages()
    assert "could not be delivered" in report.text
    assert report.content["automatic"] is True


def test_a_copy_that_came_back_marks_the_message_and_leaves_it_sent(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    conversation = conversations()[0]
    do(
        queue_parts,
        whole.account.workspace_id,
        conversation.id,
        [Draft(text="Yes.", content={"cc": ["ada@example.org", "bo@example.org"]})],
        reply_key="reply-key-1",
        adapter=Generation.directory.adapter("email"),
        actor=whole.agent,
    )
    whole.work()
    sent = messages()[1]
    report = {"action": "failed", "status": "5.1.1", "id": sent.external_id, "returned": "message/rfc822"}
    for number, address in enumerate(("ada@example.org", "bo@example.org", "ada@example.org")):
        text = POSTFIX.format(**report).replace("mia@example.org", address)
        whole.deliver(text.replace("bounce-1", f"bounce-{number}").encode())
    (_, marked) = [one for one in messages() if one.direction != "internal"]
    assert marked.state == DeliveryState.SENT
    assert marked.error is not None
    assert (marked.error["code"], marked.error["to"]) == ("copy_bounced", "ada@example.org, bo@example.org")
    assert marked.error["sentence"] == "This address doesn't exist on the recipient's mail server."
    assert len(conversations()) == 1


def test_a_report_about_a_copy_nobody_was_sent_is_shown_as_it_came(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    report = {"action": "failed", "status": "5.1.1", "returned": "message/rfc822"}
    text = POSTFIX.format(**report, id=messages()[1].external_id)
    whole.deliver(text.replace("mia@example.org", "stranger@example.org").encode())
    assert messages()[1].error is None
    assert len(messages()) == 3


def test_a_delay_is_noted_with_the_message_until_it_is_read_or_comes_back(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    sent = messages()[1]
    delayed = dsn(sent.external_id or "", action="delayed", status="4.4.1")
    whole.deliver(delayed.replace("\n", "\r\n").encode())
    noted = messages()[1]
    assert (len(conversations()), len(messages())) == (1, 2)
    assert (noted.state, conversations()[0].failed_count) == (DeliveryState.SENT, 0)
    assert noted.error is not None
    assert noted.error["code"] == "delayed"
    assert "keep trying" in noted.error["sentence"]

    whole.deliver(dsn(sent.external_id or "").replace("\n", "\r\n").replace("bounce-1", "x").encode())
    failed = messages()[1]
    assert failed.error is not None
    assert (failed.state, failed.error["code"]) == (DeliveryState.FAILED, "bounced")
    whole.deliver(delayed.replace("\n", "\r\n").replace("bounce-1", "late").encode())
    assert messages()[1].error == failed.error
    assert (len(conversations()), len(messages())) == (1, 2)


def receipt(
    id_: str, who: str = "mia", disposition: str = "displayed", subject: str = "Read: Blue mugs"
) -> bytes:
    return (
        (
            f"From: {who}@example.org\nTo: hello@shop.example\nSubject: Read: Blue mugs\n"
            f"Message-ID: <{who}-{disposition}@x>\n"
            "MIME-Version: 1.0\n"
            'Content-Type: multipart/report; report-type=disposition-notification; boundary="b"\n\n--b\n'
            "Content-Type: text/plain\n\nYour message was opened.\n\n--b\n"
            "Content-Type: message/disposition-notification\n\n"
            f"Final-Recipient: rfc822;{who}@example.org\nOriginal-Message-ID: <{id_}>\n"
            f"Disposition: manual-action/MDN-sent-manually; {disposition}\n\n--b--\n"
        )
        .replace("\n", "\r\n")
        .encode()
    )


def test_a_receipt_marks_the_message_it_is_about_and_no_other(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    (conversation,) = conversations()
    whole.reply(conversation.id, "Yes.", "reply-key-1")
    whole.reply(conversation.id, "Eight.", "reply-key-2")
    whole.deliver(receipt(messages()[2].external_id or ""))
    assert [one.state for one in messages()[1:]] == [DeliveryState.SENT, DeliveryState.READ]
    whole.deliver(receipt(messages()[1].external_id or "", disposition="deleted"))
    assert messages()[1].content["receipts"] == {"mia@example.org": "deleted"}
    assert (len(conversations()), len(messages())) == (1, 3)
    assert conversations()[0].unread_count == 0


def test_a_receipt_of_somebody_who_was_not_written_to_is_a_mail(whole: Desk) -> None:
    whole.receive(Message_ID="<one@example.org>")
    whole.reply(conversations()[0].id, "Yes.", "reply-key-1")
    whole.deliver(receipt(messages()[1].external_id or "", who="eve"))
    assert messages()[1].state == DeliveryState.SENT
    assert messages()[2].text == "Your message was opened."


RECEIPTS = {
    "read": """Read: Blue mugs|Gelesen: Becher|Lu : Tasses|Leído: Tazas|Letto: Tazze|Lida: Canecas
Gelezen: Mok|Läst: Muggar|Læst: Krus|Lest: Krus|Luettu: Mukit|Przeczytano: Kubki|Přečteno: Hrnky
Прочитано: Кружки|Okundu: Kupa|已读: 杯子|開封済み: カップ|읽음: 컵""",
    "deleted": "Not read: Blue mugs|Ungelesen: Becher|Non lu : Tasses|Ikke læst: Krus",
}


@pytest.mark.parametrize(
    ("subject", "kind"),
    [(each, kind) for kind, written in RECEIPTS.items() for each in written.replace("\n", "|").split("|")],
)
def test_receipts_of_outlook_and_exchange_are_known_in_their_languages(subject: str, kind: str) -> None:
    text = (
        f"From: mia@example.org\nSubject: {subject}\nContent-Class: urn:content-classes:mdn\n"
        f"In-Reply-To: <{OURS}>\n\nIt was opened.\n"
    )
    found = read(text)
    assert found is not None
    assert (found.kind, found.recipient, found.message_id) == (kind, "mia@example.org", OURS)
    assert read(text.replace("Content-Class: urn:content-classes:mdn\n", "")) is None


@pytest.mark.parametrize("prefix", ["", "Re: ", "AW: "])
def test_what_a_customer_writes_about_a_delivery_is_no_report(prefix: str) -> None:
    text = (
        f"From: mia@example.org\nTo: hello@shop.example\nSubject: {prefix}Delivery problem, Zustellung\n"
        f"In-Reply-To: <{OURS}>\n\nMy parcel was not delivered. "
        "Bo <bo@example.org> says: 550 5.1.1 user unknown.\n"
    )
    assert read(text) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "line", ["a@", " a", "<a@b>", "user ", "unknown ", "exceeds storage ", "1.1.1.", "or "]
)
def test_reports_made_to_be_slow_are_read_in_linear_time(line: str) -> None:
    head = f"From: MAILER-DAEMON@x.example\nReturn-Path: <>\nIn-Reply-To: <{OURS}>\n\n"
    starts = [
        "did not reach the following recipient",
        "A message that you sent could not be delivered",
        "a@b",
    ]
    with takes_at_most(180):
        for start in starts:
            read(head + f"{start}\n" + line * (500_000 // len(line)))
            read(head + f"{start}\n" + (line * 100 + "\n") * 2_000)
