"""Run migrations, the host's and an addon's: one at a time, under one lock."""

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
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
from packaging.version import Version
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex, CreateTable

import host
from host.core import forks
from host.core.config import CannotGoOnError, Exit
from host.core.db import REACH_SECONDS, why_undone

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

# Alembic is imported where it migrates or plans to: with what it imports it holds 9 MB and takes 70 ms, and a
# desk whose tables are up to date starts without it.

# Seconds, not a day: a statement that waits for a table lock blocks all that come after it.
LOCK_SECONDS = 4
TRIES = 3
"""How often a revision tries to get its locks. Between two tries the sessions behind it can go on."""

FIRST_RELEASE = "1.0.0"
SERVES = "tables_serve"
"""Name of the installation's value that says which releases work on the tables: see :func:`_serves`."""

HOST_VERSION_TABLE = "alembic_version"

# alembic.op is one object per process, so two migrations at once would write through each other's connection.
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
    """How the tables of a database compare with this host's."""

    EMPTY = "empty"
    BEHIND = "behind"
    CURRENT = "current"
    AHEAD = "ahead"
    """A newer host migrated them, and they serve this one too."""
    NEWER = "newer"
    """A newer host migrated them, and this one cannot work on them, or nobody says whether it can."""


def refusal_of(state: State) -> CannotGoOnError | None:
    """Return why this host cannot work on a database in *state*; None: it can."""
    refusals = {State.EMPTY: EmptyError, State.BEHIND: OlderError, State.NEWER: NewerError}
    return refusals[state]() if state in refusals else None


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
            if _is_newer(connection, tables):
                return State.AHEAD if _serves(connection, tables) else State.NEWER
            versions = {of.table for of in _known()}
            return State.BEHIND if versions - tables or is_behind(connection) else State.CURRENT
    finally:
        engine.dispose()


def _is_newer(connection: sa.Connection, tables: set[str]) -> bool:
    """Tell whether a revision ran on the database that this host does not know."""
    return any(
        of.table in tables and (at := _at(connection, of.table)) is not None and at not in of.revisions
        for of in _known()
    )


def _at(connection: sa.Connection, version_table: str) -> str | None:
    """Return the revision the tables are at."""
    found: str | None = connection.scalar(
        sa.select(sa.column("version_num")).select_from(sa.table(version_table))
    )
    return found


_values = sa.table("installation_values", sa.column("name"), sa.column("value"))


def _serves(connection: sa.Connection, tables: set[str]) -> bool:
    """Tell whether the host that migrated the tables said that they serve this one too.

    It is believed as long as nobody else migrated them since.
    """
    if _values.name not in tables:
        return False
    text = connection.scalar(sa.select(_values.c.value).where(_values.c.name == SERVES))
    said = json.loads(text or "{}")
    now = {of.table: _at(connection, of.table) for of in _known() if of.table in tables}
    return said.get("at") == now and Version(said["since"]) <= Version(host.__version__)


def _say_who_is_served(engine: Engine) -> None:
    """Write down the first release that works on the tables as they are now, for hosts older than this."""
    with engine.connect() as connection:
        contracts = [one for of in _known() for one in of.revisions.values()]
        said = {"since": _last(contracts), "at": {of.table: _at(connection, of.table) for of in _known()}}
        text, where = json.dumps(said), _values.c.name == SERVES
        if connection.scalar(sa.select(_values.c.value).where(where)) != text:
            connection.execute(sa.delete(_values).where(where))
            connection.execute(sa.insert(_values).values(name=SERVES, value=text))
            connection.commit()


def _last(contracts: Iterable[str | None]) -> str:
    return max((FIRST_RELEASE, *(one for one in contracts if one)), key=Version)


def serves_from(url: str) -> str:
    """Return the first release that still works on the tables of *url* once what is pending has run."""
    contracts: list[str | None] = []
    for (_name, directory, table), of in zip(own(), _known(), strict=True):
        contracts += [of.revisions[revision] for revision in pending(url, directory, table)]
    return _last(contracts)


def is_unused(url: str) -> bool:
    """Tell whether a database that is behind was never used: its first start was cut off, or is under way.

    Nobody is in it, and no addon has a table.
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
    """Take away what a first start left that was cut off on MariaDB, which undoes no part of a revision.

    Only inside :func:`locked`, so that nobody else is at it.
    """
    if engine.dialect.name not in {"mysql", "mariadb"}:
        return
    with engine.connect() as connection:
        tables = sorted(set(sa.inspect(connection).get_table_names()))
        versions = {of.table for of in _known()}
        if not tables or not (versions - set(tables) or is_behind(connection)) or not _is_unused(connection):
            return
        connection.exec_driver_sql("SET SESSION foreign_key_checks = 0")
        for name in tables:
            connection.exec_driver_sql(f"DROP TABLE {connection.dialect.identifier_preparer.quote(name)}")


def upgrade_host(url: str) -> list[str]:
    """Bring the tables of the host and its built-in addons up to date; return what ran: ``host 0001``.

    :raises NewerError: if a newer Lobby migrated the database.
    :raises BusyError: if a table is in use all the time; what ran before stays.
    """
    done: list[str] = []
    with locked(url) as engine:
        with engine.connect() as connection:
            if _is_newer(connection, set(sa.inspect(connection).get_table_names())):
                raise NewerError
        _clear_half(engine)
        if engine.dialect.name in {"mysql", "mariadb"}:
            event.listen(engine, "before_execute", _leave_out_what_is_there, retval=True)
        for name, directory, table in own():
            for revision in pending(url, directory, table):
                _patiently(engine, directory, table, revision, f"{name} {revision}")
                done.append(f"{name} {revision}")
        _say_who_is_served(engine)
    return done


def _patiently(engine: Engine, directory: Path, table: str, revision: str, named: str) -> None:
    """Run one revision; where it waits for a lock for too long, let the others go first and try again."""
    for attempt in range(1, TRIES + 1):
        try:
            upgrade(engine, directory, table, revision)
            return
        except DBAPIError as error:
            if why_undone(error) is None:
                raise
            if attempt == TRIES:
                raise BusyError(
                    f"{named} could not change a table that is in use: it waited {LOCK_SECONDS} seconds "
                    f"for it, {TRIES} times. What ran before it stays. Run `lobby migrate` again when less "
                    "is going on, and see whether a backup or a report is reading."
                ) from error
            time.sleep(attempt / 2)


def _leave_out_what_is_there(
    connection: sa.Connection, clause: Any, multiparams: Any, params: Any, _options: Any
) -> tuple[Any, Any, Any]:
    """Have a revision that was cut off on MariaDB, where each change is its own commit, run to its end."""
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


def knows(directory: Path, revision: str) -> bool:
    """Tell whether *revision* is one of those in *directory*."""
    return any(_constants(path)["revision"] == revision for path in (directory / "versions").glob("*.py"))


def own() -> list[tuple[str, Path, str]]:
    """Return name, folder and version table of the host and of each addon that is part of it."""
    builtin = Path(__file__).resolve().parents[1] / "builtin"
    found = [("host", host_directory(), HOST_VERSION_TABLE)]
    for versions in sorted(builtin.glob("*/migrations/versions")):
        slug = versions.parent.parent.name
        found.append((slug, versions.parent, addon_version_table(slug)))
    return found


class _Line(NamedTuple):
    """The revisions of the host, or of an addon that is part of it.

    :param revisions: oldest first, each with its ``contract``: where it takes away what a release used,
        the first release that does without; else None.
    """

    table: str
    revisions: dict[str, str | None]

    @property
    def newest(self) -> str:
        return next(reversed(self.revisions))


@functools.cache
def _known() -> tuple[_Line, ...]:
    """Return the lines of revisions of the host and its built-in addons."""
    found = []
    for _, directory, table in own():
        files = [_constants(path) for path in (directory / "versions").glob("*.py")]
        after = {one["down_revision"]: one for one in files}  # no branches, a test holds it
        line: dict[str, str | None] = {}
        revision = None
        while following := after.get(revision):
            revision = following["revision"]
            line[revision] = following.get("contract")
        found.append(_Line(table, line))
    return tuple(found)


def _constants(path: Path) -> dict[str, Any]:
    """Return what a file of ours says of its revision, read from its source."""
    return {
        target.id: node.value.value
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def is_behind(connection: sa.Connection) -> bool:
    """Tell whether a revision this host brings has not run on the database. Cheap: for probes.

    A database a newer Lobby migrated is not behind: its tables still serve this one.
    """
    for of in _known():
        at = _at(connection, of.table)
        if at is None or (at != of.newest and at in of.revisions):
            return True
    return False


@functools.cache
def host_tables() -> frozenset[str]:
    """Return the tables the revisions of the host and its built-in addons make, read from their source."""
    found = {HOST_VERSION_TABLE}
    for _, directory, version_table in own():
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
