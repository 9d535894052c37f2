"""One queue for one person, whichever of their ids an event names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery import inbound
from host.models.inbox import Contact
from host.models.queue import InboundEvent, JoinedLane, Lane
from host.queue import lanes
from host.queue.account_rotation import AccountRotation
from host.queue.data import remove_workspace
from host.queue.lanes import Lease, lane_key
from host.queue.order import joined_lanes
from host.queue.order.joined_lanes import OnePerson
from host.queue.wakeups import IN
from tests.delivery.conftest import Door, Travel
from tests.delivery.desk import Desk
from tests.delivery.test_worker import until

BOTH = ["491", "U1"]


@pytest.fixture
def receive(any_desk: Desk, door: Door) -> Callable[..., None]:
    """Receive a message of the customer with the number 491 and the lasting id U1."""

    def put(mid: str, contact: str, **more: object) -> None:
        door.receive(any_desk.account.id, mid, contact=contact, **more)

    return put


def lease(desk: Desk, contact: str) -> Lease:
    """Lease the lane of *contact*, as a worker does that applies its events elsewhere."""
    found = db.write(lanes.claim_one, lane_of(desk, contact))
    assert found is not None
    return found


def lane_of(desk: Desk, contact: str) -> str:
    return lane_key(IN, desk.account.id, contact)


def release(held: Lease) -> None:
    db.write(lanes.release, [(held, clock.now())])


def applied(desk: Desk, *texts: str) -> None:
    """Check that *texts* are applied, in this order."""

    def are_all_here() -> bool:
        desk.drain()  # a lane that is just being woken is looked at again
        return len(desk.texts()) >= len(texts)

    until(are_all_here)
    assert desk.texts() == list(texts)


def contacts() -> int:
    with db.read() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(Contact)).one()


@pytest.mark.parametrize("first", ["491", "U1"])
def test_older_events_by_another_id_come_first_when_the_ids_are_learned(
    any_desk: Desk, receive: Callable[..., None], first: str
) -> None:
    other = "U1" if first == "491" else "491"
    receive("1", first)
    receive("2", other, ids=BOTH)
    receive("3", first)
    receive("4", other)
    applied(any_desk, "1", "2", "3", "4")
    assert contacts() == 1
    assert {lane.next_at for lane in any_desk.lanes()} == {None}


def test_whichever_id_comes_next_it_waits_for_its_turn(any_desk: Desk, receive: Callable[..., None]) -> None:
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    expected = ["0"]
    for number in range(1, 30):
        receive(str(number), BOTH[number * 7 % 5 % 2])
        expected.append(str(number))
        if number % 4 == 0:
            any_desk.drain()
    applied(any_desk, *expected)


def test_one_queue_waits_for_an_event_that_is_tried_again(
    any_desk: Desk, receive: Callable[..., None], travel: Travel
) -> None:
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    any_desk.toy.broken["1"] = RuntimeError("not now")
    receive("1", "491")
    any_desk.drain()
    receive("2", "U1")
    any_desk.drain()
    assert any_desk.texts() == ["0"]
    any_desk.toy.broken.clear()
    any_desk.later(travel, timedelta(minutes=2))
    assert any_desk.texts() == ["0", "1", "2"]


def test_a_worker_that_applies_older_events_meanwhile_is_waited_for(
    any_desk: Desk, receive: Callable[..., None], travel: Travel
) -> None:
    if db.current().is_sqlite:
        pytest.skip("one thread applies events there")
    receive("1", "491")
    held = lease(any_desk, "491")
    receive("2", "U1", ids=BOTH)
    any_desk.drain()
    assert any_desk.texts() == []
    release(held)
    travel(timedelta(seconds=1))
    applied(any_desk, "1", "2")


def test_a_worker_that_comes_back_late_writes_nothing(
    any_desk: Desk, receive: Callable[..., None], travel: Travel
) -> None:
    if db.current().is_sqlite:
        pytest.skip("one thread applies events there")
    receive("1", "491")
    held = lease(any_desk, "491")
    travel(timedelta(minutes=5))
    receive("2", "U1", ids=BOTH)
    applied(any_desk, "1", "2")
    assert db.write(lanes.held, [held]) == set()


def test_a_locked_lane_is_not_waited_for(any_desk: Desk, receive: Callable[..., None]) -> None:
    """Another worker that claims it right now may wait for a lock of this one."""
    if db.current().is_sqlite:
        pytest.skip("one writer")
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    receive("1", "491")
    receive("2", "U1")
    main, other = sorted(lane_of(any_desk, one) for one in BOTH)
    with db.current().write_engine.begin() as connection:
        connection.execute(sa.select(Lane.key).where(Lane.key == other).with_for_update())
        assert db.write(lanes.claim, IN, limit=9, rotation=AccountRotation()) == []
    assert main in {lane.key for lane in any_desk.lanes() if lane.next_at is not None}


def test_a_main_lane_is_leased_once(any_desk: Desk, receive: Callable[..., None]) -> None:
    """Another lane of the same person is due, too, and nothing waits in it."""
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    main, other = sorted(lane_of(any_desk, one) for one in BOTH)
    db.write(lanes.schedule_all, IN, {main: any_desk.account.id, other: any_desk.account.id}, clock.now())
    found = (
        lanes.claim_locally(IN, limit=9, rotation=AccountRotation())
        if db.current().is_sqlite
        else db.write(lanes.claim, IN, limit=9, rotation=AccountRotation())
    )
    lanes.forget_local(found)
    assert [one.key for one in found] == [main]


def test_what_was_moved_is_applied_after_a_crash(
    any_desk: Desk, receive: Callable[..., None], travel: Travel
) -> None:
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    receive("1", max(BOTH, key=lambda one: lane_of(any_desk, one)))
    if db.current().is_sqlite:
        found = lanes.claim_locally(IN, limit=9, rotation=AccountRotation())
        lanes.forget_local(found)
    else:
        found = db.write(lanes.claim, IN, limit=9, rotation=AccountRotation())
        travel(timedelta(minutes=5))
    assert [one.key for one in found] == [min(lane_of(any_desk, one) for one in BOTH)]
    applied(any_desk, "0", "1")


def test_what_comes_between_the_claim_and_the_reading_is_applied_in_order(
    any_desk: Desk, receive: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    main, other = sorted(BOTH, key=lambda one: lane_of(any_desk, one))
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    read, arrivals = inbound.read_pending, ["2", "3"]

    def reading(*what: Any) -> object:
        for mid, contact in zip(arrivals, (other, main), strict=False):
            receive(mid, contact)
        arrivals.clear()
        return read(*what)

    monkeypatch.setattr(inbound, "read_pending", reading)
    receive("1", main)
    applied(any_desk, "0", "1", "2", "3")


def test_what_is_joined_between_the_claim_and_the_reading_is_applied_in_order(
    any_desk: Desk, receive: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    main, other = sorted(BOTH, key=lambda one: lane_of(any_desk, one))
    read, arrivals = inbound.read_pending, [main]

    def reading(*what: Any) -> object:
        for contact in arrivals:
            receive("2", contact)
            lanes_of_both = frozenset(lane_of(any_desk, one) for one in BOTH)
            db.write(joined_lanes.join, [OnePerson(any_desk.account.id, lanes_of_both)])
        arrivals.clear()
        return read(*what)

    monkeypatch.setattr(inbound, "read_pending", reading)
    receive("1", other)
    until(lambda: any_desk.drain() == 0)
    with db.read() as session:
        newest = session.scalars(sa.select(InboundEvent).order_by(InboundEvent.id)).all()
    assert [event.lane for event in newest] == [lane_of(any_desk, main)] * 2


def test_two_people_who_turn_out_to_be_one_have_one_queue(
    any_desk: Desk, receive: Callable[..., None]
) -> None:
    receive("1", "U1")
    receive("2", "491")
    any_desk.drain()
    assert contacts() == 2
    receive("3", "U1", ids=BOTH)
    any_desk.drain()
    for number in range(4, 12):
        receive(str(number), BOTH[number % 2])
    applied(any_desk, *(str(number) for number in range(1, 12)))
    with db.read() as session:
        (row,) = session.scalars(sa.select(JoinedLane))
    assert row.main < row.lane


def test_everything_of_a_customer_is_found_by_each_of_their_ids(
    any_desk: Desk, receive: Callable[..., None]
) -> None:
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    receive("1", "491")
    any_desk.drain()
    keys = [lane_of(any_desk, one) for one in BOTH]
    with db.read() as session:
        for key in keys:
            assert joined_lanes.mains(session, [key]) == sorted({key, min(keys)})
        moved = session.scalars(sa.select(InboundEvent.lane).where(InboundEvent.state == "applied"))
        assert min(keys) in set(moved)


def test_a_removed_workspace_leaves_no_joined_lane(any_desk: Desk, receive: Callable[..., None]) -> None:
    receive("0", "U1", ids=BOTH)
    any_desk.drain()
    while db.write(remove_workspace, accounts=[any_desk.account.id], most=10):
        pass
    with db.read() as session:
        assert session.scalars(sa.select(JoinedLane)).all() == []


def test_a_customer_with_one_id_costs_no_statement(any_desk: Desk, receive: Callable[..., None]) -> None:
    receive("0", "U1", ids=["U1"])
    any_desk.drain()
    with db.read() as session:
        assert session.scalars(sa.select(JoinedLane)).all() == []
