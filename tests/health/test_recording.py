"""Counts: added up over processes, kept while the database is away, gone after eight days."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from host import recording
from host.core import clock, config, db, histogram
from host.delivery import held_lanes
from host.health.heartbeat import Heartbeat
from host.models.health import TOTAL, HealthMinute, Kind, Metric, Outcome, Process
from host.models.queue import EventState
from host.queue import send_limiter
from host.queue.announcing import Heard
from host.queue.wakeups import IN
from host.sdk.channel import Held, NotSent, Rejected, Unknown
from tests.delivery.conftest import Door
from tests.delivery.desk import PROBLEM, Desk
from tests.health import pretend
from tests.helpers import do_desk

Travel = Callable[[timedelta], None]


def told(folder: Path, **settings: str) -> config.Config:
    return config.load({"LOBBY_DATA": str(folder), **settings})


def counts(metric: Metric, *, total: bool = False) -> dict[tuple[str, str], int]:
    """Return what the database holds of *metric*, by channel and label, over all minutes or in total."""
    which = HealthMinute.minute == TOTAL if total else HealthMinute.minute > TOTAL
    with db.read() as session:
        rows = session.execute(
            sa.select(HealthMinute.channel, HealthMinute.label, sa.func.sum(HealthMinute.count))
            .where(HealthMinute.metric == metric, which)
            .group_by(HealthMinute.channel, HealthMinute.label)
        )
        return {(channel, label): int(count) for channel, label, count in rows}


def test_counts_of_processes_add_up_and_peaks_keep_the_highest(any_database: db.Database) -> None:
    for waited in (300, 900, 20):
        recording.count(Metric.HANDLED, "email", "applied", 2)
        recording.peak(Metric.WAITING, "", "in", waited)
        recording.flush()
    assert counts(Metric.HANDLED) == counts(Metric.HANDLED, total=True) == {("email", "applied"): 6}
    assert counts(Metric.WAITING) == {("", "in"): 900}
    assert counts(Metric.WAITING, total=True) == {}


def test_what_cannot_be_written_is_kept(database: db.Database) -> None:
    def fails(_session: object) -> None:
        raise OperationalError("", {}, Exception("away"))

    recording.count(Metric.RECEIVED, "email")
    with pytest.raises(OperationalError):
        recording.flush(fails)
    assert counts(Metric.RECEIVED) == {}
    recording.count(Metric.RECEIVED, "email")
    recording.flush()
    assert counts(Metric.RECEIVED) == {("email", ""): 2}


def test_minutes_are_removed_after_eight_days_and_totals_stay(
    any_database: db.Database, travel: Travel
) -> None:
    for _ in range(3):
        recording.count(Metric.RECEIVED, "email")
        recording.flush()
        travel(timedelta(days=4, minutes=1))
    while db.write(recording.prune):
        pass
    assert counts(Metric.RECEIVED) == {("email", ""): 1}
    assert counts(Metric.RECEIVED, total=True) == {("email", ""): 3}


def test_an_event_is_counted_from_its_receipt_until_it_can_be_seen(
    any_desk: Desk, door: Door, travel: Travel
) -> None:
    desk = any_desk
    desk.toy.broken["bad"] = ValueError("a bug")
    door.receive(desk.account.id, "good")
    travel(timedelta(seconds=10))
    desk.drain()
    door.receive(desk.account.id, "bad", contact="bert")
    door.receive(None, "stray", kind="test")
    desk.later(travel, timedelta(minutes=3))
    door.journal.stop()
    recording.flush()
    assert counts(Metric.RECEIVED) == {("email", ""): 3}
    assert counts(Metric.HANDLED) == {
        ("email", "applied"): 1,
        ("email", "dead"): 1,
        ("email", "ignored"): 1,
    }
    assert counts(Metric.ACCOUNT) == {("email", str(desk.account.id)): 2}
    assert counts(Metric.ACCOUNT, total=True) == {}
    times = {label: count for (_, label), count in counts(Metric.VISIBLE).items()}
    assert 10_000 <= times.pop(histogram.SUM) < 60_000
    assert sum(times.values()) == 1


def test_a_replayed_event_does_not_count_as_a_slow_one(desk: Desk, door: Door, travel: Travel) -> None:
    from host.queue.replay import replay

    desk.toy.broken["bad"] = ValueError("a bug")
    door.receive(desk.account.id, "bad")
    desk.later(travel, timedelta(minutes=3))
    assert desk.event_states() == [EventState.DEAD]
    desk.toy.broken.clear()
    travel(timedelta(days=2))
    do_desk(replay, 1)
    desk.drain()
    recording.flush()
    assert counts(Metric.VISIBLE)["email", histogram.SUM] < 3_600_000


def test_every_end_of_an_attempt_to_send_is_counted(any_desk: Desk, travel: Travel) -> None:
    desk = any_desk
    # What is tried again after seconds comes late: on a slow machine it would be, before this ends.
    for number, result in enumerate(
        (Unknown(PROBLEM), None, Rejected(PROBLEM), NotSent(PROBLEM), Held(PROBLEM))
    ):
        contact = f"anna{number}"
        conversation = desk.customer_wrote(contact)
        desk.toy.script = [] if result is None else [result]
        desk.reply("hello", conversation, contact=contact)
        desk.drain()
    recording.flush()
    assert counts(Metric.SENDS) == {("email", outcome): 1 for outcome in Outcome}


def test_a_process_says_that_it_is_alive_and_that_it_ended(
    any_database: db.Database, tmp_path: Path, travel: Travel
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    (spool / "0000000000000000001.request").write_bytes(b"12345")
    send_limiter.use("redis://127.0.0.1:1/0")
    db.write(pretend.process, "another", Kind.WORKER)
    db.write(pretend.process, "web", Kind.WEB, senders=0)
    heart = Heartbeat(told(tmp_path, LOBBY_SPOOL_MB="3"), lambda: 7, lambda: Heard(False, clock.now()))
    heart._id, heart._kind, heart._started_at = "one", Kind.WORKER, clock.now()
    for _ in range(2):
        heart.beat()
        with db.read() as session:
            row = session.get_one(Process, "one")
        assert row.limits_away_since is not None
        assert (row.kind, row.generation, row.workers) == ("worker", 7, 4)
        assert (row.senders, row.counts_at, row.broker) == (8, "", "away")
        assert (row.spooled, row.spooled_bytes, row.spool_most) == (1, 4096, 3 * 1024**2)
        assert row.spooled_since is not None
        seen_at = row.seen_at
        travel(timedelta(seconds=20))
    assert seen_at - row.started_at >= timedelta(seconds=20)
    assert send_limiter.current()._counters.sharers == 2, "this one and the other that sends"
    send_limiter.use("memory://")
    recording.flush(heart._end)
    with db.read() as session:
        assert session.get(Process, "one") is None


def test_the_longest_wait_for_a_worker_is_noted(
    desk: Desk, door: Door, travel: Travel, tmp_path: Path
) -> None:
    door.receive(desk.account.id, "a")
    travel(timedelta(minutes=2))
    with db.read() as session:
        since = held_lanes.oldest_due(session, IN)
    assert since is not None
    assert clock.now() - since >= timedelta(minutes=2)
    heart = Heartbeat(told(tmp_path), lambda: 1, lambda: None)
    heart._id, heart._started_at = "one", clock.now()
    heart.beat()
    assert counts(Metric.WAITING)["", "in"] >= 120_000
    desk.drain()
    with db.read() as session:
        assert held_lanes.oldest_due(session, IN) is None


@given(st.lists(st.floats(0.5, 1_500_000), min_size=1, max_size=200), st.sampled_from([0.5, 0.99]))
def test_a_percentile_is_wrong_by_a_class_at_most(times: list[float], share: float) -> None:
    found = histogram.percentile(Counter(histogram.label(one) for one in times), share)
    exact = sorted(times)[math.ceil(share * len(times)) - 1]
    assert found is not None
    assert exact / 1.4143 <= max(found, 1) <= max(exact, 1) * 1.4143


def test_of_nothing_there_is_no_percentile() -> None:
    assert histogram.percentile({histogram.SUM: 12}, 0.5) is None
