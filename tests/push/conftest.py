from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host.core import db
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene
from tests.push.service import PushService, serving


@pytest.fixture
def service() -> Iterator[PushService]:
    with serving() as found:
        yield found


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> Scene:
    """A desk with one conversation, assigned to Mia."""
    return _scene(desk)


@pytest.fixture
def any_scene(any_database: db.Database, tmp_path: Path) -> Scene:
    return _scene(open_desk(tmp_path))


def _scene(desk: Desk) -> Scene:
    made = Scene(desk)
    made.said("ana", "Ana Q.", "Is it in stock?", made.ago(minutes=9))
    made.assign("ana", desk.mia.id, desk.mia.id, made.ago(minutes=8))
    return made
