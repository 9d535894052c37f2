"""`lobby run` under both servers: what it says when it begins, and how it ends when it is told to."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from demo.processes import Program, clean_environment, free_port
from host.core import db
from host.models.health import TOTAL, HealthMinute, Process
from host.models.queue import InboundEvent
from tests.health.collector import Collector
from tests.inbox import desks
from tests.inbox.desks import Desk
from tests.live.served import Reader, until
from tests.whole.rig import finish

SERVERS = ("uvicorn", "granian")
THREADS = 9
IN_HAND = [str(number) for number in range(1, 13)]
"""Requests at once: more than there are threads."""

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("server", SERVERS)]


@dataclass
class Running:
    """A desk with slow pages, as a process."""

    program: Program
    port: int
    folder: Path
    stack: ExitStack

    def ask(self, path: str) -> http.client.HTTPConnection:
        """Send a request of a caller of its own: one caller has few at a time. Its answer is read later."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.stack.callback(connection.close)
        connection.request("GET", path, headers={"Authorization": f"caller {path}"})
        return connection

    def begun(self) -> int:
        return len(list(self.folder.glob("begun-*")))

    def go(self) -> None:
        (self.folder / "go").touch()

    def tell(self, number: int) -> None:
        """Send a signal to all processes, as a terminal does, and systemd."""
        os.killpg(self.program.process.pid, number)

    def refuses(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=60).close()
        except ConnectionRefusedError:
            return True
        return False

    def unread(self) -> bool:
        """Tell whether the system holds connections, or bytes of requests, which the server has not taken."""
        local = f":{self.port:04X}"
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        states = {"0A", "01"}
        waiting = [one[4].partition(":")[2] for one in lines if one[1].endswith(local) and one[3] in states]
        return any(int(size, 16) for size in waiting)

    def hears(self, number: int) -> bool:
        """Tell whether it does something of its own at a signal."""
        status = Path(f"/proc/{self.program.process.pid}/status").read_text()
        return bool(int(status.partition("SigCgt:")[2].split()[0], 16) >> (number - 1) & 1)

    def ended(self, seconds: float) -> str:
        """Return what it has said when it is over, as it should be."""
        assert self.program.process.wait(seconds) == 0
        finish(self.program)
        assert "Traceback" not in self.program.output
        return self.program.output


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def desk(database: db.Database, data: Path) -> Desk:
    return desks.open_desk(data)


def start(stack: ExitStack, data: Path, server: str, *, wait: bool = True, **more: str) -> Running:
    folder = data.parent / "slow"
    folder.mkdir(exist_ok=True)
    port = free_port()
    program = Program.start(
        "lobby",
        [sys.executable, "-u", "-m", "tests.whole.slow_desk", "run"],
        {
            **clean_environment(),
            "LOBBY_DATA": str(data),
            "LOBBY_BIND": f"127.0.0.1:{port}",
            "LOBBY_DATABASE_URL": db.current().url.render_as_string(hide_password=False),
            "LOBBY_SESSION_KEY": "a key for tests",
            "LOBBY_SERVER": server,
            "LOBBY_THREADS": str(THREADS),
            "SLOW_FOLDER": str(folder),
            **more,
        },
    )
    stack.callback(finish, program)
    stack.callback(program.kill)
    if wait:
        program.wait_for("lobby listening on ")
    return Running(program, port, folder, stack)


def counted() -> set[str]:
    """Return what slow pages counted."""
    counts = sa.select(HealthMinute.label).where(HealthMinute.minute == TOTAL)
    with db.read() as session:
        found = session.scalars(counts.where(HealthMinute.label.startswith("at-the-end-"))).all()
    return {label.removeprefix("at-the-end-") for label in found}


def journalled() -> int:
    """Return how many events are in the database, of those that slow pages took in."""
    with db.read() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(InboundEvent)).one()


def alive() -> int:
    """Return how many processes say that they run, and did not end as they should."""
    with db.read() as session:
        return session.scalars(sa.select(sa.func.count()).select_from(Process)).one()


def test_it_says_that_it_listens_when_it_does(
    desk: Desk, data: Path, server: str, started: ExitStack
) -> None:
    running = start(started, data, server)
    assert not running.refuses()
    taken = start(started, data, server, wait=False, LOBBY_BIND=f"127.0.0.1:{running.port}").program
    assert taken.process.wait(60) != 0
    taken.wait_for(f"cannot serve at 127.0.0.1:{running.port}: Address already in use")
    running.program.process.terminate()
    running.ended(20)


def test_everything_in_hand_is_finished_and_everything_written(
    desk: Desk, data: Path, server: str, started: ExitStack
) -> None:
    collector = Collector()
    started.callback(collector.close)
    running = start(
        started,
        data,
        server,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_BSP_SCHEDULE_DELAY="600000",  # what comes, comes at the end
    )
    with Reader(running.port, f"/w/{desk.workspace}/live", desk.browser) as stream:
        assert stream.status == 200
        asked = [running.ask(f"/slow/{name}") for name in IN_HAND]
        until(lambda: running.begun() == THREADS)
        until(lambda: not running.unread())
        until(alive)
        running.tell(signal.SIGTERM)
        assert stream.frame() == {}, "the stream ends at once"
    until(running.refuses)
    running.tell(signal.SIGTERM)  # supervisors repeat themselves
    running.go()
    for connection in asked:
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"done")
    said = running.ended(20)
    assert "stopped after" in said
    assert "cut off" not in said
    assert journalled() == len(IN_HAND)
    assert counted() == set(IN_HAND)
    assert alive() == 0, "its row is gone, so nobody takes it for one that died"
    spans = {span.attributes["lobby.message_id"] for span in collector.spans if span.name == "queued"}
    assert spans == {int(name) for name in IN_HAND}


def test_a_request_that_does_not_end_is_cut_off_in_time(
    desk: Desk, data: Path, server: str, started: ExitStack
) -> None:
    running = start(started, data, server, SLOW_PATIENCE="0.5")
    asked = running.ask("/slow/1")
    until(running.begun)
    assert running.ask("/quick/2").getresponse().status == 200
    running.program.process.terminate()
    assert "requests that are still under way are cut off" in running.ended(10)
    with pytest.raises((http.client.HTTPException, OSError)):
        asked.getresponse()
    assert counted() == {"2"}
    assert alive() == 0


def test_ctrl_c_waits_and_a_second_one_does_not(
    desk: Desk, data: Path, server: str, started: ExitStack
) -> None:
    running = start(started, data, server, SLOW_PATIENCE="600")
    for name in ("1", "2"):
        running.ask(f"/slow/{name}")
    until(lambda: running.begun() == 2)
    assert running.ask("/quick/3").getresponse().status == 200
    running.tell(signal.SIGINT)
    until(running.refuses)
    assert running.program.process.poll() is None
    running.tell(signal.SIGINT)
    running.ended(20)
    assert counted() == {"3"}
    assert alive() == 0


def test_what_is_told_while_it_starts_is_heard(
    desk: Desk, data: Path, server: str, started: ExitStack
) -> None:
    running = start(started, data, server, wait=False)
    until(lambda: running.hears(signal.SIGTERM))
    running.program.process.terminate()
    running.ended(15)
