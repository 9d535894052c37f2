"""Two short outages of each kind: nothing is lost or doubled, and every customer stays in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import lanes, outages

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.mark.parametrize("way", outages.WAYS)
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_customers_stay_in_order(kind: str, way: str, tmp_path: Path) -> None:
    zips = lanes.releases(tmp_path / "zips")
    with lanes.furnished(kind, tmp_path / "desk", zips) as desk:
        outcome = outages.play(desk, f"{kind}, {way}", 2, seed=7, way=way)
        output = desk.output
    assert not outcome.found.red, (outcome.found.broken, output[-4000:])
    assert outcome.events > 50
