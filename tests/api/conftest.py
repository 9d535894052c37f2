"""What tests of the API share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.api.http import limits
from host.core import db, storage
from tests.api.desks import ApiDesk, open_api_desk


@pytest.fixture(autouse=True)
def _nothing_counted() -> Iterator[None]:
    limits.reset()
    yield
    limits.reset()


@pytest.fixture(autouse=True)
def _store(tmp_path: Path) -> None:
    storage.use(storage.FolderStore(tmp_path / "attachments"))


@pytest.fixture
def desk(database: db.Database, data: Path) -> ApiDesk:
    return open_api_desk(data)
