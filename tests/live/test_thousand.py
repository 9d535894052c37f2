"""A thousand browsers of twenty workspaces on a real `lobby run`: each is told its own and nothing else."""

from __future__ import annotations

import json
import resource
import selectors
import socket
import threading
import time
from pathlib import Path

import pytest

from host.core import db
from host.events.writing import Happened, record_all
from tests import helpers
from tests.inbox import desks
from tests.live.served import cookie
from tests.live.test_lobby_run import lobby, port_of, threads_of

WORKSPACES = 20
EACH = 50
ROUNDS = 10

pytestmark = pytest.mark.slow


class Watcher:
    """One browser: what it was told, and how long each took."""

    def __init__(self, port: int, workspace: int, signed_in: str) -> None:
        self.workspace = workspace
        self.told: list[int] = []
        self.delays: list[float] = []
        self._left = b""
        self.connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.connection.sendall(
            f"GET /w/{workspace}/live HTTP/1.1\r\nHost: desk\r\nCookie: {signed_in}\r\n\r\n".encode()
        )
        head = b""
        while b"retry:" not in head:
            data = self.connection.recv(4096)
            assert data, head
            head += data
        assert head.startswith(b"HTTP/1.1 200"), head

    def read(self) -> None:
        data = self.connection.recv(1 << 16)
        assert data, "the stream ended"
        *frames, self._left = (self._left + data).split(b"\n\n")
        for frame in frames:
            if b"data: " in frame and b"event: beat" not in frame:
                found = json.loads(frame.partition(b"data: ")[2])
                assert found["conversation"] == self.workspace, "told of another workspace"
                self.told.append(found["message"])
                self.delays.append(time.time() - _said_at[found["message"]])


_said_at: dict[int, float] = {}
"""When each round was said."""


def say(workspaces: list[int], number: int) -> None:
    _said_at[number] = time.time()
    db.write(
        record_all,
        [Happened(each, topic="message", conversation_id=each, message_id=number) for each in workspaces],
    )


def test_each_is_told_its_own(database: db.Database, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    desk = desks.open_desk(data)
    workspaces = [helpers.make_workspace(f"Team {number}") for number in range(WORKSPACES)]
    people = [
        (workspace, cookie(helpers.client_for(desk.app, helpers.make_user(workspace=workspace))))
        for workspace in workspaces
        for _ in range(EACH)
    ]
    with lobby(data, threads="16") as host:
        port, worker = port_of(host), host.program.process.pid
        watchers = [Watcher(port, *people[0])]
        before = threads_of(worker)
        watchers += [Watcher(port, *person) for person in people[1:]]
        # Threads the server had not needed before may have started, never one for each browser.
        assert threads_of(worker) <= before + 16
        selector = selectors.DefaultSelector()
        for one in watchers:
            selector.register(one.connection, selectors.EVENT_READ, one)
        for number in range(ROUNDS):
            speaking = threading.Thread(target=say, args=(workspaces, number))
            speaking.start()
            deadline = time.monotonic() + 120
            while any(len(one.told) <= number for one in watchers):
                assert time.monotonic() < deadline, "somebody was not told"
                for key, _ in selector.select(1):
                    key.data.read()
            speaking.join()
        assert {tuple(one.told) for one in watchers} == {tuple(range(ROUNDS))}
        memory = int(Path(f"/proc/{worker}/status").read_text().partition("VmRSS:")[2].split()[0])
        for one in watchers:
            one.connection.close()
    delays = sorted(delay * 1000 for one in watchers for delay in one.delays)
    p50, p99 = delays[len(delays) // 2], delays[len(delays) * 99 // 100]
    with capsys.disabled():
        print(
            f"\n{len(watchers)} browsers of {WORKSPACES} workspaces, told of what another process wrote: "
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, longest {delays[-1]:.0f} ms; "
            f"the server holds {memory // 1024} MB"
        )
