"""Other users of the machine read nothing of a desk: not what it writes, not what was left open."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def lobby(data: Path, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command with a umask that lets everybody read, as systems have it."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LOBBY_")}
    done = subprocess.run(
        [sys.executable, "-c", "from host.cli.commands import main; main()", *arguments],
        env=environment | {"LOBBY_DATA": str(data), "LOBBY_PUBLIC_URL": "https://desk.example"},
        capture_output=True,
        text=True,
        umask=0o022,
        check=False,
    )
    assert fails or done.returncode == 0, done.stderr
    return done


def open_to_others(folder: Path) -> list[str]:
    """Return what of *folder* others reach: what is in a folder closed to them, they do not."""
    if folder.stat().st_mode & 0o077 == 0:
        return []
    found = []
    for path in folder.iterdir():
        if path.is_dir():
            found += open_to_others(path)
        elif path.stat().st_mode & 0o077:
            found.append(path.name)
    return found


@pytest.fixture(scope="module")
def new_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder a desk was made in, and nothing else was."""
    folder = tmp_path_factory.mktemp("new")
    lobby(folder / "data", "migrate")
    return folder


@pytest.fixture
def data(new_desk: Path, tmp_path: Path) -> Path:
    """The data folder of a desk of this test's own, with the modes it was made with."""
    return Path(shutil.copytree(new_desk / "data", tmp_path / "data"))


@pytest.mark.slow
def test_a_new_desk_is_closed_to_others(new_desk: Path) -> None:
    assert (new_desk / "data" / "lobby.sqlite3").stat().st_mode & 0o777 == 0o600
    new_desk.chmod(0o755)  # what pytest made, it closed
    assert open_to_others(new_desk) == []


@pytest.mark.slow
def test_what_an_older_version_left_open_is_closed_and_said(data: Path) -> None:
    data.chmod(0o755)
    left = ["lobby.sqlite3", "lobby.sqlite3-wal", "lobby.sqlite3-shm", "secret.keys"]
    folders = ["attachments", "spool", "backups"]
    mine = data / "notes.txt"
    mine.write_text("not of Lobby")
    mine.chmod(0o644)
    for name in left:
        (data / name).touch()
        (data / name).chmod(0o644)
    for name in folders:
        (data / name).mkdir(exist_ok=True)
        (data / name).chmod(0o755)
        (data / name / "one").touch()
    done = lobby(data, "user", "list")
    assert open_to_others(data) == ["notes.txt"]
    assert "other users of this machine could read" in done.stderr
    for name in [*left, *folders]:
        assert name in done.stderr
    assert "could read" not in lobby(data, "user", "list").stderr, "it is said once"


@pytest.mark.slow
def test_doctor_says_what_cannot_be_closed(data: Path) -> None:
    from host.cli.doctor import _private
    from host.sdk.cards import Verdict
    from tests.helpers import make_config

    checks = json.loads(lobby(data, "doctor", "--json", "--no-accounts", fails=True).stdout)
    (line,) = [one for one in checks if one["check"] == "private-files"]
    assert line["verdict"] == "pass"
    (data / "lobby.sqlite3-wal").touch()
    (data / "lobby.sqlite3-wal").chmod(0o604)
    found = _private(make_config(data))
    assert found.verdict is Verdict.FAIL
    assert "lobby.sqlite3-wal" in str(found.fix)
