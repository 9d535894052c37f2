"""That the event loop was held is measured, counted, and said in development."""

from __future__ import annotations

import asyncio
import time

import pytest

from host import recording
from host.models.health import Metric
from host.process import loop_watch
from host.process.loop_watch import LoopWatch
from tests.helpers import on_a_loop


@pytest.mark.parametrize("warn", [True, False])
def test_what_holds_the_loop_is_noticed(
    warn: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(loop_watch, "EVERY_SECONDS", 0.01)
    counted: list[tuple[object, ...]] = []
    monkeypatch.setattr(recording, "peak", lambda *given: counted.append(given))
    watch = LoopWatch()
    assert watch.most() == 0.0

    async def hold() -> None:
        watching = asyncio.create_task(watch.watch(warn=warn))
        await asyncio.sleep(0.05)
        time.sleep(0.2)  # what must not be done
        await asyncio.sleep(0.05)
        watching.cancel()

    on_a_loop(hold())
    assert 0.18 < watch.most() < 60
    assert max(given[3] for given in counted) == round(watch.most() * 1000)
    assert {given[:3] for given in counted} == {(Metric.LOOP, "", "")}
    assert ("the event loop was held for" in caplog.text) == warn
