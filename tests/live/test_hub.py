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
from host.events import retention
from host.events.models import DomainEvent
from host.events.writing import show
from host.live import events, hub, read_position
from host.live.hub import Hub, HubFullError
from host.live.read_position import Position
from host.live.stream import Stream

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
    db.write(show, workspace, topic, conversation_id=number)


def payload(stream: Stream) -> str:
    """Return the data of the one frame that comes next."""
    found: list[bytes] = []

    def came() -> bool:
        frames, goes_on = stream.take()
        assert goes_on or frames, "the stream ended"
        found.append(frames)
        return bool(frames)

    _until(came)
    (frame,) = found[-1].decode().split("\n\n")[:-1]
    return frame.split("data: ")[1].strip()


def nothing_more(stream: Stream) -> bool:
    return stream.take() == (b"", True)


def has_ended(stream: Stream) -> bool:
    return not stream.take()[1]


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
    assert nothing_more(mine)


def test_what_concerns_everybody_reaches_everybody(running: Hub) -> None:
    mine = started(running)
    other = running.subscribe(2, 2, NOBODYS, capacity=9)
    db.write(show, 0, "addons")
    assert payload(mine) == payload(other) == "{}"


def test_the_own_process_is_told_at_once(running: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = started(running)
    monkeypatch.setattr(hub, "POLL_SECONDS", 3600.0)
    say(1, 0)
    payload(mine)
    say(1, 1)
    assert payload(mine) == '{"conversation":1}'


def test_changes_of_other_processes_arrive_too(running: Hub, database: db.Database) -> None:
    mine = started(running)
    with database.write_engine.begin() as connection:
        connection.execute(
            sa.insert(DomainEvent),
            {"workspace_id": 1, "topic": "conversation", "conversation_id": 7, "at": clock.now()},
        )
    assert payload(mine) == '{"conversation":7}'


def test_nothing_is_told_of_what_was_rolled_back(running: Hub) -> None:
    mine = started(running)

    def fails(session: Session) -> None:
        show(session, 1, "conversation", conversation_id=1)
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
    now = clock.monotonic()

    def after(seconds: float) -> list[int]:
        monkeypatch.setattr(clock, "monotonic", lambda: now + seconds)
        return position.waited_for()

    assert after(1) == [1]
    late = events.LATE.total_seconds() + 1
    assert after(late) == [1]
    assert after(late + 1) == [], "now it is looked for every few seconds"
    assert after(late + read_position.SLOW_SECONDS) == [1]
    assert after(read_position.GIVEN_UP_SECONDS + 1) == [1]
    assert after(read_position.GIVEN_UP_SECONDS + 10) == [1], "the look before did not come to an end"
    position.move([], [])
    assert after(read_position.GIVEN_UP_SECONDS + 20) == []


def test_what_commits_after_a_long_pause_is_told(
    running: Hub, database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_position, "SLOW_SECONDS", 0.05)
    mine = started(running)
    for id_ in (10, 9):
        row = {
            "id": id_,
            "workspace_id": 1,
            "topic": "conversation",
            "conversation_id": id_,
            "at": clock.now(),
        }
        with database.write_engine.begin() as connection:
            connection.execute(sa.insert(DomainEvent), row)
        assert payload(mine) == f'{{"conversation":{id_}}}'
        # Everything stood still: the writer of the other one as well as this process.
        at = clock.monotonic() + events.LATE.total_seconds() * 10
        monkeypatch.setattr(clock, "monotonic", lambda at=at: at + time.monotonic() % 1000)


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
    assert has_ended(streams[0])
    assert all(nothing_more(alive) for alive in (*streams[1:], other, newest))


def test_closing_ends_every_stream(running: Hub) -> None:
    streams = [running.subscribe(1, person, NOBODYS, capacity=9) for person in range(3)]
    running.close()
    assert all(map(has_ended, streams))
    with pytest.raises(HubFullError):
        running.subscribe(1, 1, NOBODYS, capacity=9)


# What a browser that was away gets


def test_a_browser_gets_what_it_missed(any_database: db.Database) -> None:
    for number in range(5):
        say(1, number)
    say(2, 9)
    with db.read() as session:
        ids = list(session.scalars(sa.select(DomainEvent.id).order_by(DomainEvent.id)))
        found = events.missed(session, 1, ids[3])
        told = [event.payload for event in found.events if event.id > ids[3]]
    assert told == ['{"conversation":4}']
    assert (found.last, found.resync) == (ids[5], False)


def test_a_gap_asks_for_a_fresh_page(database: db.Database) -> None:
    for number in range(3):
        say(1, number)
    with clock.travel(timedelta(days=2)):
        assert db.write(retention.remove_shown, clock.now() - timedelta(days=1), 500) == 3
        say(1, 3)
    with db.read() as session:
        assert events.missed(session, 1, 1).resync
        assert not events.missed(session, 1, 3).resync
        assert events.missed(session, 1, 99).resync
        assert not events.missed(session, 1, 4).events


def test_a_page_of_a_desk_where_nothing_happened_for_days_is_not_loaded_anew(database: db.Database) -> None:
    say(1, 1)
    with clock.travel(timedelta(days=3)):
        with db.read() as session:
            loaded = events.newest_id(session)
            found = events.missed(session, 1, loaded)
        assert (found.events, found.last, found.resync) == ([], loaded, False)
        say(1, 2)
        with db.read() as session:
            assert events.missed(session, 1, loaded).resync, "what browsers alone had to know may be gone"


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
    db.write(retention.remove_shown, clock.now() + timedelta(seconds=1), 500)
    say(1, 2)
    with db.read() as session:
        assert events.newest_id(session) == 2
