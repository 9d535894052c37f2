"""A search takes as long in a larger desk as in a small one. See :mod:`tests.search.proof`."""

from __future__ import annotations

import pytest

from host.core import db
from host.search.finding.finder import PATIENCE_SECONDS
from tests.search.proof import MORE, prove, table

READ_TO_THE_END = {"common in an account that is silent"}
"""A filter that lets nothing through has everything read until patience ends, which bounds it alone."""


@pytest.mark.slow
def test_a_larger_desk_is_searched_as_quickly(database: db.Database) -> None:
    url = database.url.render_as_string(hide_password=False)
    small, large = prove(url, [1_000, 10_000], rounds=25)
    print(table([small, large]))
    for name, timing in large.timings.items():
        before = small.timings[name]
        # Both are the machine's, so a little is allowed for whatever else it does.
        if name not in READ_TO_THE_END:
            assert timing.half <= 2 * before.half + 1000 * MORE, (name, timing, before)
        assert timing.half <= 1000 * (PATIENCE_SECONDS + MORE), (name, timing)
    assert large.timings["two that never meet"].found == 0
    assert large.timings["in every message"].found == 50
    assert large.bytes_each < 3_000
