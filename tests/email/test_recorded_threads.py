"""Threads as large clients write them: each is one conversation, none is another's, quotes are folded.

Each file of ``threads/`` is one thread, its mails parted by a line of equals signs, the oldest first. The
shapes are those of the clients: ids, headers, quotes and marks; names, addresses and words are made up.
"""

from __future__ import annotations

import email.policy
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa

from addons.email.lobby_mail.mail import kept, quotes
from addons.email.lobby_mail.mail.htmltext import to_text
from addons.email.lobby_mail.mail.kept import Kind
from host.core import clock, db, storage
from host.delivery.worker import drain
from host.media import formatted
from host.models.inbox import Message
from host.queue.journal import Journal
from host.sdk.channel import AccountRef
from host.sdk.messages import AttachmentRole
from sandbox import mailbox
from tests.email.conftest import Outside, connect
from tests.email.test_conversation import Generation
from tests.email.test_imap import Desk, accounted, desk_of_mail, imap, until
from tests.email.test_parsing import read

__all__ = ["desk_of_mail", "imap"]

THREADS = Path(__file__).parent / "threads"
OURS = "We have eight of them, sent on Friday."
NAMES = sorted(path.stem for path in THREADS.glob("*.eml"))


class Thread(NamedTuple):
    """:ivar said: what the last mail says that is not quoted; *folds*: it marks what is."""

    said: str
    folds: bool
    mails: list[bytes]


def thread(name: str) -> Thread:
    head, *mails = (THREADS / f"{name}.eml").read_text("utf-8").split("=====\n")
    said, _, fold = head.strip().removeprefix("said: ").partition("\nfold: ")
    return Thread(said, fold != "no", [one.replace("\n", "\r\n").encode() for one in mails])


def field(raw: bytes, name: str) -> str:
    return str(email.message_from_bytes(raw, policy=email.policy.compat32)[name] or "")


def own_id(raw: bytes) -> str:
    return field(raw, "Message-ID").strip("<>")


def is_sent(raw: bytes) -> bool:
    return field(raw, "From") == "Shop <hello@shop.example>"


def written_at(raw: bytes) -> datetime:
    return parsedate_to_datetime(field(raw, "Date")).astimezone(UTC)


@pytest.fixture
def journal(data: Path) -> Iterator[Journal]:
    storage.use(storage.FolderStore(data / "attachments"))
    made = Journal(data / "spool")
    made.start()
    try:
        yield made
    finally:
        made.stop()


class Inbox:
    """A mailbox whose mails are handed to the desk as its reader does."""

    def __init__(self, account: AccountRef, journal: Journal) -> None:
        self._account, self._journal = account, journal

    def take(self, mails: Sequence[bytes], *, at_once: bool) -> None:
        for raw in mails:
            kind = Kind.SENT if is_sent(raw) else Kind.MAIL
            envelope = kept.envelope(raw, "hello@shop.example", self._account.id, kind, written_at(raw))
            self._journal.ingest(
                source="receiver:imap", channel="email", raw=raw, remote="", envelopes=(envelope,)
            )
            if not at_once:
                drain(Generation())
        drain(Generation())


def conversations() -> set[frozenset[str]]:
    """Return the Message-IDs of each conversation."""
    found: dict[int, set[str]] = {}
    with db.read() as session:
        for one in session.scalars(sa.select(Message).where(Message.kind != "activity")):
            found.setdefault(one.conversation_id, set()).add(one.external_id or "")
    return {frozenset(ids) for ids in found.values()}


@pytest.fixture
def inbox(desk: db.Database, outside: Outside, journal: Journal) -> Iterator[Inbox]:
    with clock.travel(datetime(2026, 11, 11, 9, 0, tzinfo=UTC) - datetime.now(UTC)):
        yield Inbox(connect(outside), journal)


def stranger(number: int, sender: str, **headers: str) -> bytes:
    lines = {
        "From": sender,
        "To": "Shop <hello@shop.example>",
        "Subject": "Re: Order 1042",
        "Date": f"Tue, 10 Nov 2026 13:{number:02d}:00 +0100",
        "Message-ID": f"<stranger-{number}@else.example>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\nHello\r\n"


def apart() -> list[bytes]:
    """Return mails that look as if they belonged to a thread, and do not."""
    gmail, thunderbird = thread("gmail-web").mails, thread("thunderbird").mails
    shown = f"<{own_id(gmail[0])}> <{own_id(gmail[1])}>"
    return [
        # The same person about the same again; another with the same subject.
        stranger(1, "Mia Rossi <mia.rossi@gmail.example>"),
        stranger(2, "Someone <someone@else.example>"),
        # Mia passed it on, and that person writes to us. Somebody guessed or read the ids.
        stranger(3, "Paul <paul@else.example>", References=shown, In_Reply_To=f"<{own_id(gmail[1])}>"),
        stranger(4, "Eve <eve@evil.example>", In_Reply_To=f"<{own_id(thunderbird[0])}>"),
        # The customer of one thread names a mail of another's.
        stranger(5, "Bea Fuchs <bea.fuchs@posteo.example>", References=shown),
        # Thread-Topic alone joins nothing: it is the subject.
        stranger(6, "Max <max@else.example>", Thread_Topic="Order 1042"),
    ]


def expected() -> set[frozenset[str]]:
    together = {frozenset(map(own_id, thread(name).mails)) for name in NAMES}
    return together | {frozenset([own_id(raw)]) for raw in apart()}


def every_mail() -> list[bytes]:
    mails = [raw for name in NAMES for raw in thread(name).mails] + apart()
    return sorted(mails, key=written_at)


def test_threads_of_all_clients_are_conversations_and_none_is_merged(inbox: Inbox) -> None:
    inbox.take(every_mail(), at_once=False)
    assert conversations() == expected()


@pytest.mark.parametrize("seed", range(3))
def test_they_are_the_same_in_whatever_order_the_mails_of_a_moment_come(inbox: Inbox, seed: int) -> None:
    mails = every_mail()
    random.Random(seed).shuffle(mails)
    inbox.take(mails, at_once=True)
    assert conversations() == expected()


@pytest.mark.parametrize("seed", range(3))
def test_threads_that_come_one_by_one_may_be_mixed(inbox: Inbox, seed: int) -> None:
    """Each thread in its order, as its people wrote it; any other mail in between."""
    chance = random.Random(seed)
    left = [list(thread(name).mails) for name in NAMES]
    come = []
    while left:
        mails = chance.choice(left)
        come.append(mails.pop(0))
        left = [one for one in left if one]
    for raw in apart():
        come.insert(chance.randrange(len(come) + 1), raw)
    inbox.take(come, at_once=False)
    assert conversations() == expected()


@pytest.mark.parametrize("seed", range(3))
def test_a_mailbox_of_them_is_brought_in_whatever_numbers_its_mails_have(
    desk_of_mail: Desk, seed: int
) -> None:
    desk, mails = desk_of_mail, every_mail()
    random.Random(seed).shuffle(mails)
    desk.server.folders["Sent"] = mailbox.Folder(flags="\\Sent", uidvalidity=3)
    for raw in mails:
        folder = "Sent" if is_sent(raw) else "INBOX"
        desk.server.add(raw, at=written_at(raw), folder=folder)
    desk.fetch_from(since=None)
    desk.watch()
    until(lambda: accounted() == len(mails), 30)
    desk.work()
    assert conversations() == expected()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_quoted_is_folded_and_whole(name: str) -> None:
    said, folds, mails = thread(name)
    got = read(b"Delivered-To: hello@shop.example\r\n" + mails[-1])
    assert got.text.count(said) == 1
    assert OURS in got.text
    place = quotes.start(got.text)
    assert got.content.get("quoted_from") == place
    assert folds == (place is not None)
    if place is not None:
        assert said in got.text[:place]
        assert OURS in got.text[place:]

    forms = [one.content or b"" for one in got.attachments if one.role is AttachmentRole.FORMATTED]
    assert len(forms) == (b"text/html" in mails[-1])
    # What they say themselves is words; a ticket system frames all of it.
    assert got.content.get("html", {}).get("rich", False) == (name == "zendesk")
    for form in forms:
        html = form.decode()
        made = formatted.clean(html, inline=lambda _name: None, remote=None, earlier="Earlier").html
        assert to_text(made).replace("…", "").split() == to_text(html).split()
        before, _, folded = made.partition('<details class="lobby-earlier">')
        assert said in before
        assert (OURS in folded.partition("</details>")[0]) == folds
