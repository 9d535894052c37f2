from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from host.core import clock, db
from host.rules.models import Rule
from tests.conftest import CHROMIUM_FLAGS, missing
from tests.inbox import conftest as inbox
from tests.inbox.desks import Desk, open_desk
from tests.inbox.scenes import Scene

base, open_page = inbox.base, inbox.open_page


@pytest.fixture(scope="module")
def chromium(chromium: Any) -> Iterator[Any]:
    """The Chromium with windows: the one without refuses every page its notifications."""
    whole = shutil.which("chromium")
    if whole is None:
        missing("Chromium")
    browser = chromium.browser_type.launch(executable_path=whole, args=CHROMIUM_FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return open_desk(data)


@pytest.fixture
def scene(desk: Desk) -> Scene:
    """A desk with one conversation that nobody has."""
    made = Scene(desk)
    made.said("ana", "Ana Q.", "Is it in stock?", made.ago(minutes=9))
    return made


@pytest.fixture
def wholesale(desk: Desk) -> int:
    """A rule, by its id."""

    def make(session: Session) -> int:
        now = clock.now()
        row = Rule(workspace_id=desk.workspace, name="Wholesale", state="live", position=1, version=1)
        row.state_at = row.created_at = now
        session.add(row)
        session.flush()
        return row.id

    return db.write(make)
