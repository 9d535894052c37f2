"""The order of the record: nothing is ever put in before what a reader was given."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.events import reading
from host.events.consuming import _make_rows
from host.events.kinds.conversations import NOTE_ADDED
from host.events.reading import BEGINNING, Position
from host.events.writing import Happened, record


def happened(number: int) -> Happened:
    return Happened(1, NOTE_ADDED, conversation_id=number)


def numbers(position: Position = BEGINNING, limit: int = 100) -> tuple[list[int | None], Position]:
    """Return what a reader is given after *position*, and where it is then."""
    db.write(reading.number)
    with db.read() as session:
        batch = reading.after(session, position, limit)
    return [one.conversation_id for one in batch.events], batch.end


@pytest.fixture(autouse=True)
def _numbering(any_database: db.Database) -> None:
    db.write(_make_rows, [])


def test_events_come_in_the_order_they_were_written() -> None:
    db.write(record, *map(happened, range(5)))
    db.write(record, *map(happened, range(5, 7)))
    found, end = numbers()
    assert found == list(range(7))
    assert numbers(end) == ([], end)


def test_what_commits_later_comes_later_whatever_its_id() -> None:
    if db.current().is_sqlite:
        pytest.skip("SQLite has one writer: ids are committed in their order")
    early, committed = threading.Event(), threading.Event()

    def slow(session: Session) -> None:
        record(session, happened(1))
        early.set()
        assert committed.wait(20)

    thread = threading.Thread(target=db.write, args=(slow,))
    thread.start()
    assert early.wait(20)
    db.write(record, happened(2))
    found, position = numbers()
    committed.set()
    thread.join()
    later, _ = numbers(position)
    assert sorted([*found, *later], key=str) == [1, 2], "each once, and none is passed over"
    assert later


def test_a_reader_is_given_each_once_while_many_write() -> None:
    def write(start: int) -> None:
        for number in range(start, start + 40):
            db.write(record, happened(number))

    threads = [threading.Thread(target=write, args=(1000 * n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    found: list[int | None] = []
    position = BEGINNING
    while any(thread.is_alive() for thread in threads):
        some, position = numbers(position, limit=7)
        found += some
    while True:
        some, position = numbers(position, limit=7)
        if not some:
            break
        found += some
    for thread in threads:
        thread.join()
    assert sorted(map(int, filter(lambda one: one is not None, found))) == sorted(
        number for n in range(4) for number in range(1000 * n, 1000 * n + 40)
    )
    for n in range(4):
        own = [one for one in found if one is not None and one // 1000 == n]
        assert own == sorted(own), "what one wrote after the other comes after it"


def test_a_record_from_another_database_is_put_behind_what_comes() -> None:
    db.write(record, *map(happened, range(3)))
    _, middle = numbers()
    db.write(record, *map(happened, range(3, 5)))
    numbers()
    db.write(_set_reader, middle)
    db.write(reading.put_behind)
    with db.read() as session:
        position = Position(
            *session.execute(sa.text("SELECT place, event_id FROM consumers WHERE name='x'")).one()
        )
    db.write(record, happened(5))
    assert numbers(position)[0] == [3, 4, 5]
    assert numbers()[0] == [0, 1, 2, 3, 4, 5]


def _set_reader(session: Session, position: Position) -> None:
    session.execute(
        sa.text(
            "INSERT INTO consumers (name, place, event_id, moved_at) VALUES ('x', :place, :id, '2026-01-01')"
        ),
        {"place": position.place, "id": position.event_id},
    )
