"""What tests of the shell share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from host.core import db
from host.users import failed_tries, throttle
from tests.helpers import build_app


@pytest.fixture(autouse=True)
def _no_tries_counted() -> Iterator[None]:
    throttle.reset()
    failed_tries.reset()
    yield
    throttle.reset()
    failed_tries.reset()


@pytest.fixture
def desk(database: db.Database, data: Path) -> Flask:
    """The app of a desk reached over plain http, without addons."""
    return build_app(data)


@pytest.fixture
def secure_desk(database: db.Database, data: Path) -> Flask:
    """The app of a desk reached over https."""
    return build_app(data, public_url="https://desk.example.com")
