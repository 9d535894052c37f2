"""Calls leave as they were counted: not closer together at the provider because some took longer to begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from host.core import clock, transport
from host.models.inbox import DeliveryState, Message
from host.models.queue import OutboxEntry
from host.queue import policy, send_limiter
from host.sdk.channel import SendLimit, SendRequest, Sent
from tests.delivery.desk import Desk

LIMIT = SendLimit("account", 10, 1, "Slowly.", whole_account=True)


class Time:
    """A clock that goes on where somebody sleeps."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    fake = Time()
    monkeypatch.setattr(clock, "now", fake.now)
    monkeypatch.setattr(clock, "monotonic", fake.monotonic)
    monkeypatch.setattr(send_limiter, "time", fake)
    return fake


CLOSER = 0.009
"""Seconds that two calls may come closer together at the provider than they left."""


def most_within_a_second(times: list[float], closer: float = 0) -> int:
    return max(sum(1 for one in times if at <= one < at + 1 + closer) for at in times)


# Let through one after the other, as the limit allows; every seventh needs 80 ms until it can be written.
UNEVEN = sorted(number * 0.102 + (0.08 if number % 7 == 0 else 0.001) for number in range(60))
# Let through together; the first of them when the process had just begun.
LATE = [0.9] * 10 + [1.03] * 10 + [2.06] * 10


@pytest.mark.parametrize("ready", [UNEVEN, LATE], ids=["uneven", "late"])
def test_calls_that_took_unevenly_long_to_begin_leave_within_the_limit(
    time: Time, ready: list[float]
) -> None:
    assert most_within_a_second(ready) > LIMIT.amount
    guard, left = send_limiter.SendLimiter(), []
    for at in ready:
        time.passed = max(time.passed, at)
        guard.leave([LIMIT], "toy")
        left.append(time.passed)
    assert most_within_a_second(left, CLOSER) <= LIMIT.amount
    assert max(after - before for before, after in zip(ready, left, strict=True)) < send_limiter.HELD_AT_MOST


def test_a_call_is_not_held_longer_than_a_connection_may_lie_open(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(send_limiter, "HELD_AT_MOST", 0.5)
    guard = send_limiter.SendLimiter()
    for _ in range(LIMIT.amount + 1):
        guard.leave([LIMIT], "toy")
    assert time.slept == []


def test_limits_of_an_hour_are_not_counted_twice(time: Time) -> None:
    guard, hourly = send_limiter.SendLimiter(), SendLimit("customer", 1, 3600, "Slowly.")
    guard.leave([hourly], "toy")
    time.passed += 3599.5  # a call that was counted would be held for the rest of the hour
    guard.leave([hourly], "toy")
    assert time.slept == []


def test_what_an_adapter_sends_is_counted_as_it_leaves(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.toy.pace = lambda _: [LIMIT]
    left: list[tuple[Sequence[SendLimit], str]] = []
    monkeypatch.setattr(send_limiter.current(), "leave", lambda *told: left.append(told))

    def send(_request: SendRequest) -> Sent:
        leaving = transport.attempt.leaving
        assert leaving is not None
        assert left == []
        leaving()
        return Sent("mid-1")

    desk.toy.script.append(send)
    message = desk.reply("hello", desk.customer_wrote())
    desk.drain()
    assert desk.states(message) == [DeliveryState.SENT]
    assert left == [([LIMIT], desk.account.channel)]
    assert transport.attempt.leaving is None


def test_no_byte_leaves_from_a_process_that_stood_still_until_its_lease_ended(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others looked for the message by then, and may have sent it again."""
    ended: list[str] = []

    def send(_request: SendRequest) -> Sent:
        later = clock.now() + policy.LEASE
        monkeypatch.setattr(clock, "now", lambda: later)
        assert transport.attempt.leaving is not None
        with pytest.raises(TimeoutError) as raised:
            transport.attempt.leaving()
        ended.append(str(raised.value))
        raise raised.value

    desk.toy.script.append(send)
    message = desk.reply("hello", desk.customer_wrote())
    desk.drain()
    assert ended == ["the lease of the lane ended before the request left"]
    assert desk.states(message) == [DeliveryState.UNKNOWN]


def test_a_message_is_loaded_once_to_be_sent(desk: Desk) -> None:
    """What is written of it goes by without objects: they took half of the processor time of a send."""
    message = desk.reply("hello", desk.customer_wrote())
    loaded: list[object] = []

    def note(one: object, _context: object) -> None:
        loaded.append(one)

    for kind in (Message, OutboxEntry):
        sa.event.listen(kind, "load", note)
    try:
        desk.drain()
    finally:
        for kind in (Message, OutboxEntry):
            sa.event.remove(kind, "load", note)
    assert desk.states(message) == [DeliveryState.SENT]
    assert sorted(type(one).__name__ for one in loaded) == ["Message", "OutboxEntry"]
