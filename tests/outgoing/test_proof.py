"""Twenty thousand events to endpoints a fifth of which fail, with kills. See :mod:`tests.outgoing.proof`."""

from __future__ import annotations

import pytest

from host.core import db
from tests.outgoing.proof import prove


@pytest.mark.slow
def test_nothing_is_lost_turned_round_or_often_doubled(database: db.Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    found = prove(url, events=20_000, kills=4, seed=1, limit=900)
    print(found)
    assert found.kills == 4
    assert found.lost == 0, found
    assert found.inversions == 0, found
    assert found.doubled < 0.005 * found.events, found
