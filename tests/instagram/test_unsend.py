"""What a customer takes back is gone: from every table, every file, every page, and it does not come back."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from host.channels.directory import Directory
from host.core import clock, db, sqlite_wipe, storage
from host.delivery.housekeeping import Housekeeping
from host.delivery.worker import drain
from host.models.inbox import Message
from host.models.queue import EventState, InboundEvent, InboundRequest
from host.queue.journal import Journal
from host.queue.replay import NotReplayableError, replay
from host.queue.spool import Delivery, Spool, request_id
from host.sdk.channel import AccountRef
from tests.helpers import do_desk
from tests.instagram import world
from tests.instagram.world import ANA, KIT, LINK, Addon, entry, item, payload

SECRET = "orchid-7Qx2"
"""In everything that is taken back, and in nothing else."""
KEPT = "geranium-5Lm9"


@dataclass
class Desk:
    """The journal, the workers and the addon on one database, in one folder."""

    ig: Addon
    database: db.Database
    folder: Path
    journal: Journal
    account: AccountRef
    adapter: Any

    def receive(self, *items: dict[str, Any], work: bool = True) -> bytes:
        """Let Meta deliver *items* as one request; return its body."""
        body = payload(entry(*items))
        self.deliver(body, work=work)
        return body

    def deliver(self, body: bytes, *, work: bool = True) -> None:
        accepted = self.ig.webhook.verification.authenticate(world.post(body))
        self.journal.ingest(
            source="/addons/instagram/webhook",
            channel="instagram",
            raw=body,
            remote="",
            envelopes=accepted.envelopes,
        )
        if work:
            self.work()

    def work(self) -> None:
        drain(SimpleNamespace(directory=Directory([self.adapter]), number=1), direction="in")

    def found(self, text: str) -> list[str]:
        """Return every place that holds *text*: tables by name, files by path."""
        return sorted({*self._tables(text), *self._files(text)})

    def _tables(self, text: str) -> Iterator[str]:
        metadata = sa.MetaData()
        with self.database.read_engine.connect() as connection:
            metadata.reflect(connection)
            for table in metadata.tables.values():
                columns = [sa.type_coerce(column, sa.types.NullType()) for column in table.columns]
                for row in connection.execute(sa.select(*columns)):
                    if text in "".join(_words(value) for value in row):
                        yield table.name

    def _files(self, text: str) -> Iterator[str]:
        if self.database.is_sqlite:
            assert sqlite_wipe.clear(self.database, lambda: None)
        forms = (text.encode(), text.encode("utf-16-le"), text.encode().hex().encode())
        for path in self.folder.rglob("*"):
            if path.is_file() and any(form in path.read_bytes() for form in forms):
                yield str(path.relative_to(self.folder))

    def message(self, mid: str) -> Message:
        with db.read() as session:
            return session.scalars(sa.select(Message).where(Message.external_id == mid)).one()

    def events(self, kind: str) -> list[InboundEvent]:
        with db.read() as session:
            return list(session.scalars(sa.select(InboundEvent).where(InboundEvent.kind == kind)))


def _words(value: object) -> str:
    return bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)


@pytest.fixture
def desk(any_desk: db.Database, ig: Addon, tmp_path: Path) -> Iterator[Desk]:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    journal = Journal(tmp_path / "spool", wake=lambda _: None)
    journal.start()
    adapter = ig.channel.InstagramAdapter()
    yield Desk(ig, any_desk, tmp_path, journal, world.connect(ig), adapter)
    journal.stop()


def said(mid: str = "m1", words: str | None = SECRET, sender: str = ANA, **body: Any) -> dict[str, Any]:
    return item(sender=sender, message={"mid": mid, "text": words, **body})


def edit(mid: str, words: str, number: object) -> dict[str, Any]:
    return item(message_edit={"mid": mid, "text": words, "num_edit": number})


def unsend(mid: str = "m1", sender: str = ANA) -> dict[str, Any]:
    return item(sender=sender, message={"mid": mid, "is_deleted": True})


def test_nothing_of_it_is_left_anywhere(desk: Desk) -> None:
    picture = {"type": "image", "payload": {"url": f"{LINK}&name={SECRET}", "title": SECRET}}
    mention = {"type": "story_mention", "payload": {"url": f"{LINK}&name={SECRET}"}}
    odd: dict[str, Any] = {"message": {"mid": "m4", "hologram": SECRET}}
    desk.receive(said(words=f"{SECRET} one"), said("k1", KEPT, KIT))
    desk.receive(edit("m1", f"{SECRET} two", 1), edit("m1", f"{SECRET} three", None))
    desk.receive(said("m2", None, attachments=[picture]), said("m3", None, attachments=[mention]))
    desk.receive(item(**odd), said("k2", KEPT, reply_to={"mid": "m1"}))
    desk.receive(world.echo(mid="m5", text=SECRET), item(postback={"mid": "m6", "title": SECRET}))
    assert {"inbound_events", "inbound_requests", "messages", "attachments", "conversations"} <= set(
        desk.found(SECRET)
    )
    desk.receive(*(unsend(f"m{number}") for number in (1, 2, 3, 4, 5, 6)))
    assert desk.found(SECRET) == []
    row = desk.message("m1")
    assert (row.text, row.direction, row.unsent_at is not None, row.edit_count) == ("", "inbound", True, 1)
    assert desk.message("k2").text == KEPT
    assert desk.message("k2").reply_to == "m1"


def test_other_events_of_the_same_request_keep_their_bodies(desk: Desk) -> None:
    desk.receive(said(), said("k1", KEPT, KIT))
    desk.receive(unsend())
    assert desk.found(SECRET) == []
    kept = [one for one in desk.events("message") if one.body is not None]
    assert [KEPT.encode() in (one.body or b"") for one in kept] == [True]
    with db.read() as session:
        bodies = list(session.scalars(sa.select(InboundRequest.body).order_by(InboundRequest.id)))
    assert bodies[0] is None
    assert bodies[1] is not None, "the unsend itself says nothing"


def test_a_message_that_is_delivered_again_does_not_come_back(desk: Desk) -> None:
    body = desk.receive(said(), said("k1", KEPT, KIT))
    desk.deliver(body)
    desk.receive(unsend())
    assert desk.found(SECRET) == []
    for _ in range(2):
        desk.deliver(body)
        assert desk.found(SECRET) == []
        assert desk.message("m1").text == ""
    desk.receive(said(words=f"{SECRET} in a request of its own"))
    desk.receive(edit("m1", f"{SECRET} edited late", 2), edit("m1", f"{SECRET} again", "odd"))
    desk.receive(edit("m1", f"{SECRET} as a message", 0))
    desk.deliver(payload(entry(said(words=SECRET), container="standby")))
    assert desk.found(SECRET) == []
    assert (desk.message("m1").text, desk.message("m1").edit_count) == ("", 2)


def test_a_message_that_comes_after_it_was_taken_back_says_nothing(desk: Desk) -> None:
    desk.receive(unsend())
    picture = {"type": "image", "payload": {"url": f"{LINK}&name={SECRET}"}}
    desk.receive(said(attachments=[picture]))
    assert desk.found(SECRET) == []
    assert desk.message("m1").unsent_at is not None
    desk.receive(unsend("m2"))
    desk.receive(edit("m2", SECRET, 1), edit("m2", SECRET, None))
    desk.receive(said("m2"))
    assert desk.found(SECRET) == []


def test_an_edit_of_a_message_we_do_not_have_is_forgotten_too(desk: Desk) -> None:
    desk.receive(edit("m1", SECRET, 1), edit("m1", f"{SECRET} too", None))
    assert {"messages", "message_marks"} <= set(desk.found(SECRET))
    desk.receive(unsend())
    assert desk.found(SECRET) == []


def test_an_admin_cannot_replay_what_was_taken_back(desk: Desk) -> None:
    desk.receive(said("k1", KEPT))
    desk.receive(said("m1"), work=False)
    failed = {"state": EventState.DEAD, "reason": f"cannot read {SECRET}", "attempts": 5}
    waiting = sa.update(InboundEvent).where(InboundEvent.state == EventState.PENDING)
    db.write(lambda session: session.execute(waiting.values(failed)) and None)
    desk.receive(unsend())
    assert desk.found(SECRET) == []
    (dead,) = [one for one in desk.events("message") if one.forgotten_at is not None]
    assert dead.state == EventState.IGNORED
    with pytest.raises(NotReplayableError):
        do_desk(replay, dead.id)


def test_even_one_too_old_to_be_looked_at_leaves_nothing(desk: Desk) -> None:
    body = desk.receive(said())
    desk.receive(unsend())
    with clock.travel(timedelta(days=8)):
        desk.deliver(body)
        Housekeeping().clean_up()
        desk.work()
    assert desk.found(SECRET) == []


def test_an_unsend_is_never_too_old(desk: Desk) -> None:
    desk.receive(said())
    late = unsend()
    late["timestamp"] -= int(timedelta(days=400).total_seconds() * 1000)
    desk.receive(late)
    assert desk.found(SECRET) == []
    assert desk.message("m1").unsent_at is not None


def test_files_of_the_spool_that_were_put_aside_forget_it(desk: Desk) -> None:
    body = payload(entry(said(), said("k1", KEPT, KIT)))
    alone = payload(entry(said(words=f"{SECRET} alone")))
    spool = Spool(desk.folder / "spool")
    for low, raw in enumerate((body, alone)):
        accepted = desk.ig.webhook.verification.authenticate(world.post(raw))
        id_ = request_id(clock.now(), low)
        spool.keep(
            Delivery(
                id=id_,
                source="/addons/instagram/webhook",
                channel="instagram",
                remote="",
                received_at=clock.now(),
                raw=raw,
                envelopes=accepted.envelopes,
            )
        )
    paths = sorted((desk.folder / "spool").glob("*.request"))
    for path in paths:
        path.rename(path.with_suffix(".refused"))
    shutil.copy(paths[1].with_suffix(".refused"), desk.folder / "spool" / "7.unreadable")
    (desk.folder / "spool" / "7.unreadable").write_bytes(b"\xff" + alone)
    desk.receive(unsend())
    assert desk.found(SECRET) == []
    assert [path.name for path in (desk.folder / "spool").iterdir()] == [paths[0].stem + ".refused"]
    Spool(desk.folder / "spool")
    restarted = Journal(desk.folder / "spool", wake=lambda _: None)
    restarted.start()
    deadline = time.monotonic() + 60
    while any((desk.folder / "spool").iterdir()):
        assert time.monotonic() < deadline, "the spool was not taken in"
        time.sleep(0.01)
    restarted.stop()
    desk.work()
    assert desk.message("k1").text == KEPT
