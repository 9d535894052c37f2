"""Replies over a real SMTP conversation: what arrives, and what every failure is taken for."""

from __future__ import annotations

import email
import socket
import threading
from collections.abc import Callable
from email.header import decode_header, make_header
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from host.builtin.email import composing, smtp
from host.builtin.email.channel import EmailAdapter
from host.builtin.email.models import EmailAccount
from host.core import clock, db, guard
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
from host.sdk.messages import MessageKind, OutgoingPart
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


def body(outside: Outside) -> str:
    payload = parsed(outside).get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode("utf-8")


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


@given(name=_TEXT, subject=_TEXT, text=_TEXT, references=st.lists(_TEXT, max_size=4))
@hypothesis_settings(max_examples=300)
def test_nothing_anybody_types_can_add_a_header(
    name: str, subject: str, text: str, references: list[str]
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
    }
    assert raw.replace(b"\r\n", b"").count(b"\n") == raw.replace(b"\r\n", b"").count(b"\r") == 0
    mail = email.message_from_bytes(raw)
    payload = mail.get_payload(decode=True)
    assert isinstance(payload, bytes)
    clean = text.encode("utf-8", "replace").decode().replace("\r\n", "\n").replace("\r", "\n")
    assert payload.decode().replace("\r\n", "\n").rstrip("\n") == clean.rstrip("\n")
    assert str(make_header(decode_header(mail["Subject"]))).startswith(composing.subject(subject)[:20])


@pytest.mark.usefixtures("desk")
def test_a_name_of_many_scripts_reaches_the_other_side(outside: Outside) -> None:
    account = connect(outside, name='Müller & Söhne, "Töpferei" <evil@x>\r\nBcc: a@b.example')
    assert isinstance(send(account), Sent)
    mail = parsed(outside)
    assert mail["Bcc"] is None
    name = str(make_header(decode_header(mail["From"])))
    assert name.startswith('Müller & Söhne, "Töpferei"') or "Müller" in name
    assert outside.mails[0][0] == "hello@shop.example"


# ---- what each failure is taken for


@pytest.mark.parametrize(
    ("step", "answer", "outcome"),
    [
        ("MAIL", "451 later", NotSent),
        ("MAIL", "550 sender refused", Rejected),
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
    assert isinstance(send(account), Held)
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


@pytest.mark.usefixtures("desk")
def test_only_text_is_sent(outside: Outside) -> None:
    account = connect(outside)
    assert isinstance(send(account, part=OutgoingPart(MessageKind.IMAGE)), Rejected)


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

    def broken(*_: Any) -> None:
        raise smtp.UnconfirmedError("ConnectionResetError")

    monkeypatch.setattr(smtp, "deliver", broken)
    assert isinstance(send(account), Unknown)
