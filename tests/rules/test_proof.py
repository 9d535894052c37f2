"""Ten thousand events with drawn rules, on servers 500, under kills. See :mod:`tests.rules.proof`."""

from __future__ import annotations

import pytest

from host.core import db
from tests.rules.proof import prove


@pytest.mark.slow
def test_each_thing_a_rule_does_is_there_once(any_database: db.Database) -> None:
    url = any_database.url.render_as_string(hide_password=False)
    events, kills = (10_000, 12) if any_database.is_sqlite else (500, 3)
    found = prove(url, events=events, kills=kills, seed=1, limit=900)
    print(found)
    assert found.kills == kills
    assert found.proven, found
