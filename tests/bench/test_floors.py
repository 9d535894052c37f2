"""The floors do what they are compared for, and no less: what they answer is stored, if it is signed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import life, live, servers
from bench.load import Connection, send_all
from bench.payload import deliveries
from bench.servers import Desk, Served


def answer(one: Connection) -> int:
    while (status := one.receive()) is None:
        pass
    return status


@pytest.fixture(params=["uvicorn", "granian"])
def ingest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with servers.floor(tmp_path, server=request.param) as served:
        yield served


def test_what_the_floor_of_ingest_answers_is_stored(ingest: Served) -> None:
    requests, mids = deliveries("/", 300)
    result = send_all(ingest.port, requests)
    assert result.statuses == {200: 300}
    assert sorted(live.ids(ingest)) == sorted(mids)
    assert ingest.rows() == 300


def test_the_floor_of_ingest_answers_only_what_is_signed(ingest: Served) -> None:
    (request,), _ = deliveries("/", 1)
    one = Connection(ingest.port)
    one.send(0, request.replace(b"blue mug", b"pink mug"), 0.0)
    assert answer(one) == 401
    assert ingest.rows() == 0
    one.send(0, request, 0.0)
    assert answer(one) == 200
    assert ingest.rows() == 1
    one.socket.close()


def test_the_floor_of_ingest_answers_after_the_commit(ingest: Served) -> None:
    (request,), _ = deliveries("/", 1)
    one = Connection(ingest.port)
    other = sqlite3.connect(ingest.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # nobody can commit now
    one.send(0, request, 0.0)
    one.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        answer(one)
    other.execute("ROLLBACK")
    other.close()
    one.socket.settimeout(10)
    assert answer(one) == 200
    one.socket.close()


@pytest.mark.slow
def test_the_floor_of_the_screens_tells_everybody_of_what_was_stored(tmp_path: Path) -> None:
    nobody = Desk(tmp_path, 0, ("",) * 3)
    with servers.floor(tmp_path, program="screens") as served:
        found = live.measure(nobody, served, rate=100.0, seconds=0.5)  # raises if somebody was not told
        assert 0 < found.live_p50 <= found.live_p99
        assert len(live.ids(served)) == served.rows() > 50


def test_the_floor_of_a_desk_at_rest_shows_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(life, "REST_SECONDS", 0.0)
    took, held = life._floor_starts()
    assert took > 0
    assert held > 5
