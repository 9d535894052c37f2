from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from tests.automation.automated import Automated
from tests.inbox import conftest as inbox
from tests.inbox.desks import Desk, open_desk

base, open_page = inbox.base, inbox.open_page


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def any_desk(any_database: db.Database, tmp_path: Path) -> Automated:
    """A desk whose one account greets, says that it is away and routes, on each kind of database."""
    (tmp_path / "data").mkdir()
    return Automated(open_desk(tmp_path / "data"))


@pytest.fixture
def automated(desk: Desk) -> Automated:
    """The same on SQLite alone."""
    return Automated(desk)
