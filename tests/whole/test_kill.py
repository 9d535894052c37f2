"""Through power cuts: what was answered 200 is in the inbox once, what an agent wrote is sent once."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.whole.rig import QUICK, Rig, running
from tests.whole.shops import furnish, point_webhooks
from tests.whole.torture import Torture


@pytest.fixture
def rig(tmp_path: Path, addon_zip: Path) -> Iterator[Rig]:
    for rig in running(tmp_path, command=(str(QUICK),), settings={"LOBBY_THREADS": "16"}):
        furnish(rig, addon_zip)
        rig.start()
        point_webhooks(rig)
        yield rig


def play(rig: Rig, kills: int, pace: float, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("TORTURE_SEED") or random.SystemRandom().randrange(10**6))
    torture = Torture(rig, seed, kills, workspace=1, pace=pace)
    verdict = torture.run()
    figures = ", ".join(f"{name} {count}" for name, count in verdict.figures.items())
    with capsys.disabled():
        print(f"\ntorture: TORTURE_SEED={seed}, {figures}")
    assert verdict.problems == [], "\n".join([f"TORTURE_SEED={seed}", *verdict.problems, rig.output[-6000:]])
    assert sum(torture.killed.values()) >= kills
    assert verdict.figures["written"] > kills * 5
    assert verdict.figures["redelivered"] > 0
    assert verdict.figures["sends taken"] > kills


KILLS = int(os.environ.get("TORTURE_KILLS") or 12)
"""The long form, by hand, has 40."""


@pytest.mark.slow
def test_nothing_is_lost_or_doubled_when_the_power_goes(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    play(rig, KILLS, 0.06, capsys)
