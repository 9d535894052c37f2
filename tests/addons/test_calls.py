"""What one process saw of an addon's code is shown by every other: times, counts, the last error."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from host.addons.metrics import across_processes, in_process
from host.addons.metrics.in_process import CallMetrics, Key, Series
from host.core import clock, config, db
from host.health import heartbeat
from host.health.heartbeat import Heartbeat
from host.models.addons import AddonCalls
from host.models.health import Kind
from tests.inbox.toys import Statements

KEY = ("toy", "1.0.0", "parse")


@pytest.fixture(autouse=True)
def _nothing_seen() -> Iterator[None]:
    in_process.reset()
    yield
    in_process.reset()


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> Callable[[], CallMetrics]:
    """Go on as another process would, with nothing counted."""

    def another() -> CallMetrics:
        monkeypatch.setattr(in_process, "_metrics", CallMetrics())
        return in_process.metrics()

    return another


def seen() -> dict[Key, Series]:
    return across_processes.all_calls()[1]


def rows() -> int:
    with db.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(AddonCalls)) or 0


@pytest.mark.slow
def test_each_process_shows_what_all_of_them_counted(
    any_database: db.Database, become: Callable[[], CallMetrics]
) -> None:
    with clock.travel(-timedelta(hours=2)):
        first, share = become(), across_processes.Writer()
        for _ in range(99):
            first.note(*KEY, 0.001)
        first.note(*KEY, 0.5, ValueError("the first's, “ä” and 🎈"))
        share()
    become().note(*KEY, 0.001, KeyError("the second's"))
    across_processes.Writer()()
    become().note(*KEY, 0.001)
    since, found = across_processes.all_calls()
    one = found[KEY]
    assert (one.calls, one.faults, one.most) == (102, 2, 0.5)
    assert one.share(0.5) <= 0.002 < 0.4 < one.share(0.999)
    assert one.last_error == 'KeyError: "the second\'s"'
    assert since == first.since
    assert rows() == 2


@pytest.mark.slow
def test_a_process_is_not_counted_twice_and_writes_only_what_is_new(any_database: db.Database) -> None:
    share, note = across_processes.Writer(), in_process.metrics().note

    def writes() -> bool:
        with Statements(any_database) as asked:
            share()
        return any("addon_calls" in statement for statement in asked.seen)

    note(*KEY, 0.1, ValueError("first"))
    assert writes()
    assert not writes()
    note(*KEY, 0.1)
    assert writes()
    assert not writes()
    assert rows() == 1
    assert seen()[KEY].calls == 2
    with clock.travel(across_processes.AGAIN):
        assert writes(), "it would soon look like the row of a process that ended"


@pytest.mark.slow
def test_rows_of_processes_that_ended_go_after_a_day_and_words_of_errors_too(
    any_database: db.Database, become: Callable[[], CallMetrics]
) -> None:
    become().note(*KEY, 0.1, ValueError("words"))
    across_processes.Writer()()
    living, share = become(), across_processes.Writer()
    living.note("toy", "1.0.0", "send", 0.1, ValueError("words"))
    share()
    with clock.travel(across_processes.KEPT + timedelta(seconds=1)):
        assert KEY not in seen()
        share()
        assert rows() == 1
        with db.read() as session:
            assert "words" not in session.scalars(sa.select(AddonCalls.counted)).one()
        assert (seen()["toy", "1.0.0", "send"].faults, seen()["toy", "1.0.0", "send"].last_error) == (1, "")


def test_a_row_of_another_version_of_lobby_is_passed_over(database: db.Database) -> None:
    values = {"process": "newer", "written_at": clock.now(), "counted": '{"since": 1, "calls": 2}'}
    db.write(lambda session: session.execute(sa.insert(AddonCalls), values))
    assert across_processes.all_calls() == (in_process.metrics().since, {})


def test_nothing_that_looks_like_a_credential_is_kept(database: db.Database) -> None:
    in_process.metrics().note(*KEY, 0.1, ValueError("access_token=abcdefghijklmnop was refused"))
    across_processes.Writer()()
    with db.read() as session:
        assert "abcdefghijklmnop" not in session.scalars(sa.select(AddonCalls.counted)).one()


def test_a_fault_is_told_at_once_and_many_are_told_together(
    database: db.Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Callable[..., None]
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_SECONDS", 3600.0)
    monkeypatch.setattr(heartbeat, "REST_SECONDS", 0.0)
    rest = threading.Event()
    beats: list[int] = []

    def beside() -> None:
        beats.append(in_process.metrics().seen()[KEY].faults if beats else 0)
        if len(beats) == 2:
            rest.wait(60)

    heart = Heartbeat(config.load({"LOBBY_DATA": str(tmp_path)}), lambda: 1, lambda: None, beside=beside)
    in_process.metrics().on_fault = heart.soon
    heart.start(Kind.WEB)
    until(lambda: beats)
    in_process.metrics().note(*KEY, 0.1)
    in_process.metrics().note(*KEY, 0.1, ValueError("x"))
    until(lambda: len(beats) == 2)
    for _ in range(50):
        in_process.metrics().note(*KEY, 0.1, ValueError("x"))
    rest.set()
    until(lambda: len(beats) == 3)
    heart.stop()
    assert beats == [0, 1, 51, 51], "one beat for fifty faults, and the last one at the end"
