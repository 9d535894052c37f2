"""The threads: they wake at once, keep receiving while sending is slow, and stop cleanly."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.worker import Workers, _HeldLeases
from host.features import registry
from host.models.inbox import DeliveryState
from host.models.queue import EventState, Lane
from host.queue import lanes, policy, wakeups
from host.queue.lanes import Lease
from host.sdk.channel import SendRequest, SendResult, Sent
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk


def until(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = clock.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert clock.monotonic() < deadline, "it did not happen in time"
        pause.wait(0.005)


@pytest.fixture
def start(desk: Desk) -> Iterator[Callable[[int], Workers]]:
    running: list[Workers] = []

    def start(count: int) -> Workers:
        workers = Workers(lambda: desk.generation, count, count)
        workers.start()
        running.append(workers)
        return workers

    yield start
    for workers in running:
        workers.stop()


@pytest.fixture
def left_over() -> Callable[[], list[threading.Thread]]:
    """Return the delivery threads that this test started and that still run."""
    before = set(threading.enumerate())
    return lambda: [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("delivery") and thread not in before
    ]


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing happen but by a wake-up."""
    monkeypatch.setattr(policy, "SWEEP_SECONDS", 3600)


@pytest.mark.usefixtures("no_sweep")
@pytest.mark.parametrize("count", [1, 2, 4])
def test_a_wake_up_is_enough(desk: Desk, door: Door, start: Callable[[int], Workers], count: int) -> None:
    talk = desk.customer_wrote()
    start(count)
    message = desk.reply("hi", talk)
    until(lambda: desk.state(message) == DeliveryState.SENT)
    door.receive(desk.account.id, "a")
    wakeups.wake(wakeups.IN)
    until(lambda: desk.event_states() == [EventState.APPLIED])


def test_a_lost_wake_up_costs_a_sweep(
    desk: Desk, door: Door, start: Callable[[int], Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SWEEP_SECONDS", 0.05)
    start(2)
    door.receive(desk.account.id, "a")
    until(lambda: desk.event_states() == [EventState.APPLIED])


@pytest.mark.parametrize("count", [2, 4])
def test_slow_providers_do_not_delay_what_is_received(
    desk: Desk, door: Door, start: Callable[[int], Workers], count: int
) -> None:
    gate = threading.Event()

    def slow(_request: SendRequest) -> SendResult:
        assert gate.wait(90)
        return Sent(f"m{threading.get_ident()}{clock.monotonic()}")

    contacts = [f"c{number}" for number in range(count + 2)]
    talks = {contact: desk.customer_wrote(contact) for contact in contacts}
    desk.toy.script = [slow] * len(contacts)
    start(count)
    messages = [desk.reply("hi", talk, contact=contact) for contact, talk in talks.items()]
    sending = count - count // 4  # the others are kept for other accounts
    until(lambda: len(desk.toy.sent) == sending)
    door.receive(desk.account.id, "while they wait")
    wakeups.wake(wakeups.IN)
    until(lambda: "while they wait" in desk.texts())
    assert len(desk.toy.sent) == sending
    gate.set()
    until(lambda: set(desk.states(*messages)) == {DeliveryState.SENT})


def test_a_process_may_leave_sending_to_others(
    desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SWEEP_SECONDS", 0.05)
    talk = desk.customer_wrote()
    message = desk.reply("hi", talk)
    workers = Workers(lambda: desk.generation, 2, 0)
    workers.start()
    door.receive(desk.account.id, "a")
    until(lambda: "a" in desk.texts())
    workers.stop()
    assert desk.state(message) == DeliveryState.QUEUED
    assert workers.directions == (wakeups.IN,)


@pytest.mark.usefixtures("no_sweep")
def test_one_wake_up_is_enough_for_everything_due(desk: Desk, start: Callable[[int], Workers]) -> None:
    """Whoever finds much wakes the next: six at once are waited for, and one is woken."""
    together = threading.Barrier(6)

    def slow(_request: SendRequest) -> SendResult:
        together.wait(30)
        return Sent(uuid.uuid4().hex)

    desk.toy.script = [slow] * 6
    talks = {f"c{number}": desk.customer_wrote(f"c{number}") for number in range(6)}
    messages = [desk.reply("hi", talk, contact=contact) for contact, talk in talks.items()]
    start(8)
    wakeups.wake(wakeups.OUT)
    until(lambda: set(desk.states(*messages)) == {DeliveryState.SENT}, seconds=60)


def test_a_lease_is_prolonged_while_a_provider_is_slow(
    desk: Desk, start: Callable[[int], Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "LEASE", timedelta(seconds=2))
    monkeypatch.setattr(policy, "RENEW_AFTER", timedelta(seconds=0.3))
    monkeypatch.setattr(policy, "RENEW_SECONDS", 0.05)
    monkeypatch.setattr(policy, "SWEEP_SECONDS", 0.05)
    gate = threading.Event()

    def slow(_request: SendRequest) -> SendResult:
        assert gate.wait(90)
        return Sent("m1")

    talk = desk.customer_wrote()
    desk.toy.script = [slow]
    start(3)
    message = desk.reply("hi", talk)
    until(lambda: len(desk.toy.sent) == 1)
    began = clock.monotonic()
    until(lambda: clock.monotonic() - began > 2.8)
    assert desk.state(message) == DeliveryState.SENDING
    gate.set()
    until(lambda: desk.state(message) == DeliveryState.SENT)
    assert len(desk.toy.sent) == 1


def test_stopping_finishes_what_is_under_way(
    desk: Desk, start: Callable[[int], Workers], left_over: Callable[[], list[threading.Thread]]
) -> None:
    gate = threading.Event()

    def slow(_request: SendRequest) -> SendResult:
        assert gate.wait(90)
        return Sent("m1")

    talk = desk.customer_wrote()
    desk.toy.script = [slow]
    workers = start(2)
    message = desk.reply("hi", talk)
    until(lambda: len(desk.toy.sent) == 1)
    stopping = threading.Thread(target=workers.stop)
    stopping.start()
    gate.set()
    stopping.join(60)
    assert not stopping.is_alive()
    assert desk.state(message) == DeliveryState.SENT
    later = desk.reply("later", talk)
    assert desk.state(later) == DeliveryState.QUEUED
    assert left_over() == []


@pytest.mark.usefixtures("no_sweep")
def test_who_stops_gives_the_rest_of_the_lane_back(desk: Desk, start: Callable[[int], Workers]) -> None:
    gate = threading.Event()

    def slow(_request: SendRequest) -> SendResult:
        assert gate.wait(90)
        return Sent("m1")

    talk = desk.customer_wrote()
    desk.toy.script = [slow]
    workers = start(1)
    messages = [desk.reply(text, talk) for text in ("one", "two", "three")]
    wakeups.wake(wakeups.OUT)
    until(lambda: len(desk.toy.sent) == 1)
    workers.retire()
    gate.set()
    workers.stop()
    assert desk.states(*messages) == [DeliveryState.SENT, DeliveryState.QUEUED, DeliveryState.QUEUED]
    with db.read() as session:
        lane = session.scalars(sa.select(Lane).where(Lane.direction == wakeups.OUT)).one()
    assert lane.lease_until is None
    assert lane.next_at is not None
    assert lane.next_at <= clock.now()


def test_a_lease_is_prolonged_while_a_process_waits_to_end(
    desk: Desk,
    start: Callable[[int], Workers],
    left_over: Callable[[], list[threading.Thread]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(policy, "RENEW_AFTER", timedelta(0))
    monkeypatch.setattr(policy, "RENEW_SECONDS", 0.02)
    gate = threading.Event()

    def slow(_request: SendRequest) -> SendResult:
        assert gate.wait(90)
        return Sent("m1")

    def leased() -> datetime | None:
        with db.read() as session:
            return session.scalars(sa.select(Lane.lease_until).where(Lane.direction == wakeups.OUT)).one()

    talk = desk.customer_wrote()
    desk.toy.script = [slow]
    workers = start(1)
    desk.reply("hi", talk)
    until(lambda: len(desk.toy.sent) == 1)
    workers.stop(timeout=0.1)
    before = leased()
    assert before is not None
    until(lambda: (now := leased()) is not None and now > before)
    gate.set()
    workers.stop()
    assert leased() is None
    assert left_over() == []


def test_a_chore_with_much_to_do_ends_between_two_pieces(
    desk: Desk,
    start: Callable[[int], Workers],
    left_over: Callable[[], list[threading.Thread]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = []

    def endless(_directory: object) -> bool:
        done.append(1)
        return True

    monkeypatch.setattr(registry, "jobs", lambda: [("endless", endless, 600.0)])
    workers = start(1)
    until(lambda: len(done) > 2)
    workers.stop(timeout=60)
    assert left_over() == []


@pytest.mark.parametrize("direction", [wakeups.IN, wakeups.OUT])
def test_receiving_gives_way_after_work_during_which_more_came(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    workers = Workers(lambda: desk.generation, 1, 1)
    pieces, gave_way = iter(["quiet", "more came", "quiet", ""]), []

    def once(_direction: str) -> bool:
        piece = next(pieces)
        if piece == "more came":
            workers.wake(direction)
        if not piece:
            workers.retire()
        return bool(piece)

    monkeypatch.setattr(workers, "_once", once)
    monkeypatch.setattr(workers, "_give_way", gave_way.append)
    workers.wake(direction)
    workers._serve(direction)
    assert len(gave_way) == (direction == wakeups.IN)


def test_a_lease_that_was_given_back_is_not_prolonged() -> None:
    held = _HeldLeases()
    lease = Lease("in:1:", wakeups.IN, 1, 1, "w", clock.now())
    with held.holding([lease]):
        assert held.aging() == [lease]
    assert held.aging() == []


def test_an_error_in_one_lane_stops_no_thread(
    desk: Desk, door: Door, start: Callable[[int], Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.delivery.worker.PAUSE_AFTER_ERROR_SECONDS", 0.01)
    monkeypatch.setattr(policy, "SWEEP_SECONDS", 0.05)
    times = [1]

    def failing() -> object:
        if threading.current_thread().name == "delivery-in-0" and times.pop() if times else False:
            raise RuntimeError("boom")
        return desk.generation

    workers = Workers(failing, 1, 1)  # type: ignore[arg-type]
    workers.start()
    door.receive(desk.account.id, "a")
    door.receive(desk.account.id, "b", contact="bert")
    until(lambda: times == [])
    db.write(lanes.void_leases)
    until(lambda: len(desk.texts()) == 2)
    workers.stop()


def test_parked_events_are_applied_when_the_generation_changes(
    desk: Desk, door: Door, start: Callable[[int], Workers], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "SWEEP_SECONDS", 0.05)
    desk.generation.directory.adapters.clear()
    door.receive(desk.account.id, "a")
    desk.drain()
    start(2)
    desk.generation.directory.adapters["email"] = desk.toy
    assert desk.event_states() == [EventState.PENDING]
    desk.generation.number += 1
    until(lambda: desk.event_states() == [EventState.APPLIED])


def test_what_the_dead_left_behind_at_start_is_taken_up(desk: Desk, start: Callable[[int], Workers]) -> None:
    talk = desk.customer_wrote()

    class DiedError(BaseException):
        pass

    def die(_request: SendRequest) -> SendResult:
        raise DiedError

    desk.toy.script = [die]
    message = desk.reply("hi", talk)
    with pytest.raises(DiedError):
        desk.drain()
    assert desk.state(message) == DeliveryState.SENDING
    start(2)
    until(lambda: desk.state(message) == DeliveryState.UNKNOWN)
    assert len(desk.toy.sent) == 1


def test_what_was_borrowed_is_given_back_where_claiming_the_other_direction_fails(
    desk: Desk, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = lanes.claim

    def fail(*_args: object, **_more: object) -> list[lanes.Lease]:
        raise RuntimeError("the database went away between the two")

    desk.reply("hi", desk.customer_wrote())
    door.receive(desk.account.id, "a")
    monkeypatch.setattr(lanes, "claim", fail)
    with pytest.raises(RuntimeError, match="between the two"):
        desk.drain()
    door.receive(desk.account.id, "b")
    monkeypatch.setattr(lanes, "claim", claim)
    desk.drain()
    assert {"a", "b"} <= set(desk.texts())
