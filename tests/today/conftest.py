from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from host.core import clock
from tests.delivery.conftest import any_desk, desk

__all__ = ["any_desk", "desk"]


@pytest.fixture(autouse=True)
def noon() -> Iterator[datetime]:
    """Let it be noon of tomorrow, whatever the time is: what was an hour ago is today, too."""
    wanted = clock.now().replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1)
    with clock.travel(wanted - clock.now()):
        yield wanted
