"""Four hundred comments below a post, under kills. See :mod:`tests.rules.comments_proof`."""

from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from tests.rules.comments_proof import prove


@pytest.mark.slow
def test_a_flood_of_comments_is_answered_once_each(any_database: db.Database, tmp_path: Path) -> None:
    url = any_database.url.render_as_string(hide_password=False)
    found = prove(
        url,
        tmp_path,
        comments=400,
        seconds=24,
        kills=3,
        seed=1,
        amount=50,
        window=5,
        quiet=5,
        limit=240,
    )
    print(found)
    assert found.kills == 3
    assert found.proven, found
