"""A database server of a test's own, to be killed, started again and run out of disk."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from demo.processes import free_port
from tests.conftest import missing


class Server:
    """MariaDB or PostgreSQL with its files in *folder*, without a password, on a port of its own.

    Not in pytest's folders: PostgreSQL runs as a person of its own, who may not go in there.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.folder = folder / "files"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        as_root = os.geteuid() == 0
        if kind == "mariadb":
            install, self.program = shutil.which("mariadb-install-db"), shutil.which("mariadbd")
            self.prefix: list[str] = []
            made = [
                str(install),
                "--no-defaults",
                f"--datadir={self.folder}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                *(["--user=root"] if as_root else []),
            ]
        else:
            binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
            install = str(binaries[-1] / "initdb") if binaries else None
            self.program = str(binaries[-1] / "postgres") if binaries else None
            # It refuses to run as root.
            self.prefix = (
                ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if as_root else []
            )
            made = [*self.prefix, str(install), "-D", str(self.folder), "-U", "postgres", "-A", "trust", "-N"]
            if as_root:
                shutil.chown(folder, "postgres")
        if not install or not self.program:
            missing(kind)
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd="/")

    @property
    def url(self) -> str:
        if self.kind == "mariadb":
            return f"mariadb+pymysql://root@127.0.0.1:{self.port}/mysql_test"
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start the server and wait until it answers; what a killed one left behind may take a moment."""
        if self.kind == "mariadb":
            arguments = [
                "--no-defaults",
                f"--datadir={self.folder}",
                f"--port={self.port}",
                f"--socket={self.folder.parent / 's'}",
                f"--pid-file={self.folder.parent / 'pid'}",
                "--bind-address=127.0.0.1",
                "--innodb-buffer-pool-size=32M",
                *(["--user=root"] if os.geteuid() == 0 else []),
            ]
        else:
            arguments = ["-D", str(self.folder), "-p", str(self.port), "-k", "", "-c", "max_wal_size=64MB"]
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            self.process = subprocess.Popen(
                [*self.prefix, str(self.program), *arguments],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )
            while self.process.poll() is None and time.monotonic() < deadline:
                if self.answers():
                    return
                time.sleep(0.1)
            time.sleep(0.3)  # the processes of the one before still hold its files
        pytest.fail(f"the {self.kind} of this test did not start")

    def answers(self) -> bool:
        server = self.url.rpartition("/")[0] + ("/mysql" if self.kind == "mariadb" else "/postgres")
        engine = sa.create_engine(server, poolclass=sa.pool.NullPool, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                if self.kind == "mariadb":
                    connection.exec_driver_sql("CREATE DATABASE IF NOT EXISTS mysql_test")
            return True
        except sa.exc.DBAPIError:
            return False
        finally:
            engine.dispose()

    def kill(self) -> None:
        """End every process of the server at once."""
        if self.process is not None:
            family = _descendants(self.process.pid)
            os.kill(self.process.pid, signal.SIGKILL)
            for number in family:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def close(self) -> None:
        self.kill()


def _descendants(number: int) -> list[int]:
    """Return the processes *number* started, and those they did: PostgreSQL's have sessions of their own."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [number]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]
