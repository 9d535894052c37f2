"""The Graph host of one account does not answer: nobody waits whom it does not concern."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.short_forms import others_wait_not

pytestmark = [pytest.mark.services, pytest.mark.slow]


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_others_wait_not(server: str, tmp_path: Path) -> None:
    others_wait_not(server, "account stalled", tmp_path)
