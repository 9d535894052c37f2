"""Newer events of a customer wait for those of theirs that are still in the spool of a process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery import worker
from host.models.queue import Lane, SpooledLane
from host.queue import journal as journals
from host.queue import policy
from host.queue.account_rotation import AccountRotation
from host.queue.journal import Journal, JournalUnavailableError
from host.queue.order import joined_lanes, spooled_lanes
from host.queue.wakeups import IN
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk
from tests.delivery.test_worker import until


class Process(Door):
    """The journal of one web process, whose database can be away and whose spool can be slow."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Journal(folder, wake=lambda _: None))
        self.folder = folder
        self._away = threading.Event()
        self._may_store = threading.Event()
        self._may_store.set()
        write, announce, replay = self.journal._write, self.journal._announce, self.journal._replay

        def writing(batch: Any) -> None:
            if self._away.is_set():
                raise OSError("the line went dead")
            write(batch)

        def announcing() -> bool:
            return not self._away.is_set() and announce()

        def replaying() -> None:
            if self._may_store.is_set():
                replay()
            else:
                self.journal._note_found()
                announcing()

        self.journal._write = writing  # type: ignore[method-assign]
        self.journal._announce = announcing  # type: ignore[method-assign]
        self.journal._replay = replaying  # type: ignore[method-assign]
        self.journal.start()

    def lose_database(self) -> None:
        self._away.set()

    def find_database(self, *, but_store_nothing: bool = False) -> None:
        """Announce what is in the spool, and store it unless that is held up."""
        if but_store_nothing:
            self._may_store.clear()
        self._away.clear()
        lanes = self.journal._lanes
        assert lanes is not None
        until(lambda: lanes.are_announced)

    def store(self) -> None:
        self._may_store.set()
        until(lambda: not self.journal.spool)

    def stop(self) -> None:
        self._may_store.set()
        self.journal.stop()

    def files(self) -> int:
        return len(list(self.folder.glob("*.request")))


@pytest.fixture
def server(any_desk: Desk) -> Desk:
    if db.current().is_sqlite:
        pytest.skip("one process owns the file, so no other one receives")
    return any_desk


@pytest.fixture
def start(
    server: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Process]]:
    monkeypatch.setattr(journals, "PROBE_SECONDS", 0.02)
    started: list[Process] = []

    def process(name: str) -> Process:
        started.append(Process(tmp_path / name))
        return started[-1]

    yield process
    for one in started:
        one.stop()


def held_lanes() -> list[str]:
    with db.read() as session:
        return list(session.scalars(sa.select(SpooledLane.lane)))


def test_a_newer_event_waits_for_an_older_one_in_the_spool_of_another_process(
    server: Desk, start: Callable[[str], Process]
) -> None:
    first, second = start("first"), start("second")
    account = server.account.id
    first.lose_database()
    first.receive(account, "anna 1", contact="anna")
    first.find_database(but_store_nothing=True)
    second.receive(account, "anna 2", contact="anna")
    second.receive(account, "bert 1", contact="bert")
    server.drain()
    assert server.texts() == ["bert 1"]
    first.store()
    server.drain()
    assert server.texts() == ["bert 1", "anna 1", "anna 2"]
    assert held_lanes() == []
    second.receive(account, "anna 3", contact="anna")
    server.drain()
    assert server.texts()[-1] == "anna 3"


@pytest.mark.parametrize("shown", ["U1", "491"])
@pytest.mark.parametrize("is_known", [True, False], ids=["known", "learned"])
def test_a_newer_event_waits_whichever_id_the_older_one_names(
    server: Desk, start: Callable[[str], Process], is_known: bool, shown: str
) -> None:
    """All ids are one person's, known before the database was lost, or learned from the newer event."""
    first, second = start("first"), start("second")
    account, hidden = server.account.id, "491" if shown == "U1" else "U1"
    expected = []
    if is_known:
        second.receive(account, "m0", contact="U1", ids=["491", "U1"])
        server.drain()
        expected = ["m0"]
    first.lose_database()
    for number in range(1, 1 + policy.EVENTS_PER_LANE + 5):
        first.receive(account, f"m{number}", contact=hidden)
        expected.append(f"m{number}")
    first.find_database(but_store_nothing=True)
    second.receive(account, "newer", contact=shown, ids=["491", "U1"])
    second.receive(account, "newest", contact=hidden)
    for _ in range(3):
        time.sleep(2 * joined_lanes.WAIT.total_seconds())
        server.drain()
    assert server.texts() == (["m0"] if is_known else [])
    first.store()
    expected += ["newer", "newest"]

    def are_all_here() -> bool:
        server.drain()
        return len(server.texts()) >= len(expected)

    until(are_all_here)
    assert server.texts() == expected
    until(lambda: not held_lanes())


def test_each_process_whose_spool_has_older_ones_is_waited_for(
    server: Desk, start: Callable[[str], Process]
) -> None:
    processes = [start(name) for name in ("a", "b", "c")]
    account = server.account.id
    for process in processes:
        process.lose_database()
    for number in range(9):
        processes[number % 3].receive(account, f"m{number}")
    for process in reversed(processes):
        process.find_database(but_store_nothing=True)
    for process in reversed(processes):
        server.drain()
        assert server.texts() == []
        process.store()
    server.drain()
    assert server.texts() == [f"m{number}" for number in range(9)]


def test_a_process_commits_what_comes_once_its_spool_is_announced(
    server: Desk, start: Callable[[str], Process]
) -> None:
    process = start("only")
    account = server.account.id
    process.lose_database()
    process.receive(account, "m0")
    process.receive(account, "m1")
    process.find_database(but_store_nothing=True)
    process.receive(account, "other", contact="bert")
    process.receive(account, "m2")
    assert process.files() == 2
    server.drain()
    assert server.texts() == ["other"]
    process.store()
    server.drain()
    assert server.texts() == ["other", "m0", "m1", "m2"]


def test_what_an_earlier_process_left_is_announced_before_anything_is_committed(
    server: Desk, start: Callable[[str], Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = start("left")
    left.lose_database()
    left.receive(server.account.id, "m0")
    left.journal.stop()
    assert left.files() == 1
    monkeypatch.setattr(journals, "PROBE_SECONDS", 3600)  # it does nothing by itself
    successor, other = start("left"), start("other")
    successor.receive(server.account.id, "m1")
    assert successor.files() <= 2
    until(lambda: not successor.journal.spool)
    other.receive(server.account.id, "m2")
    server.drain()
    assert server.texts() == ["m0", "m1", "m2"]


def test_nobody_waits_long_for_a_process_that_died(
    server: Desk, start: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooled_lanes, "HOLD_SECONDS", 0.0)
    first, second = start("first"), start("second")
    first.lose_database()
    first.receive(server.account.id, "m0")
    first.find_database(but_store_nothing=True)
    second.receive(server.account.id, "m1")
    server.drain()
    assert server.texts() == ["m1"]


def test_an_announcement_is_renewed_while_it_is_needed_but_not_for_long(
    server: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(spooled_lanes, "clock", SimpleNamespace(monotonic=lambda: now))
    renewed: list[float] = []
    monkeypatch.setattr(spooled_lanes.SpooledLanes, "_renew", lambda *_: renewed.append(now))
    lanes = spooled_lanes.SpooledLanes()
    lanes.note(["in:1:a"])
    for _ in range(120):
        lanes.announce()
        now += 1
    assert renewed[:2] == [1003.0, 1006.0]
    assert 1000 + spooled_lanes.MOST_SECONDS - spooled_lanes.HOLD_SECONDS > renewed[-1] > 1040
    lanes.release(["in:1:a"])
    lanes.note(["in:1:a"])
    lanes.announce()
    now += 3
    lanes.announce()
    assert renewed[-1] == now


def test_requests_that_are_refused_keep_nobody_waiting(
    server: Desk, start: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("only")
    process.lose_database()
    process.receive(server.account.id, "bad")
    process.find_database(but_store_nothing=True)

    def refuse(_batch: object) -> None:
        raise ValueError("the database does not want it")

    monkeypatch.setattr(process.journal, "_store", refuse)
    process._may_store.set()
    until(lambda: [path.suffix for path in process.folder.glob("*")] == [".refused"])
    monkeypatch.undo()
    process.receive(server.account.id, "good")
    until(lambda: server.drain() > 0)
    assert server.texts() == ["good"]


def test_a_request_that_cannot_be_kept_holds_nothing(
    server: Desk, start: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("only")
    process.lose_database()
    monkeypatch.setattr(process.journal.spool, "_most", 0)
    with pytest.raises(JournalUnavailableError, match="the spool holds"):
        process.receive(server.account.id, "lost")
    lanes = process.journal._lanes
    assert lanes is not None
    assert lanes.are_announced


def test_old_announcements_are_cleaned_up(server: Desk) -> None:
    now = db.now()

    def add(session: Any) -> None:
        session.add(SpooledLane(lane="in:1:old", spool="a", until=now - 2 * spooled_lanes.KEPT))
        session.add(SpooledLane(lane="in:1:new", spool="a", until=now))

    db.write(add)
    assert db.write(spooled_lanes.forget_old, 100) == 1
    assert held_lanes() == ["in:1:new"]


def test_after_an_outage_workers_leave_time_for_announcements(
    server: Desk, start: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = start("only")
    process.receive(server.account.id, "m0")
    now = clock.monotonic()
    monkeypatch.setattr(db.current(), "unreachable_at", now)
    assert server.drain() == 0
    monkeypatch.setattr(db.current(), "unreachable_at", now - spooled_lanes.SETTLE_SECONDS)
    assert server.drain() == 1


@pytest.mark.parametrize("found", [False, True])
def test_after_a_server_stood_still_workers_leave_time_too(
    server: Desk, start: Callable[[str], Process], monkeypatch: pytest.MonkeyPatch, found: bool
) -> None:
    process = start("only")
    process.receive(server.account.id, "m0")
    monkeypatch.setattr(db.current(), "stalled_at", None)
    monkeypatch.setattr(db.current(), "is_quick", True)
    claimer = worker._Claimer(IN, 10, AccountRotation())
    claimer._found = found  # whether it claims without looking first
    with monkeypatch.context() as slow:
        slow.setattr(spooled_lanes, "STALL_SECONDS", -1.0)
        assert claimer.claim() == []
    assert server.drain() == 0
    # It doesn't wait again for one that is only slow.
    monkeypatch.setattr(db.current(), "stalled_at", clock.monotonic() - spooled_lanes.SETTLE_SECONDS)
    db.write(lambda session: session.execute(sa.update(Lane).values(next_at=db.now())))
    monkeypatch.setattr(spooled_lanes, "STALL_SECONDS", -1.0)
    assert server.drain() == 1


def test_a_server_that_cannot_be_reached_is_known_and_a_full_one_is_not_taken_for_it() -> None:
    away = db.Database("postgresql+psycopg://127.0.0.1:1/nothing")
    assert away.unreachable_at is None
    with pytest.raises(sa.exc.OperationalError), away.read() as session:
        session.execute(sa.text("SELECT 1"))
    assert away.unreachable_at is not None
    for words, full in (
        ("FATAL:  remaining connection slots are reserved for roles", True),
        ("FATAL:  sorry, too many clients already", True),
        ("connection refused", False),
    ):
        assert db.is_full(OSError(words)) == full, words
    assert db.is_full(OSError(1040, "Too many connections"))
    assert not db.is_full(OSError(2003, "Can't connect"))
