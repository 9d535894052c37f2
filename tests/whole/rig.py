"""The real programs under test: sandbox and desk as processes of their own, talked to over sockets."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import requests

from demo.person import Person
from demo.processes import (
    CHECKOUT,
    DidNotStartError,
    Program,
    Sandbox,
    clean_environment,
    free_port,
    sandbox_settings,
)

T = TypeVar("T")

PASSWORD = "correct horse battery"
QUICK = Path(__file__).parent / "quick_desk.py"


def until(look: Callable[[], T], what: str, seconds: float = 60.0) -> T:
    """Look until there is something to see, and return it."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, (
            f"{what} did not happen within {seconds:.0f} s; last seen: {seen!r}"
        )
        time.sleep(0.02)
    return seen


def start_sandbox(ledger: Path) -> Sandbox:
    """Start a sandbox that keeps its ledger in a file, too."""
    arguments = [sys.executable, "-u", "-m", "sandbox", "--port", "0", "--ledger", str(ledger)]
    program = Program.start("sandbox", arguments, clean_environment())
    return Sandbox(program, program.wait_for(r"sandbox listening on (http://\S+)").group(1))


def finish(program: Program) -> None:
    """Read the last words of a program that has ended, and let go of its pipe."""
    with suppress(DidNotStartError):
        program.wait_for(r"(?!)", 5)
    if program.process.stdout is not None:
        program.process.stdout.close()


@dataclass
class Rig:
    """One desk and the stand-in it talks to.

    :param command: what is run as ``lobby``.
    """

    folder: Path
    sandbox: Sandbox
    settings: dict[str, str] = field(default_factory=dict)
    command: Sequence[str] = ("-m", "host.cli")
    port: int = field(default_factory=free_port)
    program: Program | None = None
    said: list[str] = field(default_factory=list)
    """Everything desks of this rig that are gone have written to their output."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger.jsonl"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **clean_environment(),
            "PYTHONUNBUFFERED": "1",
            "LOBBY_DATA": str(self.data),
            "LOBBY_BIND": f"127.0.0.1:{self.port}",
            "LOBBY_PUBLIC_URL": self.url,
            **sandbox_settings(self.sandbox),
            **self.settings,
        }

    # The desk as a process

    def start(self) -> str | None:
        """Start the desk and wait until it answers; return the set-up link, if it printed one."""
        program = self._spawn()
        program.wait_for(r"lobby listening on ")
        link = re.search(r"Set up this desk: ([^\s\"]+)", program.output)
        return link.group(1) if link else None

    def start_and_kill(self, seconds: float) -> None:
        """Start the desk and cut it off *seconds* later, however far it has come."""
        program = self._spawn()
        with suppress(DidNotStartError):
            program.wait_for(r"(?!)", seconds)
        self.kill()

    def _spawn(self) -> Program:
        arguments = [sys.executable, "-u", *self.command, "run"]
        self.program = Program.start("lobby", arguments, self.environment)
        return self.program

    def kill(self) -> None:
        """End every process of the desk at once, as a power cut would."""
        assert self.program is not None
        self.program.kill()
        self._bury()

    def stop(self) -> None:
        """Ask the desk to end."""
        if self.program is not None:
            self.program.stop()
            self._bury()

    def _bury(self) -> None:
        """Keep what a desk that is gone has said."""
        assert self.program is not None
        finish(self.program)
        self.said += list(self.program.lines)
        self.program = None

    @property
    def output(self) -> str:
        """Everything the desk has written, through all its lives."""
        return "\n".join([*self.said, *(self.program.lines if self.program else ())])

    def close(self) -> None:
        self.stop()
        self.sandbox.program.stop()
        finish(self.sandbox.program)

    # Looking and acting

    def lobby(self, *arguments: str, given: str | None = None) -> str:
        """Run one ``lobby`` command beside the desk; return what it printed."""
        done = subprocess.run(
            [sys.executable, *self.command, *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def control(self, method: str, path: str, body: object = None, *, status: int | None = None) -> Any:
        """Call the sandbox's control surface."""
        answer = requests.request(method, f"{self.sandbox.url}/control/{path}", json=body, timeout=30)
        assert answer.status_code < 400 if status is None else answer.status_code == status, answer.text
        return answer.json()

    def rows(self, query: str, *parameters: object) -> list[sqlite3.Row]:
        """Read from the desk's database, which may be serving."""
        with closing(
            sqlite3.connect(f"file:{self.data / 'lobby.sqlite3'}?mode=ro", uri=True, timeout=10)
        ) as found:
            found.row_factory = sqlite3.Row
            return found.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: object) -> Any:
        """Read one value."""
        return self.rows(query, *parameters)[0][0]

    def person(self, email: str = "") -> Person:
        """Return a browser, signed in where *email* is given."""
        person = Person(self.url)
        if email:
            person.open("/login")
            person.press("Sign in", {"email": email, "password": PASSWORD})
        return person


def running(folder: Path, **options: Any) -> Iterator[Rig]:
    """Yield a rig whose sandbox runs and whose desk does not yet; end both afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    rig = Rig(folder, start_sandbox(folder / "ledger.jsonl"), **options)
    try:
        yield rig
    finally:
        rig.close()
