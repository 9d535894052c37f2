"""The clocks of web processes and workers are wrong, twice: every customer stays in order."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.short_forms import two_outages

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_customers_stay_in_order(kind: str, tmp_path: Path) -> None:
    two_outages(kind, "clocks", tmp_path)
