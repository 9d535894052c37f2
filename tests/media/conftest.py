from __future__ import annotations

from pathlib import Path

import pytest

from host.core import db, storage
from tests.inbox.desks import Desk, open_desk


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder of the process's store."""
    folder = tmp_path / "attachments"
    storage.use(storage.FolderStore(folder))
    return folder


@pytest.fixture
def desk(database: db.Database, data: Path, store: Path) -> Desk:
    """A desk with one account and Mia signed in."""
    return open_desk(data)
