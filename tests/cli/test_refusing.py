"""Whatever stops a command is one plain sentence and an exit code: never a traceback, never a password."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from host.cli import exits
from host.cli.commands import main
from host.core import db, migrations, private_files, resealing, secrets
from host.core.config import Exit
from host.core.secrets import Keyring, Place, Secret
from host.process import starting
from tests.conftest import KEYS, MARIADB, POSTGRESQL, missing, refusal

PASSWORD = "sesame-open"
COMMANDS = (
    ["run"],
    ["worker"],
    ["migrate"],
    ["doctor"],
    ["user", "list"],
    ["addon", "list"],
    ["addon", "disable", "toy"],
    ["secrets", "status"],
    ["record", "1"],
)
DATABASES = {
    "postgresql": f"postgres://lobby:{PASSWORD}@127.0.0.1:1/lobby",
    "mariadb": f"mysql://lobby:{PASSWORD}@127.0.0.1:1/lobby",
}


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """What a command sets for its process."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    mask = os.umask(0o077)
    yield
    os.umask(mask)
    for number, handler in before.items():
        signal.signal(number, handler)
    secrets.use(Keyring(KEYS))


def lobby(data: Path, *arguments: str, **environ: str) -> Result:
    given = {"LOBBY_DATA": str(data), "LOBBY_BIND": "127.0.0.1:0", **environ}
    return CliRunner().invoke(main, list(arguments), env=given)


def says(done: Result, code: Exit, *words: str) -> None:
    """Hold *done* to a sentence with these *words* and to its exit code."""
    assert isinstance(done.exception, SystemExit), done.exception
    assert (done.exit_code, PASSWORD in done.output) == (code, False), done.output
    (line,) = [line for line in done.output.splitlines() if line.startswith("Error: ")]
    assert all(word in line for word in words), line


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_data_folder_that_cannot_be_one(tmp_path: Path, command: list[str]) -> None:
    file = tmp_path / "file"
    file.write_text("")
    says(lobby(file, *command), Exit.FOLDER, f"LOBBY_DATA={file}", "it is a file, not a folder")


def test_a_data_folder_that_cannot_be_made_or_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    says(lobby(file / "data", "run"), Exit.FOLDER, "something above it is a file")
    says(lobby(Path("/sys/lobby"), "run"), Exit.FOLDER, "LOBBY_DATA=/sys/lobby cannot be used")
    says(lobby(Path("/proc/no/lobby"), "run"), Exit.FOLDER, "it is not there, and cannot be made")


@pytest.mark.parametrize("number", ["EACCES", "EROFS", "ENOSPC"])
def test_a_data_folder_without_rights_or_room(
    data: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(getattr(errno, number), os.strerror(getattr(errno, number)))

    monkeypatch.setattr(private_files.tempfile, "TemporaryFile", refuse)
    says(lobby(data, "run"), Exit.FOLDER, private_files.WHY[getattr(errno, number)])


@pytest.mark.slow
def test_a_full_disk(tmp_path: Path) -> None:
    """A process that may write nothing, as on a disk without room."""
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
        "sys.argv = ['lobby', 'run']; from host.cli.commands import main; main()"
    )
    environ = {**os.environ, "LOBBY_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (Exit.FOLDER, False), done.stderr


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("command", COMMANDS[2:], ids=" ".join)
def test_a_database_that_does_not_answer(data: Path, kind: str, command: list[str]) -> None:
    done = lobby(data, *command, LOBBY_DATABASE_URL=DATABASES[kind])
    says(done, Exit.DATABASE, "at 127.0.0.1:1, database lobby", "Connection refused")


@pytest.mark.parametrize("server", [POSTGRESQL, MARIADB], ids=["postgresql", "mariadb"])
@pytest.mark.parametrize("command", ["run", "worker", "migrate"])
def test_a_database_that_lets_nobody_in(data: Path, server: str, command: str) -> None:
    if (why := refusal(server)) is not None:
        missing(server, why)
    url = server.replace("@", f":{PASSWORD}@") + "lobby_nonesuch"
    done = lobby(data, command, LOBBY_DATABASE_URL=url)
    says(done, Exit.DATABASE, "127.0.0.1:", "database lobby_nonesuch")


def test_a_file_that_is_no_database(data: Path, tmp_path: Path) -> None:
    junk = tmp_path / "junk.sqlite3"
    junk.write_bytes(b"x" * 5000)
    for command in ("run", "migrate"):
        done = lobby(data, command, LOBBY_DATABASE_URL=f"sqlite:///{junk}")
        says(done, Exit.DATABASE, str(junk), "file is not a database")
        done = lobby(data, command, LOBBY_DATABASE_URL=f"sqlite:///{tmp_path}")
        says(done, Exit.DATABASE, "unable to open database file")


@pytest.mark.parametrize("command", [["user", "list"], ["addon", "list"], ["record", "1"]], ids=" ".join)
def test_a_database_without_tables(data: Path, command: list[str]) -> None:
    says(lobby(data, *command), Exit.FAILED, "The database is empty. `lobby run` sets it up.")


@pytest.fixture
def used(data: Path, migrated_file: Path) -> Path:
    """The data folder of a desk that somebody is in."""
    shutil.copy(migrated_file, data / "lobby.sqlite3")
    db.connect(f"sqlite:///{data / 'lobby.sqlite3'}")
    statement = "INSERT INTO workspaces (name, created_at) VALUES ('Pottery', '2026-01-01 00:00:00')"
    db.write(lambda session: session.execute(sa.text(statement)))
    return data


def at(revision: str) -> None:
    statement = sa.text("UPDATE alembic_version SET version_num = :to")
    db.write(lambda session: session.execute(statement, {"to": revision}))


def test_a_database_of_a_newer_lobby(used: Path) -> None:
    at("9999")
    for command in ("run", "migrate"):
        says(lobby(used, command), Exit.SETTINGS, "from a newer Lobby")
    done = lobby(used, "doctor", "--no-accounts")
    assert (done.exit_code, "Start the newer Lobby" in done.output) == (1, True)


def test_a_database_of_an_older_lobby(used: Path) -> None:
    at("0001")
    says(lobby(used, "run"), Exit.SETTINGS, "run `lobby migrate`")


def test_what_the_database_says_is_not_taken_for_an_older_lobby(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at("0001")
    words = "FATAL: remaining connection slots are reserved for roles with the SUPERUSER attribute"
    full = sa.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError(words))

    def upgrade(*_: object, **__: object) -> None:
        raise full

    monkeypatch.setattr(migrations, "upgrade_host", upgrade)
    says(lobby(used, "migrate"), Exit.DATABASE, "remaining connection slots are reserved")
    missing_table = sa.exc.OperationalError("SELECT 1", {}, sqlite3.OperationalError("no such table: posts"))
    assert "run `lobby migrate`" in str(exits.explained(missing_table))


def sealed_with(key: bytes) -> None:
    """Have the database hold something sealed."""
    place = Place("parked_requests", "about", 0, "u1")
    value = Keyring({"k1": key}).seal(Secret("a token of the provider"), place)
    statement = sa.text(
        "INSERT INTO parked_requests (uuid, workspace_id, slug, path, about, body, size, remote, "
        "received_at, attempts) VALUES ('u1', 0, 'toy', '/x', :about, x'00', 1, '', '2026-01-01 00:00:00', 0)"
    )
    db.write(lambda session: session.execute(statement, {"about": value}))


@pytest.mark.parametrize("command", [one for one in COMMANDS if one != ["worker"]], ids=" ".join)
def test_keys_that_are_missing_beside_what_they_sealed(used: Path, command: list[str]) -> None:
    sealed_with(bytes(32))
    says(lobby(used, *command), Exit.SETTINGS, str(used / "secret.keys"), "missing")
    assert not (used / "secret.keys").exists(), "no other key is made, which would open nothing"
    (used / "secret.keys").write_text("k1:" + "A" * 43 + "=\n")
    assert lobby(used, "secrets", "verify").exit_code == 0, "with the file back everything opens"


def test_without_keys_and_with_nothing_sealed_a_key_is_made(used: Path) -> None:
    assert not resealing.holds_sealed()
    assert lobby(used, "user", "list").exit_code == 0
    assert (used / "secret.keys").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["secret.keys", "session.key"])
def test_a_file_of_keys_that_is_empty(used: Path, name: str) -> None:
    (used / name).touch()
    says(lobby(used, "user", "list"), Exit.SETTINGS, str(used / name), "is empty")


def test_keys_are_made_whole_or_not_at_all(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PowerCut(BaseException):
        """Nothing after it runs."""

    def cut(_descriptor: int) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(secrets.os, "fsync", cut)
        with pytest.raises(PowerCut):
            secrets.private_file(data / "secret.keys", "k1:x")
    assert not (data / "secret.keys").exists()
    assert secrets.private_file(data / "secret.keys", "k1:x") == "k1:x"
    assert [path.name for path in data.iterdir()] == ["secret.keys"]


def test_too_little_memory(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_thread(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(starting, "bring_up", no_thread)
        says(lobby(used, "run"), Exit.MEMORY, "can't start new thread")


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_a_container_that_is_too_small(
    used: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The system would kill it without a word."""
    monkeypatch.setattr(starting, "CONTROL_GROUP", tmp_path / "group")
    limit = tmp_path / "group" / name
    limit.parent.mkdir(parents=True)
    limit.write_text("67108864\n")
    says(lobby(used, "run"), Exit.MEMORY, "64 MB")
    limit.write_text("max\n")
    starting.require_memory()
    limit.write_text(str(starting.LEAST_MEMORY))
    starting.require_memory()


def test_an_address_that_is_taken(used: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        says(lobby(used, "run", LOBBY_BIND=address), Exit.BUSY, address, "or set LOBBY_BIND to another")


def test_an_address_of_another_machine(used: Path) -> None:
    done = lobby(used, "run", LOBBY_BIND="192.0.2.1:8080")
    says(done, Exit.SETTINGS, "192.0.2.1:8080: Cannot assign requested address. Set LOBBY_BIND to another")


def test_a_setting_nobody_knows(data: Path) -> None:
    says(lobby(data, "run", LOBBY_NOPE="1"), Exit.SETTINGS, "LOBBY_NOPE is not a setting")
