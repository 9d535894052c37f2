"""Changes reach the streams of their workspace: once, in order, whoever made them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.live import events, hub
from host.live.hub import Hub, HubFullError
from host.live.publish import publish
from host.live.read_position import Position
from host.live.stream import BUFFER_BYTES, Stream
from host.models.live import LiveEvent

NOBODYS = 0
"""A session that does not exist: these streams are not looked at."""


@pytest.fixture
def running(database: db.Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(hub, "CHECK_SECONDS", 3600.0)
    opened = Hub()
    opened.start()
    try:
        yield opened
    finally:
        opened.close()


def _until(condition: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "nothing happened in time"
        time.sleep(0.005)


def say(workspace: int, number: int, topic: str = "conversation") -> None:
    db.write(publish, workspace, topic, {"conversation": number})


def payload(stream: Stream, timeout: float = 60) -> str:
    item = stream.get(timeout)
    assert item is not None
    return item[1].decode().split("data: ")[1].strip()


def started(hub_: Hub) -> Stream:
    """A stream of workspace 1."""
    return hub_.subscribe(1, 1, NOBODYS, capacity=9)


def test_nothing_that_happens_while_it_starts_is_lost(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slowly(session: Session) -> int:
        asked.set()
        assert answer.wait(60)
        return newest_id(session)

    newest_id = events.newest_id
    monkeypatch.setattr(events, "newest_id", slowly)
    monkeypatch.setattr(hub, "START_SECONDS", 0.05)
    monkeypatch.setattr(hub, "CHECK_SECONDS", 3600.0)
    opened = Hub()
    opened.start()
    assert asked.wait(60)
    with pytest.raises(HubFullError):
        started(opened)  # it could miss something: the browser asks again
    monkeypatch.setattr(hub, "START_SECONDS", 60.0)
    answer.set()
    stream = started(opened)
    say(1, 1)
    assert payload(stream) == '{"conversation":1}'
    opened.close()


def test_a_change_reaches_its_workspace_only(running: Hub) -> None:
    mine = started(running)
    other = running.subscribe(2, 2, NOBODYS, capacity=9)
    say(2, 7)
    say(1, 8)
    assert payload(mine) == '{"conversation":8}'
    assert payload(other) == '{"conversation":7}'
    with pytest.raises(TimeoutError):
        mine.get(0.05)


def test_what_concerns_everybody_reaches_everybody(running: Hub) -> None:
    mine = started(running)
    other = running.subscribe(2, 2, NOBODYS, capacity=9)
    db.write(publish, 0, "addons", {})
    assert payload(mine) == payload(other) == "{}"


def test_the_own_process_is_told_at_once(running: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = started(running)
    monkeypatch.setattr(hub, "POLL_SECONDS", 3600.0)
    say(1, 0)
    payload(mine)
    say(1, 1)
    assert payload(mine, 60) == '{"conversation":1}'


def test_changes_of_other_processes_arrive_too(running: Hub, database: db.Database) -> None:
    mine = started(running)
    with database.write_engine.begin() as connection:
        connection.execute(
            sa.insert(LiveEvent),
            {"workspace_id": 1, "topic": "conversation", "payload": '{"x":1}', "created_at": clock.now()},
        )
    assert payload(mine) == '{"x":1}'


def test_nothing_is_told_of_what_was_rolled_back(running: Hub) -> None:
    mine = started(running)

    def fails(session: Session) -> None:
        publish(session, 1, "conversation", {"conversation": 1})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        db.write(fails)
    say(1, 2)
    assert payload(mine) == '{"conversation":2}'


def test_an_id_that_commits_late_still_arrives(database: db.Database) -> None:
    position = Position()
    position.newest = 10
    position.move([], [11, 13, 14])
    assert position.waited_for() == [12]
    position.move([12], [15])
    assert position.waited_for() == []
    assert position.newest == 15


def test_what_was_rolled_back_is_waited_for_only_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    position = Position()
    position.newest = 0
    position.move([], [2])
    assert position.waited_for() == [1]
    later = clock.monotonic() + events.LATE.total_seconds() + 1
    monkeypatch.setattr(clock, "monotonic", lambda: later)
    assert position.waited_for() == []


def test_there_are_only_so_many_streams(running: Hub) -> None:
    first = running.subscribe(1, 1, NOBODYS, capacity=2)
    running.subscribe(1, 2, NOBODYS, capacity=2)
    with pytest.raises(HubFullError):
        running.subscribe(1, 3, NOBODYS, capacity=2)
    running.unsubscribe(first)
    running.unsubscribe(first)
    assert running.count == 1
    running.subscribe(1, 3, NOBODYS, capacity=2)


def test_the_oldest_stream_of_a_person_makes_way(running: Hub) -> None:
    streams = [running.subscribe(1, 1, NOBODYS, capacity=99) for _ in range(hub.PER_USER)]
    other = running.subscribe(1, 2, NOBODYS, capacity=99)
    newest = running.subscribe(2, 1, NOBODYS, capacity=99)
    assert running.count == hub.PER_USER + 1
    assert streams[0].get(1) is None
    for alive in (*streams[1:], other, newest):
        with pytest.raises(TimeoutError):
            alive.get(0.01)


def test_a_reader_too_slow_is_cut_off(running: Hub) -> None:
    stream = Stream(1, 1, 1)
    frame = b"x" * 1000
    for number in range(200):
        stream.put(number, frame)
    kept = 0
    while stream.get(1) is not None:
        kept += 1
    assert kept == BUFFER_BYTES // 1000


def test_closing_ends_every_stream(running: Hub) -> None:
    stream = running.subscribe(1, 1, NOBODYS, capacity=9)
    ended = threading.Event()

    def reader() -> None:
        while stream.get(5) is not None:
            pass
        ended.set()

    threading.Thread(target=reader, daemon=True).start()
    running.close()
    assert ended.wait(5)
    with pytest.raises(HubFullError):
        running.subscribe(1, 1, NOBODYS, capacity=9)


# What a browser that was away gets


def test_a_browser_gets_what_it_missed(any_database: db.Database) -> None:
    for number in range(5):
        say(1, number)
    say(2, 9)
    with db.read() as session:
        ids = list(session.scalars(sa.select(LiveEvent.id).order_by(LiveEvent.id)))
        found = events.missed(session, 1, ids[3])
        told = [event.payload for event in found.events if event.id > ids[3]]
    assert told == ['{"conversation":4}']
    assert (found.last, found.resync) == (ids[5], False)


def test_a_gap_asks_for_a_fresh_page(database: db.Database) -> None:
    for number in range(3):
        say(1, number)
    with clock.travel(timedelta(days=2)):
        assert db.write(events.trim, clock.now() - timedelta(days=1)) == 3
        say(1, 3)
    with db.read() as session:
        assert events.missed(session, 1, 1).resync
        assert not events.missed(session, 1, 3).resync
        assert events.missed(session, 1, 99).resync
        assert not events.missed(session, 1, 4).events


def test_too_much_to_repeat_asks_for_a_fresh_page(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MAX_REPLAY", 3)
    for number in range(6):
        say(1, number)
    with db.read() as session:
        assert events.missed(session, 1, 1).resync
        assert len(events.missed(session, 1, 3).events) == 3


def test_trimming_keeps_ids_growing(database: db.Database) -> None:
    say(1, 1)
    db.write(events.trim, clock.now() + timedelta(seconds=1))
    say(1, 2)
    with db.read() as session:
        assert events.newest_id(session) == 2
