"""A process in which an addon hangs ends once it has drained, and begins anew; with real processes."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from demo.processes import CHECKOUT, Program, clean_environment, free_port
from host.addons.package.build import build_addon
from host.core.config import Exit
from host.process.serving import HANGS
from tests.whole.rig import finish, until

pytestmark = pytest.mark.slow

TOY = CHECKOUT / "tests" / "toy"
HANGS_WHILE = '    __import__("os").path.exists({fuse!r}) and __import__("threading").Event().wait()\n'
LOBBY = (
    "from host.core import call_budget\n"
    "call_budget.SECONDS = 1.0\n"
    "from host.cli.commands import main\n"
    "main()\n"
)


class Desk:
    """A desk with a toy whose page hangs while a file exists."""

    def __init__(self, folder: Path) -> None:
        self.fuse = folder / "fuse"
        self.port = free_port()
        self.environment = {
            **clean_environment(),
            "PYTHONUNBUFFERED": "1",
            "LOBBY_DATA": str(folder / "data"),
            "LOBBY_BIND": f"127.0.0.1:{self.port}",
            "LOBBY_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
        }
        self.database = folder / "data" / "lobby.sqlite3"
        source = folder / "toy"
        subprocess.run(["cp", "-r", str(TOY), str(source)], check=True)
        pages = source / "toy" / "pages.py"
        hangs = HANGS_WHILE.format(fuse=str(self.fuse))
        pages.write_text(pages.read_text().replace("def about() -> str:\n", f"def about() -> str:\n{hangs}"))
        build_addon(source, folder / "toy.zip")
        self.lobby("migrate")
        self.lobby("addon", "install", str(folder / "toy.zip"))
        self.lobby("addon", "activate", "toy")

    def lobby(self, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "host.cli", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *before: str) -> Program:
        program = Program.start("lobby", [*before, sys.executable, "-c", LOBBY, "run"], self.environment)
        program.wait_for(r"lobby listening on ")
        return program

    def about(self) -> int:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/addons/toy/about", timeout=60).status_code
        except requests.ConnectionError:
            return 0

    def hang_often(self) -> None:
        self.fuse.touch()
        answers: list[int] = []
        threads = [threading.Thread(target=lambda: answers.append(self.about())) for _ in range(HANGS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [503] * HANGS, "each is answered"

    def state(self) -> str:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=10)) as found:
            return str(found.execute("SELECT state FROM addons WHERE slug = 'toy'").fetchone()[0])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def ended() -> Iterator[Callable[[Program], Program]]:
    programs: list[Program] = []

    def add(program: Program) -> Program:
        programs.append(program)
        return program

    yield add
    for program in programs:
        program.stop()
        finish(program)


def starts(program: Program) -> int:
    return program.output.count("lobby listening on ")


def test_in_a_terminal_it_starts_again_by_itself_once_an_hour(
    desk: Desk, ended: Callable[[Program], Program]
) -> None:
    program = ended(desk.run())
    assert desk.about() == 200
    desk.hang_often()
    until(lambda: starts(program) == 2, "its second start")
    assert program.process.poll() is None, "the same process"
    assert desk.state() == "active"
    desk.hang_often()
    until(lambda: desk.state() == "quarantined", "switching the addon off")
    until(lambda: desk.about() == 404, "its page being gone")
    assert requests.get(f"http://127.0.0.1:{desk.port}/login", timeout=60).status_code == 200
    assert starts(program) == 2

    desk.fuse.unlink()
    desk.lobby("addon", "activate", "toy")
    until(lambda: desk.about() == 200, "its page being back")
    # Threads that hang for ever do not keep it from its end.
    program.process.terminate()
    assert program.process.wait(60) == 0


SYSTEMD = ("sh", "-c", 'SYSTEMD_EXEC_PID=$$ exec "$0" "$@"')


def test_under_a_supervisor_it_ends_to_be_started_anew(
    desk: Desk, ended: Callable[[Program], Program]
) -> None:
    program = ended(desk.run(*SYSTEMD))
    desk.hang_often()
    assert program.process.wait(60) == Exit.BUSY
    assert starts(program) == 1
    desk.fuse.unlink()
    program = ended(desk.run(*SYSTEMD))
    assert desk.about() == 200


def test_whoever_ends_it_meanwhile_gets_no_other(desk: Desk, ended: Callable[[Program], Program]) -> None:
    program = ended(desk.run())
    desk.hang_often()
    program.wait_for("this process is replaced because")
    program.process.terminate()
    # On a busy machine the next one has begun, and does not hear signals yet.
    assert program.process.wait(60) in {0, -signal.SIGTERM}
    assert starts(program) == 1
