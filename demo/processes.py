"""Starting and stopping the programs of the demo; the browser tests use the same."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

import requests

CHECKOUT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
WAITING_SECONDS = 10.0
"""How long starting a program is silent at a time, for a person who watches."""
UNASSIGNED_PORTS = range(20_000, 32_768)
"""No system hands these out by itself, to a server that asks for any port or to a client."""


class DidNotStartError(RuntimeError):
    """A program ended, or printed nothing, instead of serving."""


def free_port(wanted: int = 0) -> int:
    """Return a free port of 127.0.0.1: *wanted* if it is free.

    Otherwise one the system assigns to nobody, so it stays free while its server starts, or is down.
    """
    others = SystemRandom().sample(UNASSIGNED_PORTS, 100)
    for port in [wanted, *others] if wanted else others:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise OSError("no port is free")


@dataclass
class Program:
    """A running program whose output is kept, line by line."""

    name: str
    process: subprocess.Popen[str]
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=2000))
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _ended: bool = False

    @classmethod
    def start(
        cls, name: str, arguments: list[str], environment: dict[str, str], *, folder: Path = CHECKOUT
    ) -> Program:
        process = subprocess.Popen(  # noqa: S603 - our own programs
            arguments,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        program = cls(name, process)
        threading.Thread(target=program._read, daemon=True, name=f"{name}-output").start()
        return program

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            for line in output:
                with self._changed:
                    self.lines.append(line.rstrip("\n"))
                    self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def wait_for(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """Return the first match of *pattern* in the output.

        :raises DidNotStartError: with the output, if it did not appear in time.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while (match := self._match(pattern)) is None:
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    raise DidNotStartError(f"{self.name} said no {pattern!r}:\n{self.output}")
                self._changed.wait(left)
        return match

    def wait_for_start(self, pattern: str) -> re.Match[str]:
        """Return the first match of *pattern* in the output, however slow the machine is.

        What the program is doing meanwhile is printed now and then.

        :raises DidNotStartError: with the output, if the program ended without it.
        """
        began = said_at = time.monotonic()
        with self._changed:
            while (match := self._match(pattern)) is None:
                if self._ended:
                    raise DidNotStartError(f"{self.name} ended instead of starting:\n{self.output}")
                self._changed.wait(WAITING_SECONDS)
                if (now := time.monotonic()) - said_at >= WAITING_SECONDS:
                    said_at = now
                    doing = self.lines[-1] if self.lines else "It has printed nothing yet."
                    print(f"{self.name} is starting, for {now - began:.0f} s. {doing}", flush=True)
        return match

    def _match(self, pattern: str) -> re.Match[str] | None:
        return next((match for line in self.lines if (match := re.search(pattern, line))), None)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def kill(self) -> None:
        """End the program and its children at once, as a power cut would."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()

    def stop(self, seconds: float = 25.0) -> None:
        """Ask the program to end; kill it after *seconds*."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without any setting of Lobby."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOBBY_")}


@dataclass(frozen=True)
class Sandbox:
    program: Program
    url: str

    @classmethod
    def start(cls, port: int = 0) -> Sandbox:
        program = Program.start(
            "sandbox", [sys.executable, "-u", "-m", "sandbox", "--port", str(port)], clean_environment()
        )
        return cls(program, program.wait_for_start(r"sandbox listening on (http://\S+)").group(1))


@dataclass(frozen=True)
class Host:
    program: Program
    url: str
    data: Path
    setup_link: str | None

    @classmethod
    def start(
        cls,
        data: Path,
        *,
        port: int,
        settings: dict[str, str],
        wait: bool = True,
        lobby: Sequence[str] = (sys.executable, "-u", "-m", "host.cli"),
        folder: Path = CHECKOUT,
    ) -> Host:
        """Start ``lobby run`` on *port* with its data in *data*; return once it answers."""
        url = f"http://127.0.0.1:{port}"
        environment = {
            **clean_environment(),
            "PYTHONUNBUFFERED": "1",
            "LOBBY_DATA": str(data),
            "LOBBY_BIND": f"127.0.0.1:{port}",
            "LOBBY_PUBLIC_URL": url,
            **settings,
        }
        program = Program.start("lobby", [*lobby, "run"], environment, folder=folder)
        if wait:
            try:
                program.wait_for_start(r"lobby listening on ")
            except DidNotStartError:
                program.kill()
                raise
        link = next(
            (m[1] for line in program.lines if (m := re.search(r'Set up this desk: ([^\s"]+)', line))), None
        )
        return cls(program, url, data, link)


def sandbox_settings(sandbox: Sandbox) -> dict[str, str]:
    """Return the settings that point the addon at *sandbox* instead of at the real service."""
    answer = requests.get(f"{sandbox.url}/control/desk", timeout=START_SECONDS)
    settings: dict[str, str] = answer.json()
    return settings
