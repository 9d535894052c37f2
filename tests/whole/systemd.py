"""The part of systemd that `deploy/` relies on, for a machine without it.

See systemd.service(5) and systemd.exec(5). Units are read and started as systemd would: the environment is
built in its order, and only from what the unit names. Users and what confines a process are left out. A
machine is a folder: ``/etc``, ``/opt``, ``/usr/local`` and ``/var/lib`` of pages and units are folders in it.

``python -m tests.whole.systemd FOLDER systemctl restart lobby`` is ``systemctl restart lobby`` on it.
"""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MOVED = re.compile(r"(?<![\w./-])/(?=(?:etc|opt|usr/local|var/lib)/)")
UNDERSTOOD = {
    *("Type", "TimeoutStartSec", "TimeoutStopSec", "User", "Environment", "EnvironmentFile"),
    *("StateDirectory", "StateDirectoryMode", "BindPaths", "WorkingDirectory", "ExecStart"),
}
CONFINING = {
    *("Restart", "RestartSec", "LimitNOFILE", "NoNewPrivileges", "PrivateTmp", "ProtectSystem"),
    *("ReadWritePaths", "ProtectHome"),
}
PATIENCE = 120.0
"""Seconds a start may take that the unit lets take for ever."""


class UnitError(Exception):
    """systemd would refuse to start this, or it did not start."""


def settings(text: str) -> dict[str, dict[str, list[str]]]:
    """Return the sections of a unit, with all values of each setting in order."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    section = ""
    for line in map(str.strip, re.sub(r"\\\n", " ", text).splitlines()):
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, value = (part.strip() for part in line.split("=", 1))
        if value:
            found[section][name].append(value)
        else:
            found[section].pop(name, None)  # an empty value begins the list anew
    return found


def environment_of_file(text: str) -> dict[str, str]:
    """Return what an EnvironmentFile sets: words are unquoted, nothing is expanded."""
    found = {}
    for line in map(str.strip, re.sub(r"\\\n", "", text).splitlines()):
        if not line or line[0] in "#;" or "=" not in line:
            continue
        name, value = line.split("=", 1)
        found[name.strip()] = (
            "".join(shlex.split(value)) if re.search(r"""^\s*["']""", value) else value.strip()
        )
    return found


class Unit:
    """A service of a machine.

    :param name: such as ``lobby-web@8080``.
    """

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine = machine
        self.name = name.removesuffix(".service")
        stem, at, self.instance = self.name.partition("@")
        path = machine.units / f"{stem}{at}.service"
        if not path.exists():
            raise UnitError(f"Unit {name}.service not found.")
        sections = settings(path.read_text())
        self._service = sections["Service"]
        unknown = set(self._service) - UNDERSTOOD - CONFINING
        assert not unknown, f"this stand-in for systemd does not know {unknown}"
        self.wanted = "WantedBy" in sections["Install"]

    def values(self, setting: str) -> list[str]:
        """Return all values of *setting*, specifiers filled in, on this machine."""
        return [
            self.machine.here(value.replace("%i", self.instance).replace("%%", "%"))
            for value in self._service[setting]
        ]

    def value(self, setting: str, default: str = "") -> str:
        return (self.values(setting) or [default])[-1]

    def environment(self) -> dict[str, str]:
        """Return what its process finds: the manager's own, then Environment=, then each file in turn."""
        user = self.value("User", "root")
        found = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "USER": user,
            "LOGNAME": user,
            "HOME": self.machine.here(f"/var/lib/{user}"),
            "SHELL": "/bin/sh",
            "INVOCATION_ID": "0" * 32,
        }
        for line in self.values("Environment"):
            found |= dict(word.split("=", 1) for word in shlex.split(line))
        for file in self.values("EnvironmentFile"):
            found |= self.machine.environment_of(file)
        return found

    @property
    def _pid_file(self) -> Path:
        return self.machine.folder / "run" / f"{self.name}.pid"

    @property
    def log(self) -> Path:
        return self.machine.folder / "log" / f"{self.name}.log"

    @property
    def pid(self) -> int | None:
        """Return the process that runs, or None."""
        with suppress(OSError, ValueError):
            pid = int(self._pid_file.read_text())
            child = self.machine.children.get(self.name)
            if child is not None:
                return pid if child.poll() is None else None
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                return pid
        return None

    def start(self) -> None:
        """Start it, and return once it says that it is ready.

        :raises UnitError: if it ends instead.
        """
        if self.pid is not None:
            return
        assert self.value("Type") == "notify"
        for folder in self.values("StateDirectory"):
            (self.machine.folder / "var" / "lib" / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        for one in self.values("BindPaths"):
            source, target = (Path(path) for path in one.split(":"))
            if not source.is_dir():
                raise UnitError(f"{self.name}: {source} does not exist, so it cannot be bound")
            if not target.exists():
                target.symlink_to(source)
        for folder in (self.log.parent, self._pid_file.parent):
            folder.mkdir(exist_ok=True)
        with Notices() as notices, self.log.open("ab") as log:
            # The shell becomes the process, whose id systemd tells it.
            command = ["/bin/sh", "-c", 'SYSTEMD_EXEC_PID=$$ exec "$@"', "sh"]
            process = subprocess.Popen(
                [*command, *shlex.split(self.value("ExecStart"))],
                cwd=self.value("WorkingDirectory") or "/",
                env={**self.environment(), "NOTIFY_SOCKET": notices.address},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            self.machine.children[self.name] = process
            self._pid_file.write_text(str(process.pid))
            deadline = time.monotonic() + PATIENCE
            while "READY=1" not in notices.next(1.0):
                if process.poll() is not None:
                    raise UnitError(f"{self.name} ended with {process.returncode}:\n{self.log.read_text()}")
                if time.monotonic() > deadline:
                    raise UnitError(f"{self.name} did not get ready:\n{self.log.read_text()}")

    def stop(self) -> None:
        """End it as systemd does: by SIGTERM, and by SIGKILL once its time is over."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + float(self.value("TimeoutStopSec", "90"))
        while self.pid is not None:
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.02)
        self._pid_file.unlink()


class Notices:
    """A NOTIFY_SOCKET, and what is said to it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("")  # the system chooses an abstract address
        self.address = "@" + self._socket.getsockname()[1:].decode()

    def __enter__(self) -> Notices:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def next(self, seconds: float) -> list[str]:
        """Return the lines of the next notice, or none if none comes within *seconds*."""
        ready, _, _ = select.select([self._socket], [], [], seconds)
        return self._socket.recv(4096).decode().splitlines() if ready else []


class Machine:
    """A machine, as a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.units = folder / "etc" / "systemd" / "system"
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, text: str) -> str:
        """Return *text* with its paths below ``/etc``, ``/opt`` and ``/var/lib`` on this machine."""
        return MOVED.sub(f"{self.folder}/", text)

    def environment_of(self, file: str) -> dict[str, str]:
        """Return what an EnvironmentFile sets; a dash in front: it may be missing.

        :raises UnitError: if it is missing.
        """
        path = Path(file.removeprefix("-"))
        if not path.exists():
            if file.startswith("-"):
                return {}
            raise UnitError(f"Failed to load environment files: {path}")
        return environment_of_file(path.read_text())

    def unit(self, name: str) -> Unit:
        return Unit(self, name)

    def running(self) -> Iterator[Unit]:
        for file in sorted((self.folder / "run").glob("*.pid")):
            unit = self.unit(file.stem)
            if unit.pid is not None:
                yield unit

    def power_off(self) -> None:
        """Kill what runs."""
        for unit in self.running():
            assert unit.pid is not None
            os.killpg(unit.pid, signal.SIGKILL)
        for child in self.children.values():
            child.wait()

    # The commands

    def systemctl(self, *arguments: str) -> None:
        words = [word for word in arguments if not word.startswith("-")]
        verb, units = words[0], [self.unit(name) for name in words[1:]]
        if verb in {"enable", "disable"}:
            assert all(unit.wanted for unit in units)
            if "--now" not in arguments:
                return
            verb = "start" if verb == "enable" else "stop"
        for unit in units:
            match verb:
                case "start":
                    unit.start()
                case "stop":
                    unit.stop()
                case "restart":
                    unit.stop()
                    unit.start()
                case "is-active" | "status":
                    print("active" if unit.pid else "inactive")
                case _:
                    raise UnitError(f"Unknown command verb {verb}.")

    def systemd_run(self, *arguments: str) -> int:
        """Run a command with the environment that these options give it; return its status."""
        words = [self.here(word) for word in arguments]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "var/lib/lobby")}
        files, given, folder = [], {}, "/"
        while words and words[0].startswith("-"):
            option, _, value = words.pop(0).partition("=")
            if option in {"--pty", "--pipe", "--wait", "--quiet", "--collect"}:
                continue
            value = value or words.pop(0)
            match option:
                case "--setenv":
                    given |= dict([value.split("=", 1)])
                case "--property" if value.startswith("EnvironmentFile="):
                    files.append(value.partition("=")[2])
                case "--property" if value.startswith("WorkingDirectory="):
                    folder = value.partition("=")[2]
                case "--uid":
                    pass
                case _:
                    raise UnitError(f"this stand-in for systemd-run does not know {option} {value}")
        environment |= given
        for file in files:
            environment |= self.environment_of(file)
        return subprocess.run(words, env=environment, cwd=folder, check=False).returncode


@contextmanager
def machine(folder: Path) -> Iterator[Machine]:
    """Yield a machine with nothing on it; end what was started."""
    folder.mkdir(parents=True)
    made = Machine(folder)
    made.units.mkdir(parents=True)
    try:
        yield made
    finally:
        made.power_off()


def main(folder: str, command: str, arguments: Sequence[str]) -> int:
    here = Machine(Path(folder))
    try:
        if command == "systemd-run":
            return here.systemd_run(*arguments)
        here.systemctl(*arguments)
    except UnitError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
