"""A thousand events with drawn rules, under kills. See :mod:`tests.automation.proof`."""

from __future__ import annotations

import pytest

from host.core import db
from tests.automation.proof import prove


@pytest.mark.slow
def test_each_thing_a_rule_does_is_there_once(any_database: db.Database) -> None:
    url = any_database.url.render_as_string(hide_password=False)
    found = prove(url, events=500, kills=3, seed=1, limit=300)
    print(found)
    assert found.kills == 3
    assert found.proven, found
