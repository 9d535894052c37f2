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
        self.in_job = folder / "in-job"
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
        self.lobby("migrate")
        self._install(source)

    def _install(self, source: Path) -> None:
        target = source.with_suffix(".zip")
        build_addon(source, target)
        self.lobby("addon", "install", str(target))
        self.lobby("addon", "activate", "toy")

    def endless_job(self) -> None:
        """Let the toy have a job that never ends, and notes that it began."""
        source = self.fuse.parent / "toy"
        events = source / "toy" / "events.py"
        ends_never = (
            f'    __import__("pathlib").Path({str(self.in_job)!r}).touch()\n'
            '    __import__("threading").Event().wait()\n    note("swept")'
        )
        events.write_text(events.read_text().replace('    note("swept")', ends_never))
        manifest = source / "addon.toml"
        manifest.write_text(manifest.read_text().replace('version = "1.0.0"', 'version = "1.0.1"'))
        self._install(source)

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


class Visitor:
    """Opens a connection after the other, and asks each for a page.

    :ivar answers: the status of each; 0: nobody answered.
    """

    def __init__(self, desk: Desk) -> None:
        self.answers: list[int] = []
        self._desk = desk
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._visit, daemon=True)
        self._thread.start()

    def _visit(self) -> None:
        while not self._over.is_set():
            try:
                found = requests.get(f"http://127.0.0.1:{self._desk.port}/login", timeout=120).status_code
            except requests.ConnectionError:
                found = 0
            self.answers.append(found)

    def leave(self) -> None:
        self._over.set()
        self._thread.join(180)


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


def test_under_a_supervisor_it_starts_again_by_itself_too(
    desk: Desk, ended: Callable[[Program], Program]
) -> None:
    program = ended(desk.run(*SYSTEMD))
    desk.hang_often()
    until(lambda: starts(program) == 2, "its second start")
    assert program.process.poll() is None, "the same process, so its supervisor has nothing to do"
    desk.fuse.unlink()
    assert desk.about() == 200


@pytest.mark.parametrize("before", [(), SYSTEMD])
def test_no_connection_is_refused_while_it_is_replaced(
    desk: Desk, ended: Callable[[Program], Program], before: tuple[str, ...]
) -> None:
    program = ended(desk.run(*before))
    visitor = Visitor(desk)
    until(lambda: visitor.answers, "its first answer")
    desk.hang_often()
    until(lambda: starts(program) == 2, "its second start")
    asked = len(visitor.answers)
    until(lambda: len(visitor.answers) > asked + 3, "answers of the second start")
    visitor.leave()
    assert set(visitor.answers) == {200}


def test_an_endless_job_keeps_nobody_from_being_answered_meanwhile(
    desk: Desk, ended: Callable[[Program], Program]
) -> None:
    desk.endless_job()
    program = ended(desk.run())
    until(desk.in_job.exists, "the job")
    visitor = Visitor(desk)
    until(lambda: visitor.answers, "its first answer")
    desk.hang_often()
    program.wait_for("this process is replaced because")
    asked = len(visitor.answers)
    program.wait_for("Lobby starts again in this process")
    assert len(visitor.answers) > asked + 3, "it answered while it waited for the job"
    until(lambda: starts(program) == 2, "its second start")
    visitor.leave()
    assert set(visitor.answers) == {200}


def test_whoever_ends_it_meanwhile_gets_no_other(desk: Desk, ended: Callable[[Program], Program]) -> None:
    program = ended(desk.run())
    desk.hang_often()
    program.wait_for("this process is replaced because")
    program.process.terminate()
    # On a busy machine the next one has begun, and does not hear signals yet.
    assert program.process.wait(60) in {0, -signal.SIGTERM}
    assert starts(program) == 1
