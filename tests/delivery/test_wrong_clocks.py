"""Leases go by the database's clock: a process whose own is wrong stops nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery import held_lanes
from host.events import consuming
from host.events.models import Consumer
from host.health.heartbeat import Heartbeat
from host.models.health import Kind, Process
from host.models.inbox import DeliveryState
from host.queue import lanes, policy
from host.queue.account_rotation import AccountRotation
from host.queue.wakeups import OUT
from tests.delivery.desk import Desk
from tests.health.test_recording import told

Travel = Callable[[timedelta], None]
WRONG = [timedelta(minutes=10), timedelta(hours=-1)]


@pytest.fixture
def server_desk(any_desk: Desk) -> Desk:
    if db.current().is_sqlite:
        pytest.skip("one machine, one clock")
    return any_desk


class WrongClock:
    """Sets the clock of this process, as if it were one on another machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def set(self, by: timedelta) -> None:
        self._patch.setattr(clock, "now", lambda: datetime.now(UTC) + clock.offset() + by)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> WrongClock:
    return WrongClock(monkeypatch)


def test_the_database_is_asked_and_tests_move_its_time_too(any_database: db.Database) -> None:
    with db.read() as session:
        session.execute(sa.select(1))
    assert abs(db.clock_ahead()) < timedelta(seconds=2)
    before = db.now()
    with clock.travel(timedelta(hours=3)):
        assert timedelta(hours=3) <= db.now() - before < timedelta(hours=3, seconds=5)
    assert db.now() - before < timedelta(seconds=5)


@pytest.mark.parametrize("wrong", WRONG)
def test_on_sqlite_the_clock_of_the_machine_counts(
    database: db.Database, machine: WrongClock, wrong: timedelta
) -> None:
    with db.read() as session:
        session.execute(sa.select(1))
    machine.set(wrong)
    assert abs(db.now() - clock.now()) < timedelta(seconds=5)
    assert db.clock_ahead() == timedelta()


@pytest.mark.parametrize("wrong", WRONG)
def test_a_reply_held_by_a_dead_worker_waits_for_the_length_of_a_lease(
    server_desk: Desk, machine: WrongClock, travel: Travel, wrong: timedelta
) -> None:
    message = server_desk.reply("hi", server_desk.customer_wrote())
    machine.set(wrong)
    assert db.write(lanes.claim, OUT, limit=1, rotation=AccountRotation()), "it claims what is due"
    machine.set(timedelta())
    server_desk.drain()
    assert server_desk.state(message) == DeliveryState.QUEUED, "the lease holds, whatever its clock says"
    travel(policy.LEASE + timedelta(seconds=1))
    server_desk.drain()
    assert server_desk.state(message) == DeliveryState.SENT


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_process_with_a_wrong_clock_writes_is_sent_at_once_by_another(
    server_desk: Desk, machine: WrongClock, wrong: timedelta
) -> None:
    talk = server_desk.customer_wrote()
    machine.set(wrong)
    message = server_desk.reply("hi", talk)
    machine.set(timedelta())
    (lane,) = [lane for lane in server_desk.lanes() if lane.direction == OUT]
    assert lane.next_at is not None
    assert abs(lane.next_at - clock.now()) < timedelta(seconds=5)
    server_desk.drain()
    assert server_desk.state(message) == DeliveryState.SENT


@pytest.mark.parametrize("wrong", WRONG)
def test_a_reply_counts_as_waiting_once_it_has_been_due_for_a_while(
    server_desk: Desk, machine: WrongClock, travel: Travel, wrong: timedelta
) -> None:
    message = server_desk.reply("hi", server_desk.customer_wrote())
    machine.set(wrong)

    def waiting_now() -> list[int]:
        with db.read() as session:
            return [row.message_id for row in session.execute(held_lanes._heads(server_desk.account.id))]

    assert waiting_now() == []
    travel(policy.WAIT_SHOWN + timedelta(seconds=1))
    assert waiting_now() == [message]


@pytest.mark.parametrize("wrong", WRONG)
def test_a_reader_of_events_held_by_a_dead_process_is_taken_over_when_its_lease_ends(
    server_desk: Desk, machine: WrongClock, travel: Travel, wrong: timedelta
) -> None:
    with db.read() as session:
        names = session.scalars(sa.select(Consumer.name)).all()
    name = names[0] if names else "one"
    if not names:
        db.write(consuming.reading.make_row, name, consuming.BEGINNING)
    machine.set(wrong)
    assert db.write(consuming._take, name, "dead") is not None
    machine.set(timedelta())
    assert db.write(consuming._take, name, "living") is None
    travel(consuming.LEASE + timedelta(seconds=1))
    assert db.write(consuming._take, name, "living") is not None


@pytest.mark.parametrize("wrong", WRONG)
def test_a_process_says_how_far_its_clock_is_off(
    server_desk: Desk, machine: WrongClock, tmp_path_factory: pytest.TempPathFactory, wrong: timedelta
) -> None:
    machine.set(wrong)
    heart = Heartbeat(told(tmp_path_factory.mktemp("data")), lambda: 1, lambda: None)
    heart._id, heart._kind, heart._started_at = "one", Kind.WORKER, db.now()
    heart.beat()
    with db.read() as session:
        row = session.get_one(Process, "one")
    assert row.clock_ahead_ms == pytest.approx(wrong.total_seconds() * 1000, abs=2000)
    machine.set(timedelta())
    assert abs(row.seen_at - clock.now()) < timedelta(seconds=5), "nor does it seem alive for longer"
