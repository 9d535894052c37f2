"""Mail that is fetched from a mailbox: none lost, none twice, whatever its server does."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.builtin.email.addon import register_channels
from host.builtin.email.imap import session as imap_session
from host.builtin.email.imap import watching
from host.builtin.email.models import FolderMail, Mailbox
from host.channels.directory import Directory
from host.core import clock, db, guard, storage
from host.delivery.worker import drain
from host.models.inbox import Message
from host.models.queue import InboundEvent
from host.queue.journal import Journal
from host.sdk.channel import AccountRef
from host.sdk.webhooks import Envelope
from tests.email import imap_server
from tests.email.conftest import Outside, connect
from tests.email.imap_server import ImapServer


class Generation:
    number = 1
    directory = Directory(register_channels())


def mail(number: int, text: str = "Do you have blue mugs?", **headers: str) -> bytes:
    made = EmailMessage(policy=SMTP)
    made["From"] = headers.pop("From", f"Mia <mia{number}@example.org>")
    made["To"] = headers.pop("To", "hello@shop.example")
    made["Subject"] = headers.pop("Subject", f"Mugs {number}")
    made["Message-ID"] = headers.pop("Message_ID", f"<{number}@example.org>")
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made.as_bytes()


@pytest.fixture
def imap(certificate: str) -> Iterator[ImapServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with imap_server.running(ImapServer(context=context)) as server:
        yield server


class Desk:
    """A desk whose mailbox is watched, and whose workers work when told to."""

    def __init__(self, account: AccountRef, journal: Journal, server: ImapServer) -> None:
        self.account = account
        self.journal = journal
        self.server = server
        self._stop: Callable[[], None] = lambda: None

    def ingest(
        self,
        raw: bytes,
        envelopes: tuple[Envelope, ...],
        also: Callable[[Session], None] | None = None,
    ) -> None:
        self.journal.ingest(
            source="receiver:imap", channel="email", raw=raw, remote="", envelopes=envelopes, also=also
        )

    def fetch_from(self, *, since: datetime | None, **changes: object) -> None:
        """Have the mailbox of the account watched."""

        def use_case(session: Session) -> None:
            now = clock.now()
            row = Mailbox(
                account_id=self.account.id,
                host="mail.shop.example",
                port=self.server.port,
                security="tls",
                user_name="",
                password=None,
                wanted="all",
                since=since,
                connected_at=now,
                saved_at=now,
            )
            for name, value in changes.items():
                setattr(row, name, value)
            session.add(row)

        db.write(use_case)

    def watch(self) -> None:
        watching.connected.forget()
        self._stop = watching.start(self.ingest)

    def stop(self) -> None:
        self._stop()
        self._stop = lambda: None

    def work(self) -> None:
        drain(Generation())


@pytest.fixture
def desk_of_mail(
    desk: db.Database, data: Path, outside: Outside, imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    yield from desk_at(data, outside, imap, monkeypatch)


def desk_at(
    data: Path, outside: Outside, imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Desk]:
    storage.use(storage.FolderStore(data / "attachments"))
    monkeypatch.setattr(imap_session, "DELAYS", (0.02,))
    monkeypatch.setattr(imap_session, "REFUSED_DELAYS", (0.02,))
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.02)
    guard.allow([f"mail.shop.example:{outside.port}", f"mail.shop.example:{imap.port}"])
    journal = Journal(data / "spool")
    journal.start()
    made = Desk(connect(outside), journal, imap)
    try:
        yield made
    finally:
        made.stop()
        journal.stop()


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to it"
        time.sleep(0.01)


def journalled() -> list[InboundEvent]:
    with db.read() as session:
        return list(session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id)))


def messages() -> list[Message]:
    with db.read() as session:
        return list(session.scalars(sa.select(Message).order_by(Message.id)))


def box() -> Mailbox:
    with db.read() as session:
        return session.scalars(sa.select(Mailbox)).one()


def accounted() -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(FolderMail)) or 0


def test_a_mail_that_comes_is_in_the_inbox_and_stays_unseen_on_the_server(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    desk.fetch_from(since=clock.now())
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    desk.server.add(mail(1))
    until(journalled)
    desk.work()
    assert [one.text for one in messages()] == ["Do you have blue mugs?"]
    assert messages()[0].imported_at is None
    assert not desk.server.flags_set
    assert (accounted(), box().problem) == (1, None)
