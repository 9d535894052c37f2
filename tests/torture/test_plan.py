"""A plan narrowed to some faults plays these and no others."""

from __future__ import annotations

from argparse import Namespace

import pytest

from tests.torture.__main__ import plans
from tests.torture.lanes import Plan
from tests.torture.nemesis import Nemesis

PLAN = Plan(100, 17, 60.0, {"kill web": 4.0, "kill broker": 4.0, "restart": 1.0}, 10.0)


def test_only_the_faults_asked_for_are_drawn() -> None:
    narrow = PLAN.only(["kill broker", "restart", "stop worker"])
    assert narrow.weights == {"kill broker": 4.0, "restart": 1.0}
    assert narrow.kills == 0
    assert narrow.deliveries == PLAN.deliveries


def test_a_fault_that_is_not_played_here_is_told() -> None:
    with pytest.raises(SystemExit, match=r"none of disk full is .* there are: kill web, kill broker"):
        PLAN.only(["disk full"])


def test_every_other_kind_has_its_turn_between_the_kills() -> None:
    played = Nemesis(None, None, seed=3)  # type: ignore[arg-type]
    weights = {"kill web": 1.0, "kill worker": 1.0, "provider failing": 2.0, "restart": 1.0}
    drawn = []
    for kind in played._drawn(weights, kills=4):
        drawn.append(kind)
        played.counts[kind] += 1
    assert [kind.startswith("kill") for kind in drawn] == [True, False, True, False, True, True]
    assert [kind for kind in drawn if not kind.startswith("kill")] == ["provider failing", "restart"]


def test_each_fault_of_each_plan_can_be_played() -> None:
    for quick in (True, False):
        arguments = Namespace(quick=quick, seconds=None, deliveries=None, calm=False)
        for plan in plans(arguments).values():
            assert [kind for kind in plan.weights if not hasattr(Nemesis, "_" + kind.replace(" ", "_"))] == []
