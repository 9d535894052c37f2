"""A limit with threads, processes and a clock that runs.

What is counted happens between two looks at the clock; only what surely lies within a window is held to the
limit, so that nothing here depends on how fast the machine is.
"""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Sequence

import pytest

from host.core import clock
from host.delivery.worker import Workers
from host.models.inbox import DeliveryState
from host.queue.limit_counters import LimitCounters
from host.sdk.channel import SendLimit
from tests.delivery.desk import Desk

SENT = DeliveryState.SENT
CHILD = """
import sys, time
from host.queue.limit_counters import LimitCounters
from host.sdk.channel import SendLimit

counters, limit, taken = LimitCounters(sys.argv[1]), SendLimit("account", 10, 1, "Slowly."), 0
while taken < 25:
    before = time.time()
    wait, full = counters.take([limit], "toy")
    if full is None:
        print(before, time.time(), flush=True)
        taken += 1
    else:
        time.sleep(wait)
"""


def most_within_a_second(taken: list[tuple[float, float]]) -> int:
    """Return the most that surely was taken within one second, of what was taken between two times each."""
    return max(
        sum(1 for before, after in taken if begin <= before and after < begin + 1) for begin, _ in taken
    )


@pytest.mark.slow
def test_many_threads_never_send_more_than_the_limit_and_send_everything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    amount = 20
    taken: list[tuple[float, float]] = []
    real = LimitCounters.take

    def take(
        counters: LimitCounters, limits: Sequence[SendLimit], scope: str
    ) -> tuple[float, SendLimit | None]:
        before = clock.now().timestamp()
        answer = real(counters, limits, scope)
        if answer[1] is None:
            taken.append((before, clock.now().timestamp()))
        return answer

    monkeypatch.setattr(LimitCounters, "take", take)
    desk.toy.pace = lambda _: [SendLimit("account", amount, 1, "Slowly.", whole_account=True)]
    ids = []
    for _ in range(70):
        who = uuid.uuid4().hex
        ids.append(desk.reply("hello", desk.customer_wrote(who), contact=who))
    workers = Workers(lambda: desk.generation, 0, 6)
    workers.start()
    try:
        ends = clock.monotonic() + 120
        while len(desk.toy.sent) < 70 and clock.monotonic() < ends:
            workers._stopping.wait(0.05)
    finally:
        workers.stop()
    assert desk.states(*ids) == [SENT] * 70
    assert len(taken) == 70
    assert most_within_a_second(taken) <= amount


@pytest.mark.slow
@pytest.mark.services
def test_two_processes_that_count_in_redis_keep_one_limit_together(redis_url: str) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, redis_url], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [line.split() for child in children for line in child.communicate(timeout=300)[0].splitlines()]
    taken = [(float(before), float(after)) for before, after in told]
    assert len(taken) == 50
    assert most_within_a_second(taken) <= 10
