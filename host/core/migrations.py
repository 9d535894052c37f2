"""Run migrations of the host and of addons, one at a time, under one lock."""

from __future__ import annotations

import ast
import functools
import json
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from packaging.version import Version
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex, CreateTable

import host
from host.core import clock, forks
from host.core.config import CannotGoOnError, Exit
from host.core.db import REACH_SECONDS, why_undone

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

# Alembic is imported where it migrates or plans to: it takes 9 MB and 70 ms with its imports, and a desk
# whose tables are up to date starts without it.

# Seconds, not a day: a statement that waits for a table lock blocks all later ones.
LOCK_SECONDS = 4
TRIES = 3
"""Number of attempts of a revision to get its locks. Between two attempts, waiting sessions can proceed."""

FIRST_RELEASE = "1.0.0"
SERVES = "tables_serve"
"""Name of the installation value with the releases that work with the tables: see :func:`_serves`."""

HOST_VERSION_TABLE = "alembic_version"
_FORMERLY_OWN = "addon_email_alembic_version"
"""Version table that hosts with built-in mail also compare."""

# alembic.op is one object per process, so two concurrent migrations would write through each other's
# connection.
_process_lock = threading.Lock()


class BusyError(CannotGoOnError):
    """The database cannot be migrated now: another process serves from it, or migrates it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, Exit.BUSY)


class EmptyError(CannotGoOnError):
    """The database has no tables yet."""

    def __init__(self) -> None:
        super().__init__("The database is empty. `lobby run` sets it up.")


class OlderError(CannotGoOnError):
    """The database lacks a revision of this host."""

    def __init__(self) -> None:
        super().__init__(
            "The database is from an older Lobby. Back it up, then run `lobby migrate`.", Exit.SETTINGS
        )


class NewerError(CannotGoOnError):
    """A newer Lobby migrated the database."""

    def __init__(self) -> None:
        super().__init__(
            f"The database is from a newer Lobby than this one, {host.__version__}. Start the newer one, or "
            "put the backup back that was made before it migrated.",
            Exit.SETTINGS,
        )


class State(StrEnum):
    """How the tables of a database compare with this host's revisions."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"
    """A newer host migrated them, and they still work with this one."""
    NEWER = "newer"
    """A newer host migrated them, and they may not work with this one."""


def refusal_of(state: State) -> CannotGoOnError | None:
    """Return why this host cannot work with a database in *state*; None if it can."""
    refusals = {State.EMPTY: EmptyError, State.BEHIND: OlderError, State.NEWER: NewerError}
    return refusals[state]() if state in refusals else None


def host_directory() -> Path:
    """Return the folder of ``env.py`` and the host's revisions, in a checkout or in an installed package."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parent / "migrations"
    return checkout if (checkout / "env.py").exists() else package / "_migrations"


def migration_engine(url: str) -> Engine:
    """Return a separate engine for migrating: without a pool, and on SQLite with foreign keys off.

    With foreign keys on, rebuilding a table deletes the rows that refer to it.
    """
    parsed = make_url(url)
    name = parsed.get_dialect().name
    if name != "sqlite":
        patience: dict[str, Any] = {
            "options": f"{parsed.query.get('options', '')} -c lock_timeout={LOCK_SECONDS}s".strip(),
            "application_name": "lobby migrate",
            "connect_timeout": REACH_SECONDS,
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
        # WAL is a property of the file, so it is set here once, not when a server starts.
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
    """Yield an engine for migrating under the lock that excludes other migrations."""
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

    :param wait: timeout in seconds.
    """
    deadline = time.monotonic() + wait
    key = f"lobby_{name} {engine.url.database}"[
        :64
    ]  # MariaDB's locks belong to the server, not to one database
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
    """Return the descriptor of the connection to the server."""
    line: Any = connection.connection.dbapi_connection
    try:
        return int(line.fileno() if hasattr(line, "fileno") else line._sock.fileno())
    except (AttributeError, OSError):
        return None


@contextmanager
def _no_byte_code() -> Iterator[None]:
    """Import revisions without writing ``__pycache__``: an addon's folder only holds its accepted files."""
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
    """Run the revisions of *directory* up to *revision*. Call it inside :func:`locked`.

    :param check: called after each revision, before it is committed if the database can roll it back.
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
            if _is_newer(connection, tables):
                return State.AHEAD if _serves(connection, tables) else State.NEWER
            behind = HOST_VERSION_TABLE not in tables or is_behind(connection)
            return State.BEHIND if behind else State.CURRENT
    finally:
        engine.dispose()


def _is_newer(connection: sa.Connection, tables: set[str]) -> bool:
    """Return whether a revision unknown to this host ran on the database."""
    at = _at(connection, HOST_VERSION_TABLE) if HOST_VERSION_TABLE in tables else None
    return at is not None and at not in revisions()


def _at(connection: sa.Connection, version_table: str) -> str | None:
    """Return the current revision of the tables."""
    found: str | None = connection.scalar(
        sa.select(sa.column("version_num")).select_from(sa.table(version_table))
    )
    return found


_values = sa.table("installation_values", sa.column("name"), sa.column("value"))


def _serves(connection: sa.Connection, tables: set[str]) -> bool:
    """Return whether the host that migrated the tables declared them compatible with this one.

    The declaration is valid until another host migrates them.
    """
    if _values.name not in tables:
        return False
    text = connection.scalar(sa.select(_values.c.value).where(_values.c.name == SERVES))
    said = json.loads(text or "{}")
    at = said.get("at", {}).get(HOST_VERSION_TABLE)
    return at == _at(connection, HOST_VERSION_TABLE) and Version(said["since"]) <= Version(host.__version__)


def _say_who_is_served(engine: Engine) -> None:
    """Store the first release that works with the current tables, for hosts older than this one."""
    with engine.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        at = {
            table: _at(connection, table) for table in (HOST_VERSION_TABLE, _FORMERLY_OWN) if table in tables
        }
        text = json.dumps({"since": _last(revisions().values()), "at": at})
        where = _values.c.name == SERVES
        if connection.scalar(sa.select(_values.c.value).where(where)) != text:
            connection.execute(sa.delete(_values).where(where))
            connection.execute(sa.insert(_values).values(name=SERVES, value=text))
            connection.commit()


def _last(contracts: Iterable[str | None]) -> str:
    return max((FIRST_RELEASE, *(one for one in contracts if one)), key=Version)


def serves_from(url: str) -> str:
    """Return the first release that still works with the tables of *url* after the pending revisions."""
    return _last(revisions()[one] for one in pending(url, host_directory(), HOST_VERSION_TABLE))


def is_unused(url: str) -> bool:
    """Return whether a database that is behind was never used: its first start has not finished.

    There are no users and no tables of addons.
    """
    engine = migration_engine(url)
    try:
        with engine.connect() as connection:
            return _is_unused(connection)
    finally:
        engine.dispose()


def _is_unused(connection: sa.Connection) -> bool:
    tables = set(sa.inspect(connection).get_table_names())
    if tables - host_tables():
        return False
    return all(
        connection.scalar(sa.select(sa.literal(1)).select_from(sa.table(name)).limit(1)) is None
        for name in {"users", "workspaces"} & tables
    )


def _clear_half(engine: Engine) -> None:
    """Remove the remains of a first start interrupted on MariaDB, which rolls back no part of a revision.

    Call it only inside :func:`locked`, so that no other process does the same.
    """
    if engine.dialect.name not in {"mysql", "mariadb"}:
        return
    with engine.connect() as connection:
        tables = sorted(set(sa.inspect(connection).get_table_names()))
        behind = HOST_VERSION_TABLE not in tables or is_behind(connection)
        if not tables or not behind or not _is_unused(connection):
            return
        connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
        for name in tables:
            connection.exec_driver_sql(f"DROP TABLE {connection.dialect.identifier_preparer.quote(name)}")


PROGRESS_SECONDS = 2.0
"""How long migrating is silent at a time, for a person who watches."""


def upgrade_host(url: str, progress: Callable[[int, int], None] | None = None) -> list[str]:
    """Bring the tables of the host up to date; return the revisions that ran: ``host 0001``.

    :param progress: called every few seconds with the number of revisions that ran, and of all that will.
    :raises NewerError: if a newer Lobby migrated the database.
    :raises BusyError: if a table stays in use; earlier revisions stay.
    """
    done: list[str] = []
    with locked(url) as engine:
        with engine.connect() as connection:
            if _is_newer(connection, set(sa.inspect(connection).get_table_names())):
                raise NewerError
        _clear_half(engine)
        if engine.dialect.name in {"mysql", "mariadb"}:
            event.listen(engine, "before_execute", _leave_out_what_is_there, retval=True)
        waiting = pending(url, host_directory(), HOST_VERSION_TABLE)
        told_at = clock.monotonic()
        for revision in waiting:
            _patiently(engine, revision)
            done.append(f"host {revision}")
            if progress is not None and clock.monotonic() - told_at >= PROGRESS_SECONDS:
                told_at = clock.monotonic()
                progress(len(done), len(waiting))
        _say_who_is_served(engine)
    return done


def _patiently(engine: Engine, revision: str) -> None:
    """Run one revision; after a lock timeout, let other sessions proceed and retry."""
    for attempt in range(1, TRIES + 1):
        try:
            upgrade(engine, host_directory(), HOST_VERSION_TABLE, revision)
            return
        except DBAPIError as error:
            if why_undone(error) is None:
                raise
            if attempt == TRIES:
                raise BusyError(
                    f"host {revision} could not change a table that is in use: it waited {LOCK_SECONDS} "
                    f"seconds for it, {TRIES} times. What ran before it stays. Run `lobby migrate` again "
                    "when less is going on, and see whether a backup or a report is reading."
                ) from error
            time.sleep(attempt / 2)


def _leave_out_what_is_there(
    connection: sa.Connection, clause: Any, multiparams: Any, params: Any, _options: Any
) -> tuple[Any, Any, Any]:
    """Complete a revision that was interrupted on MariaDB, where each change is its own commit."""
    if _is_there(sa.inspect(connection), clause):
        clause = sa.DDL("DO 0")  # type: ignore[no-untyped-call]
    return clause, multiparams, params


def _is_there(found: sa.Inspector, clause: Any) -> bool:
    from alembic.ddl.base import AddColumn

    if isinstance(clause, AddColumn):
        return any(one["name"] == clause.column.name for one in found.get_columns(clause.table_name))
    if isinstance(clause, CreateTable):
        return found.has_table(clause.element.name)
    if isinstance(clause, CreateIndex):
        index = clause.element
        assert index.table is not None
        return any(one["name"] == index.name for one in found.get_indexes(index.table.name))
    return False


@functools.cache
def revisions() -> dict[str, str | None]:
    """Return the revisions of the host, oldest first, each with its ``contract``.

    The contract is the first release that does not need the removed columns or tables; None if nothing is
    removed.
    """
    files = [_constants(path) for path in (host_directory() / "versions").glob("*.py")]
    after = {one["down_revision"]: one for one in files}  # no branches, which a test ensures
    line: dict[str, str | None] = {}
    revision = None
    while following := after.get(revision):
        revision = following["revision"]
        line[revision] = following.get("contract")
    return line


def _constants(path: Path) -> dict[str, Any]:
    """Return the constants of a revision's file, read from its source."""
    return {
        target.id: node.value.value
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def is_behind(connection: sa.Connection) -> bool:
    """Return whether a revision of this host has not run on the database. Cheap enough for probes.

    A database migrated by a newer Lobby is not behind: its tables still work with this one.
    """
    at = _at(connection, HOST_VERSION_TABLE)
    return at is None or (at != next(reversed(revisions())) and at in revisions())


@functools.cache
def host_tables() -> frozenset[str]:
    """Return the tables that the host's revisions create, read from their source."""
    found = {HOST_VERSION_TABLE}
    for path in (host_directory() / "versions").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and "create_table" in ast.unparse(node.func):
                values = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
                found.update(value for value in values if isinstance(value, str))
    return frozenset(found)


def addon_version_table(slug: str) -> str:
    """Return the table that records an addon's executed revisions."""
    return f"addon_{slug}_alembic_version"
