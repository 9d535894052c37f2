"""The system clock moved back: nothing waits for the time that had been to come again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, config, db
from host.delivery.clock_moved_back import ClockWatch
from host.delivery.worker import _HeldLeases
from host.models.channels import ChannelAccount
from host.models.inbox import DeliveryState
from host.models.queue import CatchUp, EventState, InboundEvent, Lane, OutboxEntry
from host.process.serving import HostApplication
from host.queue import lanes, policy, send_limiter
from host.queue.account_rotation import AccountRotation
from host.sdk.channel import NotSent, ProviderProblem, SendLimit
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk
from tests.whole.rig import until

Travel = Callable[[timedelta], None]
HOUR = timedelta(hours=1)


def test_what_came_while_the_clock_was_ahead_is_applied_at_once(
    any_desk: Desk, door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    with clock.travel(HOUR):
        watch = ClockWatch()
        door.receive(any_desk.account.id, "a")
    any_desk.drain()
    assert {one.state for one in any_desk.events()} == {EventState.PENDING}
    watch.check()
    any_desk.drain()
    assert {one.state for one in any_desk.events()} == {EventState.APPLIED}
    assert "the clock was set back by 3600 s" in caplog.text


def test_what_is_tried_again_later_does_not_wait_for_the_old_time(any_desk: Desk, travel: Travel) -> None:
    any_desk.toy.script = [NotSent(ProviderProblem("", "busy", ""))]
    talk = any_desk.customer_wrote()
    with clock.travel(HOUR):
        watch = ClockWatch()
        message = any_desk.reply("hi", talk)
        any_desk.drain("out")
        db.write(_set_aside)
    assert any_desk.state(message) == DeliveryState.QUEUED
    watch.check()
    travel(policy.ECHO_PATIENCE)
    any_desk.drain()
    assert any_desk.state(message) == DeliveryState.SENT
    with db.read() as session:
        assert session.scalars(sa.select(ChannelAccount.blocked_until)).one() <= clock.now()


def test_a_failed_event_and_the_reading_of_the_past_do_not_wait_for_it_either(
    any_desk: Desk, door: Door, travel: Travel
) -> None:
    def put_off(session: Session) -> None:
        at = clock.now() + timedelta(minutes=5)
        session.execute(sa.update(InboundEvent).values(retry_at=at))
        session.add(CatchUp(account_id=any_desk.account.id, state="listing", started_at=at, next_at=at))

    door.receive(any_desk.account.id, "a")
    with clock.travel(HOUR):
        watch = ClockWatch()
        db.write(put_off)
    watch.check()
    travel(policy.ECHO_PATIENCE)
    any_desk.drain()
    assert {one.state for one in any_desk.events()} == {EventState.APPLIED}
    with db.read() as session:
        assert session.scalars(sa.select(CatchUp.next_at)).one() <= clock.now()


def _set_aside(session: Session) -> None:
    until = clock.now() + timedelta(minutes=5)
    session.execute(sa.update(ChannelAccount).values(blocked_until=until))
    session.execute(sa.update(OutboxEntry).values(next_at=until))


def test_the_lease_of_a_worker_that_died_before_ends_when_leases_end(
    any_database: db.Database, travel: Travel
) -> None:
    with clock.travel(HOUR):
        watch = ClockWatch()
        db.write(lanes.schedule, "in:1:a", "in", 1, clock.now())
        (lease,) = db.write(lanes.claim, "in", limit=1, rotation=AccountRotation())
    watch.check()
    assert db.write(lanes.claim, "in", limit=1, rotation=AccountRotation()) == []
    travel(policy.UNRENEWED_LEASE)
    (again,) = db.write(lanes.claim, "in", limit=1, rotation=AccountRotation())
    assert again.fence == lease.fence + 1


def test_whoever_holds_a_lease_from_before_prolongs_it_from_now(any_database: db.Database) -> None:
    held = _HeldLeases()
    with clock.travel(HOUR):
        db.write(lanes.schedule, "in:1:a", "in", 1, clock.now())
        leases = db.write(lanes.claim, "in", limit=1, rotation=AccountRotation())
    with held.holding(leases):
        assert held.aging() == leases
        db.write(lanes.renew, leases)
        assert held.aging() == []
    assert leases[0].until <= clock.now() + policy.LEASE


def test_a_write_that_was_under_way_is_seen_when_leases_are_over(
    any_database: db.Database, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with clock.travel(HOUR):
        watch, late = ClockWatch(), clock.now()
    watch.check()
    db.write(lanes.schedule, "in:1:a", "in", 1, late)
    watch.check()
    assert next_at() == late
    began = clock.monotonic()
    monkeypatch.setattr(clock, "monotonic", lambda: began + policy.UNRENEWED_LEASE.total_seconds())
    travel(policy.UNRENEWED_LEASE)
    watch.check()
    assert next_at() <= clock.now()


def next_at() -> datetime:
    with db.read() as session:
        found = session.scalars(sa.select(Lane.next_at)).one()
    assert found is not None
    return found


@pytest.mark.usefixtures("counting")
def test_limits_do_not_count_what_has_not_been_yet(any_database: db.Database) -> None:
    limit = SendLimit("an account", 1, 60, "")
    with clock.travel(HOUR):
        watch = ClockWatch()
        assert send_limiter.current().take_turn(1, [limit], "toy") is None
        assert send_limiter.current().check(1, [limit], "toy") is not None
    assert send_limiter.current().check(1, [limit], "toy") is not None
    watch.check()
    assert send_limiter.current().check(1, [limit], "toy") is None


def test_a_clock_that_is_kept_right_changes_nothing(any_desk: Desk, door: Door) -> None:
    watch = ClockWatch()
    door.receive(any_desk.account.id, "a")
    db.write(_later)
    with clock.travel(-timedelta(seconds=1)):
        watch.check()
    with clock.travel(HOUR):
        watch.check()
    with db.read() as session:
        assert session.scalars(sa.select(InboundEvent.retry_at)).one() is not None
        assert session.scalars(sa.select(Lane.next_at)).one() > clock.now() + policy.UNRENEWED_LEASE


def _later(session: Session) -> None:
    at = clock.now() + 10 * HOUR
    session.execute(sa.update(InboundEvent).values(retry_at=at))
    session.execute(sa.update(Lane).values(next_at=at))


def test_a_process_that_only_receives_notices_it_too(
    database: db.Database, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(policy, "SWEEP_SECONDS", 0.02)
    application = HostApplication(config.load({"LOBBY_DATA": str(data), "LOBBY_WORKERS": "0"}))
    try:
        with clock.travel(HOUR):
            application.start(web=False)
            db.write(lanes.schedule, "in:1:a", "in", 1, clock.now())
        until(lambda: "the clock was set back" in caplog.text, "it being noticed")
        until(lambda: next_at() <= clock.now(), "the lane being due")
    finally:
        application.close()
