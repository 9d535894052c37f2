"""What waits for a worker, and what waits for something else, told apart; on every database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db
from host.delivery import held_lanes
from host.delivery.held_lanes import Reason
from host.models.channels import AccountState
from host.models.inbox import DeliveryState
from host.queue import policy
from host.queue.limit_counters import place
from host.queue.wakeups import OUT
from host.sdk.channel import NotSent, Unknown
from tests.delivery.desk import PROBLEM, Desk
from tests.queue.test_send_limits import saturate

Travel = Callable[[timedelta], None]
MINUTE = timedelta(minutes=1)


def late() -> timedelta:
    """Return how long the oldest reply has waited for a worker."""
    with db.read() as session:
        since = held_lanes.oldest_due(session, OUT)
    return timedelta() if since is None else clock.now() - since


def held() -> dict[Reason, int]:
    with db.read() as session:
        return {reason: count for reason, count in held_lanes.on_purpose(session).items() if count}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"blocked_until": MINUTE}, Reason.LIMIT),
        ({"limited_until": MINUTE}, Reason.LIMIT),
        ({"state": AccountState.NEEDS_RECONNECT}, Reason.RECONNECT),
        ({"state": AccountState.NEEDS_RECONNECT, "blocked_until": MINUTE}, Reason.RECONNECT),
    ],
)
def test_an_account_that_waits_on_purpose_is_not_late(
    any_desk: Desk, travel: Travel, values: dict[str, object], reason: Reason
) -> None:
    other = any_desk.connect("200")
    for contact in ("anna", "bert"):
        any_desk.reply("hi", any_desk.customer_wrote(contact), contact=contact)
    travel(2 * MINUTE)
    assert late() >= 2 * MINUTE
    assert held() == {}
    any_desk.set_account(
        **{
            name: clock.now() + value if isinstance(value, timedelta) else value
            for name, value in values.items()
        }
    )
    assert late() == timedelta()
    assert held() == {reason: 2}
    any_desk.reply("hi", any_desk.customer_wrote("carl", account=other), contact="carl")
    travel(MINUTE / 2)
    assert MINUTE / 2 <= late() < MINUTE, "another account's is late all the same"
    if AccountState.NEEDS_RECONNECT not in values.values():
        travel(MINUTE)
        assert late() >= 3 * MINUTE, "the limit is over, so it waits for a worker again"


def test_a_reply_with_a_time_of_its_own_waits_for_that(any_desk: Desk, travel: Travel) -> None:
    any_desk.toy.script = [NotSent(PROBLEM, retry_after=300)]
    any_desk.reply("hi", any_desk.customer_wrote())
    any_desk.drain()
    travel(MINUTE)
    assert (late(), held()) == (timedelta(), {Reason.LATER: 1})
    travel(6 * MINUTE)
    assert late() >= MINUTE
    assert held() == {}


@pytest.mark.usefixtures("counting")
def test_a_queue_before_a_limit_is_known_to_every_process_while_somebody_sees_to_it(
    any_desk: Desk, travel: Travel
) -> None:
    ids = saturate(any_desk, travel)
    travel(timedelta(seconds=1))
    assert late() > timedelta(), "it has not been noted yet"
    held_lanes.look_after_limited(any_desk.generation.directory)
    assert late() == timedelta()
    assert held() == {Reason.LIMIT: len(ids) - len(any_desk.toy.sent)}
    travel(policy.LIMIT_KNOWN + MINUTE)
    assert late() > MINUTE, "nobody sends any more"


def test_where_calls_are_counted_is_told_without_credentials() -> None:
    assert place("memory://") == ""
    assert place("redis://user:secret@counts.internal:6380/2?x=secret") == "redis://counts.internal:6380/2"


def test_looking_for_the_oldest_is_an_index_seek(database: db.Database) -> None:
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_rest: object) -> None:
        if not statement.startswith("SELECT"):
            return
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        plans.append(str(cursor.fetchall()))

    engine = db.current().read_engine
    sa.event.listen(engine, "before_cursor_execute", explain)
    with db.read() as session:
        held_lanes.oldest_due(session, OUT)
        held_lanes.on_purpose(session)
    sa.event.remove(engine, "before_cursor_execute", explain)
    of_lanes = [plan for plan in plans if "lanes" in plan]  # what is paused is read where it changed
    assert len(of_lanes) == 4
    for plan in of_lanes:
        assert "ix_lanes_due" in plan
        assert "SCAN lanes" not in plan
        assert "SCAN channel_accounts" not in plan


def test_what_is_looked_for_is_unconfirmed_since_it_was_sent(any_desk: Desk, travel: Travel) -> None:
    def unconfirmed() -> timedelta | None:
        with db.read() as session:
            since = held_lanes.oldest_unconfirmed(session)
        return None if since is None else clock.now() - since

    assert unconfirmed() is None
    any_desk.toy.script = [Unknown(PROBLEM)]
    first = any_desk.reply("hi", any_desk.customer_wrote())
    any_desk.drain()
    assert any_desk.state(first) == DeliveryState.UNKNOWN
    any_desk.reply("waits behind it", any_desk.customer_wrote())
    travel(MINUTE)
    found = unconfirmed()
    assert found is not None
    assert MINUTE <= found < 2 * MINUTE
    any_desk.echo("mid-1", "hi")
    any_desk.drain()
    assert unconfirmed() is None


def test_what_is_looked_for_what_is_tried_again_and_what_waits_behind_are_counted_apart(
    desk: Desk, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FAILURES_IN_A_ROW", 9)  # else the third waits for the account
    with db.read() as session:
        assert held_lanes.unfinished(session) == held_lanes.Unfinished()
    for number, outcome in enumerate((Unknown(PROBLEM), Unknown(PROBLEM), NotSent(PROBLEM))):
        contact = f"customer {number}"
        desk.toy.script = [outcome]
        talk = desk.customer_wrote(contact)
        desk.reply("tried", talk, contact=contact)
        desk.drain()
        desk.reply("behind it", talk, contact=contact)
    with db.read() as session:
        found = held_lanes.unfinished(session)
    assert (found.unconfirmed, found.refused, found.behind) == (2, 1, 3)
