"""The disk with the data folder is full, and then the database is away, too: nothing is lost.

Webhooks are answered 503 while they can be kept nowhere, so the provider brings them again. Health says that
there is no room, and whoever attaches a file is told. Once there is room again, everything has arrived.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.torture.short_forms import two_outages

pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the small disk this fills"),
]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_customers_stay_in_order(kind: str, tmp_path: Path) -> None:
    try:
        two_outages(kind, "disk", tmp_path)
    except OSError as error:
        if "mount" not in str(error):
            raise
        pytest.skip(str(error))
