"""Files customers send: fetched after the message can be seen, kept as long as the owner set."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from host.channels.directory import Directory
from host.core import clock, db, guard, storage
from host.core.ports import AdapterDirectory
from host.media import expiry, fetching, file_removal
from host.media.file_removal import forget_files
from host.media.retention import Retention
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Attachment, AttachmentState, Message
from host.sdk.channel import AccountRef
from host.sdk.errors import FetchError, FileEndedError
from host.sdk.messages import InboundAttachment, MessageEchoed, MessageKind
from tests import helpers
from tests.inbox import toys
from tests.media import samples
from tests.media.provider import Linking, Provider, serving
from tests.media.test_uploads import files

ADAPTER = Linking()
HERE: AdapterDirectory = Directory((ADAPTER,))
NOWHERE: AdapterDirectory = Directory()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as found:
        yield found


@pytest.fixture
def account(database: db.Database, store: Path) -> AccountRef:
    return toys.make_account(toys.make_workspace())


def came(
    account: AccountRef, *urls: str, kind: MessageKind = MessageKind.IMAGE, **settings: Any
) -> Attachment:
    """Let a message with files come; return the first of them."""
    if settings:
        toys.change_row(ChannelAccount, account.id, settings=settings)
        account = SimpleNamespace(  # type: ignore[assignment]
            **{name: getattr(account, name) for name in account.__slots__} | {"settings": settings}
        )
    attachments = tuple(InboundAttachment(kind, url) for url in urls)
    toys.apply(
        account,
        toys.received("", kind=kind, attachments=attachments, at=(clock.now() - toys.START).total_seconds()),
        adapter=ADAPTER,
    )
    return next(one for one in toys.everything(Attachment) if one.url == urls[0])


def fetch(directory: AdapterDirectory = HERE) -> Attachment:
    """Fetch what is due; return the only file there is."""
    fetching.fetch_due(directory)
    found: Attachment = toys.only(Attachment)
    return found


def topics() -> list[str]:
    return [event.topic for event in helpers.shown()]


# Fetching


def test_the_message_is_there_before_its_file(account: AccountRef, provider: Provider, store: Path) -> None:
    waiting = came(account, provider.put("/a.jpg", samples.picture("JPEG", orientation=6)))
    assert (waiting.state, waiting.storage_key) == (AttachmentState.WAITING, None)
    assert provider.asked == []
    assert topics() == ["message"]
    with db.read() as session:
        assert fetching.oldest_due(session) == waiting.due_at
    found = fetch()
    assert (found.state, found.content_type) == (AttachmentState.STORED, "image/jpeg")
    assert (found.width, found.height) == (40, 60)
    assert found.storage_key is not None
    with storage.open_stored(found.storage_key) as file:
        assert len(file.read()) == found.size
    assert topics() == ["message", "state"]
    assert fetching.fetch_due(HERE) == 0
    with db.read() as session:
        assert fetching.oldest_due(session) is None


def test_on_every_database(any_database: db.Database, store: Path, provider: Provider) -> None:
    account = toys.make_account(toys.make_workspace())
    urls = [provider.put(f"/{number}.pdf", samples.PDF + bytes([number])) for number in range(12)]
    came(account, *urls, kind=MessageKind.FILE, media_days=1)
    while fetching.fetch_due(HERE, most=5):
        pass
    assert {one.state for one in toys.everything(Attachment)} == {AttachmentState.STORED}
    assert len(files(store)) == 12
    with clock.travel(timedelta(days=1, minutes=1)):
        assert expiry.purge_due() == 12
    assert files(store) == []
    assert {one.state for one in toys.everything(Attachment)} == {AttachmentState.LINKED}


def test_a_file_of_our_side_written_elsewhere_is_fetched_too(account: AccountRef, provider: Provider) -> None:
    picture = InboundAttachment(MessageKind.IMAGE, provider.put("/a", samples.picture("PNG")))
    change = MessageEchoed("ana", "echo-1", clock.now(), MessageKind.IMAGE, attachments=(picture,))
    toys.apply(account, change, adapter=ADAPTER)
    assert fetch().state == AttachmentState.STORED


@pytest.mark.parametrize(
    ("kind", "body", "told", "found"),
    [
        (MessageKind.IMAGE, samples.picture("PNG"), "image/jpeg", "image/png"),
        (MessageKind.AUDIO, samples.MP4, "video/mp4", "audio/mp4"),
        (MessageKind.AUDIO, samples.WEBM, "audio/webm", "audio/webm"),
        (MessageKind.VIDEO, samples.MP4, "audio/mp4", "audio/mp4"),
        (MessageKind.FILE, samples.PDF, "text/html", "application/pdf"),
        (MessageKind.FILE, samples.HTML, "application/pdf", "text/html"),
        (MessageKind.IMAGE, samples.SVG, "image/svg+xml", "image/svg+xml"),
        (MessageKind.IMAGE, bytes(range(256)), "image/jpeg", "application/octet-stream"),
    ],
)
def test_what_it_is_is_found_in_its_bytes(
    account: AccountRef, provider: Provider, kind: MessageKind, body: bytes, told: str, found: str
) -> None:
    came(account, provider.put("/a", body, told), kind=kind)
    if kind is MessageKind.VIDEO:
        assert fetch().state == AttachmentState.WAITING, "sound is no film"
        return
    assert fetch().content_type == found


def test_a_page_instead_of_a_picture_is_no_picture(
    account: AccountRef, provider: Provider, store: Path
) -> None:
    came(account, provider.put("/a", samples.HTML, "image/jpeg"))
    assert (fetch().state, toys.only(Attachment).failures) == (AttachmentState.WAITING, 1)
    assert files(store) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_an_address_that_has_ended_is_a_placeholder(
    account: AccountRef, provider: Provider, status: int
) -> None:
    came(account, provider.put("/a", b"URL signature expired", "text/plain", status=status))
    found = fetch()
    assert (found.state, found.due_at) == (AttachmentState.EXPIRED, None)
    assert topics() == ["message", "state"]
    assert len(toys.everything(Message)) == 1


def test_a_failure_is_tried_again_with_growing_pauses(
    account: AccountRef, provider: Provider, store: Path
) -> None:
    url = provider.put("/a", b"busy", status=503)
    came(account, url)
    pauses = []
    with clock.travel(timedelta()):
        for _ in fetching.DELAYS:
            found = fetch()
            assert found.due_at is not None
            pauses.append(found.due_at - clock.now())
            assert fetching.fetch_due(HERE) == 0
            clock._offset += pauses[-1] + timedelta(seconds=1)
        assert pauses == sorted(pauses)
        assert fetch().state == AttachmentState.LINKED, "it is given up and stays a link"
    assert len(provider.asked) == len(fetching.DELAYS) + 1
    assert files(store) == []


def test_it_works_the_second_time(account: AccountRef, provider: Provider) -> None:
    url = provider.put("/a", status=500)
    came(account, url)
    assert fetch().failures == 1
    provider.put("/a", samples.picture("JPEG"))
    with clock.travel(timedelta(seconds=6)):
        found = fetch()
    assert (found.state, found.failures) == (AttachmentState.STORED, 0)


def test_one_that_breaks_off_leaves_nothing(account: AccountRef, provider: Provider, store: Path) -> None:
    came(account, provider.put("/a", samples.picture("JPEG")[:300], length=5_000_000))
    found = fetch()
    assert (found.state, found.failures, found.storage_key) == (AttachmentState.WAITING, 1, None)
    assert files(store) == []


def test_an_empty_one_is_tried_again(account: AccountRef, provider: Provider, store: Path) -> None:
    came(account, provider.put("/a", b""))
    assert fetch().failures == 1
    assert files(store) == []


def test_one_too_large_is_not_tried_again(
    account: AccountRef, provider: Provider, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MAX_BYTES", 1000)
    came(account, provider.put("/a", samples.picture("JPEG") + b"\0" * 2000))
    assert fetch().state == AttachmentState.LINKED
    assert files(store) == []


def test_a_slow_one_does_not_hold_the_others_up(account: AccountRef, provider: Provider) -> None:
    go = threading.Event()
    came(account, provider.put("/slow", samples.picture("JPEG"), before=lambda: go.wait(10)))
    quick = came(account, provider.put("/quick", samples.picture("PNG"), before=go.set))
    fetching.fetch_due(HERE)
    assert {one.state for one in toys.everything(Attachment)} == {AttachmentState.STORED}
    assert go.is_set()
    assert quick


def test_redirects_are_followed_where_they_may_lead(account: AccountRef, provider: Provider) -> None:
    target = provider.put("/b", samples.picture("JPEG"))
    came(account, provider.put("/a", status=302, headers={"Location": target}))
    assert fetch().state == AttachmentState.STORED


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x",
        "https://evil.example/x",
        "https://files.example.com:8443/x",
        "http://files.example.com/x",
        "https://files.example.com.evil.example/x",
        "https://files.example.com@evil.example/x",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "nonsense",
    ],
)
def test_an_address_elsewhere_is_asked_for_nothing(account: AccountRef, url: str) -> None:
    assert came(account, url).state == AttachmentState.OUTSIDE
    assert fetching.fetch_due(HERE) == 0


def test_a_redirect_to_elsewhere_is_not_followed(
    account: AccountRef, provider: Provider, store: Path
) -> None:
    came(account, provider.put("/a", status=302, headers={"Location": "http://169.254.169.254/"}))
    assert fetch().state == AttachmentState.OUTSIDE
    assert files(store) == []


def test_a_declared_name_that_leads_to_a_private_address_is_refused(
    account: AccountRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "getaddrinfo", lambda host, port, **_: [(2, 1, 6, "", ("127.0.0.1", port))])
    assert came(account, "https://files.example.com/x").state == AttachmentState.WAITING
    assert fetch().state == AttachmentState.OUTSIDE


def test_a_message_taken_back_meanwhile_stays_taken_back(
    account: AccountRef, provider: Provider, store: Path
) -> None:
    url = provider.put("/a", samples.picture("JPEG"))
    message = came(account, url).message_id
    provider.put("/a", samples.picture("JPEG"), before=lambda: db.write(forget_files, [message]))
    fetching.fetch_due(HERE)
    assert toys.everything(Attachment) == []
    assert files(store) == []


def test_a_process_that_died_while_fetching(account: AccountRef, provider: Provider, store: Path) -> None:
    came(account, provider.put("/a", samples.picture("JPEG")))
    db.write(fetching._claim, 10)
    assert fetching.fetch_due(HERE) == 0, "somebody has it"
    with clock.travel(fetching.CLAIM + timedelta(seconds=1)):
        assert fetch().state == AttachmentState.STORED


def test_without_the_addon_it_waits(account: AccountRef, provider: Provider) -> None:
    came(account, provider.put("/a", samples.picture("JPEG")))
    assert fetch(NOWHERE).state == AttachmentState.WAITING
    assert provider.asked == []
    with clock.travel(fetching.PARKED + timedelta(seconds=1)):
        assert fetch().state == AttachmentState.STORED


def test_nothing_is_fetched_for_a_disconnected_account(account: AccountRef, provider: Provider) -> None:
    came(account, provider.put("/a", samples.picture("JPEG")))
    toys.change_row(ChannelAccount, account.id, state=AccountState.DISCONNECTED)
    assert fetch().state == AttachmentState.LINKED
    assert provider.asked == []


# Keeping


@pytest.mark.parametrize("kind", [MessageKind.STORY_MENTION, MessageKind.STORY_REPLY, MessageKind.SHARE])
@pytest.mark.parametrize("days", [30, "keep"])
def test_stories_and_what_was_shared_are_never_kept(
    account: AccountRef, provider: Provider, kind: MessageKind, days: object
) -> None:
    found = came(account, provider.put("/a", samples.picture("JPEG")), kind=kind, media_days=days)
    assert found.state == AttachmentState.LINKED
    assert fetching.fetch_due(HERE) == 0
    assert provider.asked == []


@pytest.mark.parametrize(
    ("setting", "days"),
    [
        (30, 30),
        (1, 1),
        (0, 0),
        ("keep", None),
        (None, 30),
        (-1, 30),
        (True, 30),
        ("x", 30),
        (10**9, 30),
        ([], 30),
        (1.5, 30),
    ],
)
def test_settings(setting: object, days: int | None) -> None:
    assert Retention.of({"media_days": setting}).days == days
    assert Retention.of({}).days == 30


def test_link_only_keeps_nothing(account: AccountRef, provider: Provider, store: Path) -> None:
    assert came(account, provider.put("/a"), media_days=0).state == AttachmentState.LINKED
    assert fetching.fetch_due(HERE) == 0
    assert files(store) == []


def test_it_is_purged_on_time_and_not_before(account: AccountRef, provider: Provider, store: Path) -> None:
    came(account, provider.put("/a", samples.picture("JPEG")), media_days=7)
    fetch()
    with clock.travel(timedelta(days=6, hours=23)):
        expiry.purge_due()
        assert len(files(store)) == 1
    with clock.travel(timedelta(days=7, minutes=1)):
        expiry.purge_due()
    found = toys.only(Attachment)
    assert (found.state, found.storage_key, found.due_at) == (AttachmentState.LINKED, None, None)
    assert files(store) == []
    assert topics()[-1] == "state"
    assert len(toys.everything(Message)) == 1


def test_what_is_kept_for_ever_is(account: AccountRef, provider: Provider, store: Path) -> None:
    came(account, provider.put("/a", samples.picture("JPEG")), media_days="keep")
    assert fetch().due_at is None
    with clock.travel(timedelta(days=5000)):
        expiry.purge_due()
        file_removal.Cleaner().clean_up()
    assert len(files(store)) == 1


def test_bytes_another_message_still_has_stay(account: AccountRef, provider: Provider, store: Path) -> None:
    first = came(account, provider.put("/a", samples.picture("JPEG")))
    fetching.fetch_due(HERE)
    with clock.travel(timedelta(days=20)):
        came(account, provider.put("/b", samples.picture("JPEG")))
        fetching.fetch_due(HERE)
    with clock.travel(timedelta(days=31)):
        expiry.purge_due()
        states = {one.id: one.state for one in toys.everything(Attachment)}
        assert states.pop(first.id) == AttachmentState.LINKED
        assert set(states.values()) == {AttachmentState.STORED}
        assert len(files(store)) == 1
    with clock.travel(timedelta(days=51)):
        expiry.purge_due()
    assert files(store) == []


def test_another_choice_counts_for_what_is_there_already(
    any_database: db.Database, store: Path, provider: Provider
) -> None:
    account = toys.make_account(toys.make_workspace())
    came(account, provider.put("/a", samples.picture("JPEG")))
    fetch()

    def choose(days: object) -> Attachment:
        toys.change_row(ChannelAccount, account.id, settings={"media_days": days})
        db.write(expiry.recheck_account, account.id)
        expiry.purge_due()
        found: Attachment = toys.only(Attachment)
        return found

    assert choose("keep").due_at is None
    days_60 = choose(60).due_at
    assert days_60 is not None
    assert timedelta(days=59) < days_60 - clock.now() <= timedelta(days=60)
    assert choose(0).state == AttachmentState.LINKED
    assert files(store) == []


def test_what_came_with_its_message_stays(account: AccountRef, store: Path) -> None:
    key = storage.store(samples.PDF)
    file = InboundAttachment(MessageKind.FILE, content=samples.PDF, content_type="application/pdf")
    change = toys.received("", kind=MessageKind.FILE, attachments=(file,))
    from host.inbox.apply.changes import apply_changes

    db.write(apply_changes, [toys.incoming(account, change, stored={0: key})])
    db.write(expiry.recheck_account, account.id)
    with clock.travel(timedelta(days=400)):
        expiry.purge_due()
        file_removal.Cleaner().clean_up()
    assert toys.only(Attachment).state == AttachmentState.STORED
    assert len(files(store)) == 1


def test_looking_for_work_costs_one_query(account: AccountRef, database: db.Database) -> None:
    with toys.Statements(database) as statements:
        assert fetching.fetch_due(HERE) == 0
    assert len(statements.seen) == 1


# Located by the addon


class Locating(Linking):
    """A toy whose provider gives files ids; *found* is what it answers about the next one."""

    found: str | Exception = ""

    def locate(self, account: AccountRef, url: str) -> str:
        assert url == "https://files.example.com/id/7"
        assert account.channel
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def located(account: AccountRef, found: str | Exception) -> Attachment:
    adapter = Locating()
    adapter.found = found
    came(account, "https://files.example.com/id/7")
    return fetch(Directory((adapter,)))


def test_a_file_is_fetched_from_where_the_addon_finds_it_and_that_is_kept_nowhere(
    account: AccountRef, provider: Provider, store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = samples.picture("JPEG")
    stored = located(account, provider.put("/token-of-the-bot/a.jpg", body))
    assert stored.state == AttachmentState.STORED
    assert stored.url == "https://files.example.com/id/7"
    assert "token-of-the-bot" not in caplog.text


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (FileEndedError("the provider has it no more"), AttachmentState.EXPIRED),
        (FetchError("the provider does not answer"), AttachmentState.WAITING),
        (KeyError("a fault of the addon"), AttachmentState.WAITING),
        ("https://elsewhere.example.org/a", AttachmentState.OUTSIDE),
    ],
)
def test_what_becomes_of_a_file_the_addon_does_not_find(
    account: AccountRef, found: str | Exception, state: AttachmentState
) -> None:
    assert located(account, found).state == state


@pytest.mark.parametrize(
    ("path", "disposition", "name"),
    [
        ("/cdn/?id=1", 'attachment; filename="offer.pdf"', "offer.pdf"),
        ("/cdn/?id=1", "attachment; filename*=UTF-8''Pr%C3%A4senz.pdf", "Präsenz.pdf"),
        ("/cdn/?id=1", 'attachment; filename="../../etc/passwd\x01"', "passwd"),
        ("/files/offer%20two.pdf?x=1", "", "offer two.pdf"),
        ("/cdn/?id=1", "", ""),
    ],
)
def test_a_document_has_its_name(
    account: AccountRef, provider: Provider, path: str, disposition: str, name: str
) -> None:
    headers = {"Content-Disposition": disposition} if disposition else {}
    came(account, provider.put(path, samples.PDF, "application/pdf", headers=headers), kind=MessageKind.FILE)
    assert fetch().name == name


def test_a_voice_message_stays_one(account: AccountRef, provider: Provider) -> None:
    headers = {"Content-Disposition": 'inline; filename="audioclip-1.mp4"'}
    came(account, provider.put("/a", samples.WAV, "audio/wav", headers=headers), kind=MessageKind.AUDIO)
    assert fetch().name == "", "with a name it would be a file somebody has"
