"""The model keeps to what queueing theory knows, and the page holds what the model says."""

from __future__ import annotations

import json
import random

import pytest

from bench import report, scaling
from bench.model import Clock, Core, Costs, Desk, percentile
from host.core.backports.values import replace

COSTS = Costs(request=0.0003, commit=0.0002, apply=0.0003, sync=0.001)


def receiving(costs: Costs, *, clients: int = 32) -> float:
    desk = Desk(costs)
    desk.applying = False
    return desk.closed(clients, 5.0).rate


def test_one_client_waits_for_each_step_in_turn() -> None:
    assert receiving(COSTS, clients=1) == pytest.approx(1 / (0.0003 + 0.0002 + 0.001), rel=0.01)


def test_a_commit_each_waits_for_the_disk_each_time() -> None:
    each = receiving(replace(COSTS, batch=1, sync=0.010))
    assert each == pytest.approx(1 / 0.0102, rel=0.1)


def test_shared_commits_hide_the_disk_until_the_core_is_full() -> None:
    shared = receiving(COSTS)
    assert shared > 3 * receiving(replace(COSTS, batch=1))
    assert shared < 1 / COSTS.request


def test_a_core_lets_work_wait_as_long_as_theory_says() -> None:
    """Poisson arrivals, one server, the same time for each (M/D/1): the mean wait is known."""
    service, rate, seconds = 0.001, 600.0, 200.0
    clock, dice = Clock(), random.Random(1)
    core, took = Core(clock), []

    def arrive() -> None:
        came = clock.now
        core.work(service, lambda: took.append(clock.now - came))
        clock.at(clock.now + dice.expovariate(rate), arrive)

    clock.at(0.0, arrive)
    clock.run(seconds)
    busy = rate * service
    expected = service * (1 + busy / (2 * (1 - busy)))
    assert sum(took) / len(took) == pytest.approx(expected, rel=0.05)
    assert core.worked / seconds == pytest.approx(busy, rel=0.05)


def test_two_servers_and_workers_take_what_one_cannot() -> None:
    rate = 2500.0
    one = Desk(COSTS, servers=1, workers=1).open(rate, 5.0)
    two = Desk(COSTS, servers=2, workers=2).open(rate, 5.0)
    assert percentile(two.answered, 0.99) < 0.02
    assert percentile(two.answered, 0.99) < percentile(one.answered, 0.99)
    assert two.busy < one.busy


def test_every_event_that_is_answered_is_applied_or_waits() -> None:
    outcome = Desk(COSTS).open(500.0, 5.0)
    assert outcome.applied
    assert len(outcome.answered) - 640 <= len(outcome.applied) + outcome.waiting <= len(outcome.answered)


def test_the_page_quotes_what_the_model_says_of_the_kept_figures() -> None:
    run = json.loads(report.KEPT.read_text())
    page = scaling.PAGE.read_text()
    assert scaling.quoted(page, run) == page, "python -m bench.scaling --write"


def test_the_model_is_held_to_points_it_was_not_fed_with() -> None:
    points = scaling.checks(json.loads(report.KEPT.read_text()))
    assert len(points) >= 2
    assert sum(abs(one.off) < 0.35 for one in points) >= 2, points


def test_what_is_applied_meanwhile_is_told_by_the_line_of_the_default_server() -> None:
    run = {
        "figures": [
            {"key": f"F1 {name}"} for name in ("uvicorn", "uvicorn, delivering", "granian, delivering")
        ]
    }
    assert scaling._applying(run)["key"] == "F1 uvicorn, delivering"
    with pytest.raises(KeyError, match="bench F1"):
        scaling._applying({"figures": [{"key": "F1 uvicorn"}]})
