"""Mails as they come: what is said, what is attached, and what is broken."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from addons.email.lobby_mail import receiving
from addons.email.lobby_mail.mail import formatted, headers
from addons.email.lobby_mail.mail.charsets import decode
from addons.email.lobby_mail.mail.htmltext import to_text
from addons.email.lobby_mail.mail.parsing import parse
from host.sdk.messages import AttachmentRole, Ignored, MessageKind, MessageReceived
from host.sdk.webhooks import Envelope
from tests.helpers import takes_at_most

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
HEAD = b"Return-Path: <mia@example.org>\r\nDelivered-To: hello@shop.example\r\n"


def read(raw: bytes) -> MessageReceived:
    changes = parse(
        Envelope(account_id=1, lane="mia@example.org", dedupe_key="x", kind="mail", body=raw, occurred_at=AT)
    )
    assert len(changes) == 1
    assert isinstance(changes[0], MessageReceived)
    return changes[0]


def mail(body: str = "Hello", **headers: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = headers.pop("From", "Mia Rossi <Mia@Example.org>")
    message["To"] = "hello@shop.example"
    message["Subject"] = headers.pop("Subject", "Blue mugs")
    message["Message-ID"] = "<one@example.org>"
    message["Date"] = "Fri, 20 Nov 2026 08:59:00 +0000"
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message


def raw(message: EmailMessage) -> bytes:
    return HEAD + message.as_bytes(policy=SMTP)


def test_a_plain_mail_says_who_what_when_and_which() -> None:
    got = read(raw(mail("Do you have\nblue mugs?")))
    assert got.contact == "mia@example.org"
    assert got.contact_name == "Mia Rossi"
    assert got.contact_email == "mia@example.org"
    assert got.external_id == "one@example.org"
    assert got.subject == "Blue mugs"
    assert got.text == "Do you have\nblue mugs?"
    assert got.sent_at == datetime(2026, 11, 20, 8, 59, tzinfo=UTC)
    assert got.kind is MessageKind.TEXT
    assert got.references == ()
    assert got.content == {"to": [{"name": "", "address": "hello@shop.example"}]}


def test_what_it_answers_comes_nearest_first_and_once() -> None:
    got = read(raw(mail(In_Reply_To="<c@x>", References="<a@x> <b@x> <c@x>")))
    assert got.references == ("c@x", "b@x", "a@x")


def test_encoded_words_in_subject_and_name_are_read() -> None:
    message = mail(From='"Müller, Zoë" <zoe@example.org>', Subject="Größe 42 – вопрос 🎉")
    got = read(raw(message))
    assert (got.contact_name, got.subject) == ("Müller, Zoë", "Größe 42 – вопрос 🎉")


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"=?utf-8?q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        (b"=?iso-8859-1?q?Gr=F6=DFe?= =?utf-8?b?4oKs?=", "Größe€"),
        (b"=?nonsense?q?Gr=C3=B6=C3=9Fe?=", "Größe"),
        ("Größe".encode(), "Größe"),
        ("Größe".encode("latin-1"), "Größe"),
        (b"=?utf-8?b?broken", "=?utf-8?b?broken"),
        (b"=?utf-8?q?a=0D=0ABcc:_evil?=", "a Bcc: evil"),
        (b"folded\r\n over lines", "folded over lines"),
        (b"", None),
    ],
)
def test_subjects_lie_about_their_charset_and_are_read_anyway(header: bytes, subject: str | None) -> None:
    got = read(b"From: a@b.example\r\nSubject: " + header + b"\r\n\r\nx")
    assert got.subject == subject


def test_plain_text_is_preferred_to_html_and_pictures_beside_it_are_kept() -> None:
    message = mail("the words")
    message.add_alternative("<p>the <b>HTML</b></p><img src='cid:x'>", subtype="html")
    part = message.get_payload()[1]  # type: ignore[index]
    part.add_related(b"\x89PNG", "image", "png", cid="<x>", filename="logo.png")  # type: ignore[union-attr]
    message.add_attachment(b"%PDF-1.7", maintype="application", subtype="pdf", filename="Rechnung März.pdf")
    got = read(raw(message))
    assert got.text == "the words"
    assert [(a.kind, a.name, a.content_type, a.content) for a in got.attachments] == [
        (MessageKind.IMAGE, "logo.png", "image/png", b"\x89PNG"),
        (MessageKind.FILE, "Rechnung März.pdf", "application/pdf", b"%PDF-1.7"),
        (MessageKind.FILE, "message.html", "text/html", b"<p>the <b>HTML</b></p><img src='cid:x'>\r\n"),
    ]
    roles = [(a.role, a.content_id) for a in got.attachments]
    assert roles == [(AttachmentRole.INLINE, "x"), (AttachmentRole.FILE, ""), (AttachmentRole.FORMATTED, "")]
    assert got.content["html"] == {"rich": True, "remote": 0}


def test_html_alone_is_shown_as_its_words() -> None:
    message = mail()
    message.set_content(
        "<html><head><style>p{}</style></head><p>One &amp; two</p><script>evil()</script>", "html"
    )
    got = read(raw(message))
    assert got.text == "One & two"


@pytest.mark.parametrize("kind", ["x-amp-html", "watch-html", "enriched"])
@pytest.mark.parametrize("has_text", [True, False])
def test_forms_of_a_mail_for_programs_of_one_kind_are_no_files(kind: str, has_text: bool) -> None:
    message = mail("the words")
    message.add_alternative("short", subtype=kind)
    message.add_alternative("<p>the words</p>", subtype="html")
    if not has_text:
        del message.get_payload()[0]  # type: ignore[union-attr]
    got = read(raw(message))
    assert got.text == "the words"
    assert [a.content_type for a in got.attachments] == ["text/html"]


def test_a_form_that_is_all_of_a_mail_is_kept() -> None:
    message = mail("")
    message.add_alternative("short", subtype="x-amp-html")
    assert [a.content_type for a in read(raw(message)).attachments] == ["text/x-amp-html"]


def test_an_empty_plain_part_does_not_hide_the_html() -> None:
    message = mail("  ")
    message.add_alternative("<p>Here I am</p>", subtype="html")
    assert read(raw(message)).text == "Here I am"


def test_a_file_without_words_is_a_message_of_its_kind() -> None:
    message = mail()
    message.clear_content()
    message.set_content(b"\xff\xd8\xff", "image", "jpeg", filename="photo.jpg")
    got = read(raw(message))
    assert (got.kind, got.text, len(got.attachments)) == (MessageKind.IMAGE, "", 1)


def test_svg_and_html_files_are_files_and_never_pictures() -> None:
    message = mail()
    message.add_attachment(b"<svg/>", maintype="image", subtype="svg+xml", filename="a.svg")
    message.add_attachment("<p>x</p>", subtype="html", filename="a.html")
    got = read(raw(message))
    assert [a.kind for a in got.attachments] == [MessageKind.FILE, MessageKind.FILE]
    assert got.text == "Hello"


def test_a_forwarded_mail_is_kept_as_a_file() -> None:
    message = mail()
    message.add_attachment(mail("the inner one"))
    attachment = read(raw(message)).attachments[0]
    assert (attachment.name, attachment.content_type) == ("message.eml", "message/rfc822")
    assert attachment.content is not None
    assert b"the inner one" in attachment.content


@pytest.mark.parametrize(
    ("name", "shown"),
    [("../../etc/passwd", "passwd"), ("C:\\temp\\a.exe", "a.exe"), ("a\r\nb.txt", "a b.txt"), ("..", "")],
)
def test_a_file_name_is_only_a_name(name: str, shown: str) -> None:
    from email.header import Header

    encoded = Header(name, "utf-8").encode() if "\r" in name else name.replace("\\", "\\\\")
    body = (
        b"From: a@b.example\r\nContent-Type: application/pdf\r\n"
        b'Content-Disposition: attachment; filename="' + encoded.encode() + b'"\r\n\r\nx'
    )
    assert read(body).attachments[0].name == shown


@pytest.mark.parametrize(
    ("declared", "data", "text"),
    [
        ("utf-8", "Größe €".encode(), "Größe €"),
        ("utf-8", "Größe".encode("latin-1"), "Größe"),
        ("us-ascii", "Größe".encode(), "Größe"),
        ("iso-8859-1", "“quoted”".encode("cp1252"), "“quoted”"),
        ("iso-8859-1", "Größe".encode(), "Größe"),
        ("shift_jis", "日本".encode("shift_jis"), "日本"),
        ("utf-16", "Größe".encode("utf-16"), "Größe"),
        ("x-unknown", "Größe".encode(), "Größe"),
        ("rot13", b"abc", "abc"),
        ("hex", b"6162", "6162"),
        ("idna", b"xn--abc", "xn--abc"),
        ("unicode_escape", b"\\x41", "\\x41"),
        ("iso-8859-1", b"\x81\x8d", "\ufffd\ufffd"),
        ("utf-8\x00", b"abc", "abc"),
        ("é" * 99, b"abc", "abc"),
    ],
)
def test_charsets_lie_and_the_words_are_read_anyway(declared: str, data: bytes, text: str) -> None:
    assert decode(data, declared) == text


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"List_Id": "<news.example.org>"},
        {"X_Autoreply": "yes"},
    ],
)
def test_an_automatic_mail_is_stored_and_marked(headers: dict[str, str]) -> None:
    got = read(raw(mail("I am on holiday", **headers)))
    assert got.content["automatic"] is True
    assert got.text == "I am on holiday"


def test_a_bounce_is_stored_and_marked() -> None:
    got = read(b"Return-Path: <>\r\n" + mail("failed", From="MAILER-DAEMON@mx.example").as_bytes(policy=SMTP))
    assert got.content["automatic"] is True
    assert got.contact == "mailer-daemon@mx.example"


@pytest.mark.parametrize(
    ("headers", "contact"),
    [
        ({}, "hello@shop.example"),
        ({"Reply_To": "Mia <mia@example.org>"}, "mia@example.org"),
        ({"Reply_To": "hello@shop.example"}, "hello@shop.example"),
        ({"Reply_To": "hello@shop.example, mia@example.org"}, "mia@example.org"),
    ],
)
def test_what_a_form_sends_from_our_own_address_is_shown(headers: dict[str, str], contact: str) -> None:
    assert read(raw(mail(From="Shop <Hello@Shop.example>", **headers))).contact == contact


def test_who_asks_for_answers_to_ourselves_is_answered_themselves() -> None:
    assert read(raw(mail(Reply_To="hello@shop.example"))).contact == "mia@example.org"


@pytest.mark.parametrize("own", ["header", "id"])
def test_our_own_mail_is_ignored(own: str) -> None:
    message = mail(From="Shop <Hello@Shop.example>", Reply_To="mia@example.org")
    if own == "header":
        message["X-Lobby-Message"] = "0@shop.example"
    else:
        message.replace_header("Message-ID", f"<{'0' * 32}@shop.example>")
    envelope = Envelope(account_id=1, lane="", dedupe_key="x", kind="mail", body=raw(message), occurred_at=AT)
    assert isinstance(parse(envelope)[0], Ignored)


def test_a_reply_goes_where_the_writer_asked_and_says_who_wrote() -> None:
    got = read(raw(mail(From="Form <noreply@shop.example>", Reply_To="Mia <mia@example.org>")))
    assert (got.contact, got.contact_name) == ("mia@example.org", "Mia")
    assert got.content["from"] == "noreply@shop.example"


def test_a_list_does_not_become_the_customer() -> None:
    got = read(raw(mail(Reply_To="list@example.org", List_Id="<list.example.org>")))
    assert got.contact == "mia@example.org"


@pytest.mark.parametrize(
    "sender",
    [
        b"",
        b"From: \r\n",
        b"From: undisclosed\r\n",
        b"From: a@b@c@@\r\n",
        b"From: post\\@b.example@c.example\r\n",
    ],
)
def test_without_a_usable_from_the_envelope_tells_the_sender(sender: bytes) -> None:
    assert read(HEAD + sender + b"\r\nhello").contact == "mia@example.org"


def test_a_mail_from_nobody_still_arrives() -> None:
    got = read(b"Subject: x\r\n\r\nhello")
    assert (got.contact, got.contact_email, got.text) == ("unknown@invalid", None, "hello")


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Fri, 99 Foo 2026 08:59:00 +0000",
        "Fri, 20 Nov 0000 08:59:00 +0000",
        "Thu, 01 Jan 1970 00:00:00 +0000",
        "Fri, 31 Dec 9999 23:59:59 -1200",
    ],
)
def test_a_date_that_cannot_be_is_replaced_by_the_arrival(date: str) -> None:
    got = read(f"From: a@b.example\r\nDate: {date}\r\n\r\nx".encode())
    assert got.sent_at == AT


def test_a_slow_mail_keeps_its_date() -> None:
    got = read(b"From: a@b.example\r\nDate: Wed, 11 Nov 2026 09:00:00 +0100\r\n\r\nx")
    assert got.sent_at == AT - timedelta(days=9, hours=1)


@pytest.mark.parametrize(
    ("header", "external_id"),
    [
        (b"<a@b>", "a@b"),
        (b"  <a@b> (comment)", "a@b"),
        (b"a@b", "a@b"),
        (b"not an id at all", None),
        (b"<" + b"x" * 600 + b">", None),
        (b"", None),
    ],
)
def test_message_ids_are_taken_as_they_are_or_not_at_all(header: bytes, external_id: str | None) -> None:
    assert read(b"From: a@b.example\r\nMessage-ID: " + header + b"\r\n\r\nx").external_id == external_id


def test_parts_nested_beyond_reason_lose_nothing() -> None:
    depth = 5000
    opening = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)
    )
    got = read(b"From: mia@example.org\r\n" + opening + b"\r\nthe needle")
    assert got.contact == "mia@example.org"
    assert "the needle" in got.text or any(b"the needle" in (a.content or b"") for a in got.attachments)


def test_thousands_of_parts_lose_nothing() -> None:
    part = b"--x\r\nContent-Type: application/pdf\r\n\r\npart %d\r\n"
    body = b"".join(part % n for n in range(2000))
    got = read(
        b"From: mia@example.org\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n" + body + b"--x--"
    )
    joined = b"".join(a.content or b"" for a in got.attachments)
    assert all(b"part %d" % n in joined for n in range(2000))


@given(st.binary(max_size=2000))
@settings(max_examples=300)
def test_any_bytes_give_a_message(body: bytes) -> None:
    got = read(body)
    assert got.contact
    assert "\n" not in (got.subject or "")


_LINES = st.sampled_from(
    [
        b"From: mia@example.org",
        b"From: =?utf-8?q?=FF?= <>",
        b"Subject: =?x?b?=?=",
        b"Content-Type: multipart/mixed; boundary=x",
        b"Content-Type: multipart/alternative; boundary=",
        b"Content-Type: text/html; charset=utf-7",
        b"Content-Type: message/rfc822",
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/external-body",
        b"Content-Type: ;;;=",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Transfer-Encoding: x-uuencode",
        b"Content-Disposition: attachment; filename*=utf-8''%FF%00",
        b"Content-Disposition: attachment; filename*0=a; filename*2=c",
        b"Content-Disposition: inline; filename*=''",
        b"Message-ID: <>",
        b"References: <<>><a",
        b"Date: , :::",
        b"Reply-To: a, b, c:;",
        b"",
        b"--x",
        b"--x--",
        b"--",
        b"begin 644 x",
        b"<script>",
        b"=",
        b"\xff\xfe",
        b"\x00",
    ]
)


@given(st.lists(_LINES, max_size=40))
@settings(max_examples=500)
def test_any_mixture_of_broken_pieces_gives_a_message(lines: list[bytes]) -> None:
    got = read(b"\r\n".join(lines))
    assert got.contact


@pytest.mark.slow
@pytest.mark.parametrize(
    "raw",
    [
        b"a:b\r\n" * 400_000,
        b"From: " + b"<" * 1_000_000,
        b"From: " + b"a," * 500_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 100_000,
        b"References: " + b"<a@b> " * 300_000,
        b"Content-Type: text/plain; " + b"a=b; " * 200_000 + b"\r\n\r\nx",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n" * 200_000,
        b"Content-Type: text/html\r\n\r\n" + b"<" * 2_000_000,
        b"Content-Type: text/html\r\n\r\n" + b"<" * 1_500_000 + b">",
        b"Content-Type: text/html\r\n\r\n" + b"<!--" * 500_000,
        b"Content-Type: text/html\r\n\r\n" + b"<a href='" * 200_000,
        b"Content-Type: text/html\r\n\r\n" + b"<script>" * 200_000,
        b"Content-Type: text/html\r\n\r\n" + b"<a>x" * 300_000 + b"</a>" * 300_000,
        b"Content-Type: text/html\r\n\r\n" + b"<div>" * 400_000,
        b"Content-Type: text/html\r\n\r\n" + b"<p><b>" * 300_000,
        b"Content-Type: text/html\r\n\r\n" + b"<a href=x>" * 200_000,
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + b"\xe9" * 3_000_000,
        b"Content-Type: text/plain; charset=iso-2022-jp\r\n\r\n" + b"\x1b$B" * 1_000_000,
        b"Content-Type: text/plain; charset=euc-jp\r\n\r\n" + b"\x8f\xa1" * 1_500_000,
        b"Content-Type: text/plain\r\n\r\n" + b"\x8f\xa1" * 1_500_000,
        b"Content-Type: text/html\r\n\r\n" + b"<meta " * 300_000,
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QQ=" * 1_000_000,
        b"none\r\n" + b"\r" * 2_000_000,
        b"none\r\n" + b"\r\r\n" * 4_000 + b"Subject: x\r\n",
        b"none\r\nSubject:" + b"x " * 1_000_000,
        b"Content-Type: multipart/mixed; boundary="
        + b"\r\n " * 1_000
        + b"\r\n\r\n"
        + b"--"
        + b" " * 2_000_000,
        b"Content-Type: multipart/mixed\r\n\r\n" + (b"--" + b" " * 900 + b"\r\n") * 3_000,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + (b"--x\r\nContent-Type: text/plain; " + b"a=b; " * 3_000 + b"\r\n\r\nx\r\n") * 400,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
        + (b'--x\r\nContent-Disposition: inline; filename="' + b"=?a?q?" * 2_000 + b'"\r\n\r\nx\r\n') * 400,
        b"From: " + b"a@" * 500_000,
        b"Subject: " + b"=?a?q?" * 200_000,
        b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"> a \r\n" * 400_000,
        b"Content-Type: text/plain; format=flowed\r\n\r\n" + b">" * 2_000_000,
        b"Content-Type: text/plain\r\n\r\n" + b"begin 644 a\r\n#86)C\r\n" * 100_000,
        b"Content-Type: text/plain\r\n\r\n" + b"begin 644 " + b" " * 2_000_000 + b"a\r\n",
        b"Content-Type: text/plain\r\n\r\n" + b"begin 644 a\r\n" + b"#86)C\r\n" * 300_000,
        b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a-" * 500_000,
    ],
    ids=lambda raw: raw[:60].decode("latin-1").strip(),
)
def test_a_mail_made_to_be_slow_is_read_in_time(raw: bytes) -> None:
    before = time.thread_time()
    read(raw)
    assert time.thread_time() - before < 20


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<ul><li>one<li>two</ul>", "• one\n• two"),
        ('<a href="https://example.com/x?a=1&amp;b=2">here</a>', "here (https://example.com/x?a=1&b=2)"),
        ('<a href="https://example.com">https://example.com</a>', "https://example.com"),
        ('<a href="mailto:a@b.example">a@b.example</a>', "a@b.example"),
        ('<a href="javascript:alert(1)">click</a>', "click"),
        ("a &lt; b &amp;&nbsp;c", "a < b & c"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("x<!-- hidden -->y<!-- to the end", "xy"),
        ("x<script>a<b></script >y<style>", "xy"),
        ("<!DOCTYPE html><?xml ?><title>no</title>yes", "yes"),
        ("cut <b", "cut <b"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        ("<p>1. five * [2] _is_ #10</p>", "1. five * [2] _is_ #10"),
        (f"{'<blockquote>' * 300}inner{'</blockquote>' * 300}", "inner"),
        ("", ""),
    ],
)
def test_html_becomes_words(source: str, text: str) -> None:
    assert to_text(source) == text


@given(st.text(alphabet="<>!-/ab='\"& \n", max_size=300))
def test_any_html_becomes_words(source: str) -> None:
    to_text(source)


def _nested(depth: int) -> bytes:
    heads = [b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)]
    return b"From: a@b.example\r\n" + b"".join(heads) + b"\r\n" + b"-- x\r\n" * 200_000


@pytest.mark.parametrize(
    "mail",
    [
        pytest.param(lambda: _nested(250), id="nested"),
        pytest.param(lambda: b"From: a@b.example\r\n" + b"X: y\r\n" * 400_000 + b"\r\nx", id="headers"),
        pytest.param(
            lambda: (
                b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
                + b"--b\r\n\r\nx\r\n" * 100_000
            ),
            id="parts",
        ),
    ],
)
def test_a_mail_made_to_be_slow_arrives_whole_as_one_file(mail: Callable[[], bytes]) -> None:
    body = mail()
    with takes_at_most(60):
        got = read(body)
        list(receiving.envelopes(body, "a@b.example", {"hello@shop.example": 1}))
    assert [file.content for file in got.attachments] == [body]
    assert got.contact == "a@b.example"


@pytest.mark.parametrize(
    ("head", "contact", "name", "subject"),
    [
        (
            b"From: Mia <mia@other.example>\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=",
            "mia@other.example",
            "Mia",
            "Grüße",
        ),
        (b"Subject: Order", "mia@example.org", None, "Order"),
        (b"X: y", "mia@example.org", None, None),
    ],
)
def test_a_mail_that_cannot_be_taken_apart_says_who_sent_it(
    head: bytes, contact: str, name: str | None, subject: str | None
) -> None:
    body = (
        b"Delivered-To: hello@shop.example\r\n"
        + head
        + b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    )
    got = read(body + b"--b\r\n\r\nx\r\n" * 100_000)
    assert [file.name for file in got.attachments] == ["message.eml"]
    assert (got.contact, got.contact_name, got.subject) == (contact, name, subject)


def test_a_charset_outside_ascii_is_none_or_what_is_left_of_it() -> None:
    assert decode("Grüße".encode(), "\udce2\udc80\udc9cutf-8\udce2\udc80\udc9d") == "Grüße"
    assert decode("Grüße".encode(), "\udce2\udc80\udc9c") == "Grüße"


def test_an_ordinary_mail_with_many_lines_and_parts_is_taken_apart() -> None:
    message = mail("the words")
    for number in range(20):
        message.add_attachment(
            b"x" * 300_000, maintype="application", subtype="pdf", filename=f"{number}.pdf"
        )
    got = read(raw(message))
    assert (got.text, len(got.attachments)) == ("the words", 20)


def test_what_no_other_program_reads_is_kept_as_a_file() -> None:
    message = mail("See the file")
    message.add_attachment(b'x\x9f>"', maintype="application", subtype="ms-tnef", filename="winmail.dat")
    got = read(raw(message))
    assert [(a.name, a.content_type, a.role) for a in got.attachments] == [
        ("winmail.dat", "application/ms-tnef", AttachmentRole.FILE)
    ]
    assert "html" not in got.content


@pytest.mark.parametrize(
    ("header", "to"),
    [
        (b"To: undisclosed-recipients:;", None),
        (b"To: Potters: mia@example.org, Bo <bo@example.org>;", ["mia@example.org", "bo@example.org"]),
        (b"To: , <>, @, hello@shop.example", ["hello@shop.example"]),
        (b"X: y", None),
    ],
)
def test_whom_it_went_to_is_read_as_far_as_it_can_be(header: bytes, to: list[str] | None) -> None:
    got = read(b"From: a@b.example\r\n" + header + b"\r\n\r\nx")
    assert [one["address"] for one in got.content.get("to", [])] == (to or [])


def test_the_parts_of_a_mail_are_one_formatted_form() -> None:
    """Apple Mail puts files between words, each stretch of which is a part."""
    parts = ["<p>Before</p>", "<p>After <img src='http://a.example/1'></p>"]
    body = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    body += b"--b\r\nContent-Type: text/html\r\n\r\n" + parts[0].encode() + b"\r\n"
    body += b"--b\r\nContent-Type: text/plain\r\n\r\n5 < 6\r\n"
    body += b"--b\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n"
    body += b"--b\r\nContent-Type: text/html\r\n\r\n" + parts[1].encode() + b"\r\n--b--\r\n"
    got = read(body)
    (form,) = (a for a in got.attachments if a.role is AttachmentRole.FORMATTED)
    assert form.content is not None
    places = [form.content.index(words) for words in (b"Before", b"5 &lt; 6", b"After")]
    assert places == sorted(places)
    assert got.content["html"] == {"rich": True, "remote": 1}
    assert "Before" in got.text
    assert "After" in got.text


@pytest.mark.parametrize(
    "piece", ["<img ", "<img a='", "<div class='", "<blockquote ", "<font ", "src=cid:", "</"]
)
def test_html_made_to_be_slow_is_described_in_time(piece: str) -> None:
    with takes_at_most(60):
        source = piece * (1_000_000 // len(piece))
        formatted.described(source)
        formatted.inline_names(source)


@pytest.mark.parametrize(
    ("charset", "content", "is_file"),
    [
        ("us-ascii", b"GIF89a\x01\x00\x01\x00\x80", True),
        ("us-ascii", b"Glazes: 12", False),
        ("utf-16", "Glazes: 12".encode("utf-16"), False),
    ],
)
def test_a_named_part_with_bytes_that_no_text_has_is_a_file(
    charset: str, content: bytes, is_file: bool
) -> None:
    part = (
        f'Content-Type: text/plain; charset={charset}; name="glaze.txt"\r\nContent-Transfer-Encoding: base64'
    )
    raw = (
        b"From: mia@example.org\r\nTo: hello@shop.example\r\nMessage-ID: <one@example.org>\r\n"
        + part.encode()
        + b"\r\n\r\n"
        + base64.encodebytes(content)
    )
    found = read(raw)
    assert [one.name for one in found.attachments] == (["glaze.txt"] if is_file else [])
    assert found.text == ("" if is_file else "Glazes: 12")


def test_a_form_too_long_to_show_is_a_file() -> None:
    message = mail("words")
    message.add_alternative("<p>" + "word " * 500_000, subtype="html")
    got = read(raw(message))
    assert [a.role for a in got.attachments] == [AttachmentRole.FILE]
    assert "html" not in got.content


def test_words_that_look_like_broken_headers_of_a_part_stay_as_they_are() -> None:
    words = (
        "---------- Forwarded message\r\nVon : Jon\r\nno header\r\nSubject : mugs\r\n\r\n"
        "Content-Type: multipart/mixed; boundary=none\r\n\r\nHi"
    )
    body = b"From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n"
    body += words.encode() + b"\r\n--b\r\nContent-Type: application/pdf\r\n\r\n%PDF\r\n--b--\r\n"
    assert read(body).text == words.replace("\r\n", "\n")


@pytest.mark.parametrize(
    "written",
    [
        "mia@example.org",
        "<mia@example.org>",
        "Mia Rossi <mia.rossi@example.org>",
        "Mia mia@example.org",
        "Mia <mia@example.org",
        "mia@example.org>",
        "<mia@example.org>>",
        "J. Doe <j@example.org>",
        "Mia (Rossi) <mia@example.org>",
        "Mia <mia@example.org>, Anna <anna@example.org>",
        "mia..rossi@example.org",
    ],
)
def test_a_simple_address_is_read_as_the_parser_reads_it(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> list[tuple[str, str]]:
        return headers.addresses(headers.parse_mail(f"From: {written}\r\n\r\n".encode()), "From")

    quickly = found()
    monkeypatch.setattr(headers, "_SIMPLE", re.compile(r"(?!)"))
    assert quickly == found()


def test_a_header_that_is_set_later_is_read_anew() -> None:
    mail = headers.parse_mail(b"From: mia@example.org\r\n\r\n")
    assert headers.addresses(mail, "To") == []
    mail.set_raw("To", "anna@example.org")
    assert headers.addresses(mail, "To") == [("", "anna@example.org")]
