from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.core import db
from sandbox.model.server import ModelServer
from tests.assistants.assisting import Assisted
from tests.assistants.model_server import model_server
from tests.assistants.staffed import Staffed
from tests.automation import conftest as automation
from tests.automation.automated import Automated
from tests.inbox.desks import open_desk
from tests.receiver import Receiver, receiving

base, open_page, desk = automation.base, automation.open_page, automation.desk
any_desk, automated = automation.any_desk, automation.automated


@pytest.fixture
def assisted(database: db.Database, data: Path) -> Iterator[Assisted]:
    """A desk whose account has an assistant as soon as a test attaches one, on SQLite."""
    with Assisted(open_desk(data)).until_closed() as made:
        yield made


@pytest.fixture
def any_assisted(any_database: db.Database, tmp_path: Path) -> Iterator[Assisted]:
    """The same on each kind of database."""
    (tmp_path / "data").mkdir()
    with Assisted(open_desk(tmp_path / "data")).until_closed() as made:
        yield made


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with model_server() as server:
        yield server


@pytest.fixture
def staffed(automated: Automated) -> Staffed:
    return Staffed(automated)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found
