"""Lanes are woken after their events are committed: nobody waits for a locked one, no wake-up is lost."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db
from host.delivery.worker import Workers
from host.features import registry
from host.models.queue import EventState, InboundEvent, Lane
from host.queue import lane_waking, lanes, wakeups
from host.queue.journal import Journal
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk, envelope

pytestmark = [
    pytest.mark.services,
    pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True),
]


@pytest.fixture(autouse=True)
def _none_undone() -> None:
    db.take_undone()


@contextmanager
def locked(model: type[db.Base], *where: sa.ColumnElement[bool]) -> Iterator[None]:
    """Hold rows, as somebody does at the database's prompt."""
    key = sa.inspect(model).primary_key
    with db.current().write_engine.begin() as connection:
        assert connection.execute(sa.select(*key).where(*where).with_for_update()).all()
        yield
        connection.execute(sa.text("SELECT 1"))  # it was not undone meanwhile


def pending() -> int:
    with db.read() as session:
        query = sa.select(sa.func.count()).where(InboundEvent.state == EventState.PENDING)
        return session.scalar(query) or 0


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def key_of(desk: Desk, contact: str) -> str:
    return lanes.lane_key("in", desk.account.id, contact)


def test_what_comes_while_a_lane_is_locked_is_committed_and_wakes_it_later(
    any_desk: Desk, door: Door
) -> None:
    for contact in ("anna", "bert"):
        door.receive(any_desk.account.id, f"first of {contact}", contact=contact)
    any_desk.drain()
    with locked(Lane, Lane.key == key_of(any_desk, "anna")):
        for contact in ("anna", "bert", "carl"):
            door.receive(any_desk.account.id, f"second of {contact}", contact=contact)
        assert not door.journal.spool
        assert pending() == 3
        any_desk.drain()
        assert sorted(any_desk.texts())[2:] == ["second of bert", "second of carl"]
        (waits,) = [lane for lane in any_desk.lanes() if lane.key == key_of(any_desk, "anna")]
        assert waits.next_at is None
    until(lambda: any(lane.next_at is not None for lane in any_desk.lanes()))
    any_desk.drain()
    assert pending() == 0
    assert db.take_undone() == {}


def test_a_worker_that_reads_before_the_commit_does_not_let_the_wake_up_go_lost(
    any_desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane is due when the event is written; before the commit a worker empties and releases it."""
    door.receive(any_desk.account.id, "first")
    commit = Journal._commit

    def late(self: Journal, cursor: Any) -> None:
        monkeypatch.setattr(Journal, "_commit", commit)
        with ThreadPoolExecutor(1) as worker:
            assert worker.submit(any_desk.drain).result(60) == 1
        commit(self, cursor)

    monkeypatch.setattr(Journal, "_commit", late)
    door.receive(any_desk.account.id, "second")
    assert any_desk.texts() == ["first"]
    any_desk.drain()
    assert any_desk.texts() == ["first", "second"]


def test_lanes_that_a_crash_left_asleep_are_found(
    any_desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.receive(any_desk.account.id, "first of anna", contact="anna")
    any_desk.drain()
    monkeypatch.setattr(Journal, "_finish_up", lambda self, outlast=False: self._asleep.clear())
    for contact in ("anna", "bert"):
        door.receive(any_desk.account.id, f"second of {contact}", contact=contact)
    assert any_desk.drain() == 0
    assert [lane.next_at for lane in any_desk.lanes()] == [None]
    (sweep,) = [(run, every) for name, run, every in registry.jobs() if name == "forgotten lanes"]
    assert sweep[1] <= 5
    sweep[0](any_desk.generation.directory)
    assert any_desk.drain() == 2
    assert pending() == 0
    assert not lane_waking.wake_forgotten()


def test_nobody_is_woken_again_and_again_for_a_lane_that_stays_locked(
    any_desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    door.receive(any_desk.account.id, "first")
    any_desk.drain()
    planned: list[float] = []
    woken: list[str] = []

    def tried(times: int) -> bool:
        if door.journal._again_at not in planned:
            planned.append(door.journal._again_at)
        return len(planned) > times

    with locked(Lane):
        door.receive(any_desk.account.id, "second")
        assert not lane_waking.wake_forgotten(), "there is no more to do at once"
        until(lambda: tried(1))
        monkeypatch.setattr(door.journal, "_wake", woken.append)
        until(lambda: tried(4))
        assert woken == []
        assert planned[-1] - planned[0] > 4 * lane_waking.AGAIN_SECONDS, "it is tried less and less often"
    until(lambda: woken == [wakeups.IN])
    any_desk.drain()
    assert any_desk.texts() == ["first", "second"]


def test_lanes_that_will_be_worked_on_are_not_forgotten(any_desk: Desk, door: Door) -> None:
    for number in range(3):
        door.receive(any_desk.account.id, f"m{number}", contact=f"c{number}")
    leases = db.write(lanes.claim, "in", limit=1, rotation=lanes.AccountRotation())
    assert len(leases) == 1
    assert not lane_waking.wake_forgotten()


def test_an_event_that_comes_again_is_noted_once_nobody_has_it(any_desk: Desk, door: Door) -> None:
    door.receive(any_desk.account.id, "hello")
    any_desk.drain()
    with locked(InboundEvent):
        door.receive(any_desk.account.id, "hello")
        door.receive(any_desk.account.id, "other", contact="bert")
        assert not door.journal.spool
        assert any_desk.events()[0].repeats is None
    until(lambda: any_desk.events()[0].repeats is not None)
    assert len(any_desk.events()) == 2
    assert db.take_undone() == {}


@pytest.fixture
def journals(any_database: db.Database, tmp_path: Path) -> Iterator[list[Journal]]:
    """Two journals, as two web processes have them."""
    with ExitStack() as stack:
        started = [Journal(tmp_path / f"spool-{number}") for number in range(2)]
        for one in started:
            one.start()
            stack.callback(one.stop)
        yield started


def test_the_same_events_in_two_orders_do_not_deadlock(any_desk: Desk, journals: list[Journal]) -> None:
    account = any_desk.account.id
    chance = random.Random(7)
    with ThreadPoolExecutor(2) as pool:
        for turn in range(40):
            some = [envelope(account, f"{turn}-{number}", contact=f"c{number % 3}") for number in range(9)]
            some.append(envelope(None, f"nobody {turn}"))
            both = []
            for journal in journals:
                chance.shuffle(some)
                given: dict[str, Any] = {"source": "/hook", "channel": "email", "raw": b"{}", "remote": ""}
                both.append(pool.submit(journal.ingest, **given, envelopes=list(some)))
            for one in both:
                one.result(60)
    assert len(any_desk.events()) == 400
    assert db.take_undone() == {}


@pytest.mark.slow
def test_no_wake_up_is_lost_among_many_ingests_and_claims(
    any_desk: Desk, journals: list[Journal], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few customers, so that lanes are leased, woken and released all the time. Nothing sweeps."""
    monkeypatch.setattr(lane_waking, "wake_forgotten", lambda: False)
    account = any_desk.account.id

    def provider(number: int) -> None:
        chance = random.Random(number)
        for turn in range(120):
            envelopes = [
                envelope(account, f"{number}-{turn}-{name}", contact=f"c{name}")
                for name in chance.sample(range(4), 2)
            ]
            chance.choice(journals).ingest(
                source="/hook", channel="email", raw=b"{}", remote="", envelopes=envelopes
            )

    workers = [Workers(lambda: any_desk.generation, receivers=3, senders=0) for _ in range(2)]
    for one in workers:
        one.start()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(provider, range(4)))
        until(lambda: not pending() or _asleep(), 120)
    finally:
        for one in workers:
            one.stop()
    assert pending() == 0
    assert len(any_desk.texts()) == 4 * 120 * 2
    assert db.take_undone() == {}


def _asleep() -> bool:
    """Tell whether events wait in a lane that nothing wakes, twice in a row: not between commit and wake."""
    for _ in range(3):
        with db.read() as session:
            if not lane_waking.find_forgotten(session):
                return False
        time.sleep(0.3)
    return True
