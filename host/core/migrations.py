"""Run migrations, the host's and an addon's: one at a time, under one lock."""

from __future__ import annotations

import ast
import functools
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url

from host.core import forks

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

# Alembic is imported where it migrates or plans to: with what it imports it holds 9 MB and takes 70 ms, and a
# desk whose tables are up to date starts without it.

# Seconds, not a day: a statement that waits for a table lock blocks all that come after it.
LOCK_SECONDS = 4

HOST_VERSION_TABLE = "alembic_version"

# alembic.op is one object per process, so two migrations at once would write through each other's connection.
_process_lock = threading.Lock()


class BusyError(Exception):
    """The database cannot be migrated now: another process serves from it, or migrates it."""


class State(StrEnum):
    """How the tables of a database compare with this host's."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"


def host_directory() -> Path:
    """Return the folder of ``env.py`` and the host's revisions, in a checkout or in an installed package."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "migrations"
    return checkout if (checkout / "env.py").exists() else package / "_migrations"


def migration_engine(url: str) -> Engine:
    """Return an engine of its own for migrating: no pool, and on SQLite foreign keys off.

    A table rebuilt with foreign keys on deletes the rows that refer to it.
    """
    parsed = make_url(url)
    name = parsed.get_dialect().name
    if name != "sqlite":
        patience: dict[str, Any] = {
            "options": f"{parsed.query.get('options', '')} -c lock_timeout={LOCK_SECONDS}s".strip(),
            "application_name": "lobby migrate",
        }
        if name in {"mysql", "mariadb"}:
            patience = {
                "charset": "utf8mb4",
                "init_command": "SET SESSION sql_mode=CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'),"
                f" time_zone='+00:00', lock_wait_timeout={LOCK_SECONDS},"
                f" innodb_lock_wait_timeout={LOCK_SECONDS}",
            }
        return sa.create_engine(
            parsed, poolclass=sa.pool.NullPool, hide_parameters=True, connect_args=patience
        )
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(
        parsed,
        poolclass=sa.pool.NullPool,
        hide_parameters=True,
        connect_args={"timeout": 30, "isolation_level": None},
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: object) -> None:
        # WAL is a property of the file: set here once, never by a server that starts.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=OFF")
        connection.execute("PRAGMA legacy_alter_table=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def alembic_config(
    directory: Path, version_table: str, connection: sa.Connection | None = None
) -> AlembicConfig:
    """Return Alembic's configuration for the revisions in ``directory/versions``."""
    from alembic.config import Config as AlembicConfig

    config = AlembicConfig()
    config.set_main_option("script_location", str(host_directory()).replace("%", "%%"))
    config.set_main_option("version_locations", str(directory / "versions").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["version_table"] = version_table
    config.attributes["transactional_ddl"] = connection is not None and connection.dialect.name in {
        "sqlite",
        "postgresql",
    }
    return config


@contextmanager
def locked(url: str) -> Iterator[Engine]:
    """Yield an engine for migrating under the lock that keeps every other migration out."""
    with _process_lock:
        engine = migration_engine(url)
        try:
            with _database_lock(engine):
                yield engine
        finally:
            engine.dispose()


@contextmanager
def _database_lock(engine: Engine) -> Iterator[None]:
    """Hold the database's advisory lock. SQLite needs none: every migration begins with BEGIN IMMEDIATE."""
    if engine.dialect.name == "sqlite":
        yield
        return
    with advisory_lock(engine, "migrate", wait=60) as got:
        if not got:
            raise BusyError("Another process has been migrating this database for a minute.")
        yield


@contextmanager
def advisory_lock(engine: Engine, name: str, *, wait: float = 0) -> Iterator[bool]:
    """Hold a lock of the database server that ends with its connection; yield whether it was acquired.

    :param wait: seconds to try.
    """
    deadline = time.monotonic() + wait
    key = f"lobby_{name} {engine.url.database}"[:64]  # MariaDB's are the server's, not one database's
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            take = sa.text("SELECT pg_try_advisory_lock(hashtext(:key))").bindparams(key=key)
            release = sa.text("SELECT pg_advisory_unlock(hashtext(:key))").bindparams(key=key)
        else:
            take = sa.text("SELECT GET_LOCK(:key, 0)").bindparams(key=key)
            release = sa.text("SELECT RELEASE_LOCK(:key)").bindparams(key=key)
        while True:
            got = bool(connection.execute(take).scalar())
            connection.commit()
            if got or time.monotonic() >= deadline:
                break
            time.sleep(0.05)
        try:
            with forks.not_inherited(_socket_of(connection)):
                yield got
        finally:
            if got and not connection.invalidated:
                connection.execute(release)
                connection.commit()


def _socket_of(connection: sa.Connection) -> int | None:
    """Return the descriptor of the line to the server."""
    line: Any = connection.connection.dbapi_connection
    try:
        return int(line.fileno() if hasattr(line, "fileno") else line._sock.fileno())
    except (AttributeError, OSError):
        return None


@contextmanager
def _no_byte_code() -> Iterator[None]:
    """Import revisions without writing ``__pycache__``: an addon's folder holds its accepted files only."""
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = before


def pending(url: str, directory: Path, version_table: str) -> list[str]:
    """Return the revisions of *directory* that have not run on the database yet, oldest first."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    engine = migration_engine(url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": version_table})
            heads = context.get_current_heads()
    finally:
        engine.dispose()
    script = ScriptDirectory.from_config(alembic_config(directory, version_table))
    with _no_byte_code():
        revisions = list(script.walk_revisions())
    done: set[str] = set()
    for head in heads:
        done.update(r.revision for r in script.iterate_revisions(head, "base"))
    return [r.revision for r in reversed(revisions) if r.revision not in done]


def upgrade(
    engine: Engine,
    directory: Path,
    version_table: str,
    revision: str = "head",
    *,
    check: Callable[[sa.Connection], None] | None = None,
) -> None:
    """Run the revisions of *directory* up to *revision*. To be called inside :func:`locked`.

    :param check: called after each revision, before it is committed where the database can undo it.
    """
    from alembic import command

    _run(command.upgrade, engine, directory, version_table, revision, check)


def downgrade(
    engine: Engine,
    directory: Path,
    version_table: str,
    revision: str = "base",
    *,
    check: Callable[[sa.Connection], None] | None = None,
) -> None:
    """Undo the revisions of *directory* after *revision*, as :func:`upgrade` runs them."""
    from alembic import command

    _run(command.downgrade, engine, directory, version_table, revision, check)


def _run(
    what: Callable[[AlembicConfig, str], None],
    engine: Engine,
    directory: Path,
    version_table: str,
    revision: str,
    check: Callable[[sa.Connection], None] | None,
) -> None:
    with engine.connect() as connection, _no_byte_code():
        config = alembic_config(directory, version_table, connection)
        config.attributes["check"] = check
        what(config, revision)
        if connection.in_transaction():
            connection.commit()


def state(url: str) -> State:
    """Compare the host's tables in the database *url* with this host's revisions."""
    engine = migration_engine(url)
    try:
        with engine.connect() as connection:
            tables = set(sa.inspect(connection).get_table_names())
            if not tables:
                return State.EMPTY
            versions = {table for table, _newest, _revisions in _known()}
            return State.BEHIND if versions - tables or is_behind(connection) else State.CURRENT
    finally:
        engine.dispose()


def upgrade_host(url: str) -> list[str]:
    """Bring the tables of the host and its built-in addons up to date; return what ran: ``host 0001``."""
    done: list[str] = []
    with locked(url) as engine:
        for name, directory, table in _own():
            todo = pending(url, directory, table)
            if todo:
                upgrade(engine, directory, table)
            done.extend(f"{name} {revision}" for revision in todo)
    return done


def _own() -> list[tuple[str, Path, str]]:
    """Return name, folder and version table of the host and of each addon that is part of it."""
    builtin = Path(__file__).resolve().parents[1] / "builtin"
    found = [("host", host_directory(), HOST_VERSION_TABLE)]
    for versions in sorted(builtin.glob("*/migrations/versions")):
        slug = versions.parent.parent.name
        found.append((slug, versions.parent, addon_version_table(slug)))
    return found


@functools.cache
def _known() -> tuple[tuple[str, str, frozenset[str]], ...]:
    """Return version table, newest revision and every revision of the host and its built-in addons."""
    found = []
    for _, directory, table in _own():
        before = dict(_revision(path) for path in (directory / "versions").glob("*.py"))
        (newest,) = before.keys() - before.values()  # one follows the other: no branches, a test holds it
        found.append((table, newest, frozenset(before)))
    return tuple(found)


def _revision(path: Path) -> tuple[str, str | None]:
    """Return the revision a file of ours holds and the one before it, read from its source."""
    values: dict[str, Any] = {
        target.id: node.value.value
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return values["revision"], values["down_revision"]


def is_behind(connection: sa.Connection) -> bool:
    """Tell whether a revision this host brings has not run on the database. Cheap: for probes.

    A database a newer Lobby migrated is not behind: its tables still serve this one.
    """
    for table, newest, revisions in _known():
        at = connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(table)))
        if at is None or (at != newest and at in revisions):
            return True
    return False


@functools.cache
def host_tables() -> frozenset[str]:
    """Return the tables the revisions of the host and its built-in addons make, read from their source."""
    found = {HOST_VERSION_TABLE}
    for _, directory, version_table in _own():
        found.add(version_table)
        for path in (directory / "versions").glob("*.py"):
            for node in ast.walk(ast.parse(path.read_bytes())):
                if isinstance(node, ast.Call) and "create_table" in ast.unparse(node.func):
                    values = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
                    found.update(value for value in values if isinstance(value, str))
    return frozenset(found)


def addon_version_table(slug: str) -> str:
    """Return the table that remembers which of an addon's revisions ran."""
    return f"addon_{slug}_alembic_version"
