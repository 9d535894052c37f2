"""Limits that are known before: what waits, what it says, what goes on meanwhile, and how it ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from host.core import clock, db
from host.delivery import agent_messages, history
from host.delivery.held_lanes import look_after_limited
from host.events.models import DomainEvent
from host.models.channels import AccountState
from host.models.inbox import DeliveryState
from host.models.queue import CatchUp
from host.queue import catch_ups, outbox, policy
from host.queue.limit_counters import MARGIN_SECONDS, LimitCounters
from host.sdk.channel import (
    Absent,
    AccountRef,
    Found,
    Held,
    NotSent,
    Pause,
    ReactRequest,
    SearchRequest,
    SendLimit,
    SendRequest,
    Sent,
    Unknown,
)
from tests.delivery.desk import PROBLEM, Desk

Travel = Callable[[timedelta], None]

pytestmark = pytest.mark.usefixtures("counting")
QUEUED, SENT, FAILED, UNKNOWN = (
    DeliveryState.QUEUED,
    DeliveryState.SENT,
    DeliveryState.FAILED,
    DeliveryState.UNKNOWN,
)
SLOWLY = "The toy takes few messages."


def per_account(amount: int, seconds: int) -> Callable[[object], list[SendLimit]]:
    def pace(request: object) -> list[SendLimit]:
        assert isinstance(request, SendRequest | ReactRequest | SearchRequest)
        return [SendLimit(f"account {request.account.id}", amount, seconds, SLOWLY, whole_account=True)]

    return pace


def per_customer(amount: int, seconds: int) -> Callable[[object], list[SendLimit]]:
    def pace(request: object) -> list[SendLimit]:
        assert isinstance(request, SendRequest | ReactRequest | SearchRequest)
        return [SendLimit(f"customer {request.recipient}", amount, seconds, SLOWLY)]

    return pace


def several(
    desk: Desk, count: int, *, account: AccountRef | None = None, travel: Travel = lambda _: None
) -> list[int]:
    """Write one reply to each of *count* customers, one after the other."""
    who = f"customer{uuid.uuid4().hex[:6]}-"
    talks = [desk.customer_wrote(f"{who}{n}", account=account) for n in range(count)]
    ids = []
    for number, talk in enumerate(talks):
        travel(timedelta(milliseconds=1))
        ids.append(desk.reply(f"to {number}", talk, contact=f"{who}{number}"))
    return ids


# Counting


@settings(max_examples=200)
@given(
    amount=st.integers(1, 7),
    seconds=st.integers(1, 5),
    steps=st.lists(st.floats(0, 2, allow_nan=False), min_size=1, max_size=80),
)
def test_no_window_ever_holds_more_than_the_limit_and_a_wait_that_is_over_is_over(
    amount: int, seconds: int, steps: list[float]
) -> None:
    now = [1_790_000_000.0]
    limits = [SendLimit("a", amount, seconds, ""), SendLimit("b", 3 * amount, 3 * seconds, "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: datetime.fromtimestamp(now[0], UTC))
        counters = LimitCounters("memory://")
        taken: list[float] = []
        for step in steps:
            now[0] += step
            looked, _ = counters.check(limits, "toy")
            wait, which = counters.take(limits, "toy")
            assert (wait > 0) == (which is not None) == (looked > 0)
            if which is not None:
                now[0] += wait + 0.001
                assert counters.take(limits, "toy")[1] is None, "it was told to wait that long"
            taken.append(now[0])
    for limit in limits:
        for at in taken:
            inside = [one for one in taken if at <= one < at + limit.seconds]
            assert len(inside) <= limit.amount


def test_nothing_is_counted_against_one_limit_where_another_is_used_up(travel: Travel) -> None:
    counters = LimitCounters("memory://")
    wide, narrow = SendLimit("wide", 2, 60, ""), SendLimit("narrow", 1, 60, "")
    assert counters.take([wide, narrow], "toy") == (0.0, None)
    for _ in range(5):
        assert counters.take([wide, narrow], "toy")[1] == narrow
    assert counters.take([wide], "toy")[1] is None, "its second is still there"


def test_memory_takes_no_more_than_the_limit() -> None:
    memory = LimitCounters("memory://")._storage
    assert [memory.acquire_entry("a", 2, 60) for _ in range(4)] == [True, True, False, False]
    assert memory.get_moving_window("a", 2, 60)[1] == 2


def test_what_is_over_is_forgotten(travel: Travel) -> None:
    counters = LimitCounters("memory://")
    for number in range(50):
        counters.take([SendLimit(f"customer {number}", 5, 60, "")], "toy")
    travel(timedelta(seconds=61))
    for _ in range(50):
        counters.take([SendLimit("another", 100, 60, "")], "toy")
    assert len(counters._storage.ends) == 1  # type: ignore[attr-defined]


@pytest.mark.services
def test_whoever_counts_in_the_same_redis_shares_what_may_be_done(redis_url: str, travel: Travel) -> None:
    here, there = LimitCounters(redis_url), LimitCounters(redis_url)
    limits = [SendLimit("a", 5, 60, ""), SendLimit("b", 8, 600, "")]
    taken = [counters.take(limits, "toy")[1] is None for _ in range(4) for counters in (here, there)]
    assert taken == [True] * 5 + [False] * 3
    travel(timedelta(seconds=60 + MARGIN_SECONDS, milliseconds=5))
    taken = [counters.take(limits, "toy")[1] is None for _ in range(2) for counters in (here, there)]
    assert taken == [True] * 3 + [False]


@pytest.mark.services
def test_redis_keeps_what_was_taken_until_its_window_ends_and_no_longer(redis_url: str) -> None:
    redis = pytest.importorskip("redis")
    with redis.from_url(redis_url) as server:

        def now() -> float:
            seconds, micros = server.time()
            return float(seconds + micros / 1_000_000)

        before = now()
        LimitCounters(redis_url).take([SendLimit("a", 1, 1, "")], "toy")
        after = now()
        (key,) = server.keys()
        window = server.pexpiretime(key) / 1000 - 1 - MARGIN_SECONDS
    assert before - 0.002 <= window <= after + 0.002


def test_where_nobody_counts_for_all_each_process_counts_for_itself(caplog: pytest.LogCaptureFixture) -> None:
    counters = LimitCounters("redis://127.0.0.1:1/0")
    limit = SendLimit("a", 1, 60, "")
    assert [counters.take([limit], "toy")[1] for _ in range(3)] == [None, limit, limit]
    assert len([one for one in caplog.records if "does not answer" in one.message]) == 1
    assert counters.away_since is not None


def test_each_process_takes_its_share_of_a_limit_while_nobody_counts_for_all(travel: Travel) -> None:
    limits = [SendLimit("many", 10, 60, ""), SendLimit("few", 2, 60, "")]
    for limit, minutes, most in ((limits[0], 1, 9), (limits[1], 3, 6)):
        processes = [LimitCounters("redis://127.0.0.1:1/0") for _ in range(3)]
        for one in processes:
            one.sharers = 3
        taken = 0
        for _second in range(minutes * 60):
            taken += sum(one.take([limit], "toy")[1] is None for one in processes)
            travel(timedelta(seconds=1))
        assert taken == most <= limit.amount * minutes


def test_what_redis_counted_for_a_process_counts_when_redis_is_gone(
    redis_url: str, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = SendLimit("a", 10, 60, "")
    here, there = LimitCounters(redis_url), LimitCounters(redis_url)
    here.sharers = there.sharers = 2
    assert [here.take([limit], "toy")[1] for _ in range(4)] == [None] * 4
    gone = {"side_effect": here._down[0]("gone")}
    for one in (here, there):
        monkeypatch.setattr(one._storage, "get_moving_window", Mock(**gone))
        one.look()
        assert one.away_since is not None
    assert [here.take([limit], "toy")[1] is None for _ in range(3)] == [True, False, False]
    assert [there.take([limit], "toy")[1] is None for _ in range(6)] == [True] * 5 + [False]
    monkeypatch.undo()
    travel(timedelta(seconds=61))
    here.look()
    assert here.away_since is None


# Waiting


def test_what_waits_for_a_limit_says_so_and_goes_out_by_itself(any_desk: Desk, travel: Travel) -> None:
    any_desk.toy.pace = per_account(3, 60)
    ids = several(any_desk, 5)
    any_desk.drain()
    assert sorted(map(str, any_desk.states(*ids))) == ["queued"] * 2 + ["sent"] * 3
    account = any_desk.account_row()
    assert account.blocked_until is not None
    assert account.blocked_reason == SLOWLY
    for message in ids:
        if any_desk.state(message) == QUEUED:
            entry = any_desk.entry(message)
            assert entry.waiting == {"sentence": SLOWLY, "until": account.blocked_until.isoformat()}
            assert entry.attempts == 0, "nothing was tried"
    travel(timedelta(seconds=61))
    any_desk.drain()
    assert set(any_desk.states(*ids)) == {SENT}
    assert any_desk.entry(ids[-1]).waiting is None
    assert len(any_desk.toy.sent) == 5


def test_a_short_wait_writes_nothing_and_its_lanes_are_not_claimed(any_desk: Desk, travel: Travel) -> None:
    other = any_desk.connect("200")
    any_desk.toy.pace = per_account(3, 1)
    ids = several(any_desk, 8, travel=travel)
    any_desk.drain()
    assert len(any_desk.toy.sent) == 3
    fences = {lane.key: lane.fence for lane in any_desk.lanes()}
    assert any_desk.drain() == 0
    assert {lane.key: lane.fence for lane in any_desk.lanes()} == fences, "nobody claimed one meanwhile"
    assert any_desk.account_row().blocked_until is None
    assert [any_desk.entry(one).waiting for one in ids] == [None] * 8
    elsewhere = several(any_desk, 3, account=other)
    any_desk.drain()
    assert set(any_desk.states(*elsewhere)) == {SENT}, "another account does not wait"
    for expected in (6, 8):
        travel(timedelta(seconds=1, milliseconds=30))
        any_desk.drain()
        assert len([one for one in ids if any_desk.state(one) == SENT]) == expected
    assert [request.part.text for request in any_desk.toy.sent if request.account == any_desk.account] == [
        f"to {number}" for number in range(8)
    ], "who waited longest goes first"


def test_a_limit_of_one_customer_lets_the_others_go_on(desk: Desk, travel: Travel) -> None:
    desk.toy.pace = per_customer(2, 3600)
    talk = desk.customer_wrote()
    ids = [desk.reply(f"part {number}", talk) for number in range(4)]
    others = several(desk, 3)
    desk.drain()
    assert desk.states(*ids) == [SENT, SENT, QUEUED, QUEUED]
    assert set(desk.states(*others)) == {SENT}
    waiting = desk.entry(ids[2]).waiting
    assert waiting is not None
    assert waiting["sentence"] == SLOWLY
    assert desk.account_row().blocked_until is None
    travel(timedelta(hours=1, seconds=1))
    desk.drain()
    assert desk.states(*ids) == [SENT] * 4
    assert [request.part.text for request in desk.toy.sent if request.recipient == "anna"] == [
        f"part {number}" for number in range(4)
    ]


def test_lanes_that_wait_for_a_limit_of_some_kind_come_back_one_after_the_other(desk: Desk) -> None:
    desk.toy.pace = lambda _: [SendLimit("video", 2, 60, SLOWLY)]
    several(desk, 6)
    desk.drain()
    times = sorted(lane.next_at for lane in desk.lanes() if lane.next_at is not None)
    assert len(times) == 4
    assert len(set(times)) > 2


@pytest.mark.parametrize("pace", [per_account, per_customer])
def test_a_window_that_closes_while_it_waits_for_a_limit_fails_it_then(
    desk: Desk, travel: Travel, pace: Callable[[int, int], Callable[[object], list[SendLimit]]]
) -> None:
    desk.toy.pace = pace(1, 3600)
    talk = desk.customer_wrote()
    travel(timedelta(hours=23, minutes=30))
    first, second = desk.reply("one", talk), desk.reply("two", talk)
    desk.drain()
    assert desk.states(first, second) == [SENT, QUEUED]
    travel(timedelta(minutes=29))
    desk.drain()
    assert desk.state(second) == QUEUED
    travel(timedelta(minutes=2))
    desk.drain()
    assert desk.state(second) == FAILED, "at the closing, not when the limit would have let it through"
    error = desk.message(second).error
    assert error is not None
    held = pace is per_account
    why = agent_messages.WINDOW_CLOSED_WHILE_HELD if held else agent_messages.WINDOW_CLOSED
    assert (error["sentence"], error["cause"]) == (why.sentence, SLOWLY if held else "")
    assert len(desk.toy.sent) == 1


def saturate(desk: Desk, travel: Travel) -> list[int]:
    """Let an account's second be used up again and again for a while, with many waiting."""
    desk.toy.pace = per_account(2, 1)
    ids = several(desk, 12)
    for _ in range(3):
        desk.drain()
        travel(timedelta(seconds=1, milliseconds=30))
    desk.drain()
    return ids


def test_those_at_the_end_of_a_long_queue_are_told_too(any_desk: Desk, travel: Travel) -> None:
    ids = saturate(any_desk, travel)
    waiting = [one for one in ids if any_desk.state(one) == QUEUED]
    assert len(waiting) == 4
    assert {str(any_desk.entry(one).waiting) for one in waiting} == {"None"}
    with db.read() as session:
        before = session.scalar(sa.select(sa.func.max(DomainEvent.id)))
    look_after_limited(any_desk.generation.directory)
    for one in waiting:
        assert any_desk.entry(one).waiting == {"sentence": SLOWLY, "until": None}
    with db.read() as session:
        told = session.scalars(sa.select(DomainEvent).where(DomainEvent.id > before)).all()
    assert len(told) >= 1
    look_after_limited(any_desk.generation.directory)
    with db.read() as session:
        assert session.scalar(sa.select(sa.func.max(DomainEvent.id))) == told[-1].id, "once"
    any_desk.later(travel, timedelta(seconds=5), step=timedelta(seconds=1, milliseconds=30))
    assert any_desk.states(*ids) == [SENT] * 12
    assert any_desk.entry(waiting[0]).waiting is None


def test_what_may_not_go_out_any_more_fails_although_its_turn_has_not_come(
    any_desk: Desk, travel: Travel
) -> None:
    ids = saturate(any_desk, travel)
    waiting = [one for one in ids if any_desk.state(one) == QUEUED]
    any_desk.toy.window = timedelta(seconds=3)
    sent = len(any_desk.toy.sent)
    look_after_limited(any_desk.generation.directory)
    assert any_desk.states(*waiting) == [FAILED] * 4
    error = any_desk.message(waiting[0]).error
    assert error is not None
    assert error["code"] == "window_closed"
    assert len(any_desk.toy.sent) == sent
    assert any_desk.drain() == 0


def test_an_attempt_that_is_not_begun_uses_nothing_up(desk: Desk) -> None:
    desk.toy.pace = per_account(1, 3600)
    talk = desk.customer_wrote()
    other = desk.customer_wrote("bert")
    message = desk.reply("one", talk)
    desk.toy.window = timedelta(seconds=0)
    desk.drain()
    assert desk.state(message) == FAILED
    desk.toy.window = timedelta(hours=24)
    second = desk.reply("two", other, contact="bert")
    desk.drain()
    assert desk.state(second) == SENT


def test_an_adapter_that_cannot_tell_its_limits_sends_nothing_and_is_asked_again(
    desk: Desk, travel: Travel
) -> None:
    def broken(_: object) -> list[SendLimit]:
        raise RuntimeError("boom")

    desk.toy.pace = broken
    (message,) = several(desk, 1)
    desk.drain()
    assert (desk.state(message), desk.toy.sent) == (QUEUED, [])
    desk.toy.pace = lambda _: ()
    travel(policy.READING_GAP + timedelta(seconds=1))
    desk.drain()
    assert desk.state(message) == SENT


# What the provider says


def test_a_provider_that_asks_for_a_rest_beside_its_answer_gets_it(any_desk: Desk, travel: Travel) -> None:
    other = any_desk.connect("200")
    bystander = any_desk.connect("300")
    rest = Pause(PROBLEM, 60.0, other_accounts=(other.id,))
    any_desk.toy.script = [Sent("m1", rest)]
    first = several(any_desk, 1)
    any_desk.drain()
    assert any_desk.states(*first) == [SENT]
    same, sharing = several(any_desk, 2), several(any_desk, 2, account=other)
    free = several(any_desk, 2, account=bystander)
    any_desk.drain()
    assert set(any_desk.states(*same, *sharing)) == {QUEUED}
    assert set(any_desk.states(*free)) == {SENT}
    waiting = any_desk.entry(sharing[0]).waiting
    assert waiting is not None
    assert waiting["sentence"] == PROBLEM.sentence
    travel(timedelta(seconds=61))
    any_desk.drain()
    assert set(any_desk.states(*same, *sharing)) == {SENT}


def test_a_single_refusal_without_a_time_stops_one_lane_and_a_second_in_a_row_the_account(
    desk: Desk, travel: Travel
) -> None:
    limited = NotSent(PROBLEM, whole_account=True)
    desk.toy.script = [limited, Sent("a"), limited, Sent("b")]
    several(desk, 4)
    desk.drain()
    assert len(desk.toy.sent) == 4
    assert desk.account_row().blocked_until is None
    travel(timedelta(seconds=10))
    desk.drain()
    assert desk.account_row().blocked_until is None
    desk.toy.script = [limited, limited]
    waits = []
    several(desk, 3)
    for _ in range(3):
        before = len(desk.toy.sent)
        desk.drain()
        until = desk.account_row().blocked_until
        assert until is not None
        waits.append((until - clock.now()).total_seconds())
        travel(until - clock.now() + timedelta(seconds=1))
        desk.toy.script = [limited]
        assert len(desk.toy.sent) - before <= 2
    assert 1 < waits[0] <= 2.4
    assert 3.5 < waits[1] <= 6
    assert 11 < waits[2] <= 18
    desk.toy.script = []
    desk.later(travel, timedelta(minutes=5))
    desk.toy.script = [limited]
    desk.set_account(blocked_until=None)
    several(desk, 2)
    desk.drain()
    assert desk.account_row().blocked_until is None, "what was taken in between counts"


def test_looking_a_message_up_waits_for_the_limits_of_that(
    desk: Desk, travel: Travel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policy, "FAILURES_IN_A_ROW", 9)  # else the third waits for the account
    desk.toy.pace = lambda request: (
        [SendLimit("reading", 1, 10, SLOWLY)] if isinstance(request, SearchRequest) else []
    )
    desk.toy.script = [Unknown(PROBLEM)] * 3
    desk.toy.searches = [Found(f"there {number}") for number in range(3)]
    ids = several(desk, 3)
    desk.drain()
    travel(policy.ECHO_PATIENCE + timedelta(seconds=1))
    desk.drain()
    assert len(desk.toy.searched) == 1
    desk.later(travel, timedelta(seconds=60), step=timedelta(seconds=5))
    assert desk.states(*ids) == [SENT] * 3


def test_a_look_up_that_is_limited_is_repeated_and_holds_what_it_says(any_desk: Desk, travel: Travel) -> None:
    any_desk.toy.script = [Unknown(PROBLEM)]
    any_desk.toy.searches = [Pause(PROBLEM, 120.0), Absent(), Found("there")]
    (message,) = several(any_desk, 1)
    any_desk.drain()
    travel(policy.ECHO_PATIENCE + timedelta(seconds=1))
    any_desk.drain()
    assert any_desk.state(message) == UNKNOWN
    assert any_desk.account_row().blocked_reason == PROBLEM.sentence
    travel(timedelta(seconds=100))
    any_desk.drain()
    assert len(any_desk.toy.searched) == 1
    any_desk.later(travel, timedelta(minutes=3))
    assert (any_desk.state(message), len(any_desk.toy.sent)) == (SENT, 1)


def test_whatever_else_asks_for_an_account_rests_with_it(desk: Desk, travel: Travel) -> None:
    desk.toy.script = [Unknown(PROBLEM)]
    several(desk, 1)
    desk.drain()
    travel(policy.ECHO_PATIENCE + timedelta(seconds=1))
    until = clock.now() + timedelta(minutes=5)
    desk.set_account(blocked_until=until, blocked_reason=SLOWLY)
    db.write(catch_ups.ask, desk.account.id)
    desk.drain()
    history.step_due(desk.generation.directory)
    assert desk.toy.searched == []
    with db.read() as session:
        assert session.get_one(CatchUp, desk.account.id).next_at == until
    travel(timedelta(minutes=5, seconds=1))
    desk.drain()
    history.step_due(desk.generation.directory)
    assert len(desk.toy.searched) == 1


def test_a_look_up_that_stays_impossible_is_left_to_a_person(desk: Desk, travel: Travel) -> None:
    desk.toy.script = [Unknown(PROBLEM)]
    desk.toy.searches = [Pause(PROBLEM, 60.0, whole_account=False)] * 100
    (message,) = several(desk, 1)
    desk.later(travel, policy.LOOK_UP_PATIENCE + timedelta(minutes=5))
    assert desk.state(message) == UNKNOWN
    assert not desk.entry(message).open
    error = desk.message(message).error
    assert error is not None
    assert error["code"] == "cannot_tell"
    assert desk.account_row().blocked_until is None


def test_credentials_that_die_while_looking_hold_the_account_and_it_is_looked_up_after(
    any_desk: Desk, travel: Travel
) -> None:
    any_desk.toy.script = [Unknown(PROBLEM)]
    any_desk.toy.searches = [Held(PROBLEM), Found("there")]
    (message,) = several(any_desk, 1)
    any_desk.drain()
    travel(policy.ECHO_PATIENCE + timedelta(seconds=1))
    any_desk.drain()
    assert any_desk.state(message) == UNKNOWN
    assert any_desk.account_row().state == AccountState.NEEDS_RECONNECT
    any_desk.later(travel, timedelta(hours=2), step=timedelta(minutes=30))
    assert len(any_desk.toy.searched) == 1
    any_desk.set_account(state=AccountState.CONNECTED, state_reason=None)
    db.write(outbox.resume_account, any_desk.account.id)
    any_desk.drain()
    assert (any_desk.state(message), len(any_desk.toy.sent)) == (SENT, 1)
