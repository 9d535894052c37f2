"""Calls leave as they were counted: not closer together at the provider because some took longer to begin."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from host import clock, transport
from host.delivery import gate, windows
from host.delivery.models import OutboxEntry
from host.inbox.models import DeliveryState, Message
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
def time(monkeypatch: pytest.MonkeyPatch) -> Iterator[Time]:
    fake = Time()
    monkeypatch.setattr(clock, "now", fake.now)
    monkeypatch.setattr(clock, "monotonic", fake.monotonic)
    monkeypatch.setattr(gate, "time", fake)
    with windows.on_our_clock():
        yield fake


def most_within_a_second(times: list[float]) -> int:
    return max(sum(1 for one in times if at <= one < at + 1) for at in times)


# Let through one after the other, as the limit allows; every seventh needs 80 ms until it can be written.
UNEVEN = sorted(number * 0.102 + (0.08 if number % 7 == 0 else 0.001) for number in range(60))
# Let through together; the first of them when the process had just begun.
LATE = [0.9] * 10 + [1.03] * 10 + [2.06] * 10


@pytest.mark.parametrize("ready", [UNEVEN, LATE], ids=["uneven", "late"])
def test_calls_that_took_unevenly_long_to_begin_leave_within_the_limit(
    time: Time, ready: list[float]
) -> None:
    assert most_within_a_second(ready) > LIMIT.amount
    guard, left = gate.Gate(), []
    for at in ready:
        time.passed = max(time.passed, at)
        guard.leave([LIMIT], "toy")
        left.append(time.passed)
    assert most_within_a_second(left) <= LIMIT.amount
    assert max(after - before for before, after in zip(ready, left, strict=True)) < gate.HELD_AT_MOST


def test_a_call_is_not_held_longer_than_a_connection_may_lie_open(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "HELD_AT_MOST", 0.5)
    guard = gate.Gate()
    for _ in range(LIMIT.amount + 1):
        guard.leave([LIMIT], "toy")
    assert time.slept == []


def test_limits_of_an_hour_are_not_counted_twice(time: Time) -> None:
    guard, hourly = gate.Gate(), SendLimit("customer", 1, 3600, "Slowly.")
    guard.leave([hourly], "toy")
    assert guard._leaving.look([hourly], "toy") == (0.0, None)


def test_what_an_adapter_sends_is_counted_as_it_leaves(desk: Desk) -> None:
    desk.toy.pace = lambda _: [LIMIT]
    seen: list[int] = []

    def send(_request: SendRequest) -> Sent:
        leaving = transport.attempt.leaving
        assert leaving is not None
        leaving()
        window = 1 + gate.LEAVING_MARGIN
        key = windows._key(LIMIT, desk.account.channel)
        seen.append(gate.current()._leaving._storage.get_moving_window(key, LIMIT.amount, window)[1])
        return Sent("mid-1")

    desk.toy.script.append(send)
    message = desk.reply("hello", desk.customer_wrote())
    desk.drain()
    assert desk.states(message) == [DeliveryState.SENT]
    assert seen == [1]
    assert transport.attempt.leaving is None


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
