"""Two processes behind nginx, restarted one after the other: nobody sees an error, no live event is lost."""

from __future__ import annotations

import http.client
import itertools
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from demo.processes import Program, clean_environment, free_port
from host.core import db
from host.record.writing import show
from tests.inbox import desks
from tests.inbox.desks import Desk
from tests.live.served import Reader, cookie
from tests.live.test_nginx import nginx
from tests.whole.rig import finish
from tests.whole.test_ending import journalled

pytestmark = [pytest.mark.slow, pytest.mark.services]

TIMES = 2
"""How often each of the two is restarted."""


def start(data: Path, port: int) -> Program:
    program = Program.start(
        "lobby",
        [sys.executable, "-u", "-m", "tests.whole.slow_desk", "run"],
        {
            **clean_environment(),
            "LOBBY_DATA": str(data),
            "LOBBY_BIND": f"127.0.0.1:{port}",
            "LOBBY_DATABASE_URL": db.current().url.render_as_string(hide_password=False),
            "LOBBY_SESSION_KEY": "a key for tests",
            "LOBBY_PROXIES": "1",
            "LOBBY_WORKERS": "0",
            "LOBBY_SENDERS": "0",
            "SLOW_FOLDER": str(data),
        },
    )
    program.wait_for("lobby listening on ")
    return program


class Asking(threading.Thread):
    """Asks for pages one after the other until told to stop."""

    _numbers = itertools.count(1)

    def __init__(self, port: int, signed_in: str, inbox: str) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.headers = {"Cookie": signed_in}
        self.inbox = inbox
        self.stopping = threading.Event()
        self.statuses: list[int] = []
        self.taken_in = 0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.stopping.is_set():
            number = next(self._numbers)
            path = self.inbox if number % 5 == 0 else f"/quick/{number}"
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            answer.read()
            self.statuses.append(answer.status)
            self.taken_in += path != self.inbox and answer.status == 200
        connection.close()


@contextmanager
def saying(desk: Desk) -> Iterator[list[int]]:
    """Have something told to the browsers all the time; yield what."""
    said: list[int] = []
    stopping = threading.Event()

    def say() -> None:
        while not stopping.wait(0.02):
            db.write(show, desk.workspace, "conversation", conversation_id=len(said))
            said.append(len(said))

    thread = threading.Thread(target=say, daemon=True)
    thread.start()
    try:
        yield said
    finally:
        stopping.set()
        thread.join(60)


class Following(threading.Thread):
    """One browser, which comes back where it was whenever its stream ends."""

    def __init__(self, port: int, desk: Desk) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.desk = desk
        self.told: set[int] = set()
        self.came_back = -1
        self.stopping = threading.Event()

    def run(self) -> None:
        last = "0"
        while not self.stopping.is_set():
            self.came_back += 1
            with Reader(
                self.port, f"/w/{self.desk.workspace}/live?after={last}", self.desk.browser
            ) as reader:
                if reader.status != 200:
                    time.sleep(0.1)
                    continue
                while frame := reader.frame():
                    assert frame["event"] == "conversation", frame
                    last = frame["id"]
                    self.told.add(int(frame["data"].rpartition(":")[2].rstrip("}")))


@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_a_rolling_restart_is_noticed_by_nobody(
    any_database: db.Database, data: Path, tmp_path: Path
) -> None:
    desk = desks.open_desk(data)
    folder = tmp_path / "nginx"
    folder.mkdir()
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        programs = [start(data, port) for port in ports]
        stack.callback(lambda: [finish(one) for one in programs])
        stack.callback(lambda: [one.kill() for one in programs])
        front = stack.enter_context(nginx(folder, *ports))
        asking = [Asking(front, cookie(desk.browser), f"/w/{desk.workspace}/inbox") for _ in range(4)]
        following = Following(front, desk)
        with saying(desk) as said:
            for one in (*asking, following):
                one.start()
            for _ in range(TIMES):
                for at, port in enumerate(ports):
                    time.sleep(1)
                    programs[at].stop()
                    programs[at] = start(data, port)
            time.sleep(1)
        deadline = time.monotonic() + 60
        while following.told != set(said):
            assert time.monotonic() < deadline, set(said) - following.told
            time.sleep(0.05)
        for one in (*asking, following):
            one.stopping.set()
        for one in asking:
            one.join(60)
        statuses = [status for one in asking for status in one.statuses]
        assert len(statuses) > 100
        assert set(statuses) == {200}
        assert following.came_back >= 1, "its process was one of those restarted"
        assert journalled() == sum(one.taken_in for one in asking)
