from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db
from tests.inbox import conftest as inbox
from tests.inbox.desks import Desk, open_desk
from tests.sequences.sequenced import Sequenced

base, open_page = inbox.base, inbox.open_page


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def sequenced(desk: Desk) -> Sequenced:
    """A desk with sequences on SQLite."""
    return Sequenced(desk)


@pytest.fixture
def any_sequenced(any_database: db.Database, tmp_path: Path) -> Sequenced:
    """The same on each kind of database."""
    (tmp_path / "data").mkdir()
    return Sequenced(open_desk(tmp_path / "data"))
