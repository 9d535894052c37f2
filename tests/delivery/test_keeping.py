"""What is counted, and what is kept for a limited time only."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery.housekeeping import Housekeeping
from host.events.models import DomainEvent
from host.events.reading import number_all
from host.events.writing import show
from host.models.queue import EventState, InboundEvent, InboundRequest
from host.models.users import AuditEntry
from host.queue import policy, refusals
from host.queue.refusals import count_refusal, read_counts
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk

Travel = Callable[[timedelta], None]


@pytest.fixture(autouse=True)
def _only_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "REFUSALS_FLUSH_SECONDS", 3600)


def counts(**more: object) -> list[tuple[str, int | None, str, int, str]]:
    with db.read() as session:
        found = read_counts(session, **more)  # type: ignore[arg-type]
    return [(one.channel, one.account_id, one.reason, one.count, one.last_remote) for one in found]


def audited() -> int:
    with db.read() as session:
        query = sa.select(sa.func.count()).where(AuditEntry.action == "webhook.refused")
        return session.scalar(query) or 0


def test_refused_requests_are_counted_and_added_up(any_database: db.Database) -> None:
    for _ in range(3):
        count_refusal("toy", 7, "signature", "192.0.2.1")
    count_refusal("toy", None, "verify_token", "192.0.2.2")
    refusals.flush()
    count_refusal("toy", 7, "signature", "192.0.2.9")
    refusals.flush()
    assert sorted(counts(), key=str) == [
        ("toy", 7, "signature", 4, "192.0.2.9"),
        ("toy", None, "verify_token", 1, "192.0.2.2"),
    ]
    assert counts(channel="toy", account_id=7) == [("toy", 7, "signature", 4, "192.0.2.9")]
    assert counts(channel="other") == []


def test_one_audit_line_an_hour_for_each_address(database: db.Database, travel: Travel) -> None:
    for _ in range(5):
        count_refusal("toy", None, "signature", "192.0.2.1")
    refusals.flush()
    assert audited() == 1
    travel(timedelta(minutes=61))
    count_refusal("toy", None, "signature", "192.0.2.1")
    refusals.flush()
    assert audited() == 2


def test_a_flood_from_many_addresses_fills_no_audit_journal(database: db.Database, travel: Travel) -> None:
    for number in range(policy.REFUSALS_AUDIT_MOST + 300):
        count_refusal("toy", None, "signature", f"2001:db8::{number:x}")
    refusals.flush()
    assert audited() == policy.REFUSALS_AUDIT_MOST
    assert counts()[0][3] == policy.REFUSALS_AUDIT_MOST + 300
    travel(timedelta(minutes=61))
    count_refusal("toy", None, "signature", "192.0.2.1")
    refusals.flush()
    assert audited() == policy.REFUSALS_AUDIT_MOST + 1


def test_counts_survive_a_database_that_is_away(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("INSERT", {}, Exception("gone"))

    count_refusal("toy", None, "signature", "192.0.2.1")
    monkeypatch.setattr(db, "write", away)
    with pytest.raises(sa.exc.OperationalError):
        refusals.flush()
    count_refusal("toy", None, "signature", "192.0.2.1")
    monkeypatch.undo()
    refusals.flush()
    assert counts()[0][3] == 2
    assert audited() == 1


def test_it_reaches_the_database_without_any_worker(
    database: db.Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr(policy, "REFUSALS_FLUSH_SECONDS", 0.01)
    count_refusal("toy", None, "signature", "192.0.2.1")
    deadline = clock.monotonic() + 60
    while not counts():
        assert clock.monotonic() < deadline
        threading.Event().wait(0.01)


def test_hostile_text_is_counted_too(any_database: db.Database) -> None:
    count_refusal("toy", None, "x\0\ud800" * 40, "\0" * 200)
    refusals.flush()
    assert counts()[0][3] == 1


def bodies() -> tuple[list[bytes | None], list[bytes | None]]:
    with db.read() as session:
        return (
            list(session.scalars(sa.select(InboundRequest.body).order_by(InboundRequest.id))),
            list(session.scalars(sa.select(InboundEvent.body).order_by(InboundEvent.id))),
        )


def test_bodies_are_kept_a_month_and_keys_three(any_desk: Desk, door: Door, travel: Travel) -> None:
    keeper = Housekeeping()
    door.receive(any_desk.account.id, "old")
    any_desk.drain()
    travel(timedelta(days=29))
    door.receive(any_desk.account.id, "newer")
    any_desk.drain()
    keeper.clean_up()
    assert None not in (*bodies()[0], *bodies()[1])
    travel(timedelta(days=2))
    keeper.clean_up()
    requests, events = bodies()
    assert [body is None for body in requests] == [body is None for body in events] == [True, False]
    door.receive(any_desk.account.id, "old")
    assert len(any_desk.events()) == 2, "a redelivery is still recognised"
    travel(timedelta(days=60))
    keeper.clean_up()
    requests, events = bodies()
    assert len(events) == 1
    assert all(body is None for body in events)


def test_an_event_that_still_waits_keeps_its_body(desk: Desk, door: Door, travel: Travel) -> None:
    desk.generation.directory.adapters.clear()
    door.receive(desk.account.id, "patient")
    travel(timedelta(days=100))
    Housekeeping().clean_up()
    assert bodies()[1] != [None]
    desk.generation.directory.adapters["email"] = desk.toy
    desk.drain()
    assert desk.texts() == ["patient"]


def test_much_to_remove_is_removed_in_small_writes(
    any_desk: Desk, door: Door, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.delivery.housekeeping.MOST", 7)
    for number in range(30):
        door.receive(any_desk.account.id, f"m{number}", contact=f"c{number}")
    any_desk.drain()
    for _ in range(30):
        db.write(show, 1, "account", account_id=1)
    number_all()
    keeper = Housekeeping()
    changed: list[tuple[str, int]] = []

    def note(_connection: Any, cursor: Any, statement: str, *_rest: object) -> None:
        verb, *words = statement.replace('"', "").split()
        if verb in {"UPDATE", "DELETE"} and cursor.rowcount:
            changed.append((f"{verb} {words[verb == 'DELETE']}", cursor.rowcount))

    engine = db.current().write_engine
    sa.event.listen(engine, "after_cursor_execute", note)
    travel(timedelta(days=31))
    keeper.clean_up()
    assert bodies() == ([None] * 30, [None] * 30)
    travel(timedelta(days=60))
    keeper.clean_up()
    sa.event.remove(engine, "after_cursor_execute", note)
    assert bodies() == ([], [])
    assert any_desk.lanes() == []
    tidied = dict.fromkeys(name for name, _count in changed)
    for table in ("inbound_requests", "inbound_events"):
        assert {f"UPDATE {table}", f"DELETE {table}"} <= set(tidied)
    assert {"DELETE lanes", "DELETE domain_events"} <= set(tidied)
    assert max(count for _name, count in changed) == 7


def test_counts_of_refusals_are_kept_as_long_as_keys(any_database: db.Database, travel: Travel) -> None:
    for _ in range(3):
        count_refusal("toy", None, "signature", "192.0.2.1")
        refusals.flush()
        travel(timedelta(days=40))
    assert counts(days=365)[0][3] == 3
    Housekeeping().clean_up()
    assert counts(days=365)[0][3] == 2


def test_idle_lanes_go_and_waiting_ones_stay(any_desk: Desk, door: Door) -> None:
    door.receive(any_desk.account.id, "a")
    any_desk.drain()
    door.receive(any_desk.account.id, "b", contact="bert")
    Housekeeping().clean_up()
    (lane,) = any_desk.lanes()
    assert lane.next_at is not None


def test_a_forgotten_event_that_came_too_late_to_be_applied_is_cleaned_again(desk: Desk, door: Door) -> None:
    door.receive(desk.account.id, "a")
    desk.drain()
    (event,) = desk.events()
    forgotten = {"state": EventState.PENDING, "forgotten_at": clock.now()}
    db.write(lambda session: session.execute(sa.update(InboundEvent).values(forgotten)) and None)
    Housekeeping().clean_up()
    assert [lane.key for lane in desk.lanes() if lane.next_at is not None] == [event.lane]


def test_what_only_browsers_need_is_kept_a_day(desk: Desk, travel: Travel) -> None:
    desk.customer_wrote()
    db.write(show, 1, "account", account_id=1)
    travel(timedelta(hours=25))
    desk.customer_wrote()
    db.write(show, 1, "account", account_id=1)
    Housekeeping().clean_up()
    with db.read() as session:
        times = list(session.scalars(sa.select(DomainEvent.at).where(DomainEvent.kind.is_(None))))
        recorded = session.scalar(sa.select(sa.func.count()).where(DomainEvent.kind.is_not(None)))
    assert times
    assert recorded == 3, "the conversation and both messages"
    assert all(clock.now() - at < timedelta(hours=1) for at in times)
