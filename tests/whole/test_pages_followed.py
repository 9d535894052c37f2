"""A desk is installed, run, upgraded, taken back and repaired by the commands of the pages, and nothing else.

The machine is a folder with nothing in it; see :mod:`tests.whole.systemd`. The commands are run as they
stand, but that users and the service manager are stand-ins, and ports and databases are those of the test.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from demo.processes import clean_environment, free_port
from tests.conftest import MARIADB, POSTGRESQL, _execute, missing, refusal
from tests.whole import systemd
from tests.whole.release import build

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("install", "operate", "upgrade", "runbook")
}
VERSION, NEXT = "1.0.0", "1.1.0"
STAND_INS = {
    "systemctl": f'exec {sys.executable} {systemd.__file__} "$MACHINE" systemctl "$@"',
    "systemd-run": f'exec {sys.executable} {systemd.__file__} "$MACHINE" systemd-run "$@"',
    "useradd": 'while [ "$1" != --home-dir ]; do shift; done; exec mkdir -p "$2"',
    # Users of the machine are not touched.
    "install": 'a=(); while [ $# -gt 0 ]; do case "$1" in -o|-g) shift 2;; *) a+=("$1"); shift;; esac; done\n'
    'exec /usr/bin/install "${a[@]}"',
    "runuser": 'while [ "$1" != -- ]; do shift; done; shift; PGHOST=127.0.0.1 PGUSER=postgres exec "$@"',
    "mariadb": 'exec /usr/bin/mariadb -h 127.0.0.1 -u root "$@"',
    "journalctl": 'cat "$MACHINE"/log/$2.log',
}

pytestmark = [pytest.mark.slow, pytest.mark.services]


def commands(page: str, heading: str) -> list[str]:
    """Return the commands that *page* gives below *heading*, a script each."""
    found = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##+ |\Z)", PAGES[page], re.M | re.S)
    assert found is not None, f"{page}.md has no part {heading}"
    scripts = re.findall(r"^( *)```sh\n(.*?)^ *```", found[1], re.M | re.S)
    return [re.sub(rf"^{indent}", "", script, flags=re.M) for indent, script in scripts]


@dataclass
class Operator:
    """Who sits at the machine and follows the pages."""

    machine: systemd.Machine
    folder: Path
    ports: tuple[int, int]
    database: str

    def run(self, script: str, *, status: int = 0) -> str:
        """Run commands of a page; return what they said."""
        script = re.sub(
            r"redis://127\.0\.0\.1/(\d)", lambda found: f"redis://127.0.0.1/{9 + int(found[1])}", script
        )
        script = script.replace("lobby-web@8080", f"lobby-web@{self.ports[0]}")
        script = script.replace("lobby-web@8081", f"lobby-web@{self.ports[1]}")
        lines = [
            re.sub(
                r"(?<![\w./-])lobby(?=[ @.:;_])|(?<=//)lobby(?=:)|(?<=0\.0\.1/)lobby\b", self.database, line
            )
            if line.startswith(("CREATE", "GRANT")) or "LOBBY_DATABASE_URL=" in line
            else line
            for line in self.machine.here(script).splitlines()
        ]
        root = self.machine.folder
        environment = {
            name: value
            for name, value in clean_environment().items()
            if not name.startswith(("PYTHON", "VIRTUAL_ENV", "COV_"))
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.folder,
            env={
                **environment,
                "HOME": str(root / "root"),
                "MACHINE": str(root),
                "PATH": f"{root}/stand-ins:{root}/usr/local/sbin:/usr/sbin:/sbin:{environment['PATH']}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{script}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def follow(self, page: str, heading: str, *which: int) -> list[str]:
        """Run the commands below *heading*: all, or those at these places."""
        found = commands(page, heading)
        return [self.run(found[at]) for at in which or range(len(found))]

    def ready(self, *, port: int = 0) -> bool:
        return requests.get(f"http://127.0.0.1:{port or self.ports[0]}/readyz", timeout=30).status_code == 200

    def version(self) -> str:
        return self.run("/opt/lobby/bin/lobby --version").split()[-1]


@pytest.fixture(scope="module")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two releases and `deploy/`."""
    folder = tmp_path_factory.mktemp("releases")
    for version in (VERSION, NEXT):
        for file in build(tmp_path_factory.mktemp("tree"), version).iterdir():
            shutil.copy(file, folder)
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    return folder


@pytest.fixture
def operator(releases: Path, tmp_path: Path) -> Iterator[Operator]:
    ports = free_port(), free_port()
    unit = releases / "deploy" / "lobby.service"
    text = (ROOT / "deploy" / "lobby.service").read_text()
    bound = f"LOBBY_DATA=/var/lib/lobby LOBBY_BIND=127.0.0.1:{ports[0]}\n"
    unit.write_text(text.replace("LOBBY_DATA=/var/lib/lobby\n", bound))
    with systemd.machine(tmp_path / "machine") as machine:
        for name in ("root", "opt", "stand-ins", "usr/local/sbin", "etc/nginx/conf.d"):
            (machine.folder / name).mkdir(parents=True)
        for name, script in STAND_INS.items():
            file = machine.folder / "stand-ins" / name
            file.write_text(f"#!/bin/bash\n{script}\n")
            file.chmod(0o755)
        yield Operator(machine, releases, ports, f"lobby_test_{uuid.uuid4().hex[:12]}")


def test_one_machine_is_installed_upgraded_and_taken_back(operator: Operator) -> None:
    operator.follow("install", "Install from the file", 0)
    _, started, looked = operator.follow("install", "As a service")
    assert "/setup?token=" in started
    assert "ok" in looked
    assert operator.ready()
    operator.follow("operate", "Backup", 0)

    (installed,) = operator.follow("upgrade", "Install it beside the old one")
    assert installed.split()[-1] == NEXT
    operator.follow("upgrade", "One machine")
    assert (operator.version(), operator.ready()) == (NEXT, True)

    older, restored = commands("upgrade", "Going back")
    operator.run(older)
    assert (operator.version(), operator.ready()) == (VERSION, True)
    operator.run(restored)
    assert (operator.version(), operator.ready()) == (VERSION, True)


@pytest.mark.parametrize(("server", "at"), [(POSTGRESQL, 0), (MARIADB, 1)], ids=["postgresql", "mariadb"])
def test_several_processes_are_installed_repaired_and_upgraded_without_a_break(
    operator: Operator, server: str, at: int
) -> None:
    if (why := refusal(server)) is not None:
        missing("the database server", why)
    operator.follow("install", "Install from the file", 0)
    operator.follow("install", "Extras")
    operator.follow("install", "As a service", 0)
    try:
        operator.follow("install", "On PostgreSQL or MariaDB", at)
        (said,) = operator.follow("install", "Several processes on one machine")
        assert said.count("/setup?token=") == 1
        assert all(operator.ready(port=port) for port in operator.ports)
        _proxied(operator)

        for command in re.findall(r"`(lobby (?!run|worker)[^`]*|systemctl [^`]*)`", PAGES["runbook"]):
            operator.run(re.sub("^lobby", "as-lobby /opt/lobby/bin/lobby", command))
        operator.run("systemctl stop lobby-worker")
        said = operator.run("as-lobby /opt/lobby/bin/lobby doctor --no-accounts", status=1)
        (todo,) = re.findall(r"### LobbyNothingDelivers\n.*?- \*\*Do:\*\* (.*?)\n- ", PAGES["runbook"], re.S)
        assert " ".join(todo.split()) in " ".join(said.split())
        operator.run("systemctl start lobby-worker")
        operator.run("as-lobby /opt/lobby/bin/lobby doctor --no-accounts")

        beside = commands("upgrade", "Install it beside the old one")[0]
        operator.run(beside.replace("py3-none-any.whl", "py3-none-any.whl[distributed]"))
        operator.follow("upgrade", "Several machines, without a break")
        assert operator.version() == NEXT
        for unit in operator.machine.running():
            assert (
                f"Lobby {NEXT} is starting"
                in unit.log.read_text().rpartition("is starting")[0] + "is starting"
            )
        assert all(operator.ready(port=port) for port in operator.ports)
    finally:
        operator.machine.power_off()
        if server is POSTGRESQL:
            _execute(server, f"DROP DATABASE IF EXISTS {operator.database} WITH (FORCE)")
            _execute(server, f"DROP ROLE IF EXISTS {operator.database}")
        else:
            _execute(server, f"DROP DATABASE IF EXISTS {operator.database}")
            _execute(server, f"DROP USER IF EXISTS {operator.database}@127.0.0.1")


def _proxied(operator: Operator) -> None:
    """Have nginx's file name both processes, as the page says."""
    operator.follow("install", "Start")
    text = (operator.machine.folder / "etc/nginx/conf.d/lobby.conf").read_text()
    for port in (8080, 8081):
        assert re.findall(rf"^ *server 127\.0\.0\.1:{port} (.*);", text, re.M) == [
            "max_fails=0",
            "max_fails=2 fail_timeout=5s",
            "max_fails=0 backup",
        ]
