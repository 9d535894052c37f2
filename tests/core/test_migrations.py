"""Whether the tables are up to date is told without Alembic."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from host.core import migrations
from host.core.migrations import State


def test_the_revisions_read_from_source_are_those_alembic_knows_in_one_line() -> None:
    known = {table: (newest, revisions) for table, newest, revisions in migrations._known()}
    for _name, directory, table in migrations._own():
        script = ScriptDirectory.from_config(migrations.alembic_config(directory, table))
        revisions = list(script.walk_revisions())
        assert known.pop(table) == (script.get_current_head(), {one.revision for one in revisions})
        assert all(one.down_revision is None or isinstance(one.down_revision, str) for one in revisions)
    assert known == {}


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ("SELECT 1", State.CURRENT),
        ("UPDATE alembic_version SET version_num = '0003'", State.BEHIND),
        ("DROP TABLE alembic_version", State.BEHIND),
        ("DELETE FROM addon_email_alembic_version", State.BEHIND),
        ("UPDATE alembic_version SET version_num = '9999'", State.CURRENT),
    ],
    ids=["up to date", "older", "without a version", "built-in addon older", "of a newer Lobby"],
)
def test_the_state_of_the_tables(migrated_file: Path, tmp_path: Path, change: str, state: State) -> None:
    path = tmp_path / "lobby.sqlite3"
    shutil.copy(migrated_file, path)
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    assert migrations.state(f"sqlite:///{path}") is state


def test_a_database_without_tables_is_empty(tmp_path: Path) -> None:
    assert migrations.state(f"sqlite:///{tmp_path / 'new.sqlite3'}") is State.EMPTY
