"""Replies over a real SMTP conversation: what arrives, and what every failure is taken for."""

from __future__ import annotations

import email
import email.policy
import re
import smtplib
import socket
import threading
from collections.abc import Callable
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import default
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from addons.email.lobby_mail import composing, smtp
from addons.email.lobby_mail.channel import EmailAdapter
from addons.email.lobby_mail.mail import headers
from addons.email.lobby_mail.models import EmailAccount
from host.core import clock, db, guard
from host.core.backports.values import replace
from host.sdk.channel import (
    AccountRef,
    CannotTell,
    Held,
    NotSent,
    Rejected,
    SearchRequest,
    SendRequest,
    SendResult,
    Sent,
    Unknown,
)
from host.sdk.formatting import to_text
from host.sdk.messages import MessageKind, OutgoingFile, OutgoingPart
from tests.core.servers import serving
from tests.email.conftest import Outside, connect

KEY = "0123456789abcdef0123456789abcdef"


def request(account: AccountRef, text: str = "Yes, we do.", **more: Any) -> SendRequest:
    given: dict[str, Any] = {
        "recipient": "mia@example.org",
        "part": OutgoingPart(MessageKind.TEXT, text),
        "message_key": KEY,
        "subject": "Blue mugs",
        "references": ("two@example.org", "one@example.org"),
        **more,
    }
    return SendRequest(account=account, **given)


def send(account: AccountRef, text: str = "Yes, we do.", **more: Any) -> SendResult:
    return EmailAdapter().send(request(account, text, **more))


def parsed(outside: Outside) -> Message:
    return email.message_from_bytes(outside.mails[-1][2])


def part_of(mail: Message, content_type: str) -> str:
    """Return the text of the one part of *content_type*."""
    (payload,) = [
        one.get_payload(decode=True) for one in mail.walk() if one.get_content_type() == content_type
    ]
    assert isinstance(payload, bytes)
    return payload.decode("utf-8")


def body(outside: Outside) -> str:
    return part_of(parsed(outside), "text/plain")


@pytest.mark.usefixtures("desk")
def test_a_reply_arrives_signed_in_encrypted_and_threaded(outside: Outside) -> None:
    account = connect(outside)
    result = send(account, "Größe 42 – ja!\n\n.\nMia\n")
    assert result == Sent(f"{KEY}@shop.example")
    sender, recipients, _ = outside.mails[0]
    assert (sender, recipients) == ("hello@shop.example", ["mia@example.org"])
    mail = parsed(outside)
    assert mail["From"] == "Shop <hello@shop.example>"
    assert mail["To"] == "mia@example.org"
    assert mail["Subject"] == "Re: Blue mugs"
    assert mail["Message-ID"] == f"<{KEY}@shop.example>"
    assert mail["In-Reply-To"] == "<two@example.org>"
    assert mail["References"] == "<one@example.org> <two@example.org>"
    assert mail["Date"] is not None
    assert body(outside).replace("\r\n", "\n") == "Größe 42 – ja!\n\n.\nMia\n"
    assert all(len(line) <= 998 for line in outside.mails[0][2].split(b"\r\n"))
    assert outside.mails[0][2].count(b"\n") == outside.mails[0][2].count(b"\r\n")


@pytest.mark.usefixtures("desk")
def test_every_attempt_carries_the_same_message_id(outside: Outside) -> None:
    account = connect(outside)
    assert send(account) == send(account, attempt=2)
    ids = {email.message_from_bytes(content)["Message-ID"] for _, _, content in outside.mails}
    assert len(outside.mails) == 2
    assert len(ids) == 1


@pytest.mark.parametrize(
    ("conversation", "subject"),
    [
        ("Blue mugs", "Re: Blue mugs"),
        ("Re: Blue mugs", "Re: Blue mugs"),
        ("AW: Tassen", "AW: Tassen"),
        (None, "Re:"),
        ("a\r\nBcc: victim@example.org", "Re: a Bcc: victim@example.org"),
        ("Größe 🎉", "Re: Größe 🎉"),
    ],
)
def test_the_subject_says_it_is_a_reply_once(conversation: str | None, subject: str) -> None:
    assert composing.subject(conversation) == subject


_TEXT = st.text(max_size=200)


@given(
    name=_TEXT,
    subject=_TEXT,
    own_subject=_TEXT,
    text=_TEXT,
    signature=_TEXT,
    references=st.lists(_TEXT, max_size=4),
    files=st.lists(st.tuples(_TEXT, _TEXT, st.binary(max_size=100)), max_size=2),
    automatic=st.booleans(),
)
@hypothesis_settings(max_examples=200)
def test_nothing_anybody_types_can_add_a_header(
    name: str,
    subject: str,
    own_subject: str,
    text: str,
    signature: str,
    references: list[str],
    files: list[tuple[str, str, bytes]],
    automatic: bool,
) -> None:
    raw = composing.compose(
        composing.Reply(
            sender_name=name,
            sender="hello@shop.example",
            recipient="mia@example.org",
            subject=subject,
            text=text,
            message_id=f"{KEY}@shop.example",
            references=tuple(references),
            date=clock.now(),
            own_subject=own_subject,
            signature=signature,
            cc=["anna@example.org"],
            reply_to="desk@shop.example",
            files=[composing.File(*one) for one in files],
            automatic=automatic,
        )
    )
    head = raw.partition(b"\r\n\r\n")[0].split(b"\r\n")
    names = {line.partition(b":")[0] for line in head if not line.startswith((b" ", b"\t"))}
    assert names <= {
        b"Content-Type",
        b"MIME-Version",
        b"Content-Transfer-Encoding",
        b"From",
        b"To",
        b"Subject",
        b"Date",
        b"Message-ID",
        b"In-Reply-To",
        b"References",
        b"X-Lobby-Message",
        b"Cc",
        b"Reply-To",
        *({b"Auto-Submitted", b"X-Auto-Response-Suppress"} if automatic else ()),
    }
    assert raw.replace(b"\r\n", b"").count(b"\n") == raw.replace(b"\r\n", b"").count(b"\r") == 0
    mail = email.message_from_bytes(raw)
    leaves = [one for one in mail.walk() if not one.is_multipart()]
    attached = [one for one in leaves if one.get_content_disposition() == "attachment"]
    assert [one.get_payload(decode=True) for one in attached] == [content for _name, _type, content in files]
    assert len(leaves) == len(attached) + (2 if text.strip() or signature.strip() or not files else 0)
    if len(leaves) > len(attached):
        clean = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
        assert part_of(mail, "text/plain").replace("\r\n", "\n").startswith(to_text(clean).rstrip("\n"))
    own = " ".join(composing._UNSAFE.sub(" ", own_subject).split())[:400]
    if own or subject or references:
        shown = str(make_header(decode_header(mail["Subject"])))
        assert shown.startswith((own or composing.subject(subject))[:20])


@pytest.mark.usefixtures("desk")
def test_a_name_of_many_scripts_reaches_the_other_side(outside: Outside) -> None:
    account = connect(outside, name='Müller & Söhne, "Töpferei" <evil@x>\r\nBcc: a@b.example')
    assert isinstance(send(account), Sent)
    mail = parsed(outside)
    assert mail["Bcc"] is None
    name = str(make_header(decode_header(mail["From"])))
    assert name.startswith('Müller & Söhne, "Töpferei"') or "Müller" in name
    assert outside.mails[0][0] == "hello@shop.example"


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    "name",
    [
        "Mia Rossi",
        'Rossi, Mia (Pottery) \\ "M" <x@evil.example>',
        "Zoë Größe",
        "株式会社" * 25,
        "a" * 99,
        "=?utf-8?q?no?=",
        "Mia\r\nBcc: a@b.example",
        "Müller, Mia <x@evil.example>,",
    ],
)
def test_the_customer_is_named_in_to(outside: Outside, name: str) -> None:
    account = connect(outside, name=name)
    assert isinstance(send(account, recipient_name=name), Sent)
    raw = outside.mails[0][2]
    assert outside.mails[0][1] == ["mia@example.org"]
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?\S+", head))
    assert all(len(line) <= 998 for line in head.split(b"\r\n"))
    mail = email.message_from_bytes(raw, policy=default)
    assert mail["Bcc"] is None
    for header, address in (("To", "mia@example.org"), ("From", "hello@shop.example")):
        shown = " ".join(name.split())
        # As our own parser reads it; the standard library's keeps the space between encoded words.
        assert headers.addresses(email.message_from_bytes(raw), header) == [(shown, address)]
        (found,) = mail[header].addresses
        assert found.addr_spec == address
        assert found.display_name.replace(" ", "") == shown.replace(" ", "")


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("name", ["", "mia@example.org", "\r\n"])
def test_an_unknown_name_leaves_the_address_bare(outside: Outside, name: str) -> None:
    send(connect(outside), recipient_name=name)
    assert parsed(outside)["To"] == "mia@example.org"


# ---- formatting, files, copies


def file(name: str, content_type: str, content: bytes = b"bytes\r\n.\r\n\x00\xff") -> OutgoingFile:
    kind = MessageKind.IMAGE if content_type.startswith("image/") else MessageKind.FILE
    return OutgoingFile(kind, name, content_type, len(content), None, lambda: BytesIO(content))


def html(outside: Outside) -> str:
    return part_of(parsed(outside), "text/html")


@pytest.mark.usefixtures("desk")
def test_what_was_written_goes_as_text_and_as_html(outside: Outside) -> None:
    send(connect(outside), "Hi **Mia**,\n\n- one\n- two <script>\n\nhttps://shop.example/a_b")
    assert parsed(outside).get_content_type() == "multipart/alternative"
    assert body(outside).splitlines() == [
        "Hi Mia,",
        "",
        "- one",
        "- two <script>",
        "",
        "https://shop.example/a_b",
    ]
    shown = html(outside)
    assert "<strong>Mia</strong>" in shown
    assert "<script" not in shown
    assert shown.count("<li") == 2
    assert '<a href="https://shop.example/a_b"' in shown
    assert "src=" not in shown, "a mail fetches nothing from anywhere"


@pytest.mark.usefixtures("desk")
def test_a_text_and_its_files_are_one_mail(outside: Outside) -> None:
    files = (
        file("Rechnung März.pdf", "application/pdf"),
        file("table.xlsx", "application/zip"),
        file('a"b\r\nX: y.png', "image/png"),
        file("letter.eml", "message/rfc822"),
    )
    result = send(connect(outside), part=OutgoingPart(MessageKind.TEXT, "Here it is.", files=files))
    assert isinstance(result, Sent)
    assert len(outside.mails) == 1
    mail = email.message_from_bytes(outside.mails[0][2], policy=email.policy.default)
    assert isinstance(mail, email.message.EmailMessage)
    found = list(mail.iter_attachments())
    assert [one.get_filename() for one in found] == [
        "Rechnung März.pdf",
        "table.xlsx",
        'a"b X: y.png',
        "letter.eml",
    ]
    assert [one.get_content_type() for one in found] == [
        "application/pdf",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "image/png",
        "application/octet-stream",
    ]
    assert {one.get_payload(decode=True) for one in found} == {b"bytes\r\n.\r\n\x00\xff"}
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert plain.get_content() == "Here it is."


def shown_mail(outside: Outside) -> EmailMessage:
    mail = email.message_from_bytes(outside.mails[-1][2], policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


@pytest.mark.usefixtures("desk")
def test_a_picture_stands_in_the_mail_where_its_place_is(outside: Outside) -> None:
    """Parsed by the standard library, as mail programs do: HTML that names its pictures by ``cid:``."""
    account = connect(outside)
    text = "Here it is:\n\n![Müg, blue.png]\n\nand **small**: ![s.JPG] ![Müg, blue.png]"
    files = (
        file("prices.csv", "text/plain", b"a,b"),
        file("s.JPG", "image/jpeg", b"small"),
        file("Müg, blue.png", "image/png", b"blue"),
        file("other.png", "image/png", b"other"),
    )
    found = send(account, part=OutgoingPart(MessageKind.TEXT, text, files=files))
    assert isinstance(found, Sent)
    mail = shown_mail(outside)
    assert mail.get_content_type() == "multipart/mixed"
    words, *attached = mail.iter_parts()
    assert [(one.get_filename(), one.get_content_disposition()) for one in attached] == [
        ("prices.csv", "attachment"),
        ("other.png", "attachment"),
    ]
    assert words.get_content_type() == "multipart/alternative"
    plain, related = words.iter_parts()
    assert (
        plain.get_content()
        .replace("\r\n", "\n")
        .startswith("Here it is:\n\n[Müg, blue.png]\n\nand small: [s.JPG] [Müg, blue.png]")
    )
    assert (related.get_content_type(), related.get_param("type")) == ("multipart/related", "text/html")
    shown, *pictures = related.iter_parts()
    sources = re.findall(r'<img src="cid:([^"]+)" alt="([^"]+)"', shown.get_content())
    by_id = {one["Content-ID"].strip("<>"): one for one in pictures}
    assert [(by_id[id_].get_content(), name) for id_, name in sources] == [
        (b"blue", "Müg, blue.png"),
        (b"small", "s.JPG"),
        (b"blue", "Müg, blue.png"),
    ]
    assert {(one.get_filename(), one.get_content_disposition()) for one in pictures} == {
        ("Müg, blue.png", "inline"),
        ("s.JPG", "inline"),
    }
    assert len(by_id) == 2
    assert all(id_.endswith(f".{KEY}@shop.example") for id_ in by_id), "each attempt is the same mail"


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((300, 200), 'width="300" height="200"'),
        ((1200, 900), 'width="600" height="450"'),
        ((9000, 1), 'width="600" height="1"'),
        ((None, None), ""),
    ],
)
def test_a_picture_is_no_wider_than_a_mail(size: tuple[int | None, int | None], said: str) -> None:
    found = composing.html("![mug.png]", "", {"mug.png": composing.picture("1@shop.example", *size)})
    (tag,) = re.findall("<img [^>]*>", found)
    assert said in tag
    assert ("width=" in tag) == bool(said)


@pytest.mark.usefixtures("desk")
def test_pictures_alone_in_a_text_need_no_attachments(outside: Outside) -> None:
    account = connect(outside)
    files = (file("mug.png", "image/png", b"blue"),)
    send(account, part=OutgoingPart(MessageKind.TEXT, "![mug.png]", files=files))
    mail = shown_mail(outside)
    assert mail.get_content_type() == "multipart/alternative"
    assert list(mail.iter_attachments()) == []


@pytest.mark.usefixtures("desk")
def test_what_is_no_picture_goes_along_below(outside: Outside) -> None:
    account = connect(outside)
    files = (file("mug.png", "application/pdf", b"%PDF"),)
    send(account, part=OutgoingPart(MessageKind.TEXT, "See ![mug.png] Wow![1]", files=files))
    assert "See ![mug.png] Wow![1]" in body(outside)
    assert "<img" not in html(outside)
    assert [one.get_filename() for one in shown_mail(outside).iter_attachments()] == ["mug.png"]


@pytest.mark.usefixtures("desk")
def test_files_alone_are_a_mail(outside: Outside) -> None:
    files = (file("a.pdf", "application/pdf"),)
    assert isinstance(send(connect(outside), part=OutgoingPart(MessageKind.FILE, files=files)), Sent)
    assert [one.get_content_type() for one in parsed(outside).walk()] == [
        "multipart/mixed",
        "application/pdf",
    ]


@pytest.mark.usefixtures("desk")
def test_a_file_that_cannot_be_read_sends_nothing(outside: Outside) -> None:
    def away() -> BytesIO:
        raise OSError("away")

    gone = replace(file("a.pdf", "application/pdf"), open=away)
    result = send(connect(outside), part=OutgoingPart(MessageKind.TEXT, "Here", files=(gone,)))
    assert isinstance(result, NotSent)
    assert outside.mails == []


COPIES = {"cc": ["anna@example.org", "mia@example.org"], "bcc": ["boss@shop.example", "anna@example.org"]}


def copied(account: AccountRef, **more: Any) -> SendResult:
    return send(account, part=OutgoingPart(MessageKind.TEXT, "Hi", COPIES), **more)


@pytest.mark.usefixtures("desk")
def test_copies_go_to_everybody_once_and_hidden_ones_stand_nowhere(outside: Outside) -> None:
    assert copied(connect(outside)) == Sent(f"{KEY}@shop.example")
    ((_sender, recipients, raw),) = outside.mails
    assert recipients == ["mia@example.org", "anna@example.org", "boss@shop.example"]
    assert parsed(outside)["Cc"] == "anna@example.org"
    assert b"boss" not in raw


@pytest.mark.usefixtures("desk")
def test_a_copy_the_server_refuses_is_named_and_the_rest_goes_out(outside: Outside) -> None:
    outside.answers["anna@example.org"] = "550 no such user"
    result = copied(connect(outside))
    assert isinstance(result, Sent)
    assert result.missed is not None
    assert result.missed.raw == "anna@example.org: 550 no such user"
    assert outside.mails[0][1] == ["mia@example.org", "boss@shop.example"]


@pytest.mark.usefixtures("desk")
def test_a_copy_refused_for_now_is_waited_for_and_then_left_out(outside: Outside) -> None:
    account = connect(outside)
    outside.answers["anna@example.org"] = "450 later"
    assert isinstance(copied(account), NotSent)
    assert isinstance(copied(account, attempt=2), NotSent)
    assert outside.mails == []
    result = copied(account, attempt=3)
    assert isinstance(result, Sent)
    assert result.missed is not None
    assert len(outside.mails) == 1


@pytest.mark.usefixtures("desk")
def test_without_the_customer_nobody_gets_a_copy(outside: Outside) -> None:
    outside.answers["mia@example.org"] = "550 no such user"
    assert isinstance(copied(connect(outside)), Rejected)
    assert outside.mails == []


@pytest.mark.usefixtures("desk")
def test_an_automatic_mail_says_so(outside: Outside) -> None:
    account = connect(outside)
    send(account, automatic=True)
    assert parsed(outside)["Auto-Submitted"] == "auto-replied"
    assert parsed(outside)["X-Auto-Response-Suppress"] == "All"
    send(account)
    assert parsed(outside)["Auto-Submitted"] is None


@pytest.mark.usefixtures("desk")
def test_a_subject_and_a_signature_of_its_own(outside: Outside) -> None:
    content = {"subject": "Your order 17", "signature": "**Anna**\nThe shop"}
    send(connect(outside), part=OutgoingPart(MessageKind.TEXT, "Hi", content))
    assert parsed(outside)["Subject"] == "Your order 17"
    assert body(outside).replace("\r\n", "\n") == "Hi\n\n-- \nAnna\nThe shop"
    assert "<strong>Anna</strong>" in html(outside)


@pytest.mark.usefixtures("desk")
def test_a_mail_the_server_has_no_room_for_is_not_begun(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connect(outside)
    monkeypatch.setattr(smtp, "_greet", _with_size(smtp._greet, 300))
    result = send(account, "x" * 1000)
    assert isinstance(result, Rejected)
    assert result.problem.code == "552"


def _with_size(greet: Callable[[smtplib.SMTP], None], most: int) -> Callable[[smtplib.SMTP], None]:
    def greeted(client: smtplib.SMTP) -> None:
        greet(client)
        client.esmtp_features["size"] = str(most)

    return greeted


# ---- what each failure is taken for


@pytest.mark.parametrize(
    ("step", "answer", "outcome"),
    [
        ("MAIL", "451 later", NotSent),
        ("MAIL", "550 sender refused", Held),
        ("RCPT", "450 mailbox busy", NotSent),
        ("RCPT", "550 no such user", Rejected),
        ("DATA", "452 disk full", NotSent),
        ("DATA", "554 spam", Rejected),
    ],
)
@pytest.mark.usefixtures("desk")
def test_what_the_server_says_decides(
    outside: Outside, step: str, answer: str, outcome: type[SendResult]
) -> None:
    account = connect(outside)
    outside.answers[step] = answer
    result = send(account)
    assert isinstance(result, outcome)
    assert not isinstance(result, Sent)
    assert result.problem.code == answer[:3]
    assert answer[4:] in result.problem.raw
    assert outside.mails == []


@pytest.mark.usefixtures("desk")
def test_a_server_that_is_gone_means_not_sent_and_the_account_waits(outside: Outside) -> None:
    account = connect(outside)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    guard.allow([f"mail.shop.example:{port}"])

    def move(session: Any) -> None:
        session.get(EmailAccount, account.id).smtp_port = port

    db.write(move)
    result = send(account)
    assert isinstance(result, NotSent)
    assert result.whole_account


@pytest.mark.usefixtures("desk")
def test_a_private_address_nobody_allowed_holds_the_account(outside: Outside) -> None:
    account = connect(outside)
    guard.allow(())
    held = send(account)
    assert isinstance(held, Held)
    assert "LOBBY_MAIL_RELAYS" in held.problem.next_step
    assert outside.mails == []


@pytest.mark.usefixtures("desk")
def test_a_password_refused_twice_holds_the_account(outside: Outside) -> None:
    account = connect(outside)
    outside.logins.clear()
    outside.password = "changed since"
    result = send(account)
    assert isinstance(result, Held)
    assert outside.logins == [False] * 4  # smtplib tries PLAIN and LOGIN each time
    assert "correct horse" not in repr(result)


@pytest.mark.usefixtures("desk")
def test_a_password_refused_once_is_tried_again_later(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connect(outside)
    good, outside.password = outside.password, "changed since"
    check = smtp.check

    def recovered(server: smtp.Server) -> None:
        outside.password = good
        check(server)

    monkeypatch.setattr(smtp, "check", recovered)
    assert isinstance(send(account), NotSent)
    assert isinstance(send(account), Sent)


@pytest.mark.usefixtures("desk")
def test_a_certificate_for_another_name_gets_no_password(outside: Outside) -> None:
    account = connect(outside)
    outside.logins.clear()
    guard.allow([f"other.example:{outside.port}"])

    def move(session: Any) -> None:
        session.get(EmailAccount, account.id).smtp_host = "other.example"

    db.write(move)
    assert isinstance(send(account), NotSent)
    assert outside.logins == []


@pytest.mark.parametrize(
    "recipient", ["", "unknown@invalid", "not an address", "a@b\r\nRCPT TO:<c@d>", "<a@b>"]
)
@pytest.mark.usefixtures("desk")
def test_somebody_without_an_address_cannot_be_answered(outside: Outside, recipient: str) -> None:
    account = connect(outside)
    assert isinstance(send(account, recipient=recipient), Rejected)
    assert outside.mails == []


@pytest.mark.usefixtures("desk")
def test_an_address_outside_ascii_is_written_to_where_the_server_can(outside: Outside) -> None:
    account = connect(outside)
    assert isinstance(send(account, recipient="zoë@bücher.example"), Sent)
    assert outside.mails[0][1] == ["zoë@xn--bcher-kva.example"]
    bare = parsed(outside)["To"]
    send(account, recipient="zoë@bücher.example", recipient_name="Zoë")
    assert parsed(outside)["To"] == bare


@pytest.mark.usefixtures("desk")
def test_texts_and_files_alone_are_sent(outside: Outside) -> None:
    account = connect(outside)
    assert isinstance(send(account, part=OutgoingPart(MessageKind.STICKER)), Rejected)
    assert outside.mails == []


@pytest.mark.usefixtures("desk")
def test_without_settings_or_with_a_password_of_another_row_the_queue_waits(outside: Outside) -> None:
    account = connect(outside)

    def swap(session: Any) -> None:
        row = session.get(EmailAccount, account.id)
        row.smtp_password = row.smtp_password[:-4] + "AAAA"

    db.write(swap)
    assert isinstance(send(account), Held)
    db.write(lambda session: session.delete(session.get(EmailAccount, account.id)))
    assert isinstance(send(account), Held)


def test_a_mail_server_cannot_be_searched() -> None:
    account = AccountRef(1, "u", 1, "email", "hello@shop.example", "Shop", "hello@shop.example")
    search = SearchRequest(account, "mia@example.org", OutgoingPart(MessageKind.TEXT), KEY, clock.now())
    assert isinstance(EmailAdapter().search(search), CannotTell)


# ---- a server that breaks off, step by step


def script(stop_after: bytes, last: bytes = b"") -> Callable[[socket.socket], None]:
    """Play a server without encryption that closes the connection after the command *stop_after*."""
    answers = {b"EHLO": b"250 fine", b"MAIL": b"250 fine", b"RCPT": b"250 fine", b"DATA": b"354 go on"}

    def handler(connection: socket.socket) -> None:
        connection.sendall(b"220 hello\r\n")
        if stop_after == b"":
            return
        file = connection.makefile("rb")
        with file:
            while line := file.readline():
                command = line[:4].upper().strip()
                if command == b".":
                    connection.sendall(last)
                    return
                if command in answers:
                    if command == stop_after:
                        return
                    connection.sendall(answers[command] + b"\r\n")

    return handler


@pytest.mark.parametrize("step", [b"", b"EHLO", b"MAIL", b"RCPT", b"DATA"])
def test_a_connection_that_breaks_before_the_mail_means_not_sent(step: bytes) -> None:
    with serving(script(step)) as server:
        guard.allow([f"127.0.0.1:{server.port}"])
        with pytest.raises((OSError, smtp.smtplib.SMTPException)) as caught:  # type: ignore[attr-defined]
            _deliver(server.port)
    assert not isinstance(caught.value, smtp.UnconfirmedError)


@pytest.mark.parametrize("last", [b"", b"25", b"hm\r\n"])
def test_a_connection_that_breaks_after_the_mail_means_nobody_knows(last: bytes) -> None:
    with serving(script(b"never", last)) as server:
        guard.allow([f"127.0.0.1:{server.port}"])
        with pytest.raises(smtp.UnconfirmedError):
            _deliver(server.port)


def test_a_server_silent_after_the_mail_means_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "ACCEPT_SECONDS", 0.2)
    done = threading.Event()

    def handler(connection: socket.socket) -> None:
        script(b"never")(connection)
        done.wait(5)

    with serving(handler) as server:
        guard.allow([f"127.0.0.1:{server.port}"])
        with pytest.raises(smtp.UnconfirmedError):
            _deliver(server.port)
        done.set()


def test_a_server_that_took_the_mail_and_hangs_up_took_the_mail() -> None:
    with serving(script(b"never", b"250 taken\r\n")) as server:
        guard.allow([f"127.0.0.1:{server.port}"])
        _deliver(server.port)


def test_a_password_is_never_sent_unencrypted() -> None:
    with serving(script(b"never")) as server:
        guard.allow([f"127.0.0.1:{server.port}"])
        with pytest.raises(smtp.LoginRefusedError, match="not encrypted"):
            smtp.check(smtp.Server("127.0.0.1", server.port, smtp.Security.NONE, "mia"))
        with pytest.raises(smtp.StepRefusedError, match="STARTTLS"):
            smtp.check(smtp.Server("127.0.0.1", server.port, smtp.Security.STARTTLS, "mia"))


def _deliver(port: int) -> None:
    server = smtp.Server("127.0.0.1", port, smtp.Security.NONE)
    smtp.deliver(server, "hello@shop.example", "mia@example.org", b"Subject: x\r\n\r\nhello\r\n")


def test_the_adapter_calls_a_broken_connection_after_the_mail_unknown(
    desk: db.Database, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = connect(outside)

    def broken(*_: Any, **__: Any) -> None:
        raise smtp.UnconfirmedError("ConnectionResetError")

    monkeypatch.setattr(smtp, "deliver", broken)
    assert isinstance(send(account), Unknown)
