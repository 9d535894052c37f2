"""Addons cost pages of the inbox and an event of another channel no statement, and hardly any work.

Panels load after the page. What a listener hears is read by a consumer of its own, after the message is
shown. Work is counted in calls of Python functions: they are the same on every machine, however busy.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons import lifecycle
from host.addons.package.build import build_addon
from host.addons.running import contributions
from host.core import db
from host.delivery.worker import drain
from host.models.inbox import Message
from host.process.serving import HostApplication
from tests.addons.conftest import Admin, MakeZip
from tests.addons.test_panels import Opened
from tests.addons.test_toy_channel import connect, deliver

ADDONS = Path(__file__).resolve().parents[2] / "addons"
ALONE = "TEST_IS_ALONE"
BESIDE = ("shop", "satisfaction", "whatsapp")
PANELS = {"shop", "satisfaction"}


@contextmanager
def statements(database: db.Database) -> Iterator[list[str]]:
    """Yield the SQL statements that this thread sends meanwhile."""
    seen: list[str] = []
    here = threading.get_ident()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if threading.get_ident() == here:
            seen.append(statement)

    for engine in database.engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in database.engines:
            sa.event.remove(engine, "before_cursor_execute", note)


@contextmanager
def calls() -> Iterator[list[int]]:
    """Yield how often this thread calls a Python function meanwhile."""
    count = [0]

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        count[0] += event == "call"

    sys.setprofile(note)
    try:
        yield count
    finally:
        sys.setprofile(None)


class Counted(Opened):
    """A desk whose statements are counted, page by page and event by event."""

    def __init__(self, desk: HostApplication, admin: Admin, database: db.Database) -> None:
        super().__init__(desk, admin)
        self.database = database
        self.uuid = connect(desk, self.workspace)
        self.told = 0
        self.work = {"receive": 0, "apply": 0}

    def page(self, path: str) -> list[str]:
        """Return the statements of a page that was shown before."""
        for _ in range(2):
            self.desk.generation()  # does not fall into what is counted
            with statements(self.database) as seen:
                answer = self.admin.client.get(path)
                assert answer.status_code == 200
                assert "Bo" in answer.text
        return seen

    def applied(self) -> list[str]:
        """Return the statements of applying a message of a customer who wrote before."""
        for _ in range(2):
            self.told += 1
            text = f"message {self.told}"
            with calls() as receiving:
                answer = deliver(self.desk, f"/addons/toy/webhook/{self.uuid}", text)
            assert answer.status_code == 200
            with statements(self.database) as seen, calls() as applying:
                assert drain(self.desk.generation)
            self.work = {"receive": receiving[0], "apply": applying[0]}
            with db.read() as session:
                assert session.scalars(sa.select(Message.text).where(Message.text == text)).one()
        return seen


@pytest.fixture
def counted(desk: HostApplication, database: db.Database, toy_zip: MakeZip) -> Counted:
    admin = Admin(desk)
    lifecycle.install_file(desk.config, toy_zip())
    assert lifecycle.activate(desk.config, "toy", host=desk).ok
    desk.start(web=False)
    return Counted(desk, admin, database)


def alone(test: str) -> None:
    """Run *test* in a process of its own.

    A thread of another test that was told to end, but waits for something, makes CPython 3.11 repeat a
    profiled call forever.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-m", "", test]
    done = subprocess.run(
        command, env=os.environ | {ALONE: "1"}, cwd=ADDONS.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.slow
def test_pages_of_the_inbox_and_applying_take_as_many_statements_with_addons_as_without(
    desk: HostApplication, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if not os.environ.get(ALONE):
        alone(request.node.nodeid)
        return
    counted: Counted = request.getfixturevalue("counted")
    inbox, thread = f"/w/{counted.workspace}/inbox", counted.beside
    applying, work = counted.applied(), counted.work
    before = {path: counted.page(path) for path in (inbox, thread)}
    for slug in BESIDE:
        build_addon(ADDONS / slug, tmp_path / f"{slug}.zip")
        lifecycle.install_file(desk.config, tmp_path / f"{slug}.zip")
        outcome = lifecycle.activate(desk.config, slug, host=desk)
        assert outcome.ok, outcome.error
    assert {slug for slug, _ in desk.generation().each(contributions.PANELS)} >= PANELS
    for path, seen in before.items():
        assert counted.page(path) == seen, path
    assert sorted(counted.applied()) == sorted(applying)
    for name, count in counted.work.items():
        assert count <= work[name] * 1.03, f"{name}: {count} calls instead of {work[name]}"
    text = counted.admin.client.get(thread).text
    assert 'panels/shop.orders"' in text, "it is loaded after the page"
