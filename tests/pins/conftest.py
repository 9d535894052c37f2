from __future__ import annotations

from collections.abc import Iterator

import pytest

from host.addons.running.generation import Generation
from host.sdk import settings
from tests.helpers import make_config
from tests.pins.pinning import shipped_generation


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Generation]:
    """A generation with mail, Instagram and Telegram, on no database."""
    yield shipped_generation(make_config(tmp_path_factory.mktemp("data")))
    settings.provide("", {"public_url": "http://127.0.0.1:8080"})
