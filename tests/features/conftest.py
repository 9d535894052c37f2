from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.features import registry
from tests.delivery.conftest import desk

__all__ = ["desk"]


@pytest.fixture(autouse=True)
def _on_again() -> Iterator[None]:
    yield
    if registry._off:
        registry.switch_off(())
