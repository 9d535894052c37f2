"""A plan narrowed to some faults plays these and no others."""

from __future__ import annotations

import pytest

from tests.torture.lanes import Plan

PLAN = Plan(100, 17, 60.0, {"kill web": 4.0, "kill broker": 4.0, "restart": 1.0}, 10.0)


def test_only_the_faults_asked_for_are_drawn() -> None:
    narrow = PLAN.only(["kill broker", "restart", "stop worker"])
    assert narrow.weights == {"kill broker": 4.0, "restart": 1.0}
    assert narrow.kills == 0
    assert narrow.deliveries == PLAN.deliveries


def test_a_fault_that_is_not_played_here_is_told() -> None:
    with pytest.raises(SystemExit, match=r"none of disk full is .* there are: kill web, kill broker"):
        PLAN.only(["disk full"])
