"""The spool: as large as it may be, and nobody overtakes what waits in it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from host.core import clock, db
from host.queue import journal as journals
from host.queue.journal import Journal, JournalUnavailableError
from host.queue.spool import Delivery, Spool, SpoolFullError
from tests.delivery.desk import Desk, envelope
from tests.delivery.test_worker import until


def delivery(number: int, size: int = 100) -> Delivery:
    return Delivery(number, "/hook", "email", "", clock.now(), b"x" * size, ())


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))


def test_it_takes_as_much_of_the_disk_as_it_may_and_no_more(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, 3 * 4096)
    for number in range(3):
        spool.keep(delivery(number))
    with pytest.raises(SpoolFullError):
        spool.keep(delivery(3))
    assert len(kept(folder)) == 3
    with pytest.raises(SpoolFullError):
        Spool(folder, 3 * 4096).keep(delivery(4))  # a process that starts counts what is there
    (path, _), *_ = list(spool.waiting(1))
    spool.remove(path)
    spool.keep(delivery(5))
    with pytest.raises(SpoolFullError):
        spool.keep(delivery(6))
    assert len(kept(folder)) == 3


def test_what_could_not_be_written_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "spool"
    spool = Spool(folder, 4096)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space left"):
                spool.keep(delivery(1))
    assert kept(folder) == []
    spool.keep(delivery(2))


def test_the_oldest_come_first_however_many_there_are(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in (5, 3, 9, 1):
        spool.keep(delivery(number))
    order = []
    while spool:
        for path, found in spool.waiting(2):
            assert found is not None
            order.append(found.id)
            if found.id == 3:
                spool.keep(delivery(12))
            spool.remove(path)
    assert order == [1, 3, 5, 9, 12]


def test_a_file_another_process_took_in_is_passed_over(tmp_path: Path) -> None:
    mine, theirs = Spool(tmp_path), Spool(tmp_path)
    for number in range(3):
        mine.keep(delivery(number))
    (path, _), *_ = list(mine.waiting(1))
    for other, _ in list(theirs.waiting(3)):
        theirs.remove(other)
    mine.remove(path)
    for path, found in mine.waiting(5):
        assert found is None
        mine.put_aside(path, readable=False)
    assert list(mine.waiting(5)) == []
    assert not mine
    assert kept(tmp_path) == []


def test_a_full_spool_is_no_answer(tmp_path: Path, desk: Desk) -> None:
    journal = Journal(tmp_path / "spool", wake=lambda _: None, patience=0.01, spool_bytes=8192)
    journal.start()
    with db.current().lock:  # the database takes nothing, so what comes goes to the spool
        receive(journal, desk, "a")
        receive(journal, desk, "b")
        with pytest.raises(JournalUnavailableError, match="8192"):
            receive(journal, desk, "c")
    journal.stop()


def receive(journal: Journal, desk: Desk, mid: str, **more: Any) -> None:
    one = envelope(desk.account.id, mid, **more)
    journal.ingest(source="/hook", channel="email", raw=one.body, remote="", envelopes=[one])


def test_nobody_overtakes_what_waits(tmp_path: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is back and the files are being taken in, when the same customer writes again."""
    monkeypatch.setattr(journals, "PROBE_SECONDS", 0.02)
    monkeypatch.setattr(journals, "BATCH", 2)
    journal = Journal(tmp_path / "spool", wake=lambda _: None)
    journal.start()
    away = threading.Event()
    away.set()
    some, go_on = threading.Event(), threading.Event()
    write = Journal._write

    def failing(self: Journal, batch: Any) -> None:
        if away.is_set():
            raise OSError("the line went dead")
        write(self, batch)
        some.set()
        assert go_on.wait(60)

    monkeypatch.setattr(Journal, "_write", failing)
    for number in range(5):
        receive(journal, desk, f"m{number}")
    away.clear()
    assert some.wait(60), "the first of the files are in"
    thread = threading.Thread(target=receive, args=(journal, desk, "m5"))
    thread.start()
    thread.join(60)  # answered although the database hangs in a commit: it waits behind the others
    go_on.set()
    until(lambda: len(desk.events()) == 6, seconds=60)
    journal.stop()
    desk.drain()
    assert desk.texts() == [f"m{number}" for number in range(6)]
