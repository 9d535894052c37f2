"""Migrations of addons: backed up, tried on a copy, held to their tables, plain about what is in the way."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.addons.migrating import copying, guarding, plan, rehearsal, runner, snapshot
from host.addons.migrating.runner import MigrationError
from host.addons.package import manifest
from host.addons.package.failures import AddonError, Skipped
from host.core import db, migrations
from host.core.backports.values import replace
from host.core.config import Config
from tests.addons.conftest import configuration
from tests.inbox import toys

pytestmark = pytest.mark.sqlite_first


class ToyChannel(toys.Toy):
    key = "toy"


Source = Callable[..., Path]
Steps = list[tuple[str, str | None]]

servers_only = pytest.mark.parametrize("any_database", ["postgresql", "mariadb"], indirect=True)
postgresql_only = pytest.mark.parametrize("any_database", ["postgresql"], indirect=True)
mariadb_only = pytest.mark.parametrize("any_database", ["mariadb"], indirect=True)


def revision(*body: str) -> dict[str, str]:
    """Return a third revision of the toy that does *body*, lines of Python."""
    lines = "\n".join(f"    {line}" for line in body)
    text = (
        '"""a third one"""\nimport sqlalchemy as sa\nfrom alembic import op\n'
        "from host.sdk import migrations\n"
        f'revision = "0003"\ndown_revision = "0002"\n\n\ndef upgrade() -> None:\n{lines}\n'
    )
    return {"migrations/versions/0003_third.py": text}


def settings(database: db.Database, data: Path, **environ: str) -> Config:
    return configuration(database, data, **{"LOBBY_BACKUPS": "0", **environ})


def run(config: Config, folder: Path) -> Steps:
    """Run the pending migrations of the toy in *folder*; return the steps."""
    steps: Steps = []

    def around(name: str, do: Callable[[], str | None]) -> None:
        steps.append((name, None))
        steps[-1] = (name, do())

    runner.run(config, manifest.read_manifest(folder), folder, around)
    return steps


def everything(engine: sa.Engine) -> dict[str, Any]:
    with engine.connect() as connection:
        return snapshot.of_database(connection).tables


def at_head(folder: Path) -> bool:
    return all(planned.applied for planned in plan.revisions(folder, "toy"))


# Held to its own tables

FOREIGN = {
    "a row": ("op.execute(\"UPDATE workspaces SET name = 'secret'\")", "workspaces"),
    "a column": ('op.add_column("contacts", sa.Column("x", sa.Integer))', "contacts"),
    "an index": ('op.create_index("ix_toy", "messages", ["id"])', "messages"),
    "a table": ('op.create_table("toyish", sa.Column("id", sa.Integer))', "toyish"),
    "another's version": ('op.execute("DELETE FROM alembic_version")', "alembic_version"),
    "a view": ('op.execute("CREATE VIEW toy_view AS SELECT 1 AS one")', "CREATE VIEW"),
}
NOT_OPEN = 'migrations.enum_to_varchar(op, "channel_accounts", "channel", 60)'


@pytest.mark.parametrize("what", FOREIGN)
def test_a_statement_about_what_is_not_the_addons_is_stopped_and_named(
    database: db.Database, data: Path, toy_source: Source, what: str
) -> None:
    body, named = FOREIGN[what]
    folder = toy_source(revision('op.execute("DELETE FROM toy_accounts")', body))
    run(settings(database, data), toy_source())
    before = everything(database.write_engine)
    with pytest.raises(MigrationError) as caught:
        run(settings(database, data, LOBBY_REHEARSAL_MB="0"), folder)
    assert caught.value.sentence == (
        f"Migration 0003 failed. The migration was stopped because it would change {named}, "
        "which the addon does not own."
    )
    assert caught.value.statement
    assert "secret" not in caught.value.statement
    assert everything(database.write_engine) == before


@servers_only
@pytest.mark.parametrize(("body", "named"), [FOREIGN["a row"], (NOT_OPEN, "channel_accounts")])
def test_it_is_stopped_on_servers_too(
    any_database: db.Database, data: Path, toy_source: Source, body: str, named: str
) -> None:
    run(settings(any_database, data, LOBBY_REHEARSAL_MB="0"), toy_source())
    before = everything(any_database.write_engine)
    with pytest.raises(MigrationError, match=f"would change {named}"):
        run(settings(any_database, data, LOBBY_REHEARSAL_MB="0"), toy_source(revision(body)))
    assert everything(any_database.write_engine) == before


def test_a_change_nobody_saw_coming_is_found_by_looking(
    migrate_here: None,
    any_database: db.Database,
    data: Path,
    toy_source: Source,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(guarding, "effects", lambda *_: [])
    config = settings(any_database, data, LOBBY_REHEARSAL_MB="0")
    run(config, toy_source())
    before = everything(any_database.write_engine)
    folder = toy_source(revision('op.add_column("contacts", sa.Column("x", sa.Integer))'))
    with pytest.raises(
        MigrationError, match="The migration changed contacts, which the addon does not own"
    ) as caught:
        run(config, folder)
    undone = any_database.dialect in {"sqlite", "postgresql"}
    assert (everything(any_database.write_engine) == before) is undone
    assert ("The change was reverted" in caught.value.sentence) is undone
    assert ("cannot revert that" in caught.value.sentence) is not undone


def test_its_own_tables_it_may_change_as_it_likes(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    body = (
        'migrations.add_column_if_missing(op, "toy_accounts", sa.Column("size", sa.Integer))',
        'migrations.create_index_if_missing(op, "ix_toy_accounts_size", "toy_accounts", ["size"])',
        'op.drop_index("ix_toy_accounts_size", table_name="toy_accounts")',
        'op.execute("UPDATE toy_accounts SET size = 1")',
        'with op.batch_alter_table("toy_accounts") as batch:',
        '    batch.alter_column("size", nullable=True, existing_type=sa.Integer)',
    )
    config = settings(any_database, data)
    run(config, toy_source(revision(*body)))
    assert at_head(toy_source(revision(*body)))


def test_a_slug_does_not_make_a_table_of_the_host_the_addons(
    database: db.Database, toy_source: Source
) -> None:
    def rename(text: str) -> str:
        return text.replace("toy_accounts", "channel_accounts").replace('slug = "toy"', 'slug = "channel"')

    found = manifest.read_manifest(toy_source({"addon.toml": rename}))
    with database.write_engine.connect() as connection:
        guard = guarding.Guard(found, connection)
    assert not guard.is_own("channel_accounts")
    assert guard.is_own("addon_channel_alembic_version")


# The copy


def test_what_fails_on_the_copy_never_reaches_the_database(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    config = settings(any_database, data)
    folder = toy_source(revision('op.execute("INSERT INTO toy_accounts SELECT * FROM nowhere")'))
    before = everything(any_database.write_engine)
    with pytest.raises(MigrationError) as caught:
        run(config, folder)
    assert caught.value.sentence == "Migration 0003 failed on the copy. Nothing was activated."
    assert "nowhere" in caught.value.statement
    assert "nowhere" in caught.value.database
    assert everything(any_database.write_engine) == before
    assert not _copies(config), "the copy was left behind"


@pytest.mark.parametrize("copied", [True, False])
def test_the_copy_keeps_a_release_that_runs_from_half_of_an_update(
    any_database: db.Database, data: Path, toy_source: Source, copied: bool
) -> None:
    """A transaction undoes the revision that fails, not those before it; on MariaDB not even that one."""
    run(settings(any_database, data, LOBBY_REHEARSAL_MB="0"), toy_source())
    before = everything(any_database.write_engine)
    third = revision('op.drop_column("toy_accounts", "secret")')
    fourth = {
        "migrations/versions/0004_fourth.py": (
            '"""a fourth one"""\nfrom alembic import op\nrevision = "0004"\ndown_revision = "0003"\n\n\n'
            'def upgrade() -> None:\n    op.execute("INSERT INTO toy_accounts SELECT * FROM nowhere")\n'
        )
    }
    config = settings(any_database, data, LOBBY_REHEARSAL_MB="512" if copied else "0")
    with pytest.raises(MigrationError, match="Migration 0004 failed"):
        run(config, toy_source({**third, **fourth}))
    assert (everything(any_database.write_engine) == before) is copied


def _copies(config: Config) -> list[str]:
    if config.database_url.startswith("sqlite"):
        return [path.name for path in (config.data / rehearsal.FOLDER).glob("*")]
    with db.current().write_engine.connect() as connection:
        names = connection.scalars(sa.text("SELECT schema_name FROM information_schema.schemata")).all()
    database = str(db.current().url.database)
    return [name for name in names if name in {copying.SCHEMA, f"{database}_rehearsal"}]


@servers_only
def test_the_copy_has_everything_the_database_has(any_database: db.Database) -> None:
    with any_database.write_engine.begin() as connection:
        run_sql(
            connection,
            "CREATE TABLE extra (id INTEGER PRIMARY KEY, twice INTEGER GENERATED ALWAYS AS (id * 2) STORED)",
            "INSERT INTO extra (id) VALUES (4), (5)",
            "CREATE VIEW seen AS SELECT c.id, c.channel FROM conversations c",
        )
        if any_database.dialect == "postgresql":
            run_sql(
                connection,
                "CREATE TYPE mood AS ENUM ('it''s', 'good')",
                "CREATE TABLE moods (id SERIAL PRIMARY KEY, mood mood DEFAULT 'good')",
                "CREATE INDEX ix_moods ON moods (id) WHERE mood = 'good'",
                "INSERT INTO moods (mood) VALUES ('it''s'), (DEFAULT)",
            )
    engine = migrations.migration_engine(any_database.url.render_as_string(hide_password=False))
    with engine.connect() as connection:
        url = copying.make(connection)
    copy = migrations.migration_engine(url.render_as_string(hide_password=False))
    original = everything(any_database.write_engine)
    copied = everything(copy)
    assert copied.keys() == original.keys()
    for name, facts in original.items():
        assert _bare(copied[name]) == _bare(facts), name
    with copy.connect() as connection:
        assert connection.execute(sa.text("SELECT * FROM extra ORDER BY id")).all() == [(4, 8), (5, 10)]
        if any_database.dialect == "postgresql":
            assert connection.scalars(sa.text("SELECT mood::text FROM moods ORDER BY id")).all() == [
                "it's",
                "good",
            ]
    copy.dispose()
    with any_database.write_engine.begin() as connection:
        copying.drop(connection)
        run_sql(connection, "DROP VIEW seen")


def _bare(facts: set[Any]) -> set[Any]:
    """Leave out what PostgreSQL spells differently when the same is said again."""
    spelling = re.compile(rf"public\.|{copying.SCHEMA}\.|::[a-z ]+|[()\[\]]")
    return {(kind, name, spelling.sub("", what)) for kind, name, what in facts}


def run_sql(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


@postgresql_only
def test_what_is_in_the_way_is_found_on_the_copy(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    with any_database.write_engine.begin() as connection:
        run_sql(
            connection, "CREATE VIEW per_channel AS SELECT channel, count(*) FROM conversations GROUP BY 1"
        )
    with pytest.raises(MigrationError, match=r"Migration 0002 failed on the copy\..*per_channel"):
        run(settings(any_database, data), toy_source())
    assert "toy_accounts" not in everything(any_database.write_engine)


def test_a_large_database_is_not_copied_and_the_step_says_so(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    steps = run(settings(any_database, data, LOBBY_REHEARSAL_MB="0"), toy_source())
    detail = steps[1][1]
    assert isinstance(detail, Skipped)
    assert "LOBBY_REHEARSAL_MB allows copying at most 0 MB" in detail


def test_a_full_disk_is_not_filled_further(
    database: db.Database, data: Path, toy_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(data)
    # Room for the two copies of a small database, and for nothing beside them.
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=64 * 1024**2))
    detail = run(settings(database, data), toy_source())[1][1]
    assert isinstance(detail, Skipped)
    assert "not enough space" in detail


@servers_only
def test_a_user_who_may_make_no_copy_migrates_without_one(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    url, name = any_database.url, str(any_database.url.database)
    person = name[-20:]
    with any_database.write_engine.begin() as connection:
        if any_database.dialect == "postgresql":
            owner = connection.scalar(sa.text("SELECT current_user"))
            run_sql(
                connection,
                f"CREATE ROLE {person} LOGIN",
                f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
                f"GRANT CONNECT ON DATABASE {name} TO {person}",
                f"GRANT ALL ON SCHEMA public TO {person}",
            )
            tables = connection.scalars(
                sa.text("SELECT tablename FROM pg_tables WHERE schemaname='public'")
            ).all()
            run_sql(connection, *(f"ALTER TABLE {table} OWNER TO {person}" for table in tables))
            run_sql(connection, f"ALTER TYPE conversation_channel OWNER TO {person}")
        else:
            run_sql(
                connection,
                f"CREATE USER {person}@'%' IDENTIFIED BY 'pass'",
                f"GRANT ALL ON {name}.* TO {person}@'%'",
            )
    config = configuration(any_database, data)
    theirs = url.set(username=person, password="pass").render_as_string(hide_password=False)
    db.connect(theirs)
    try:
        detail = run(replace(config, database_url=theirs), toy_source())[1][1]
        assert isinstance(detail, Skipped)
        assert "could not be copied" in detail
        assert "denied" in detail
        assert at_head(toy_source())
    finally:
        db.connect(url.render_as_string(hide_password=False))
        with db.current().write_engine.begin() as connection:
            if any_database.dialect == "postgresql":
                run_sql(connection, f"REASSIGN OWNED BY {person} TO {owner}", f"DROP OWNED BY {person}")
                run_sql(connection, f"DROP ROLE {person}")
            else:
                run_sql(connection, f"DROP USER {person}@'%'")


# The backup


def test_sqlite_is_copied_before_and_a_few_copies_are_kept(
    database: db.Database, data: Path, toy_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = data / "backups"
    folder.mkdir()
    for number in range(3):
        (folder / f"2020010{number}-000000-toy-0.9.0.sqlite3").touch()
    steps = run(settings(database, data, LOBBY_BACKUPS="2"), toy_source())
    kept = sorted(path.name for path in folder.iterdir())
    assert kept[0] == "20200102-000000-toy-0.9.0.sqlite3"
    assert kept[1].endswith("-toy-1.0.0.sqlite3")
    assert len(kept) == 2
    assert steps[0][0] == "Back up the database"
    assert kept[1] in str(steps[0][1])
    copy = folder / kept[1]
    assert copy.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(copy) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    connection.close()
    assert "conversations" in tables
    assert "toy_accounts" not in tables, "it was taken too late"


def test_nothing_pending_needs_no_back_up(database: db.Database, data: Path, toy_source: Source) -> None:
    config = settings(database, data, LOBBY_BACKUPS="2")
    run(config, toy_source())
    assert run(config, toy_source()) == []


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_a_command_is_told_why_and_its_last_line_is_shown(
    database: db.Database, data: Path, toy_source: Source
) -> None:
    command = python("import sys; print('noise'); print('kept', sys.argv[1])") + " 'as {reason}.dump'"
    steps = run(settings(database, data, LOBBY_BACKUP_COMMAND=command), toy_source())
    assert steps[0] == ("Back up the database", "kept as toy-1.0.0.dump")


FAILING = {
    "a status": (
        python("import sys; print('disk full', file=sys.stderr); sys.exit(3)"),
        "status 3",
        "disk full",
    ),
    "no such program": ("/nowhere/backup", "cannot be run", "/nowhere/backup"),
    "bad quoting": ("backup 'x", "cannot be run", "quotation"),
    "time": (
        python("import subprocess, sys; print('dumping', flush=True); subprocess.run(['sleep', '600'])"),
        "timed out after 1 seconds",
        "dumping",
    ),
}


@pytest.mark.parametrize("how", FAILING)
def test_a_back_up_that_fails_stops_everything(
    database: db.Database, data: Path, toy_source: Source, how: str
) -> None:
    command, sentence, detail = FAILING[how]
    config = settings(database, data, LOBBY_BACKUP_COMMAND=command, LOBBY_BACKUP_SECONDS="1")
    began = time.monotonic()
    with pytest.raises(AddonError, match="could not be backed up, so nothing was changed") as caught:
        run(config, toy_source())
    assert sentence in caught.value.sentence
    assert detail in caught.value.detail.lower()
    assert time.monotonic() - began < 60, "it waited for what the command left running"
    assert "toy_accounts" not in everything(database.write_engine)


def test_a_copy_that_cannot_be_written_stops_everything(
    database: db.Database, data: Path, toy_source: Source
) -> None:
    (data / "backups").write_text("a file in the folder's place")
    with pytest.raises(AddonError, match="The file could not be copied"):
        run(settings(database, data, LOBBY_BACKUPS="1"), toy_source())
    assert "toy_accounts" not in everything(database.write_engine)


@servers_only
def test_a_server_without_a_command_says_that_it_was_not_backed_up(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    detail = run(settings(any_database, data), toy_source())[0][1]
    assert isinstance(detail, Skipped)
    assert "LOBBY_BACKUP_COMMAND" in detail


# Rows of others

UNWRAPPED = (
    "op.get_bind().connection.cursor().execute(\"UPDATE workspaces SET name = 'taken'\")",
    'op.get_bind().connection.cursor().execute("DELETE FROM workspaces")',
)


@pytest.mark.parametrize("body", UNWRAPPED)
def test_rows_changed_behind_the_guard_are_found_on_the_copy(
    any_database: db.Database, data: Path, toy_source: Source, body: str
) -> None:
    toys.make_workspace()
    run(settings(any_database, data), toy_source())
    with pytest.raises(MigrationError) as caught:
        run(settings(any_database, data), toy_source(revision(body)))
    assert caught.value.sentence == (
        "On the copy, the migrations changed rows of workspaces, which the addon does not own. "
        "Nothing was activated."
    )
    with db.read() as session:
        assert session.scalars(sa.text("SELECT name FROM workspaces")).all() != ["taken"]
        assert not at_head(toy_source(revision(body)))


# Apart

ENDS = {
    "os._exit(3)": "The migration crashed its process.",
    "raise SystemExit(3)": "The migration crashed its process.",
    "time.sleep(600)": "The migration timed out and was stopped.",
    "op.get_bind().exec_driver_sql('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT MAX(i) FROM n')": "The migration timed out and was stopped.",
}


@pytest.mark.parametrize("rehearsed", ["512", "0"])
@pytest.mark.parametrize("body", ENDS)
def test_a_revision_that_ends_or_hangs_takes_nothing_with_it(
    database: db.Database, data: Path, toy_source: Source, body: str, rehearsed: str
) -> None:
    run(settings(database, data), toy_source())
    folder = toy_source(revision("import os, time", "op.execute('DELETE FROM toy_accounts')", body))
    config = settings(database, data, LOBBY_REHEARSAL_MB=rehearsed, LOBBY_MIGRATION_SECONDS="2")
    with pytest.raises(MigrationError, match=re.escape(ENDS[body])):
        run(config, folder)
    db.write(lambda session: session.execute(sa.text("DELETE FROM toy_accounts")))
    assert not (data / "migrating.pid").exists()


@servers_only
def test_one_that_hangs_lets_go_of_its_locks_on_servers(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    run(settings(any_database, data), toy_source())
    folder = toy_source(revision("import time", "op.execute('DELETE FROM toy_accounts')", "time.sleep(600)"))
    config = settings(any_database, data, LOBBY_REHEARSAL_MB="0", LOBBY_MIGRATION_SECONDS="2")
    with pytest.raises(MigrationError, match="timed out"):
        run(config, folder)
    db.write(lambda session: session.execute(sa.text("DELETE FROM toy_accounts")))


# What is in the way


@pytest.fixture
def impatient(migrate_here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a second for locks, twice."""
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 1)
    monkeypatch.setattr(runner, "TRIES", 2)


@servers_only
@pytest.mark.usefixtures("impatient")
def test_who_holds_the_table_is_named(any_database: db.Database, data: Path, toy_source: Source) -> None:
    config = settings(any_database, data, LOBBY_REHEARSAL_MB="0")
    is_postgresql = any_database.dialect == "postgresql"
    with any_database.write_engine.connect() as idle:
        # However long a busy machine takes until the migration wants the table.
        timeout = "idle_in_transaction_session_timeout" if is_postgresql else "idle_transaction_timeout"
        idle.execute(sa.text(f"SET {timeout} = 0"))
        idle.execute(sa.text("SELECT COUNT(*) FROM conversations"))
        number = idle.scalar(
            sa.text("SELECT pg_backend_pid()" if is_postgresql else "SELECT CONNECTION_ID()")
        )
        began = time.monotonic()
        with pytest.raises(MigrationError) as caught:
            run(config, toy_source())
        assert time.monotonic() - began < 60
        assert caught.value.sentence.startswith(
            f"Migration 0002 failed. A table stayed locked for 2 seconds by connection {number}, of "
        )
        if is_postgresql:
            assert "last statement: SELECT" in caught.value.sentence
            assert "using conversations" in caught.value.sentence
        assert "conversations" in caught.value.statement
    run(config, toy_source())
    assert at_head(toy_source())


@servers_only
@pytest.mark.usefixtures("impatient")
def test_a_lock_that_is_let_go_of_in_time_is_got(
    any_database: db.Database, data: Path, toy_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(any_database, data, LOBBY_REHEARSAL_MB="0")
    idle = any_database.write_engine.connect()
    idle.execute(sa.text("SELECT COUNT(*) FROM conversations"))
    monkeypatch.setattr(time, "sleep", lambda _: idle.close())
    run(config, toy_source())
    assert at_head(toy_source())


def test_another_program_that_writes_to_the_sqlite_file_is_named(
    migrate_here: None, database: db.Database, data: Path, toy_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(database.url.database)
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN IMMEDIATE');"
        "print('holding', flush=True); sys.stdin.read()"
    )
    real = migrations.migration_engine

    def hasty(url: str) -> sa.Engine:
        engine = real(url)
        sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=100"))
        return engine

    monkeypatch.setattr(migrations, "migration_engine", hasty)
    with subprocess.Popen(
        [sys.executable, "-c", code, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"holding\n"
        with pytest.raises(MigrationError) as caught:
            run(settings(database, data, LOBBY_REHEARSAL_MB="0"), toy_source())
        with suppress(BrokenPipeError):
            other.communicate(b"")
    assert f"process {other.pid}, " in caught.value.sentence
    assert "python" in caught.value.sentence
    run(settings(database, data), toy_source())
    assert at_head(toy_source())


# Going down


def undo(config: Config, folder: Path) -> None:
    with migrations.locked(config.database_url) as engine:
        runner.undo(engine, manifest.read_manifest(folder), folder)


def test_down_drops_its_tables_and_keeps_conversations_and_their_column(
    any_database: db.Database, data: Path, toy_source: Source
) -> None:
    config = settings(any_database, data, LOBBY_REHEARSAL_MB="0")
    folder = toy_source()
    run(config, folder)
    up = everything(any_database.write_engine)
    account = toys.make_account(toys.make_workspace(), "toy")
    toys.apply(account, toys.received("Kept"), adapter=ToyChannel())

    undo(config, folder)

    down = everything(any_database.write_engine)
    assert set(up) - set(down) == {"toy_accounts"}
    assert down["conversations"] == up["conversations"], "the column was narrowed"
    with any_database.read_engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT channel FROM conversations")).all() == ["toy"]
    assert [message.text for message in toys.thread()] == ["Kept"]
    run(config, folder)
    assert everything(any_database.write_engine) == up
    undo(config, folder)
    assert everything(any_database.write_engine) == down


def test_down_may_touch_no_more_than_up(database: db.Database, data: Path, toy_source: Source) -> None:
    changes = revision("pass")
    changes["migrations/versions/0003_third.py"] += (
        '\n\ndef downgrade() -> None:\n    op.drop_column("conversations", "subject")\n'
    )
    config = settings(database, data, LOBBY_REHEARSAL_MB="0")
    folder = toy_source(changes)
    run(config, folder)
    before = everything(database.write_engine)
    with pytest.raises(
        MigrationError,
        match=r"0003 could not be reverted\. The migration was stopped because it would change conversations",
    ):
        undo(config, folder)
    assert everything(database.write_engine) == before


def test_a_revision_without_a_downgrade_says_so(
    database: db.Database, data: Path, toy_source: Source
) -> None:
    config = settings(database, data, LOBBY_REHEARSAL_MB="0")
    folder = toy_source(revision("pass"))
    run(config, folder)
    with pytest.raises(MigrationError, match=r"0003 could not be reverted\. It has no downgrade"):
        undo(config, folder)
