from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from tests.automation.conftest import base, desk, open_page
from tests.inbox.desks import Desk, open_desk
from tests.rules.ruled import Ruled

__all__ = ["any_desk", "automated", "base", "desk", "open_page"]


@pytest.fixture
def any_desk(any_database: db.Database, tmp_path: Path) -> Ruled:
    """A desk whose one account greets, says that it is away and routes, on each kind of database."""
    (tmp_path / "data").mkdir()
    return Ruled(open_desk(tmp_path / "data"))


@pytest.fixture
def automated(desk: Desk) -> Ruled:
    """The same on SQLite alone."""
    return Ruled(desk)
