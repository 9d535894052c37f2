"""What docs/upgrade.md tells an operator to type does what it says."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import host
from demo.processes import CHECKOUT, Program
from host.cli.commands import main
from host.core.migrations import NewerError, OlderError
from tests.upgrade.loading import loaded
from tests.upgrade.test_rolling_upgrade import ADD, NEXT, REVISION, TABLES, release
from tests.whole.rig import Rig, finish

PAGE = (CHECKOUT / "docs" / "upgrade.md").read_text()


def blocks(heading: str) -> list[str]:
    """Return the commands the page gives below *heading*."""
    section = re.split(r"^##+ ", PAGE.partition(f"## {heading}\n")[2], maxsplit=1, flags=re.M)[0]
    return [re.sub(r"^ {3}", "", one, flags=re.M) for one in re.findall(r"```sh\n(.*?)```", section, re.S)]


def test_every_command_of_the_page_is_there() -> None:
    context = click.Context(main)
    named = set(re.findall(r"/bin/lobby (\w+)", PAGE)) | set(re.findall(r"`lobby (\w+)", PAGE))
    assert {"migrate", "restore", "backup", "doctor"} <= named <= set(main.list_commands(context))
    for name in named:
        command = main.get_command(context, name)
        assert command is not None
        options = {option for one in command.params for option in one.opts + one.secondary_opts}
        for line in re.findall(rf"/bin/lobby {name} (.*)", PAGE):
            assert set(re.findall(r"--[\w-]+", line)) <= options, line


def test_the_page_has_the_sentences_of_the_code() -> None:
    told = re.findall(r"<!-- refusals -->(.*?)<!-- /refusals -->", PAGE, re.S)[0]
    assert [line.removeprefix("- ") for line in told.strip().splitlines()] == [
        str(OlderError()),
        str(NewerError()).replace(host.__version__, "1.0.0"),
    ]


class Machine:
    """A machine with Lobby installed as the page has it, and one service."""

    def __init__(self, folder: Path, rig: Rig, releases: dict[str, Path]) -> None:
        self.folder = folder
        self.rig = rig
        self.releases = releases
        self.program: Program | None = None
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        _script(
            self.bin / "systemctl", 'echo "$1" > "$SYSTEMCTL"; while [ -s "$SYSTEMCTL" ]; do sleep 0.05; done'
        )
        _script(self.bin / "as-lobby", 'exec "$@"')
        # Users of the machine are not touched.
        mine = 'for one; do shift; [ "$one" != lobby ] || one=$(id -un); set -- "$@" "$one"; done'
        _script(self.bin / "install", f'{mine}; exec /usr/bin/install "$@"')
        for version, tree in releases.items():
            home = folder / f"lobby-{version}" / "bin"
            home.mkdir(parents=True)
            _script(home / "lobby", f'cd {tree} && exec {sys.executable} -u -m host.cli "$@"')
        (folder / "lobby").symlink_to(folder / f"lobby-{host.__version__}")

    def run(self, script: str) -> str:
        """Run commands of the page; the service does what they tell it."""
        told = self.folder / "systemctl"
        environment = {
            **self.rig.environment,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "SYSTEMCTL": str(told),
        }
        script = script.replace("/opt/lobby", str(self.folder / "lobby"))
        script = script.replace("/var/lib/lobby", str(self.rig.data))
        said = self.folder / "said"
        with said.open("w") as output:
            command = ["bash", "-euxo", "pipefail", "-c", script]
            running = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            while running.poll() is None:
                if told.exists() and (verb := told.read_text().strip()):
                    self.obey(verb)
                    told.write_text("")
                time.sleep(0.02)
        assert running.returncode == 0, said.read_text()
        return said.read_text()

    def obey(self, verb: str) -> None:
        assert verb in {"start", "stop", "restart"}
        if verb != "start" and self.program is not None:
            self.program.stop()
            finish(self.program)
            self.program = None
        if verb != "stop":
            lobby = str((self.folder / "lobby").resolve() / "bin" / "lobby")
            self.program = Program.start("lobby", [lobby, "run"], self.rig.environment)
            self.program.wait_for(r"lobby listening on ")


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.mark.slow
@pytest.mark.services
def test_one_machine_goes_there_and_back_as_the_page_says(tmp_path: Path) -> None:
    """But for the installation, which ``tests/whole/test_install.py`` has."""
    adds = REVISION.replace("{contract}", "").replace("{tables}", repr(TABLES)).replace("{step}", ADD)
    trees = {host.__version__: CHECKOUT, NEXT: release(tmp_path / "tree", NEXT, adds)}
    with loaded("house", "sqlite", tmp_path / "desk", then=False) as old:
        del old.rig.settings["LOBBY_DATABASE_URL"]  # as with the file in the data folder
        old.rig.lobby("migrate", "--no-backup")
        machine = Machine(tmp_path / "opt", old.rig, trees)
        machine.obey("start")
        try:
            assert NEXT in machine.run(blocks("Install it beside the old one")[0].splitlines()[-1])
            said = machine.run(blocks("One machine")[0].replace("--no-accounts", "--no-accounts || true"))
            assert "host 9001" in said
            assert f"Every process runs this version: {NEXT}" in said
            (without, backup) = blocks("Going back")
            machine.run(without)
            assert machine.program is not None
            machine.program.wait_for("a newer Lobby migrated the database")
            machine.obey("stop")
            assert "Restored." in machine.run(backup)
            assert not (old.rig.folder / "data-back").exists()
            for folder in (old.rig.data, old.rig.folder / "data-newer"):
                assert (folder / "lobby.sqlite3").exists()
            assert machine.program is not None
            machine.program.wait_for("lobby listening on ")
        finally:
            machine.obey("stop")
