"""Turning an ENUM into VARCHAR on three databases: nothing lost, wherever it dies."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from host.core import migrations
from host.sdk import migrations as sdk
from host.sdk.migrations import MigrationRefusedError, enum_to_varchar
from tests.addons.talks import (
    ROWS,
    column,
    content,
    convert,
    execute,
    index_names,
    insert,
    make,
    mariadb_only,
    postgresql_only,
    servers_only,
)


def test_rows_default_nullability_and_indexes_stay(engine: sa.Engine) -> None:
    make(engine)
    before, indexes = content(engine), index_names(engine)
    with pytest.raises(sa.exc.DBAPIError):
        insert(engine, note="new", channel="toy", size=1)

    assert convert(engine) is True

    assert content(engine) == before
    assert index_names(engine) == indexes
    after = column(engine)
    assert isinstance(after["type"], sa.String)
    assert after["type"].length == 32
    assert after["nullable"] is False
    insert(engine, note="new", channel="toy", size=1)
    insert(engine, note="by default", size=1)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT channel FROM talks WHERE note = 'by default'")) == "email"
        assert connection.scalar(sa.text("SELECT MAX(id) FROM talks")) == ROWS + 2, (
            "an id was given out twice"
        )
    with pytest.raises(sa.exc.IntegrityError):
        insert(engine, note="null", channel=None, size=1)


def test_checks_about_other_things_stay(engine: sa.Engine) -> None:
    make(engine)
    convert(engine)
    for values in ({"note": "a, (b", "size": 1}, {"note": "negative", "size": -1}):
        with pytest.raises(sa.exc.DBAPIError):
            insert(engine, **values)
    if engine.dialect.name == "postgresql":
        with pytest.raises(sa.exc.IntegrityError):
            insert(engine, note="phone", channel="phone")


@servers_only
def test_comment_and_character_set_stay(engine: sa.Engine) -> None:
    make(engine)
    convert(engine)
    assert column(engine)["comment"] == "where it's from: 100%"
    if engine.dialect.name == "mariadb":
        assert column(engine)["type"].collation == "ascii_bin"


def test_triggers_collations_and_computed_columns_stay_on_sqlite(tmp_path: Path) -> None:
    engine = migrations.migration_engine(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    make(engine)
    convert(engine)
    with engine.begin() as connection:
        assert connection.scalar(sa.text("SELECT twice FROM talks WHERE size = 4")) == 8
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM talks WHERE note = 'N4'")) == 1, "collation"
        connection.execute(sa.text("DELETE FROM talks WHERE note = 'n4'"))
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM seen")) == 2, "the trigger no longer fires"
    engine.dispose()


def test_the_index_on_the_column_is_used_afterwards(engine: sa.Engine) -> None:
    make(engine)
    convert(engine)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            execute(connection, "SET enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
        plan = connection.exec_driver_sql(f"{explain} SELECT id FROM talks WHERE channel = 'chat'").all()
    used = " ".join(str(value) for row in plan for value in row)
    assert "talks_channel" in used or "talks_partial" in used


def test_running_it_again_does_nothing(engine: sa.Engine) -> None:
    make(engine)
    convert(engine)
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    assert convert(engine) is False
    assert not [
        s for s in seen if s.lstrip().upper().startswith(("ALTER", "DROP", "CREATE", "INSERT", "LOCK"))
    ]


@pytest.mark.parametrize("kind", ["VARCHAR(32)", "VARCHAR(60)", "TEXT"])
def test_a_column_somebody_widened_by_hand_is_left_alone(engine: sa.Engine, kind: str) -> None:
    with engine.begin() as connection:
        execute(connection, f"CREATE TABLE talks (id INTEGER PRIMARY KEY, channel {kind} NOT NULL)")
    assert convert(engine) is False
    assert column(engine)["nullable"] is False


def test_a_varchar_that_is_too_short_is_widened(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        execute(
            connection,
            "CREATE TABLE talks (id INTEGER PRIMARY KEY, channel VARCHAR(8) NOT NULL DEFAULT 'email')",
        )
        execute(connection, "INSERT INTO talks (id) VALUES (1)")
    changed = convert(engine)
    assert changed is (engine.dialect.name != "sqlite"), "SQLite enforces no length, so nothing is to be done"
    with engine.begin() as connection:
        execute(connection, "INSERT INTO talks (id, channel) VALUES (2, 'longer than eight')")
        execute(connection, "INSERT INTO talks (id) VALUES (3)")
        assert connection.scalars(sa.text("SELECT channel FROM talks ORDER BY id")).all() == [
            "email",
            "longer than eight",
            "email",
        ]


def test_another_kind_of_column_is_refused(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        execute(connection, "CREATE TABLE talks (id INTEGER PRIMARY KEY, channel INTEGER)")
    with pytest.raises(MigrationRefusedError, match=r"neither|not text"):
        convert(engine)


def test_a_column_or_table_that_is_not_there_is_refused(engine: sa.Engine) -> None:
    with pytest.raises(MigrationRefusedError, match="there is no"):
        convert(engine)


def test_nullable_columns_stay_nullable(engine: sa.Engine) -> None:
    name = engine.dialect.name
    with engine.begin() as connection:
        if name == "postgresql":
            execute(connection, "CREATE TYPE k AS ENUM ('email')")
        kind = {
            "sqlite": "VARCHAR(5) CHECK (channel IN ('email'))",
            "postgresql": "k",
            "mariadb": "ENUM('email')",
        }
        execute(connection, f"CREATE TABLE talks (id INTEGER PRIMARY KEY, channel {kind[name]} NULL)")
        execute(connection, "INSERT INTO talks VALUES (1, NULL), (2, 'email')")
    assert convert(engine) is True
    with engine.connect() as connection:
        assert connection.scalars(sa.text("SELECT channel FROM talks ORDER BY id")).all() == [None, "email"]
    assert column(engine)["nullable"] is True
    assert column(engine)["default"] in (None, "NULL")


@mariadb_only
def test_invalid_empty_values_are_refused_on_mariadb(engine: sa.Engine) -> None:
    make(engine)
    with engine.begin() as connection:
        execute(connection, "SET SESSION sql_mode=''", "ALTER TABLE talks DROP CONSTRAINT ck_talks_list")
        execute(connection, "INSERT INTO talks (note, channel, size) VALUES ('bad', 'nothing known', 1)")
        assert connection.scalar(sa.text("SELECT channel FROM talks WHERE note = 'bad'")) == ""
    before = content(engine)
    with pytest.raises(MigrationRefusedError, match="1 rows of talks hold an invalid, empty channel"):
        convert(engine)
    assert content(engine) == before
    assert "enum" in str(column(engine)["type"]).lower()


@postgresql_only
def test_an_enum_type_another_table_uses_is_kept_on_postgresql(engine: sa.Engine) -> None:
    make(engine)
    with engine.begin() as connection:
        execute(connection, "CREATE TABLE others (id INTEGER, channel kind_of_talk DEFAULT 'chat')")
    convert(engine)
    with engine.begin() as connection:
        execute(connection, "INSERT INTO others (id) VALUES (1)")
        assert connection.scalar(sa.text("SELECT channel::text FROM others")) == "chat"
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM pg_type WHERE typname = 'kind_of_talk'")) == 1
        execute(connection, "DROP TABLE others")


@postgresql_only
def test_an_enum_type_nobody_uses_any_more_goes_on_postgresql(engine: sa.Engine) -> None:
    make(engine)
    convert(engine)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT COUNT(*) FROM pg_type WHERE typname = 'kind_of_talk'")) == 0


OBSTACLES = {
    "The view v": ("CREATE VIEW v AS SELECT channel FROM talks WHERE size > 4",),
    "The view m": ("CREATE MATERIALIZED VIEW m AS SELECT channel FROM talks",),
    "The foreign key talks_channel_fkey": (
        "CREATE TABLE others (channel kind_of_talk PRIMARY KEY)",
        "INSERT INTO others VALUES ('email'), ('chat'), ('phone')",
        "ALTER TABLE talks ADD FOREIGN KEY (channel) REFERENCES others (channel)",
    ),
    "The computed column chatty": (
        "ALTER TABLE talks ADD COLUMN chatty BOOLEAN GENERATED ALWAYS AS (channel = 'chat') STORED",
    ),
    "The trigger t": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER t BEFORE UPDATE OF channel ON talks FOR EACH ROW EXECUTE FUNCTION f()",
    ),
    "The policy p": ("CREATE POLICY p ON talks USING (channel <> 'phone')",),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
@postgresql_only
def test_what_depends_on_the_column_is_named_with_the_way_out_on_postgresql(
    engine: sa.Engine, obstacle: str
) -> None:
    make(engine)
    with engine.begin() as connection:
        execute(connection, *OBSTACLES[obstacle])
    before = content(engine)
    with pytest.raises(MigrationRefusedError) as caught:
        convert(engine)
    assert str(caught.value).startswith(f"{obstacle} depends on talks.channel. Drop it, activate again")
    assert caught.value.statement == 'ALTER TABLE "talks" ALTER COLUMN "channel" TYPE VARCHAR(32)'
    assert content(engine) == before
    assert isinstance(column(engine)["type"], sa.Enum)
    # The way out is one: what it says can be run, and then the conversion works.
    away, _, again = caught.value.way_out.partition("-- afterwards:")
    with engine.begin() as connection:
        execute(connection, away)
    assert convert(engine)
    if "pg_policies" not in again:
        with engine.begin() as connection:
            execute(connection, again or "SELECT 1")
    assert content(engine) == before


def test_several_things_in_the_way_are_all_named(empty_url: str) -> None:
    engine = migrations.migration_engine(empty_url)
    make(engine)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            execute(connection, *OBSTACLES["The view v"], *OBSTACLES["The policy p"])
        with pytest.raises(MigrationRefusedError, match=r"The view v, the policy p depend on talks\.channel"):
            convert(engine)
    elif engine.dialect.name == "mariadb":
        with engine.begin() as connection:
            execute(
                connection,
                "CREATE TABLE kinds (channel ENUM('email', 'chat', 'phone') CHARACTER SET ascii"
                " COLLATE ascii_bin PRIMARY KEY) ENGINE=InnoDB",
                "INSERT INTO kinds VALUES ('email'), ('chat'), ('phone')",
                "ALTER TABLE talks ADD CONSTRAINT `a key` FOREIGN KEY (channel) REFERENCES kinds (channel)",
            )
        with pytest.raises(MigrationRefusedError, match="The foreign key a key depends on") as caught:
            convert(engine)
        assert "ALTER TABLE `talks` DROP FOREIGN KEY `a key`;" in caught.value.way_out
        assert "ADD CONSTRAINT `a key` FOREIGN KEY (`channel`) REFERENCES `kinds`" in caught.value.way_out
        assert caught.value.statement.startswith("ALTER TABLE `talks` MODIFY COLUMN `channel` VARCHAR(32)")
        with engine.begin() as connection:
            execute(connection, "ALTER TABLE talks DROP FOREIGN KEY `a key`")
        assert convert(engine)
    else:
        with engine.begin() as connection:
            execute(
                connection,
                "DROP TABLE talks",
                "CREATE TABLE kinds (channel TEXT PRIMARY KEY)",
                "CREATE TABLE talks (id INTEGER PRIMARY KEY, channel VARCHAR(5) REFERENCES kinds (channel)"
                " CHECK (channel IN ('email', 'chat')))",
            )
        with pytest.raises(
            MigrationRefusedError, match=r"A foreign key \(talks\.channel to kinds\) uses"
        ) as caught:
            convert(engine)
        assert "CREATE TABLE" in caught.value.statement
        assert caught.value.way_out
    engine.dispose()


def test_a_check_that_says_more_is_refused_on_sqlite(tmp_path: Path) -> None:
    engine = migrations.migration_engine(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    with engine.begin() as connection:
        execute(
            connection,
            "CREATE TABLE talks (id INTEGER PRIMARY KEY, channel TEXT, size INTEGER,"
            " CHECK (channel IN ('email') OR size > 3))",
        )
    with pytest.raises(MigrationRefusedError, match="says more about channel"):
        convert(engine)
    engine.dispose()


def test_sqlite_with_foreign_keys_on_is_refused_rather_than_losing_children(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    safe = migrations.migration_engine(url)
    make(safe)
    before = content(safe)
    careless = sa.create_engine(url, poolclass=sa.pool.NullPool)
    event.listen(careless, "connect", lambda connection, _: connection.execute("PRAGMA foreign_keys=ON"))
    with pytest.raises(MigrationRefusedError, match="foreign_keys=0"):
        convert(careless)
    assert content(safe) == before
    safe.dispose()
    careless.dispose()


@servers_only
def test_a_migration_waits_for_a_lock_only_so_long(engine: sa.Engine) -> None:
    """An idle transaction elsewhere must not stop the desk for a day."""
    make(engine)
    with engine.connect() as idle:
        idle.execute(sa.text("SELECT COUNT(*) FROM talks"))
        with engine.begin() as connection:
            setting = "lock_timeout" if engine.dialect.name == "postgresql" else "@@lock_wait_timeout"
            shown = connection.scalar(sa.text(f"{'SHOW' if '@' not in setting else 'SELECT'} {setting}"))
            assert str(shown) in {"4s", "4"}
            execute(
                connection,
                "SET lock_timeout = '200ms'"
                if engine.dialect.name == "postgresql"
                else "SET lock_wait_timeout = 1",
            )
            if engine.dialect.name == "postgresql":
                with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                    enum_to_varchar(connection, "talks", "channel")
    assert convert(engine) is True


# What a process that dies leaves behind


def copies(engine: sa.Engine, tmp_path: Path) -> Iterator[tuple[sa.Engine, Callable[[], None]]]:
    """Yield fresh copies of a database with the table in it, each with a function that throws it away."""
    while True:
        if engine.dialect.name == "sqlite":
            path = tmp_path / f"{uuid.uuid4().hex}.sqlite3"
            shutil.copy(str(engine.url.database), path)
            copy = migrations.migration_engine(f"sqlite:///{path}")
            yield copy, copy.dispose
        else:
            with engine.begin() as connection:
                for table in ("entries", "talks"):
                    execute(connection, f"DROP TABLE IF EXISTS {table}")
                if engine.dialect.name == "postgresql":
                    execute(connection, "DROP TYPE IF EXISTS kind_of_talk")
            make(engine)
            yield engine, lambda: None


def dies_at(engine: sa.Engine, when: str, point: int) -> bool:
    """Convert in a child process that ends itself at its statement number *point*; tell whether it did."""
    child = os.fork()
    if child == 0:
        # Inherited pytest machinery must not run in here.
        code = 1
        try:
            count = 0

            def die(*_: Any) -> None:
                nonlocal count
                count += 1
                if count == point:
                    os._exit(9)

            own = migrations.migration_engine(engine.url.render_as_string(hide_password=False))
            event.listen(own, when, die)
            convert(own)
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, 9), f"the conversion failed by itself at {when} {point}"
    return code == 9


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
@pytest.mark.parametrize(
    "when", ["before_cursor_execute", pytest.param("after_cursor_execute", marks=pytest.mark.slow)]
)
@pytest.mark.slow
def test_wherever_it_dies_running_it_again_ends_right(engine: sa.Engine, tmp_path: Path, when: str) -> None:
    if engine.dialect.name == "sqlite":
        make(engine)
    supply = copies(engine, tmp_path)
    copy, discard = next(supply)
    before = content(copy)
    assert convert(copy)
    expected = column(copy)
    discard()
    points = 0
    for copy, discard in supply:
        if not dies_at(copy, when, points + 1):
            discard()
            break
        points += 1
        assert content(copy) == before, f"rows changed at {when} {points}"
        convert(copy)
        assert content(copy) == before
        assert repr(column(copy)["type"]) == repr(expected["type"])
        assert column(copy)["nullable"] is expected["nullable"]
        assert convert(copy) is False
        discard()
    assert points >= 8, "the fault injection did not reach the statements"


# The helpers around it


def test_tables_columns_and_indexes_are_made_once(engine: sa.Engine) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    with engine.begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        for _ in range(2):
            sdk.create_table_if_missing(op, "things", sa.Column("id", sa.Integer, primary_key=True))
            sdk.add_column_if_missing(op, "things", sa.Column("size", sa.Integer))
            sdk.create_index_if_missing(op, "ix_things_size", "things", ["size"])
        assert sdk.has_table(op, "things")
        assert sdk.has_column(op, "things", "size")
        assert sdk.has_index(op, "things", "ix_things_size")
        assert not sdk.has_table(op, "nothing")
        assert not sdk.has_column(op, "nothing", "size")
        assert not sdk.has_column(op, "things", "weight")
