"""What an account whose provider hangs or fails leaves of a process's senders to the others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from demo.journey import until
from host.delivery.worker import Workers
from host.queue.send_limiter import FAILING_SENDERS, SendLimiter
from host.sdk.channel import AccountRef, NotSent, SendRequest, SendResult, Sent
from tests.delivery.desk import PROBLEM, Desk

SENDERS = 8


class Provider:
    """Answers nothing about one account until :attr:`back` is set, and takes everything of the others."""

    def __init__(self, away: AccountRef, first: SendResult | None = None) -> None:
        self.back = threading.Event()
        self.hanging = 0
        self.of_others: list[str] = []
        self._away = away
        self._first = first
        self._lock = threading.Lock()

    def __call__(self, request: SendRequest) -> SendResult:
        if request.account.id != self._away.id:
            self.of_others.append(request.recipient)
            return Sent(f"mid-{request.recipient}")
        with self._lock:
            first, self._first = self._first, None
            self.hanging += first is None
        if first is not None:
            return first
        assert self.back.wait(60)
        return Sent(f"mid-{request.recipient}")


@contextmanager
def working(desk: Desk) -> Iterator[Workers]:
    workers = Workers(lambda: desk.generation, receivers=1, senders=SENDERS)
    workers.start()
    try:
        yield workers
    finally:
        workers.stop()


def write_to(desk: Desk, account: AccountRef, *names: str) -> list[int]:
    return [desk.reply("hello", desk.customer_wrote(name, account=account), contact=name) for name in names]


def test_an_account_that_hangs_leaves_some_senders_to_those_that_write_next(desk: Desk) -> None:
    other = desk.connect("200")
    desk.toy.script = [provider := Provider(desk.account)] * 40
    away = write_to(desk, desk.account, *(f"a{number}" for number in range(20)))
    with working(desk) as workers:
        try:
            until(lambda: provider.hanging >= SENDERS // 2, "most senders wait for the provider", seconds=60)
            here = write_to(desk, other, "berta", "bert")
            workers.wake("out")
            until(lambda: set(desk.states(*here)) == {"sent"}, "others are answered", seconds=60)
            assert provider.hanging < SENDERS
        finally:
            provider.back.set()
        until(lambda: set(desk.states(*away)) == {"sent"}, "all are answered", seconds=60)


def test_an_account_that_fails_has_two_senders_until_its_provider_answers(desk: Desk) -> None:
    other = desk.connect("200")
    desk.toy.script = [provider := Provider(desk.account, NotSent(PROBLEM))] * 40
    write_to(desk, desk.account, "first")
    with working(desk) as workers:
        try:
            until(lambda: desk.account_row().failures == 1, "the first fails", seconds=60)
            away = write_to(desk, desk.account, *(f"a{number}" for number in range(8)))
            here = write_to(desk, other, *(f"b{number}" for number in range(8)))
            workers.wake("out")
            until(lambda: set(desk.states(*here)) == {"sent"}, "others are answered", seconds=60)
            assert provider.hanging <= FAILING_SENDERS
        finally:
            provider.back.set()
        until(lambda: set(desk.states(*away)) == {"sent"}, "all are answered", seconds=60)


@pytest.mark.parametrize("ends", ["accepted", "answered"])
def test_an_account_is_claimed_again_once_its_provider_answered(ends: str) -> None:
    limiter = SendLimiter()
    for lane in ("one", "two", "three"):
        limiter.pick_up(lane, 7)
    assert limiter.closed() == frozenset()
    limiter.failed(7)
    limiter.put_down("one")  # it is calling now, which takes a sender all the same
    assert limiter.closed() == {7}
    limiter.finish("one")
    assert limiter.closed() == {7}
    limiter.finish("two")
    assert limiter.closed() == frozenset()
    limiter.pick_up("four", 7)
    getattr(limiter, ends)(7)
    assert limiter.closed() == frozenset()
    assert (limiter.with_at_least(2), limiter.with_at_least(3)) == ({7}, frozenset())
