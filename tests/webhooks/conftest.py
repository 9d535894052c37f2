from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from host.core import clock, db, storage
from tests.receiver import Receiver, receiving
from tests.webhooks.desk import HookDesk

Travel = Callable[[timedelta], None]


@pytest.fixture
def travel() -> Iterator[Travel]:
    """Move the clock, for the rest of the test."""
    with ExitStack() as stack:
        yield lambda by: stack.enter_context(clock.travel(by))


@pytest.fixture
def desk(database: db.Database, tmp_path: Path) -> HookDesk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    return HookDesk()


@pytest.fixture
def any_desk(any_database: db.Database, tmp_path: Path) -> HookDesk:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    return HookDesk()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found
