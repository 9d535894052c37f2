"""200 agents' browsers stay connected to a real `lobby run` for a time: each is told all, memory stays flat.

``LIVE_SECONDS=600`` holds them for ten minutes.
"""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from host.core import db
from tests import helpers
from tests.inbox import desks
from tests.live.served import cookie
from tests.live.test_lobby_run import lobby, port_of, threads_of
from tests.live.test_thousand import Watcher, say

STREAMS = 200
WORKSPACES = 4
SECONDS = float(os.environ.get("LIVE_SECONDS", "40"))
"""For how long they are held, once everything is warm."""
EVERY_SECONDS = 0.5
"""Seconds between two messages, each told to all."""
WARM = 20
"""Messages before memory is looked at for the first time."""
MOST_GROWTH = 1.1
"""How many times its memory at the beginning the process may have at the end."""

pytestmark = [pytest.mark.slow, pytest.mark.services]


def memory_of(pid: int) -> int:
    """Return the resident memory of a process, in KB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0])


class Audience:
    """All browsers, told of one message after the other."""

    def __init__(self, watchers: Sequence[Watcher], workspaces: list[int]) -> None:
        self.watchers, self.workspaces = watchers, workspaces
        self.told = 0
        self._selector = selectors.DefaultSelector()
        for one in watchers:
            self._selector.register(one.connection, selectors.EVENT_READ, one)

    def tell(self) -> None:
        """Write one message of each workspace, and see it reach all."""
        say(self.workspaces, self.told)
        self.told += 1
        deadline = time.monotonic() + 60
        while any(len(one.told) < self.told for one in self.watchers):
            assert time.monotonic() < deadline, "somebody was not told"
            self._read(0.5)

    def listen(self, seconds: float) -> None:
        """Take what comes, such as heartbeats, for a time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._read(left)

    def _read(self, seconds: float) -> None:
        for key, _events in self._selector.select(seconds):
            key.data.read()


@pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
def test_memory_stays_flat_and_each_is_told_all(any_database: db.Database, data: Path) -> None:
    desk = desks.open_desk(data)
    workspaces = [helpers.make_workspace(f"Team {number}") for number in range(WORKSPACES)]
    people = [
        (workspace, cookie(helpers.client_for(desk.app, helpers.make_user(workspace=workspace))))
        for workspace in workspaces
        for _ in range(STREAMS // WORKSPACES)
    ]
    with lobby(data, threads="16") as host:
        port, process = port_of(host), host.program.process.pid
        audience = Audience([Watcher(port, *person) for person in people], workspaces)
        for _ in range(WARM):
            audience.tell()
        before, threads = memory_of(process), threads_of(process)
        ends = time.monotonic() + SECONDS
        while time.monotonic() < ends:
            audience.tell()
            audience.listen(EVERY_SECONDS)
        after = memory_of(process)
        assert {tuple(one.told) for one in audience.watchers} == {tuple(range(audience.told))}
        assert audience.told > WARM + 5
        assert after <= before * MOST_GROWTH, f"{before} KB after {WARM} messages, {after} KB at the end"
        assert threads_of(process) <= threads + 4
        for one in audience.watchers:
            one.connection.close()
