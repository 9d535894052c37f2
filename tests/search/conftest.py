from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from tests.inbox import desks
from tests.inbox.conftest import base, open_page
from tests.inbox.desks import Desk

__all__ = ["base", "open_page"]


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)
