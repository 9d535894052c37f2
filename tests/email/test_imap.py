"""Mail that is fetched from a mailbox: none lost, none twice, whatever its server does."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from addons.email.lobby_mail import receiving
from addons.email.lobby_mail.addon import register_channels
from addons.email.lobby_mail.imap import connection, reading, watching
from addons.email.lobby_mail.imap import session as imap_session
from addons.email.lobby_mail.imap.connection import Client
from addons.email.lobby_mail.models import Folder, FolderMail, Mailbox
from host.channels import accounts, warnings
from host.channels.directory import Directory
from host.core import clock, db, guard, storage
from host.delivery.worker import drain
from host.models.inbox import Attachment, Conversation, Message
from host.models.notifications import Notification
from host.models.queue import InboundEvent
from host.queue.journal import Journal, JournalUnavailableError
from host.sdk import accounts as sdk_accounts
from host.sdk.channel import AccountRef
from host.sdk.webhooks import Envelope
from sandbox import mailbox
from sandbox.mailbox import ImapServer
from tests.email.conftest import Outside, connect


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
    with mailbox.running(ImapServer(context=context)) as server:
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
        return list(session.scalars(sa.select(Message).order_by(Message.sent_at, Message.id)))


def box() -> Mailbox:
    with db.read() as session:
        return session.scalars(sa.select(Mailbox)).one()


def written(at: datetime) -> str:
    return format_datetime(at)


def standing(desk: Desk) -> list[Any]:
    with db.read() as session:
        return list(warnings.standing_warnings(session, [desk.account.id]).get(desk.account.id, ()))


def rows_of(model: Any) -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def accounted() -> int:
    return rows_of(FolderMail)


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


def test_what_was_there_is_left_unless_it_is_wanted(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    before = clock.now() - timedelta(days=40)
    for number in range(3):
        desk.server.add(mail(number), at=before)
    desk.fetch_from(since=clock.now())
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    assert journalled() == []
    desk.server.add(mail(9))
    until(journalled)
    assert accounted() == 1


def test_what_was_there_comes_quietly_newest_first_and_conversations_stay_whole(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    start = clock.now() - timedelta(days=200)
    desk.server.folders["Sent"] = mailbox.Folder(flags="\\Sent", uidvalidity=3)
    day = timedelta(days=1)
    mia = {"From": "Mia <mia@example.org>"}
    desk.server.add(mail(1, "One", **mia), at=start)
    desk.server.add(mail(2, "Other", Date=written(start + day)), at=start + day)
    desk.server.add(
        mail(
            3,
            "Two",
            From="hello@shop.example",
            To="Mia <mia@example.org>",
            In_Reply_To="<1@example.org>",
            Date=written(start + 2 * day),
        ),
        at=start + 2 * day,
        folder="Sent",
    )
    desk.server.add(mail(4, "Three", References="<1@example.org> <3@example.org>", **mia), at=start + 3 * day)
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: len(journalled()) == 4)
    assert desk.server.idling.acquire(timeout=10)
    desk.work()
    with db.read() as session:
        found = {row.id: row.status for row in session.scalars(sa.select(Conversation))}
    assert set(found.values()) == {"closed"}
    of: dict[int, list[str]] = {}
    for one in messages():
        of.setdefault(one.conversation_id, []).append(one.text)
        assert one.imported_at is not None
    assert list(of.values()) == [["One", "Two", "Three"], ["Other"]]
    assert [one.direction for one in messages()] == ["inbound", "inbound", "outbound", "inbound"]
    assert messages()[1].sent_at == start.replace(microsecond=0) + day
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Notification)) == 0
    assert accounted() == 4


def test_new_numbers_lose_nothing_and_double_nothing(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    desk.fetch_from(since=None)
    desk.watch()
    for number in range(5):
        desk.server.add(mail(number))
    until(lambda: accounted() == 5)
    desk.server.renumber()
    desk.server.add(mail(6))
    until(lambda: desk.server.count("EXAMINE") >= 2 and accounted() == 6)
    desk.work()
    assert len(journalled()) == len(messages()) == 6
    with db.read() as session:
        assert session.scalars(sa.select(Folder.uidvalidity)).one() == 8


def test_two_mails_alike_without_an_id_or_a_date_both_come_and_once(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    alarm = b"From: alarm@example.org\r\nSubject: The door is open\r\n\r\nAlarm\r\n"
    at = clock.now() - timedelta(minutes=1)
    for seconds in (0, 1):
        desk.server.add(alarm, at=at + timedelta(seconds=seconds))
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: accounted() == 2)
    desk.server.renumber()
    desk.server.add(mail(6))
    until(lambda: desk.server.count("EXAMINE") >= 2 and accounted() == 3)
    desk.work()
    assert sorted(one.text for one in messages()) == ["Alarm", "Alarm", "Do you have blue mugs?"]


def test_the_same_mail_by_both_ways_is_there_once(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    raw = mail(1)
    to = {"hello@shop.example": desk.account.id}
    desk.ingest(raw, tuple(receiving.envelopes(raw, "mia1@example.org", to)))
    desk.fetch_from(since=None)
    desk.server.add(raw)
    desk.watch()
    until(accounted)
    desk.work()
    assert len(messages()) == 1


def test_history_the_journal_has_forgotten_is_not_doubled(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    at = clock.now() - timedelta(days=200)
    raw = mail(1, Date=written(at))
    to = {"hello@shop.example": desk.account.id}
    desk.ingest(raw, tuple(receiving.envelopes(raw, "mia1@example.org", to)))
    desk.work()
    db.write(lambda session: session.execute(sa.update(Message).values(sent_at=at.replace(microsecond=0))))
    db.write(lambda session: session.execute(sa.delete(InboundEvent)))
    desk.server.add(raw, at=at)
    desk.fetch_from(since=None)
    desk.watch()
    until(accounted)
    desk.work()
    assert len(messages()) == 1


def test_a_mail_written_elsewhere_stands_in_its_conversation(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    desk.server.folders["Gesendete Objekte"] = mailbox.Folder(uidvalidity=3)
    desk.fetch_from(since=clock.now())
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    desk.server.add(mail(1))
    until(journalled)
    desk.work()
    answer = {"From": "hello@shop.example", "To": "Mia <mia1@example.org>", "In_Reply_To": "<1@example.org>"}
    desk.server.add(mail(2, "From my telephone", **answer), folder="Gesendete Objekte")
    ours = mail(3, "From Lobby", X_Lobby_Message=f"{'a' * 32}@shop.example", **answer)
    desk.server.add(ours, folder="Gesendete Objekte")
    desk.server.add(mail(4))
    until(lambda: accounted() == 4)
    desk.work()
    first, second, third = messages()
    assert (second.text, second.direction) == ("From my telephone", "outbound")
    assert first.conversation_id == second.conversation_id != third.conversation_id


def test_an_answer_that_comes_at_once_finds_what_was_written_elsewhere(desk_of_mail: Desk) -> None:
    """What was sent is read first: its answer may name nothing else."""
    desk = desk_of_mail
    desk.server.folders["Sent"] = mailbox.Folder(flags="\\Sent", uidvalidity=3)
    desk.fetch_from(since=clock.now())
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    with desk.server.lock:
        desk.server.add(
            mail(2, "I am on holiday", From="Mia <mia@example.org>", In_Reply_To="<1@example.org>")
        )
        written_elsewhere = mail(1, "Your mugs", From="hello@shop.example", To="Mia <mia@example.org>")
        desk.server.add(written_elsewhere, folder="Sent")
    until(lambda: len(journalled()) == 2)
    assert [one.kind for one in journalled()] == ["mail-sent", "mail"]
    desk.work()
    assert len({one.conversation_id for one in messages()}) == 1


def test_a_mail_that_is_too_large_comes_with_its_beginning(
    desk_of_mail: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of_mail
    monkeypatch.setattr(watching, "size_limit", lambda: 20_000)
    monkeypatch.setattr(reading, "LARGE_SHOWN", 5_000)
    desk.fetch_from(since=clock.now())
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Message-ID"] = "mia@example.org", "hello@shop.example", "<big@x>"
    made.set_content("The picture you asked for")
    made.add_attachment(b"\xff" * 50_000, maintype="image", subtype="jpeg", filename="mug.jpg")
    desk.server.add(made.as_bytes())
    desk.server.add(mail(2))
    until(lambda: accounted() == 2)
    desk.work()
    assert [one.text for one in messages()] == ["The picture you asked for", "Do you have blue mugs?"]
    assert messages()[0].content["cut"] == len(made.as_bytes())
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Attachment)) == 0
        assert session.scalars(sa.select(FolderMail.state).order_by(FolderMail.uid)).all() == ["cut", "taken"]


@pytest.mark.parametrize("says", [None, 6_000, 11_000, 30_000])
def test_a_large_mail_is_fetched_in_pieces(
    desk_of_mail: Desk, monkeypatch: pytest.MonkeyPatch, says: int | None
) -> None:
    """Whatever size the server says it has."""
    desk = desk_of_mail
    monkeypatch.setattr(reading, "PIECE", 5_000)
    uid = desk.server.add(mail(1, "Do you have blue mugs?" + "\r\nx" * 6_000))
    if says is not None:
        desk.server.says_size[uid] = says
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: accounted() == 1)
    raw = desk.server.folders["INBOX"].mails[0].raw
    assert [(one.body or b"").endswith(raw) for one in journalled()] == [True]
    asked = [one for one in desk.server.commands if "BODY.PEEK[]" in one]
    assert all("<" in one for one in asked)
    assert max(int(one.rpartition("<")[2].partition(".")[0]) for one in asked) >= len(raw) // 5_000 * 5_000


def test_a_large_mail_of_a_server_without_pieces_is_whole(
    desk_of_mail: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_of_mail
    monkeypatch.setattr(reading, "PIECE", 5_000)
    fetch = Client.fetch

    def whole(self: Client, numbers: list[int], items: list[str]) -> object:
        return fetch(self, numbers, [one.partition("<")[0] for one in items])

    monkeypatch.setattr(Client, "fetch", whole)
    desk.server.add(mail(1, "Do you have blue mugs?" + "\r\nx" * 6_000))
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: accounted() == 1)
    raw = desk.server.folders["INBOX"].mails[0].raw
    assert [(one.body or b"").endswith(raw) for one in journalled()] == [True]


def test_a_mail_of_twenty_megabytes_comes_with_its_files(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Message-ID"] = "mia@example.org", "hello@shop.example", "<big@x>"
    made.set_content("The drawings you asked for")
    files = [bytes([number]) * 7 * 1024 * 1024 for number in (1, 2)]
    for number, content in enumerate(files):
        made.add_attachment(content, maintype="application", subtype="pdf", filename=f"{number}.pdf")
    desk.server.add(made.as_bytes())
    desk.fetch_from(since=clock.now() - timedelta(days=1))
    desk.watch()
    until(lambda: accounted() == 1, 60)
    desk.work()
    assert [one.text for one in messages()] == ["The drawings you asked for"]
    assert "cut" not in messages()[0].content
    with db.read() as session:
        assert session.scalars(sa.select(Attachment.size)).all() == [len(one) for one in files]


@pytest.mark.parametrize("how", ["poison", "refuses", "missing"])
def test_a_mail_the_server_cannot_hand_out_stops_nothing_and_is_accounted_for(
    desk_of_mail: Desk, how: str
) -> None:
    desk = desk_of_mail
    for number in range(4):
        desk.server.add(mail(number))
    getattr(desk.server, how).add(2)
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: len(journalled()) >= 3 + (how != "missing") and accounted() >= 3)
    desk.work()
    assert len(messages()) == 3
    if how != "missing":
        dead = [one for one in journalled() if one.state == "dead"]
        assert ["mail 2 of INBOX" in (one.reason or "") for one in dead] == [True]
    else:
        with db.read() as session:
            assert session.scalars(sa.select(Folder.on_server)).one() == 4


@pytest.mark.parametrize("bytes_", [1, 700, 1500])
def test_a_connection_that_breaks_in_the_middle_loses_nothing(desk_of_mail: Desk, bytes_: int) -> None:
    desk = desk_of_mail
    for number in range(6):
        desk.server.add(mail(number))
    desk.server.cut_after = bytes_
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: accounted() == 6)
    desk.work()
    assert len(messages()) == 6


def test_a_server_that_hangs_is_left(desk_of_mail: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STEP_SECONDS", 0.3)
    desk = desk_of_mail
    desk.server.add(mail(1))
    desk.server.hangs.add("FETCH")
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: desk.server.count("FETCH") >= 2)
    desk.server.hangs.clear()
    until(accounted)


def test_idle_that_says_nothing_is_not_believed(desk_of_mail: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_session, "POLL_SECONDS", 0.2)
    desk = desk_of_mail
    desk.server.silent_idle = True
    desk.fetch_from(since=clock.now())
    desk.watch()
    assert desk.server.idling.acquire(timeout=10)
    desk.server.add(mail(1))
    until(accounted)


def test_a_server_without_idle_is_polled(desk_of_mail: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imap_session, "POLL_SECONDS", 0.2)
    desk = desk_of_mail
    desk.server.capabilities = "IMAP4rev1"
    desk.fetch_from(since=clock.now())
    desk.watch()
    until(lambda: box().checked_at)
    desk.server.add(mail(1))
    until(accounted)


def test_a_refused_login_is_told_and_over_once_it_works(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    desk.server.password = "another"
    desk.fetch_from(since=clock.now())
    desk.watch()
    until(lambda: standing(desk))
    [warning] = standing(desk)
    assert "no longer accepts" in warning.sentence
    assert "correct horse" not in str(warning.details)
    assert box().failing_since is not None
    desk.server.password = "correct horse"
    until(lambda: not standing(desk))
    assert box().problem is None


def test_a_server_that_is_away_is_told_after_a_while(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    desk.fetch_from(since=clock.now(), port=1)
    guard.allow(["mail.shop.example:1"])
    desk.watch()
    until(lambda: standing(desk))
    assert "can't be reached" in standing(desk)[0].sentence


def test_accounts_that_change_are_followed(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    desk.watch()
    desk.fetch_from(since=None)
    db.write(sdk_accounts.changed)
    assert desk.server.idling.acquire(timeout=10)
    db.write(accounts.disconnect_account, desk.account.id)
    until(lambda: not desk.server.connections)
    desk.server.add(mail(1))
    assert not accounted()


def test_what_the_journal_does_not_take_is_fetched_again(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    taken = desk.journal.ingest
    failing = [True, True]

    def ingest(**given: Any) -> None:
        if failing:
            failing.pop()
            raise JournalUnavailableError("the database is away")
        taken(**given)

    desk.journal.ingest = ingest  # type: ignore[method-assign]
    desk.server.add(mail(1))
    desk.fetch_from(since=None)
    desk.watch()
    until(accounted)
    assert len(journalled()) == 1


def test_two_processes_do_not_read_one_mailbox(desk_of_mail: Desk) -> None:
    desk = desk_of_mail
    desk.fetch_from(since=None, holder="f" * 32, held_until=clock.now() + timedelta(minutes=1))
    desk.watch()
    time.sleep(0.2)
    assert desk.server.commands == []


@pytest.mark.slow
def test_a_mailbox_is_brought_in_on_every_database(
    any_desk: db.Database, data: Path, outside: Outside, imap: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for desk in desk_at(data, outside, imap, monkeypatch):
        for number in range(60):
            imap.add(mail(number), at=clock.now() - timedelta(days=30, minutes=number))
        desk.fetch_from(since=None)
        desk.watch()
        until(lambda: accounted() == 60)
        imap.renumber()
        imap.add(mail(60))
        until(lambda: accounted() == 61)
        desk.work()
        assert len(journalled()) == len(messages()) == 61
