"""Twenty thousand events to endpoints a fifth of which fail, with kills. See :mod:`tests.webhooks.proof`."""

from __future__ import annotations

import pytest

from host.core import db
from tests.webhooks.proof import pace, prove


@pytest.mark.slow
def test_nothing_is_lost_turned_round_or_often_doubled(database: db.Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    found = prove(url, events=20_000, kills=4, seed=1, limit=900)
    print(found)
    assert found.kills == 4
    assert found.lost == 0, found
    assert found.inversions == 0, found
    assert found.doubled < 0.005 * found.events, found


@pytest.mark.slow
def test_events_are_told_soon_and_one_that_hangs_costs_the_others_nothing(database: db.Database) -> None:
    """Where nobody is woken they take a minute; where other tests run beside this one, seconds."""
    url = database.url.render_as_string(hide_password=False)
    alone, beside = pace(url, rate=10, seconds=4, seed=1)
    print(f"alone: {alone}; beside one that hangs: {beside}")
    assert (alone.missing, beside.missing) == (0, 0)
    assert alone.p50 < 10
    assert beside.p50 < max(2, 3 * alone.p50)
