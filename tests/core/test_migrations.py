"""What state the tables are in is told without Alembic; migrations that are cut off, or wait for a table."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

import host
from host.core import migrations
from host.core.migrations import BusyError, NewerError, State
from tests.conftest import MARIADB, POSTGRESQL, fresh_server_database


def test_the_revisions_read_from_source_are_those_alembic_knows_in_one_line() -> None:
    config = migrations.alembic_config(migrations.host_directory(), migrations.HOST_VERSION_TABLE)
    revisions = list(ScriptDirectory.from_config(config).walk_revisions())
    assert list(migrations.revisions()) == [one.revision for one in reversed(revisions)]
    assert all(one.down_revision is None or isinstance(one.down_revision, str) for one in revisions)


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ("SELECT 1", State.CURRENT),
        ("UPDATE alembic_version SET version_num = '0003'", State.BEHIND),
        ("DROP TABLE alembic_version", State.BEHIND),
        ("UPDATE alembic_version SET version_num = '9999'", State.NEWER),
    ],
    ids=["up to date", "older", "without a version", "of a newer Lobby"],
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


# A newer Lobby migrated it


def say(path: Path, since: str, at: str) -> None:
    """Write down that a newer Lobby took the host's tables to *at*, and whom they serve."""
    said = {"since": since, "at": {"alembic_version": at, "addon_email_alembic_version": "0007"}}
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9001'")
        connection.execute("DELETE FROM installation_values")
        connection.execute("INSERT INTO installation_values VALUES ('tables_serve', ?)", [json.dumps(said)])
    connection.close()


@pytest.mark.parametrize(
    ("since", "at", "state"),
    [
        (host.__version__, "9001", State.AHEAD),
        ("0.9.0", "9001", State.AHEAD),
        ("99.0.0", "9001", State.NEWER),
        (host.__version__, "9000", State.NEWER),
    ],
    ids=["serve this one", "serve even older ones", "do not", "were changed since"],
)
def test_whether_newer_tables_serve_is_what_who_made_them_says(
    migrated_file: Path, tmp_path: Path, since: str, at: str, state: State
) -> None:
    path = tmp_path / "lobby.sqlite3"
    shutil.copy(migrated_file, path)
    say(path, since, at)
    url = f"sqlite:///{path}"
    assert migrations.state(url) is state
    assert (migrations.refusal_of(state) is None) == (state is State.AHEAD)
    with pytest.raises(NewerError):
        migrations.upgrade_host(url)


def test_who_is_served_is_said_with_every_migration(empty_url: str) -> None:
    migrations.upgrade_host(empty_url)
    with migrations.locked(empty_url) as engine, engine.connect() as connection:
        (said,) = connection.execute(
            sa.text("SELECT value FROM installation_values WHERE name = 'tables_serve'")
        ).scalars()
    assert json.loads(said) == {
        "since": migrations.FIRST_RELEASE,
        "at": {migrations.HOST_VERSION_TABLE: list(migrations.revisions())[-1]},
    }


# Cut off, and in the way


USED = sa.text("INSERT INTO workspaces (name, created_at) VALUES ('Pottery', now())")


@pytest.fixture
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database of its own on a server."""
    yield from fresh_server_database(request.param)


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("url", [pytest.param(POSTGRESQL, id="postgresql")], indirect=True)
def test_indexes_built_concurrently_are_built_again_where_that_was_cut_off(url: str) -> None:
    """After the new one took the name, or before it was whole."""
    directory, table = migrations.host_directory(), migrations.HOST_VERSION_TABLE
    columns = "conversations (workspace_id)"
    with migrations.locked(url) as engine:
        migrations.upgrade(engine, directory, table, "0047")
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE INDEX ix_conversations_assignee_old ON {columns}")
            connection.exec_driver_sql(f"CREATE INDEX ix_conversations_team_new ON {columns}")
    assert "host 0049" in migrations.upgrade_host(url)
    with migrations.locked(url) as engine:
        names = {str(one["name"]) for one in sa.inspect(engine).get_indexes("conversations")}
        assert not {name for name in names if name.endswith(("_old", "_new"))}
        assert {"ix_conversations_assignee", "ix_conversations_team"} <= names


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize("url", [pytest.param(MARIADB, id="mariadb")], indirect=True)
def test_a_revision_that_was_cut_off_on_mariadb_is_run_to_its_end(url: str) -> None:
    """Each of its changes is a commit of its own there."""
    directory, table = migrations.host_directory(), migrations.HOST_VERSION_TABLE
    with migrations.locked(url) as engine:
        migrations.upgrade(engine, directory, table, "0006")
        with engine.begin() as connection:
            connection.execute(USED)
            connection.exec_driver_sql("ALTER TABLE api_keys ADD COLUMN holder_id BIGINT NULL")
            connection.exec_driver_sql("CREATE INDEX ix_api_keys_holder_id ON api_keys (holder_id)")
    assert "host 0007" in migrations.upgrade_host(url)
    assert migrations.state(url) is State.CURRENT
    with migrations.locked(url) as engine:
        columns = {one["name"] for one in sa.inspect(engine).get_columns("api_keys")}
        assert {"holder_id", "ended_because"} <= columns


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.parametrize(
    "url",
    [
        pytest.param(POSTGRESQL, id="postgresql"),
        pytest.param(MARIADB, id="mariadb", marks=pytest.mark.slow),
    ],
    indirect=True,
)
def test_a_table_in_use_is_waited_for_and_then_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    directory, table = migrations.host_directory(), migrations.HOST_VERSION_TABLE
    with migrations.locked(url) as engine:
        migrations.upgrade(engine, directory, table, "0008")
        with engine.begin() as connection:
            connection.execute(USED)
    tried: list[int] = []
    reading = sa.create_engine(url, poolclass=sa.pool.NullPool)
    with reading.connect() as reader:

        def read() -> None:
            reader.execute(sa.text("SELECT count(*) FROM catch_ups")).scalar()

        def let_go(seconds: float) -> None:
            tried.append(1)
            if len(tried) == 3:
                reader.rollback()

        monkeypatch.setattr(migrations, "time", SimpleNamespace(monotonic=time.monotonic, sleep=let_go))
        read()
        with pytest.raises(BusyError, match="host 0009 could not change a table that is in use"):
            migrations.upgrade_host(url)
        assert len(tried) == 2
        assert migrations.state(url) is State.BEHIND
        assert "host 0009" in migrations.upgrade_host(url)
    assert migrations.state(url) is State.CURRENT
