"""Bodies larger than a row: kept in parts in the write of their event, read whole, and erased with it."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.inbound import read_pending
from host.models.queue import MOST_IN_ROW, EventState, InboundEvent, InboundPart
from host.queue import data, event_search, journal_erasure, journal_rows, replay
from host.queue.bodies import stored, writing
from host.queue.journal import Journal, JournalUnavailableError
from host.queue.spool import Delivery, request_id
from host.sdk.webhooks import Envelope
from tests.helpers import do_desk


def content(size: int, seed: int = 0) -> bytes:
    """Bytes of every value, so that a driver's escaping would show."""
    block = bytes((one + seed) % 256 for one in range(256 * 4 + 3))
    return (block * (size // len(block) + 1))[:size]


@pytest.fixture
def journal(any_database: db.Database, tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "spool", wake=lambda _direction: None, patience=60)
    made.start()
    yield made
    made.stop()


def put(journal: Journal, body: bytes, key: str = "mail", **more: Any) -> None:
    envelope = Envelope(account_id=7, lane="customer", dedupe_key=key, kind="mail", body=body, **more)
    journal.ingest(source="receiver:toy", channel="toy", raw=b"", remote="", envelopes=[envelope])


def parts() -> list[tuple[int, int]]:
    query = sa.select(InboundPart.number, sa.func.length(InboundPart.body))
    with db.read() as session:
        return [
            tuple(row) for row in session.execute(query.order_by(InboundPart.event_id, InboundPart.number))
        ]


def events() -> list[InboundEvent]:
    with db.read() as session:
        return list(session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id)))


def bodies() -> list[bytes | None]:
    with db.read() as session:
        return [
            stored.whole(session, one.id, one.body)
            for one in session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id))
        ]


def settle(state: EventState = EventState.APPLIED) -> None:
    db.write(lambda session: session.execute(sa.update(InboundEvent).values(state=state, attempts=1)))


@pytest.mark.parametrize("size", [MOST_IN_ROW - 1, MOST_IN_ROW, MOST_IN_ROW + 1, 25 * 1024 * 1024])
def test_a_body_is_read_as_it_was_received(journal: Journal, size: int) -> None:
    body = content(size)
    put(journal, body)
    (event,) = events()
    assert event.body == body[:MOST_IN_ROW]
    assert all(length <= MOST_IN_ROW for _, length in parts())
    assert [number for number, _ in parts()] == list(range(1, size // MOST_IN_ROW + 1))
    with db.read() as session:
        found = read_pending(session, [event.lane])[event.lane].events
        detail = event_search.detail(session, event.id)
    assert [one.body for one in found] == [body]
    assert detail is not None
    assert detail.size == size


class Recorded:
    """A cursor that finds nothing, and lists the statements it was given."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def execute(self, text: str, _values: object = ()) -> None:
        self.texts.append(text)

    executemany = execute

    def fetchall(self) -> list[Any]:
        return []

    def fetchone(self) -> None:
        return None


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mariadb"])
def test_a_smaller_body_costs_no_statement(dialect: str) -> None:
    statements = journal_rows.statements_for(dialect)

    def texts(size: int) -> list[str]:
        envelope = Envelope(account_id=7, lane="", dedupe_key="one", kind="mail", body=content(size))
        delivery = Delivery(request_id(clock.now()), "receiver:toy", "toy", "", clock.now(), b"", (envelope,))
        rows = journal_rows.Rows(delivery, statements)
        cursor = Recorded()
        assert rows.request is not None
        if statements.is_sqlite:
            statements.write_locally(cursor, [rows.request], rows.events)
        else:
            statements.write(cursor, [rows.request], rows.events)
        return cursor.texts

    small = texts(MOST_IN_ROW - 1)
    assert not any("inbound_parts" in text for text in small)
    assert len(small) == (2 if dialect == "sqlite" else 3)
    assert any("inbound_parts" in text for text in texts(MOST_IN_ROW))


@pytest.mark.parametrize("state", [EventState.PENDING, EventState.APPLIED])
def test_a_repeat_changes_no_stored_body(journal: Journal, state: EventState) -> None:
    first = content(MOST_IN_ROW + 5)
    put(journal, first)
    settle(state)
    put(journal, content(3 * MOST_IN_ROW, seed=1))
    put(journal, b"small")
    assert bodies() == [first]
    assert len(parts()) == 1


@pytest.mark.parametrize(
    ("before", "after"), [*itertools.product([5, MOST_IN_ROW + 5, 3 * MOST_IN_ROW], repeat=2)]
)
def test_a_repeat_replaces_what_was_set_aside(journal: Journal, before: int, after: int) -> None:
    put(journal, content(before), set_aside="not verified")
    put(journal, content(after, seed=1))
    assert bodies() == [content(after, seed=1)]
    assert [one.state for one in events()] == [EventState.PENDING]


def test_the_same_mail_twice_in_one_request_is_stored_once(journal: Journal) -> None:
    one, other = (
        Envelope(account_id=7, lane="", dedupe_key="mail", kind="mail", body=content(MOST_IN_ROW + 5, seed))
        for seed in (0, 1)
    )
    journal.ingest(source="receiver:toy", channel="toy", raw=b"", remote="", envelopes=[one, other])
    assert bodies() == [one.body]


def test_a_write_that_fails_leaves_no_part(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    add_parts = writing.add_parts

    def fails(*arguments: Any, **named: Any) -> None:
        add_parts(*arguments, **named)
        raise ValueError("half of it")

    with monkeypatch.context() as patched:
        patched.setattr(writing, "add_parts", fails)
        with pytest.raises(JournalUnavailableError):
            put(journal, content(MOST_IN_ROW + 5))
    assert (events(), parts()) == ([], [])
    put(journal, content(MOST_IN_ROW + 5))
    assert bodies() == [content(MOST_IN_ROW + 5)]


def test_what_the_spool_kept_is_stored_whole(any_database: db.Database, tmp_path: Path) -> None:
    body = content(3 * MOST_IN_ROW + 5)
    made = Journal(tmp_path / "spool", wake=lambda _direction: None)
    envelope = Envelope(account_id=7, lane="customer", dedupe_key="mail", kind="mail", body=body)
    made.spool.keep(
        Delivery(request_id(clock.now()), "receiver:toy", "toy", "", clock.now(), b"", (envelope,))
    )
    made.start()
    made._ring.set()
    for _ in range(600):
        if not made.spool:
            break
        time.sleep(0.05)
    made.stop()
    assert bodies() == [body]
    assert made.spool.files() == []


def test_an_event_is_replayed_whole(journal: Journal) -> None:
    body = content(MOST_IN_ROW + 5)
    put(journal, body)
    settle(EventState.DEAD)
    do_desk(replay.replay, events()[0].id)
    assert bodies() == [body]


def test_retention_erases_every_part_of_what_is_settled(journal: Journal) -> None:
    put(journal, content(MOST_IN_ROW + 5), "old")
    settle()
    put(journal, content(2 * MOST_IN_ROW, seed=1), "waits")
    ids = [one.id for one in events()]
    db.write(data.blank_events, ids)
    assert bodies() == [None, content(2 * MOST_IN_ROW, seed=1)]
    assert len(parts()) == 2
    db.write(data.remove_events, ids)
    assert bodies() == [content(2 * MOST_IN_ROW, seed=1)]
    settle()
    db.write(data.remove_events, ids)
    assert parts() == []


def test_erasing_a_person_erases_every_part(journal: Journal) -> None:
    put(journal, content(MOST_IN_ROW + 5))
    (event,) = events()
    db.write(journal_erasure.forget_lanes, [event.lane])
    assert (bodies(), parts()) == ([None], [])
    # Received again, it brings nothing back.
    put(journal, content(MOST_IN_ROW + 5))
    assert (bodies(), parts()) == ([None], [])


def test_a_worker_leaves_what_does_not_fit_beside_a_large_body(journal: Journal) -> None:
    put(journal, content(20 * 1024 * 1024), "first", occurred_at=clock.now() - timedelta(minutes=1))
    put(journal, content(20 * 1024 * 1024, seed=1), "second")
    (lane,) = {one.lane for one in events()}
    with db.read() as session:
        found = read_pending(session, [lane])[lane]
    assert [len(one.body or b"") for one in found.events] == [20 * 1024 * 1024]
    assert found.more
