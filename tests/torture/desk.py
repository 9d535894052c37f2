"""A desk on any database, with workers of its own, whose lines to database and provider can be cut."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from demo.processes import CHECKOUT, Program, clean_environment, free_port, sandbox_settings
from host.addons.package.build import build_release
from host.core.backports.values import replace
from tests.addons.own_servers import Server, _descendants
from tests.torture.brokers import Broker
from tests.torture.proxy import Proxy
from tests.whole.rig import Rig

START_SECONDS = 120.0
REST_BEGINS = 10.0
"""Seconds a thread of the desk has to come to a write in which it is to sleep."""


def addon(version: str, folder: Path) -> Path:
    """Build the addon of the tree as *version*; return its zip."""
    source = folder / f"instagram-{version}"
    shutil.copytree(
        CHECKOUT / "addons" / "instagram",
        source,
        ignore=shutil.ignore_patterns("__pycache__", "tests"),
        dirs_exist_ok=True,
    )
    manifest = source / "addon.toml"
    text = manifest.read_text()
    manifest.write_text(re.sub(r'^version = ".*"$', f'version = "{version}"', text, count=1, flags=re.M))
    path, _ = build_release(source, folder)
    return path


@dataclass
class Desk(Rig):
    """One desk: a web process, and where the database is a server's, workers beside it.

    :param server: the database server of this desk's own; None: SQLite.
    :param workers: how many ``lobby worker`` run beside it.
    """

    server: Server | None = None
    broker: Broker | None = None
    to_database: Proxy | None = None
    to_provider: Proxy | None = None
    workers: int = 0
    homes: dict[str, int] = field(default_factory=dict)
    """Workspaces by name."""
    notes: list[str] = field(default_factory=list)
    """What this desk lacks, for the report."""
    helpers: list[Program] = field(default_factory=list)
    preloaded: dict[str, str] = field(default_factory=dict)
    """More of the environment of what serves, and of nothing else."""
    started: int = 0
    """How often the web process said that it listens."""
    faulty: bool = False
    """Whether clocks, statements and jobs of this desk can be told to fail; see ``launch.py``."""
    second_port: int = 0
    """Where a second web process listens, as another machine would; 0: there is none."""
    second: Program | None = None
    other_ports: list[int] = field(default_factory=list)
    """Where more web processes listen."""
    others: list[Program] = field(default_factory=list)
    worker_port: int = 0
    """Where the first worker answers probes; 0: nowhere."""

    @property
    def kind(self) -> str:
        return "sqlite" if self.server is None else self.server.kind

    @cached_property
    def _to_sandbox(self) -> dict[str, str]:
        found = sandbox_settings(self.sandbox)
        if self.to_provider is not None:
            real, seen = self.sandbox.url.removeprefix("http://"), self.to_provider.address
            found = {name: value.replace(real, seen) for name, value in found.items()}
            found["LOBBY_ALLOW_HOSTS"] += f",{real}"
        return found

    @property
    def environment(self) -> dict[str, str]:
        database = {}
        if self.server is not None:
            url = sa.make_url(self.server.url)
            if self.to_database is not None:
                url = url.set(port=self.to_database.port)
            database["LOBBY_DATABASE_URL"] = url.render_as_string(hide_password=False)
        if self.broker is not None:
            database["LOBBY_BROKER_URL"] = self.broker.url
        return {
            **clean_environment(),
            "PYTHONUNBUFFERED": "1",
            "LOBBY_DATA": str(self.data),
            "LOBBY_BIND": f"127.0.0.1:{self.port}",
            "LOBBY_PUBLIC_URL": self.url,
            **self._to_sandbox,
            **database,
            **self.settings,
        }

    @property
    def webhook(self) -> str:
        return f"{self.url}/addons/instagram/webhook"

    @property
    def webhooks(self) -> list[str]:
        """Return the addresses a provider's balancer knows."""
        ports = [*([self.second_port] if self.second_port else []), *self.other_ports]
        return [self.webhook, *(f"http://127.0.0.1:{port}/addons/instagram/webhook" for port in ports)]

    # Faults the processes read of

    def _signs(self, name: str) -> dict[str, str]:
        faulty = {"TORTURE_FAULTY": "1"} if self.faulty else {}
        return {"TORTURE_SIGNS": str(self.folder / "signs" / name), **faulty}

    def _sign(self, name: str, sign: str, text: str) -> None:
        folder = self.folder / "signs" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "next").write_text(text)
        (folder / "next").replace(folder / sign)

    def set_clock(self, name: str, seconds: float) -> None:
        """Have the wall's clock of ``web``, ``worker`` or ``second`` be wrong by *seconds*."""
        self._sign(name, "clock", str(seconds))

    @contextmanager
    def failing(self, how: str) -> Iterator[None]:
        """Have SQLite's statements or COMMITs fail now and then while the block runs."""
        self._sign("web", "fails", how)
        try:
            yield
        finally:
            self._sign("web", "fails", "")

    def rest(self, name: str, seconds: float) -> bool:
        """Have a thread of ``web`` or ``worker`` sleep in its next write, with locks; tell whether it did."""
        return self.rest_somewhere((name,), seconds, "applying") is not None

    def rest_somewhere(self, names: Sequence[str], seconds: float, where: str) -> str | None:
        """Have a thread of the first of *names* that comes to *where* sleep there; return which it was.

        :param where: ``applying``, ``sending`` or ``reading``; see ``launch.py``.
        """
        for name in names:
            begun = self.folder / "signs" / name / "resting"
            begun.unlink(missing_ok=True)
            self._sign(name, "rest", f"{seconds} {time.monotonic_ns()} {where}")
            deadline = time.monotonic() + REST_BEGINS
            while not begun.exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            # Whoever starts after this has nothing to do with it.
            self._sign(name, "rest", "")
            if begun.exists():
                return name
        return None

    def begun_jobs(self) -> dict[str, int]:
        """Return when each process last began a chore, by name."""
        return {path.parent.name: path.stat().st_mtime_ns for path in (self.folder / "signs").glob("*/chore")}

    # Processes

    def _spawn(self) -> Program:
        arguments = [sys.executable, "-u", *self.command, "run"]
        environment = self.environment | self.preloaded | self._signs("web")
        self.program = self._remember(Program.start("lobby", arguments, environment))
        return self.program

    @staticmethod
    def _remember(program: Program) -> Program:
        """Keep all that *program* says, not only its newest lines."""
        with program._changed:
            program.lines = deque(program.lines)
        return program

    def restart_second(self) -> None:
        """Ask the second web process to end and start it again."""
        assert self.second is not None
        self.second.stop()
        self._keep_words(self.second)
        self.second = None
        self.start()

    def _start_second(self) -> Program:
        self.second = self._start_other("second", self.second_port)
        return self.second

    def _start_other(self, name: str, port: int) -> Program:
        """Start what another machine would run: keys and files are shared, the spool is its own."""
        other = self.folder / name
        other.mkdir(exist_ok=True)
        (self.data / "attachments").mkdir(exist_ok=True)
        for shared in ("secret.keys", "session.key", "attachments"):
            if not (other / shared).is_symlink():
                (other / shared).symlink_to(self.data / shared)
        own = {"LOBBY_DATA": str(other), "LOBBY_BIND": f"127.0.0.1:{port}"}
        arguments = [sys.executable, "-u", *self.command, "run"]
        environment = self.environment | own | self._signs(name)
        return self._remember(Program.start("lobby", arguments, environment))

    def kill_second(self) -> None:
        """End the second web process at once."""
        if self.second is not None:
            self.second.kill()
            self._keep_words(self.second)
            self.second = None

    def start(self) -> str | None:
        """Start what does not run, and wait until it says so."""
        if self.program is None:
            self._spawn().wait_for(r"lobby listening on ", START_SECONDS)
            self.started += 1
        begun: list[Program] = []
        while len(self.helpers) < self.workers:
            # The serving process leaves deliveries to these.
            name = f"worker{len(self.helpers) + 1}" if self.helpers else "worker"
            environment = self.environment | {"LOBBY_WORKERS": "4"} | self._signs(name)
            if self.worker_port and name == "worker":
                environment["LOBBY_WORKER_LISTEN"] = f"127.0.0.1:{self.worker_port}"
            arguments = [sys.executable, "-u", *self.command, "worker"]
            begun.append(self._remember(Program.start("worker", arguments, environment)))
            self.helpers.append(begun[-1])
        # Of those that run already, only the newest lines are kept.
        for program in begun:
            program.wait_for("lobby worker running", START_SECONDS)
        if self.second_port and self.second is None:
            self._start_second().wait_for(r"lobby listening on ", START_SECONDS)
        for number, port in enumerate(self.other_ports[len(self.others) :], len(self.others)):
            self.others.append(self._start_other(f"other{number}", port))
            self.others[-1].wait_for(r"lobby listening on ", START_SECONDS)
        return None

    def kill_worker(self, number: int = 0) -> None:
        """End one worker at once."""
        program = self.helpers.pop(number)
        program.kill()
        self._keep_words(program)

    def stop(self) -> None:
        for program in (*self.helpers, *self.others):
            program.stop()
            self._keep_words(program)
        self.helpers.clear()
        self.others.clear()
        if self.second is not None:
            self.second.stop()
            self._keep_words(self.second)
            self.second = None
        super().stop()

    def restart(self) -> None:
        """Ask the web process to end and start it again, as an operator does."""
        super().stop()
        self.start()

    def _keep_words(self, program: Program) -> None:
        with suppress(Exception):
            program.wait_for(r"(?!)", 5)
        self.said += list(program.lines)

    @property
    def output(self) -> str:
        others = [*self.helpers, *self.others, *([self.second] if self.second else [])]
        return "\n".join([super().output, *(line for one in others for line in one.lines)])

    def processes(self) -> list[int]:
        """Return every process of the desk."""
        programs = [self.program, self.second, *self.others, *self.helpers]
        roots = [one.process.pid for one in programs if one is not None]
        return roots + [child for root in roots for child in _descendants(root)]

    def web(self) -> list[int]:
        assert self.program is not None
        return [self.program.process.pid, *_descendants(self.program.process.pid)]

    # Looking

    def rows(self, query: str, *parameters: object) -> list[Any]:
        """Read from the database itself, past any proxy."""
        if self.server is None:
            return super().rows(query, *parameters)
        assert not parameters, "named values only, and none was needed yet"
        engine = sa.create_engine(self.server.url, poolclass=sa.pool.NullPool)
        try:
            with engine.connect() as connection:
                found = connection.exec_driver_sql(query)
                return [Named(row) for row in found] if found.returns_rows else []
        finally:
            engine.dispose()

    @contextmanager
    def holding(self, statement: str, name: str, *, runs: bool = False) -> Iterator[int]:
        """Have a session of its own run *statement*, which locks rows, and hold these while the block runs.

        :param name: what the session calls itself.
        :param runs: whether the statement takes as long as the block; then it has to end by itself.
        :return: the number of the connection.
        """
        assert self.server is not None
        mariadb = self.kind == "mariadb"
        named = {"program_name" if mariadb else "application_name": name}
        engine = sa.create_engine(self.server.url, poolclass=sa.pool.NullPool, connect_args=named)
        own = "SELECT CONNECTION_ID()" if mariadb else "SELECT pg_backend_pid()"
        try:
            with engine.connect() as connection:
                number = int(connection.exec_driver_sql(own).scalar_one())
                connection.rollback()
                work = threading.Thread(target=connection.exec_driver_sql, args=(statement,))
                work.start()
                if not runs:
                    work.join()
                yield number
                work.join()
                connection.rollback()
        finally:
            engine.dispose()

    def close(self) -> None:
        self.stop()
        for proxy in (self.to_database, self.to_provider):
            if proxy is not None:
                proxy.close()

    def keep(self, folder: Path) -> Desk:
        """Return a desk like this one on a copy of its files. SQLite only, and this one must not run."""
        assert self.server is None
        assert self.program is None
        shutil.copytree(self.data, folder / "data")
        return replace(self, folder=folder, port=free_port(), program=None, said=[], helpers=[], started=0)

    def copy(self, folder: Path, **more: Any) -> Desk:
        """Return another desk on another copy."""
        return replace(self.keep(folder), **more)


class Named:
    """A row that answers to names and to positions, as SQLite's own do."""

    def __init__(self, row: sa.Row[Any]) -> None:
        self._row = row

    def __getitem__(self, key: str | int) -> Any:
        return self._row._mapping[key] if isinstance(key, str) else self._row[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._row)


class Stopped:
    """Processes that stand still while the block runs, as a virtual machine being moved does."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self.numbers = numbers

    def __enter__(self) -> None:
        for number in self.numbers:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGSTOP)

    def __exit__(self, *rest: object) -> None:
        for number in self.numbers:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGCONT)


def server_folder() -> Path:
    """Return a new folder a database server may go into, whoever it runs as."""
    folder = Path(tempfile.mkdtemp(prefix="lobby-torture-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def family(server: Server) -> list[int]:
    """Return every process of a database server."""
    assert server.process is not None
    return [server.process.pid, *_descendants(server.process.pid)]


def version(program: str) -> str:
    """Return the first line a program says about its version; a report does not fail for want of it."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except OSError:
        return "not here"
    except subprocess.TimeoutExpired:
        return "did not say"
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if lines else "did not say"
