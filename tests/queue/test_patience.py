"""One timer of an event loop ends the waits for a commit that take too long, each at its own time."""

from __future__ import annotations

import asyncio

from host.queue.journal import _Patience
from tests.helpers import on_a_loop


def test_each_wait_ends_by_itself_and_one_that_was_answered_is_left_alone() -> None:
    async def waits() -> tuple[list[bool], int]:
        loop = asyncio.get_running_loop()
        patience = _Patience(loop, 0.05)
        futures: list[asyncio.Future[bool]] = [loop.create_future() for _ in range(3)]
        asked = [asyncio.ensure_future(patience.wait(one)) for one in futures[:2]]
        await asyncio.sleep(0)
        futures[0].set_result(True)
        early = [await one for one in asked]
        late = await patience.wait(futures[2])  # a timer of its own, after the first found nothing to do
        return [*early, late], len(patience._waits)

    assert on_a_loop(waits()) == ([True, False, False], 0)


def test_what_was_answered_does_not_pile_up() -> None:
    async def waits() -> int:
        loop = asyncio.get_running_loop()
        patience = _Patience(loop, 60)
        for _ in range(100):
            done = loop.create_future()
            loop.call_soon(done.set_result, True)
            assert await patience.wait(done)
        return len(patience._waits)

    assert on_a_loop(waits()) == 1
