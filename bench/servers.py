"""Starting what is measured: pinned to the first core, while the load comes from the last one."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.payload import SECRET
from demo.processes import CHECKOUT, START_SECONDS, Program, clean_environment, free_port

THREADS = 64
SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
static void wait_a_little(void) {
    char *text = getenv("BENCH_FSYNC_US");
    long us = text ? atol(text) : 0;
    if (us) { struct timespec t = {us / 1000000, (us % 1000000) * 1000}; nanosleep(&t, 0); }
}
int fsync(int d) {
    static int (*f)(int); if (!f) f = dlsym(RTLD_NEXT, "fsync"); wait_a_little(); return f(d);
}
int fdatasync(int d) {
    static int (*f)(int); if (!f) f = dlsym(RTLD_NEXT, "fdatasync"); wait_a_little(); return f(d);
}
"""


class SkippedError(Exception):
    """A figure cannot be had on this machine; the words say what is missing."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A checkout whose programs are measured, each a process of its own with that checkout's code."""

    root: Path = CHECKOUT
    python: str = sys.executable

    def command(self, module: str, *arguments: str) -> list[str]:
        return [self.python, "-m", module, *arguments]


THIS = Tree()


@dataclass(frozen=True, slots=True)
class Desk:
    """A prepared data folder; every server gets a copy of it, unless it is to be served *in_place*.

    :param url: of its database; empty: SQLite in that folder.
    :param tree: the checkout that made it, and whose programs serve it.
    """

    data: Path
    workspace: int
    cookies: tuple[str, ...]
    in_place: bool = False
    url: str = ""
    tree: Tree = THIS


@dataclass(frozen=True, slots=True)
class Served:
    """A server that answers.

    :param pid: of its first process; a server of another checkout may have children that do the work.
    """

    port: int
    path: str
    database: Path
    pid: int

    def rows(self) -> int:
        """Return how many deliveries are stored."""
        return int(
            self._ask(
                "SELECT count(*) FROM inbox" if self.path == "/" else "SELECT count(*) FROM inbound_events"
            )
        )

    def _ask(self, query: str) -> int:
        connection = sqlite3.connect(self.database, timeout=30)
        try:
            return int(connection.execute(query).fetchone()[0])
        finally:
            connection.close()


def prepare(
    folder: Path,
    people: int = 50,
    *,
    name: str = "prepared",
    url: str = "",
    tree: Tree = THIS,
    migrated: Path | None = None,
) -> Desk:
    """Make the desk the servers get copies of.

    :param migrated: an SQLite file with the host's tables, which spares the migrations.
    """
    data = folder / name
    data.mkdir()
    if migrated is not None:
        shutil.copy(migrated, data / "lobby.sqlite3")
    done = subprocess.run(
        tree.command("bench.prepare", str(data), str(people)),
        cwd=tree.root,
        check=True,
        capture_output=True,
        text=True,
        env={**clean_environment(), "BENCH_DATABASE_URL": url},
    )
    made = json.loads(done.stdout.splitlines()[-1])
    return Desk(data, made["workspace"], tuple(made["cookies"]), url=url, tree=tree)


def build_shim(folder: Path) -> Path:
    """Compile the library that makes every sync of the disk slower.

    :raises SkippedError: without a C compiler.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise SkippedError("no C compiler, which makes the library that slows syncing down")
    source, library = folder / "slowsync.c", folder / "slowsync.so"
    source.write_text(SHIM)
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


@contextmanager
def product(
    desk: Desk,
    folder: Path,
    *,
    server: str | None = None,
    workers: int = 4,
    **environment: str,
) -> Iterator[Served]:
    """Serve a copy of *desk* the way `lobby run` does.

    :param server: of those ``LOBBY_SERVER`` names; None: the checkout's own choice.
    """
    data = desk.data
    if not desk.in_place:
        data = folder / f"data-{next(_numbers)}"
        shutil.copytree(desk.data, data)
    port = free_port()
    settings = settings_for(desk, data, workers=workers, port=port, server=server) | environment
    command = desk.tree.command("bench.serve")
    program = start("lobby", command, settings, "lobby listening on ", folder=desk.tree.root)
    try:
        yield Served(port, "/addons/instagram/webhook", data / "lobby.sqlite3", program.process.pid)
    finally:
        program.stop()
        if not desk.in_place:
            shutil.rmtree(data, ignore_errors=True)


_numbers = itertools.count()


def settings_for(
    desk: Desk, data: Path, *, workers: int, port: int = 0, server: str | None = None
) -> dict[str, str]:
    """Return the environment of *desk* with its data in *data*, on the checkout's own server if on none."""
    return {
        **clean_environment(),
        "PYTHONUNBUFFERED": "1",
        "LOBBY_DATA": str(data),
        "LOBBY_DATABASE_URL": desk.url,
        "LOBBY_BIND": f"127.0.0.1:{port or 8080}",
        "LOBBY_PUBLIC_URL": f"http://127.0.0.1:{port or 8080}",
        "LOBBY_THREADS": str(THREADS),
        "LOBBY_WORKERS": str(workers),
        **({"LOBBY_SERVER": server} if server else {}),
    }


def has_granian(tree: Tree) -> bool:
    """Tell whether the interpreter of *tree* has granian, which is an option."""
    asked = [tree.python, "-c", "import granian"]
    return not subprocess.run(asked, cwd=tree.root, check=False, capture_output=True).returncode


@contextmanager
def floor(folder: Path, *, server: str = "uvicorn", program: str = "ingest") -> Iterator[Served]:
    """Serve a floor of :mod:`bench.floors` that stores deliveries, with the server the product has.

    :param program: its module.
    """
    port = free_port()
    file = folder / "floor.sqlite3"
    settings = {
        **clean_environment(),
        "PYTHONUNBUFFERED": "1",
        "BENCH_SECRET": SECRET,
        "BENCH_FILE": str(file),
    }
    command = [sys.executable, "-m", f"bench.floors.{program}", server, str(port)]
    running = start("floor", command, settings, "the floor is ready")
    try:
        wait_for_port(port)
        yield Served(port, "/", file, running.process.pid)
    finally:
        running.stop()
        for one in folder.glob("floor.sqlite3*"):
            one.unlink()


def wait_for_port(port: int, seconds: float = START_SECONDS) -> None:
    """Return once somebody listens there."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def start(
    name: str, command: list[str], settings: dict[str, str], listening: str, *, folder: Path = CHECKOUT
) -> Program:
    """Start a program on the first core; return once it says that it is *listening* (a pattern)."""
    with to_first_core():
        program = Program.start(name, command, settings, folder=folder)
    program.wait_for(listening)
    return program


@contextmanager
def to_first_core() -> Iterator[None]:
    """Have programs that are started meanwhile run on the first core."""
    with _on_core(min(os.sched_getaffinity(0))):
        yield


@contextmanager
def on_last_core() -> Iterator[None]:
    """Keep this process on the last core for the length of a measurement."""
    with _on_core(max(os.sched_getaffinity(0))):
        yield


@contextmanager
def _on_core(core: int) -> Iterator[None]:
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
