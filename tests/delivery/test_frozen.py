"""A worker frozen in the middle of a write: others take its lanes over, and what it does later is undone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host.core import db, storage
from host.models.queue import EventState
from tests.delivery.conftest import Door
from tests.delivery.desk import Desk

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.services,
    pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True),
]


@contextmanager
def frozen() -> Iterator[subprocess.Popen[str]]:
    """A process stopped in the middle of a write, with locks on the lanes that were due."""
    url = db.current().url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.delivery.frozen", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "holds 2\n"
        os.kill(process.pid, signal.SIGSTOP)
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_what_a_frozen_worker_holds_is_taken_over(
    any_database: db.Database, tmp_path: Path, door: Door
) -> None:
    storage.use(storage.FolderStore(tmp_path / "attachments"))
    desk = Desk()
    for contact in ("anna", "bert"):
        door.receive(desk.account.id, f"first of {contact}", contact=contact)
    with frozen() as process:
        assert desk.drain() == 0, "its lanes are leased and locked"
        # Nobody waits for it longer than its server lets it stand: this is in the journal then, or a file.
        door.receive(desk.account.id, "second of anna", contact="anna")
        deadline = time.monotonic() + 60
        while [one.state for one in desk.events()] != [EventState.APPLIED] * 3:
            assert time.monotonic() < deadline, desk.event_states()
            desk.drain()
            time.sleep(0.05)
        texts = desk.texts()
        assert [one for one in texts if "anna" in one] == ["first of anna", "second of anna"]
        assert sorted(texts)[1:2] == ["first of bert"]
        assert len(texts) == 3
        os.kill(process.pid, signal.SIGCONT)
        said, _ = process.communicate("go on\n", timeout=60)
    assert said.split() == ["undone", "lost"]
    assert desk.event_states() == [EventState.APPLIED] * 3
