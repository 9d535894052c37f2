"""Two processes behind nginx, restarted one after the other, or one of them frozen: nobody sees an error."""

from __future__ import annotations

import http.client
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.processes import Program, clean_environment, free_port
from host.core import db
from host.events.writing import show
from tests.inbox import desks
from tests.inbox.desks import Desk
from tests.live.served import Reader, cookie
from tests.live.test_nginx import nginx
from tests.whole.rig import finish, until
from tests.whole.test_ending import journalled

pytestmark = [pytest.mark.slow, pytest.mark.services]

TIMES = 2
"""How often each of the two is restarted."""


LOBBY = [sys.executable, "-u", "-m", "tests.whole.slow_desk"]
DIST = Path(__file__).resolve().parents[2] / "dist"
ANSWERED = {401, 429}
"""What Lobby says to a webhook without a signature: it is nobody it knows, or that too many came."""
FROZEN_SECONDS = 24
"""Long enough for two tries of a process that stands still."""


def environment(data: Path, port: int) -> dict[str, str]:
    return {
        **clean_environment(),
        "LOBBY_DATA": str(data),
        "LOBBY_BIND": f"127.0.0.1:{port}",
        "LOBBY_DATABASE_URL": db.current().url.render_as_string(hide_password=False),
        "LOBBY_SESSION_KEY": "a key for tests",
        "LOBBY_PROXIES": "1",
        "LOBBY_WORKERS": "0",
        "LOBBY_SENDERS": "0",
        "SLOW_FOLDER": str(data),
    }


def start(data: Path, port: int) -> Program:
    program = Program.start("lobby", [*LOBBY, "run"], environment(data, port))
    program.wait_for("lobby listening on ")
    return program


def activate(data: Path) -> None:
    """Install the addon whose webhooks are sent."""
    (file,) = DIST.glob("instagram-addon-*.zip")
    for command in (["install", str(file)], ["activate", "instagram"]):
        subprocess.run([*LOBBY, "addon", *command], env=environment(data, 0), check=True, capture_output=True)


class Provider(threading.Thread):
    """Sends webhooks all the time, whatever becomes of those before; none carries a signature."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.stopping = threading.Event()
        self.statuses: list[int] = []

    def run(self) -> None:
        with ThreadPoolExecutor(100) as pool:
            while not self.stopping.wait(0.05):
                pool.submit(self._send)

    def _send(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/addons/instagram/webhook", b"{}")
        self.statuses.append(connection.getresponse().status)
        connection.close()


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
                    if frame["event"] == "addons":
                        continue  # activated before
                    assert frame["event"] == "conversation", frame
                    last = frame["id"]
                    self.told.add(int(frame["data"].rpartition(":")[2].rstrip("}")))


@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_a_rolling_restart_is_noticed_by_nobody(
    any_database: db.Database, data: Path, tmp_path: Path
) -> None:
    activate(data)
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
        provider = Provider(front)
        with saying(desk) as said:
            for one in (*asking, following, provider):
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
        for one in (*asking, following, provider):
            one.stopping.set()
        for one in (*asking, provider):
            one.join(60)
        assert set(provider.statuses) <= ANSWERED
        statuses = [status for one in asking for status in one.statuses]
        assert len(statuses) > 100
        assert set(statuses) == {200}
        assert following.came_back >= 1, "its process was one of those restarted"
        assert journalled() == sum(one.taken_in for one in asking)


@pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
def test_a_frozen_process_takes_no_webhook_along(
    any_database: db.Database, data: Path, tmp_path: Path
) -> None:
    """nginx says when each was answered, after how long, and by whom."""
    activate(data)
    folder = tmp_path / "nginx"
    folder.mkdir()
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        programs = [start(data, port) for port in ports]
        stack.callback(lambda: [finish(one) for one in programs])
        stack.callback(lambda: [one.kill() for one in programs])
        front = stack.enter_context(
            nginx(folder, *ports, log="$msec $request_time $request_uri $upstream_addr")
        )
        provider = Provider(front)
        provider.start()
        time.sleep(2)
        frozen_at = time.time()
        os.kill(programs[0].process.pid, signal.SIGSTOP)
        time.sleep(FROZEN_SECONDS)
        os.kill(programs[0].process.pid, signal.SIGCONT)
        freed_at = time.time()
        until(
            lambda: any(one.asked == [ports[0]] and one.sent > freed_at for one in sent(folder)), "its return"
        )
        provider.stopping.set()
        provider.join(60)
    found = [one for one in sent(folder) if frozen_at < one.sent < freed_at - 4]
    assert set(provider.statuses) <= ANSWERED
    assert len(found) > 100
    assert max(one.seconds for one in found) < 4
    waited = [one.sent - frozen_at for one in found if ports[0] in one.asked]
    assert all(ports[1] in one.asked for one in found)
    first, tries = [at for at in waited if at < 4], [at for at in waited if at >= 4]
    assert first
    assert 0 < len(tries) <= FROZEN_SECONDS / 5
    assert all(later - earlier > 5 for earlier, later in itertools.pairwise(tries))


@dataclass(frozen=True)
class Sent:
    """A webhook, as nginx saw it.

    :param asked: the ports of the processes it was given to, in order.
    """

    sent: float
    seconds: float
    asked: list[int]


def sent(folder: Path) -> list[Sent]:
    found = []
    for line in (folder / "log").read_text().splitlines():
        answered, seconds, path, asked = line.split(" ", 3)
        if path == "/addons/instagram/webhook":
            by = [int(one.rpartition(":")[2]) for one in asked.split(", ")]
            found.append(Sent(float(answered) - float(seconds), float(seconds), by))
    return found
