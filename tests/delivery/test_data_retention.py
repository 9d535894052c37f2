"""How long contents of received events and the event log are kept, as an admin chose it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.core.errors import InvalidError
from host.delivery.housekeeping import Housekeeping
from host.events.models import DomainEvent
from host.events.reading import number_all
from host.models.queue import EventState, InboundEvent, InboundRequest
from host.models.users import AuditEntry
from host.queue import journal_erasure
from host.users import data_retention, desk_settings
from host.users.data_retention import DataRetention
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk, envelope
from tests.helpers import do_desk

Travel = Callable[[timedelta], None]


def choose(raw_days: int = 30, log_days: int = 400) -> None:
    do_desk(data_retention.save, raw_days, log_days)


def chosen() -> DataRetention:
    with db.read() as session:
        return data_retention.chosen(session)


def has_log_of(days: float) -> bool:
    """Return whether programs may still ask for what happened so many days ago."""
    with db.read() as session:
        return data_retention.log_reaches_back(session, (clock.now() - timedelta(days=days)).timestamp())


def kept_bodies(table: Any) -> list[bool]:
    with db.read() as session:
        return [body is not None for body in session.scalars(sa.select(table.body).order_by(table.id))]


def log_rows() -> int:
    with db.read() as session:
        query = sa.select(sa.func.count()).select_from(DomainEvent).where(DomainEvent.kind.is_not(None))
        return session.scalar(query) or 0


def test_a_shorter_time_deletes_older_contents_in_small_writes(
    any_desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.delivery.housekeeping.MOST", 3)
    for number in range(8):
        door.receive(any_desk.account.id, f"old{number}", contact=f"c{number}")
    any_desk.drain()
    travel(timedelta(days=6))
    door.receive(any_desk.account.id, "new")
    any_desk.drain()
    keeper = Housekeeping()
    keeper.clean_up()
    assert kept_bodies(InboundEvent) == kept_bodies(InboundRequest) == [True] * 9
    choose(raw_days=5)
    counts: list[int] = []

    def note(_connection: Any, cursor: Any, statement: str, *_rest: object) -> None:
        if statement.replace('"', "").startswith(("UPDATE inbound_events", "UPDATE inbound_requests")):
            counts.append(cursor.rowcount)

    engine = db.current().write_engine
    sa.event.listen(engine, "after_cursor_execute", note)
    keeper.clean_up()
    sa.event.remove(engine, "after_cursor_execute", note)
    assert kept_bodies(InboundEvent) == kept_bodies(InboundRequest) == [False] * 8 + [True]
    assert counts == [3, 3, 2] * 2


def test_a_longer_time_keeps_contents_and_never_keys_shorter_than_those(
    any_desk: Desk, door: Door, travel: Travel
) -> None:
    choose(raw_days=200)
    door.receive(any_desk.account.id, "old")
    any_desk.drain()
    keeper = Housekeeping()
    travel(timedelta(days=199))
    keeper.clean_up()
    assert kept_bodies(InboundEvent) == kept_bodies(InboundRequest) == [True]
    door.receive(any_desk.account.id, "old")
    any_desk.drain()
    assert len(any_desk.events()) == 1, "a redelivery is still recognised"
    travel(timedelta(days=2))
    keeper.clean_up()
    assert any_desk.events() == []


def test_keys_are_kept_ninety_days_however_short_contents_are(
    any_desk: Desk, door: Door, travel: Travel
) -> None:
    choose(raw_days=1)
    door.receive(any_desk.account.id, "a")
    any_desk.drain()
    travel(timedelta(days=89))
    Housekeeping().clean_up()
    assert kept_bodies(InboundEvent) == [False]
    door.receive(any_desk.account.id, "a")
    any_desk.drain()
    assert len(any_desk.events()) == 1
    travel(timedelta(days=2))
    Housekeeping().clean_up()
    assert any_desk.events() == []


def test_old_recorded_requests_are_not_applied_after_the_time_grew(
    desk: Desk, door: Door, travel: Travel
) -> None:
    """Their keys were deleted while less was kept, so they would look new."""
    recorded_at = clock.now()
    door.receive(desk.account.id, "a")
    desk.drain()
    travel(timedelta(days=91))
    Housekeeping().clean_up()
    assert desk.events() == []
    choose(raw_days=400)
    recorded = replace(envelope(desk.account.id, "a"), occurred_at=recorded_at)
    door.journal.ingest(
        source="/addons/toy/hook", channel="email", raw=recorded.body, remote="", envelopes=[recorded]
    )
    desk.drain()
    (event,) = desk.events()
    assert event.state == EventState.IGNORED
    assert desk.texts() == ["a"], "not twice"


def test_erased_contents_stay_erased_when_the_time_grows(any_desk: Desk, door: Door, travel: Travel) -> None:
    door.receive(any_desk.account.id, "secret")
    any_desk.drain()
    choose(raw_days=400)
    travel(timedelta(days=120))
    Housekeeping().clean_up()
    (event,) = any_desk.events()
    db.write(journal_erasure.forget_lanes, {event.lane})
    assert kept_bodies(InboundEvent) == kept_bodies(InboundRequest) == [False]
    choose(raw_days=30)
    choose(raw_days=400)
    Housekeeping().clean_up()
    assert kept_bodies(InboundEvent) == kept_bodies(InboundRequest) == [False]


def test_the_event_log_is_kept_as_long_as_chosen(any_desk: Desk, travel: Travel) -> None:
    any_desk.customer_wrote()
    number_all()
    before = log_rows()
    assert before
    travel(timedelta(days=100))
    Housekeeping().clean_up()
    assert log_rows() == before
    choose(log_days=101)
    Housekeeping().clean_up()
    assert log_rows() == before
    choose(log_days=99)
    Housekeeping().clean_up()
    assert log_rows() == 0


def test_a_longer_log_does_not_promise_what_was_deleted(any_database: db.Database, travel: Travel) -> None:
    assert (has_log_of(399.9), has_log_of(400.1)) == (True, False)
    choose(log_days=90)
    assert (has_log_of(89.9), has_log_of(90.1)) == (True, False)
    choose(log_days=1000)
    assert (has_log_of(89.9), has_log_of(90.1)) == (True, False)
    travel(timedelta(days=200))
    assert (has_log_of(289.9), has_log_of(290.1)) == (True, False)
    choose(log_days=2000)
    assert (has_log_of(289.9), has_log_of(290.1)) == (True, False), "the first change still counts"


@pytest.mark.parametrize("text", ["", "0", "-1", "401", "9" * 5000, "ten", "1.5", "٣٠", "1e2", "30 days"])
def test_a_bad_number_is_refused(text: str) -> None:
    with pytest.raises(InvalidError, match="1 to 400 days"):
        data_retention.checked_raw(text)
    if text != "401":
        with pytest.raises(InvalidError, match="90 to 3650 days"):
            data_retention.checked_log(text)


def test_bounds_are_allowed_and_no_more() -> None:
    assert [data_retention.checked_raw(text) for text in ("1", " 400 ")] == [1, 400]
    assert [data_retention.checked_log(text) for text in ("90", "3650")] == [90, 3650]
    for text in ("89", "3651"):
        with pytest.raises(InvalidError):
            data_retention.checked_log(text)


def test_what_changed_is_recorded_once(any_database: db.Database) -> None:
    choose()
    choose(raw_days=7)
    choose(raw_days=7)
    choose(raw_days=7, log_days=500)
    with db.read() as session:
        changes = session.scalars(sa.select(AuditEntry.details).order_by(AuditEntry.id)).all()
    assert changes == [{"raw_days": {"from": 30, "to": 7}}, {"log_days": {"from": 400, "to": 500}}]
    found = chosen()
    assert (found.raw_days, found.log_days, found.keys) == (7, 500, timedelta(days=90))
    with pytest.raises(desk_settings.SettingsMovedError):
        do_desk(data_retention.save, 30, 400, version=0)
    assert chosen() == found
