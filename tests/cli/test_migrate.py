"""``lobby migrate`` makes a backup before the tables change."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from host.backup import archive, making, restoring
from host.backup.archive import BackupError
from host.cli.commands import main
from host.core import clock, db, migrations
from host.models.users import Workspace
from tests import helpers


@pytest.fixture
def behind(data: Path) -> Path:
    """A desk of the Lobby before this one, with a workspace in it."""
    url = f"sqlite:///{data / 'lobby.sqlite3'}"
    with migrations.locked(url) as engine:
        directory, table = migrations.host_directory(), migrations.HOST_VERSION_TABLE
        before = migrations.pending(url, directory, table)[-2]
        migrations.upgrade(engine, directory, table, before)
        with engine.begin() as connection:
            values = {"name": "Pottery", "created_at": clock.now()}
            connection.execute(sa.insert(Workspace).values(values))
    assert migrations.state(url) is migrations.State.BEHIND
    return data


def migrate(data: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["migrate", *arguments], env={"LOBBY_DATA": str(data)})


def backups(data: Path) -> list[Path]:
    return sorted((data / "backups").glob("*.backup"))


@pytest.mark.slow
def test_a_backup_comes_first_and_can_be_restored(behind: Path, tmp_path: Path) -> None:
    found = migrate(behind)
    assert found.exit_code == 0, found.output
    (made,) = backups(behind)
    assert str(made) in found.output
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret.keys").write_text((behind / "secret.keys").read_text())
    settings = helpers.make_config(elsewhere)
    with archive.reading(made) as source:
        restoring.read_through(source)
        restoring.restore(
            settings, source, waiting=restoring.Waiting.CHECK, passphrase=None, tell=lambda _: None
        )
    assert migrations.state(settings.database_url) is migrations.State.CURRENT
    db.connect(settings.database_url)
    with db.read() as session:
        assert session.scalars(sa.select(Workspace.name)).all() == ["Pottery"]


def test_nothing_is_migrated_without_one(behind: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise BackupError("No space left on device.")

    monkeypatch.setattr(making, "make", full)
    found = migrate(behind)
    assert found.exit_code == 1
    assert "No space left" in found.output
    assert migrations.state(f"sqlite:///{behind / 'lobby.sqlite3'}") is migrations.State.BEHIND
    assert migrate(behind, "--no-backup").exit_code == 0
    assert backups(behind) == []


def test_what_is_up_to_date_needs_none(behind: Path) -> None:
    migrate(behind)
    again = migrate(behind)
    assert "up to date" in again.output
    assert len(backups(behind)) == 1
