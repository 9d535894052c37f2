from __future__ import annotations

from collections.abc import Iterator

import pytest

from host import recording
from tests.delivery.conftest import any_desk, counting, desk, door, travel

__all__ = ["any_desk", "counting", "desk", "door", "travel"]


@pytest.fixture(autouse=True)
def _nothing_counted_before() -> Iterator[None]:
    recording.reset()
    yield
    recording.reset()
