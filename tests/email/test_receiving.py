"""The SMTP listener over real sockets: what it takes, what it refuses, and when it says yes."""

from __future__ import annotations

import smtplib
import socket
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from tempfile import TemporaryFile

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from addons.email.lobby_mail import receiving, smtp_connection
from addons.email.lobby_mail.mail import identity, parsing
from host.channels import accounts
from host.core import clock, db
from host.models.queue import MOST_IN_ROW, InboundEvent, InboundPart, InboundRequest
from host.queue.bodies import stored
from host.queue.journal import Journal as DatabaseJournal
from host.sdk import settings
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageReceived
from host.sdk.webhooks import Envelope
from tests.email.conftest import Outside, connect

MAIL = (
    b"From: Mia <mia@example.org>\r\nTo: hello@shop.example\r\nSubject: Blue mugs\r\n"
    b"Message-ID: <one@example.org>\r\n\r\nDo you have blue mugs?\r\n"
)


@dataclass
class Journal:
    """What was ingested; refuses while *broken*."""

    taken: list[tuple[bytes, tuple[Envelope, ...]]] = field(default_factory=list)
    broken: bool = False
    before: Callable[[], None] = lambda: None

    def ingest(self, raw: bytes, envelopes: tuple[Envelope, ...]) -> None:
        self.before()
        if self.broken:
            raise RuntimeError("the database is away")
        self.taken.append((raw, envelopes))


@dataclass
class Desk:
    account: AccountRef
    journal: Journal
    port: int

    def client(self) -> smtplib.SMTP:
        return smtplib.SMTP("127.0.0.1", self.port, timeout=10)

    def deliver(self, mail: bytes = MAIL, to: str | list[str] = "hello@shop.example") -> None:
        with self.client() as client:
            client.sendmail("bounce@example.org", to, mail)


@pytest.fixture
def listening(desk: db.Database, outside: Outside) -> Iterator[Desk]:
    account = connect(outside)
    journal = Journal()
    stop = receiving.start(("127.0.0.1", 0), journal.ingest)
    try:
        yield Desk(account, journal, _port())
    finally:
        stop()


def _port() -> int:
    listener = receiving._listeners["127.0.0.1", 0]
    port: int = listener.socket.getsockname()[1]
    return port


def test_a_mail_is_journalled_as_it_came_before_it_is_acknowledged(listening: Desk) -> None:
    listening.deliver()
    raw, envelopes = listening.journal.taken[0]
    assert raw == MAIL
    envelope = envelopes[0]
    assert envelope.account_id == listening.account.id
    assert envelope.lane == "mia@example.org"
    assert envelope.dedupe_key.startswith("mail:")
    assert envelope.body.endswith(MAIL)
    assert envelope.body.startswith(
        b"Return-Path: <bounce@example.org>\r\nDelivered-To: hello@shop.example\r\n"
    )


def test_the_answer_waits_for_the_journal(listening: Desk) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def before() -> None:
        reached.set()
        go_on.wait(10)

    listening.journal.before = before
    acknowledged = threading.Event()

    def deliver() -> None:
        listening.deliver()
        acknowledged.set()

    thread = threading.Thread(target=deliver)
    thread.start()
    assert reached.wait(10)
    assert not acknowledged.is_set()
    go_on.set()
    thread.join(10)
    assert acknowledged.is_set()


def test_what_cannot_be_stored_is_refused_for_now_and_taken_later(listening: Desk) -> None:
    listening.journal.broken = True
    with pytest.raises(smtplib.SMTPDataError) as caught:
        listening.deliver()
    assert caught.value.smtp_code == 451
    listening.journal.broken = False
    listening.deliver()
    assert len(listening.journal.taken) == 1


@pytest.mark.parametrize(
    "address", ["nobody@shop.example", "hello@other.example", "hello", "hello@shop.example.evil.example"]
)
def test_an_address_nobody_connected_is_refused(listening: Desk, address: str) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        listening.deliver(to=address)
    assert {code for code, _ in caught.value.recipients.values()} == {550}
    assert listening.journal.taken == []


@pytest.mark.parametrize("address", ["HELLO@Shop.Example", "hello+order-17@shop.example"])
def test_case_and_tags_do_not_matter(listening: Desk, address: str) -> None:
    listening.deliver(to=address)
    assert listening.journal.taken[0][1][0].account_id == listening.account.id


def test_an_account_connected_or_disconnected_a_moment_ago_counts(listening: Desk, outside: Outside) -> None:
    second = connect(outside, listening.account.workspace_id, address="sales@shop.example")
    listening.deliver(to="sales@shop.example")
    db.write(accounts.disconnect_account, second.id)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        listening.deliver(to="sales@shop.example")


def test_a_mail_for_two_of_us_is_two_envelopes_of_one_mail(listening: Desk, outside: Outside) -> None:
    second = connect(outside, listening.account.workspace_id, address="sales@shop.example")
    listening.deliver(to=["hello@shop.example", "hello+x@shop.example", "sales@shop.example"])
    _, envelopes = listening.journal.taken[0]
    assert [e.account_id for e in envelopes] == [listening.account.id, second.id]


MOST = 25 * 1024 * 1024


def large_mail(size: int) -> bytes:
    """A mail of exactly *size* bytes, with lines as long as the listener takes and dots at their begin."""
    line = b"." + b"y" * 60_000 + b"\r\n"
    lines = line * ((size - len(MAIL)) // len(line) - 1)
    return MAIL + lines + b"z" * (size - len(MAIL) - len(lines) - 2) + b"\r\n"


def test_a_mail_over_the_limit_is_refused_for_good_and_the_limit_named(listening: Desk) -> None:
    with listening.client() as client:
        assert client.ehlo()[0] == 250
        assert client.esmtp_features["size"] == str(MOST)
        code, words = client.mail("a@example.org", [f"size={MOST + 1}"])
        assert (code, b"25 MB" in words, str(MOST).encode() in words) == (552, True, True)
        assert client.mail("a@example.org", [f"size={MOST}"])[0] == 250
    with listening.client() as client:
        client.helo()  # without ESMTP there is no size to declare
        client.mail("a@example.org")
        client.rcpt("hello@shop.example")
        code, words = client.data(large_mail(MOST + 1))
        assert (code, b"25 MB" in words) == (552, True)
        assert client.noop()[0] == 250
    assert listening.journal.taken == []


def test_a_mail_as_large_as_the_limit_is_taken_with_one_copy_for_each_account(
    listening: Desk, outside: Outside
) -> None:
    second = connect(outside, listening.account.workspace_id, address="sales@shop.example")
    mail = large_mail(MOST)
    listening.deliver(mail, to=["hello@shop.example", "sales@shop.example"])
    assert [raw for raw, _ in listening.journal.taken] == [b"", b""]
    made = [envelope for _, envelopes in listening.journal.taken for envelope in envelopes]
    assert [one.account_id for one in made] == [listening.account.id, second.id]
    assert all(one.body.endswith(identity.BELOW + mail) for one in made)
    assert len({one.dedupe_key for one in made}) == 1


def test_a_mail_being_received_is_not_in_memory(listening: Desk) -> None:
    block = (b"x" * 76 + b"\r\n") * 1000
    with listening.client() as client:
        client.ehlo()
        client.mail("a@example.org")
        client.rcpt("hello@shop.example")
        client.putcmd("data")
        client.getreply()
        client.send(MAIL + block)
        tracemalloc.start()
        try:
            for _ in range(200):
                client.sock.sendall(block)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        client.send(b".\r\n")
        assert client.getreply()[0] == 250
    assert len(listening.journal.taken[0][1][0].body) > 200 * len(block)
    assert peak < 2 * 1024 * 1024


def with_files(size: int) -> bytes:
    """A mail of about *size* bytes with two files, as a mail program writes it."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Message-ID"] = "mia@example.org", "hello@shop.example", "<big@x>"
    made.set_content("The drawings you asked for")
    for number in (1, 2):
        content = bytes(range(256)) * (size * 3 // 4 // 2 // 256)
        made.add_attachment(content, maintype="application", subtype="pdf", filename=f"{number}.pdf")
    return made.as_bytes()


def test_a_large_mail_takes_known_memory_and_is_in_the_database_once(
    desk: db.Database, outside: Outside, tmp_path: Path
) -> None:
    connect(outside)
    mail = with_files(12 * 1024 * 1024)
    journal = DatabaseJournal(tmp_path / "spool", wake=lambda _direction: None, patience=60)
    journal.start()

    def ingest(raw: bytes, made: tuple[Envelope, ...]) -> None:
        journal.ingest(source="receiver:smtp", channel="email", raw=raw, remote="", envelopes=made)

    with TemporaryFile() as file:
        file.write(mail)
        tracemalloc.start()
        try:
            answers = receiving._Handler(lambda: ingest)._take(
                file, "mia@example.org", ["hello@shop.example"]
            )
            storing = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
            journal.stop()
    assert answers == [receiving.STORED]
    assert storing < 3 * len(mail)
    with db.read() as session:
        lengths = [
            session.scalar(sa.select(sa.func.coalesce(sa.func.sum(sa.func.length(one.body)), 0)))
            for one in (InboundRequest, InboundEvent, InboundPart)
        ]
        event = session.scalars(sa.select(InboundEvent)).one()
        body = stored.whole(session, event.id, event.body) or b""
    assert lengths[0] == 0
    assert len(mail) < sum(lengths) < len(mail) + 1000
    tracemalloc.start()
    try:
        (change,) = parsing.parse(
            Envelope(account_id=1, lane="mia@example.org", dedupe_key="k", kind="mail", body=body)
        )
        assert tracemalloc.get_traced_memory()[1] < 9 * len(mail)
    finally:
        tracemalloc.stop()
    assert isinstance(change, MessageReceived)
    assert [one.name for one in change.attachments] == ["1.pdf", "2.pdf"]


def test_the_limit_is_what_the_database_takes(any_desk: db.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert receiving.IN_ROW == MOST_IN_ROW
    assert receiving.size_limit() == MOST
    if any_desk.dialect == "mariadb":
        monkeypatch.setattr(receiving, "IN_ROW", 1024**3)
        limit = receiving.size_limit()
        assert limit > 4 * 1024 * 1024

        def use_case(session: Session) -> None:
            body = b"\xff" * limit
            session.add(InboundRequest(id=1, source="x", received_at=clock.now(), remote="", body=body))

        db.write(use_case)


def test_a_line_longer_than_the_standard_allows_is_taken(listening: Desk) -> None:
    listening.deliver(MAIL + b"x" * 50_000 + b"\r\n")
    assert len(listening.journal.taken) == 1


def test_the_same_mail_by_another_way_has_the_same_key(listening: Desk) -> None:
    bare = MAIL.replace(b"Message-ID: <one@example.org>", b"Date: Fri, 20 Nov 2026 09:41:07 +0000")
    for trace in (b"", b"Received: from a by b; now\r\n", b"Received: from c by d; later\r\n"):
        listening.deliver(trace + MAIL)
        listening.deliver(trace + bare)
    listening.deliver(bare + b"another\r\n")
    listening.deliver(MAIL.replace(b"mia@", b"jon@"))
    listening.deliver(MAIL + b"another\r\n")
    keys = [envelopes[0].dedupe_key for _, envelopes in listening.journal.taken]
    assert len(set(keys)) == 5
    assert keys[0] == keys[2] == keys[4]
    assert keys[1] == keys[3] == keys[5]


def test_nobody_can_relay_or_sign_in(listening: Desk) -> None:
    with listening.client() as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.mail("hello@shop.example")
        assert client.rcpt("victim@example.org")[0] == 550
        assert client.docmd("DATA")[0] == 503


def test_a_bare_line_feed_does_not_end_a_mail(listening: Desk) -> None:
    """Else a second mail could be smuggled in, with a sender nobody checked."""
    with socket.create_connection(("127.0.0.1", listening.port), timeout=10) as connection:
        file = connection.makefile("rwb")
        for line in (
            b"",
            b"HELO x\r\n",
            b"MAIL FROM:<a@example.org>\r\n",
            b"RCPT TO:<hello@shop.example>\r\n",
        ):
            file.write(line)
            file.flush()
            file.readline()
        file.write(b"DATA\r\n" + MAIL + b"\n.\nMAIL FROM:<evil@example.org>\r\n.\r\n")
        file.flush()
        assert file.readline().startswith(b"354")
        assert file.readline().startswith(b"250")
        file.close()
    assert len(listening.journal.taken) == 1
    assert b"evil@example.org" in listening.journal.taken[0][0]


def test_more_connections_than_allowed_are_sent_away(
    listening: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_connection, "MAX_CONNECTIONS", 2)
    with listening.client() as first, listening.client() as second:
        first.noop()
        second.noop()
        with pytest.raises(smtplib.SMTPConnectError) as caught:
            listening.client()
        assert caught.value.smtp_code == 421
    listening.deliver()


def test_one_address_cannot_hold_every_connection(listening: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_connection, "MAX_PER_ADDRESS", 2)
    with listening.client() as first, listening.client() as second:
        first.noop()
        second.noop()
        with pytest.raises(smtplib.SMTPConnectError) as caught:
            listening.client()
        assert caught.value.smtp_code == 421
        with smtplib.SMTP("127.0.0.1", listening.port, timeout=10, source_address=("127.0.0.9", 0)) as other:
            other.sendmail("bounce@example.org", "hello@shop.example", MAIL)
    listening.deliver()
    assert len(listening.journal.taken) == 2


def is_served(client: smtplib.SMTP) -> bool:
    try:
        return client.noop()[0] == 250
    except (smtplib.SMTPServerDisconnected, OSError):
        return False


def test_where_all_are_held_the_busiest_address_makes_way(
    listening: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_connection, "MAX_CONNECTIONS", 3)
    held = [listening.client() for _ in range(3)]
    with smtplib.SMTP("127.0.0.1", listening.port, timeout=10, source_address=("127.0.0.9", 0)) as other:
        other.sendmail("bounce@example.org", "hello@shop.example", MAIL)
    assert len(listening.journal.taken) == 1
    assert [is_served(client) for client in held] == [False, True, True]
    for client in held:
        client.close()


def test_a_connection_ends_however_busy_it_is(listening: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_connection, "SESSION_SECONDS", 0.3)
    client = listening.client()
    asked = 0
    while is_served(client) and asked < 100_000:
        asked += 1
    client.close()
    assert asked < 100_000
    listening.deliver()


@pytest.mark.parametrize(
    ("peer", "counted"),
    [
        (("192.0.2.7", 9), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 9, 0, 0), "2001:db8:1:2::"),
        (("fe80::1%eth0", 9, 0, 2), "fe80::"),
        (("::ffff:192.0.2.7", 9, 0, 0), "192.0.2.7"),
        (None, ""),
        ("", ""),
    ],
)
def test_who_is_counted_as_one(peer: object, counted: str) -> None:
    assert smtp_connection.counted_as(peer) == counted


def test_a_client_that_talks_nonsense_gets_an_answer_and_harms_nobody(listening: Desk) -> None:
    with socket.create_connection(("127.0.0.1", listening.port), timeout=10) as connection:
        connection.sendall(b"\x00\xff\r\nGET / HTTP/1.1\r\n" + b"A" * 100_000 + b"\r\nMAIL FROM:<\xff@x>\r\n")
        assert connection.recv(1000).startswith(b"220")
    listening.deliver()
    assert len(listening.journal.taken) == 1


def test_a_new_generation_takes_over_without_closing_the_door(listening: Desk) -> None:
    new = Journal()
    stop = receiving.start(("127.0.0.1", 0), new.ingest)
    listening.deliver()
    assert (len(new.taken), len(listening.journal.taken)) == (1, 0)
    stop()
    stop()
    listening.deliver()
    assert (len(new.taken), len(listening.journal.taken)) == (1, 1)


def test_after_stopping_nobody_listens(desk: db.Database) -> None:
    stop = receiving.start(("127.0.0.1", 0), Journal().ingest)
    port = _port()
    stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_an_address_that_is_taken_names_the_setting(desk: db.Database) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}.*LOBBY_SMTP_LISTEN"):
            receiving.start(("127.0.0.1", port), Journal().ingest)


def test_the_listener_is_there_if_the_operator_named_an_address() -> None:
    settings.provide("", {"public_url": "http://127.0.0.1:8080", "smtp_listen": ""})
    assert receiving.receiver() == []
    settings.provide("", {"public_url": "http://127.0.0.1:8080", "smtp_listen": "127.0.0.1:2525"})
    assert [r.channel for r in receiving.receiver()] == ["email"]
    assert receiving.listen_address() == ("127.0.0.1", 2525)
    settings.provide("", {"public_url": "http://127.0.0.1:8080"})
    assert receiving.listen_address() is None


def test_lmtp_answers_for_each_recipient(listening: Desk, outside: Outside) -> None:
    second = connect(outside, listening.account.workspace_id, address="orders@shop.example")
    with smtplib.LMTP("127.0.0.1", listening.port) as client:
        assert client.ehlo()[0] == 250
        assert client.mail("bounce@example.org")[0] == 250
        answers = [client.rcpt(f"{one}@shop.example")[0] for one in ("hello", "nobody", "orders")]
        assert answers == [250, 550, 250]
        db.write(accounts.disconnect_account, second.id)
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(MAIL + b".\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [250, 550]
        assert client.noop()[0] == 250, "nothing is left unread"


def test_lmtp_answers_for_a_single_recipient(listening: Desk) -> None:
    with smtplib.LMTP("127.0.0.1", listening.port, timeout=10) as client:
        for code in (250, 451):
            listening.journal.broken = code == 451
            client.ehlo()
            client.mail("bounce@example.org")
            client.rcpt("hello@shop.example")
            assert client.data(MAIL)[0] == code
            assert client.noop()[0] == 250, "nothing is left unread"


def test_lmtp_answers_for_each_recipient_when_a_session_fails(
    listening: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(receiving._Handler, "_take", fail)
    with smtplib.LMTP("127.0.0.1", listening.port, timeout=10) as client:
        client.ehlo()
        client.mail("bounce@example.org")
        for tag in ("a", "b"):
            client.rcpt(f"hello+{tag}@shop.example")
        client.putcmd("data")
        client.getreply()
        client.send(MAIL + b".\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [451, 451]
        client.rset()
        assert client.noop()[0] == 250, "nothing is left unread"


def test_a_mail_that_lmtp_brings_may_be_too_large_for_each(listening: Desk) -> None:
    with smtplib.LMTP("127.0.0.1", listening.port) as client:
        client.ehlo()
        client.mail("bounce@example.org")
        for tag in ("a", "b"):
            assert client.rcpt(f"hello+{tag}@shop.example")[0] == 250
        client.putcmd("data")
        client.getreply()
        client.send(b"x" * 70 + b"\r\n" + (b"y" * 60_000 + b"\r\n") * 440 + b".\r\n")
        assert [client.getreply()[0] for _ in range(2)] == [552, 552]
        assert client.docmd("EHLO", "here")[0] == 500
        assert client.noop()[0] == 250
    assert listening.journal.taken == []
