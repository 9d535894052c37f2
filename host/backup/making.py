"""Make a backup while the desk runs: one consistent state of all tables, and every file they refer to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from host import __version__
from host.addons.package import trust
from host.backup import archive
from host.backup.archive import Contents, Writing, plain
from host.core import clock, migrations, secrets, storage
from host.core.config import Config
from host.core.secrets import Secret
from host.core.storage import StoreAwayError
from host.media import claiming
from host.queue import spool

PUSHES = frozenset({"push_devices", "push_deliveries"})
"""Tables of browsers that get pushes: the original desk may still be pushing to them."""
PASSING = PUSHES | {"processes", "addon_calls", "login_sessions", "password_links", "sign_in_steps"}
"""Tables that only describe running processes, and signed-in people and their browsers."""
MADE_AGAIN = frozenset({"search_postings", "search_documents", "search_builds"})
"""Tables that a desk rebuilds from others automatically."""
NOT_NEEDED = frozenset({"file_removals"})
"""Tables of files that are about to be deleted."""
_ROWS = 500
_LARGE = {"inbound_parts": 4}
"""Rows read at a time of tables whose rows may have 4 MB."""
_PAUSE_SECONDS = 600
"""Time in seconds a backup may stall between two portions of rows, as on a slow or full disk."""
_LIMITS = {
    "postgresql": (f"idle_in_transaction_session_timeout = '{_PAUSE_SECONDS}s'", "statement_timeout = 0"),
    "mariadb": (
        f"idle_transaction_timeout = {_PAUSE_SECONDS}",
        f"net_write_timeout = {_PAUSE_SECONDS}",
        "max_statement_time = 0",
    ),
}
"""The limits of its connection, by database."""


def make(
    config: Config,
    target: Path,
    *,
    passphrase: str | None,
    tell: Callable[[str], None],
    files: bool = True,
) -> Contents:
    """Write the whole desk to *target*; return its contents list.

    :param passphrase: passphrase for sealing the keys; None: leave the keys out.
    :param files: whether to include the files of messages.
    :param tell: called with each step.
    :raises archive.BackupError: if it cannot be written, or the files cannot be read.
    :raises CannotGoOnError: if the file store belongs to another desk.
    """
    if files:
        try:
            storage.use(storage.opened(config))
            claiming.check(config, storage.current())
        except StoreAwayError as error:
            raise _unread(error) from error
    with archive.writing(target) as out:
        # Read the spool before the tables: requests that leave it meanwhile are in them.
        spooled = _spool(config, out)
        with snapshot(config.database_url) as connection:
            revisions = _revisions(connection)
            tell("tables")
            tables, keys = _tables(connection, out, but={*PASSING, *MADE_AGAIN, *revisions})
        missing: list[str] = []
        if files:
            tell(f"{len(keys)} files")
            missing = _files(out, keys)
        trusted = config.data / trust.FILE_NAME
        if trusted.exists():
            out.add(archive.TRUSTED, iter([trusted.read_bytes()]))
        if passphrase is not None:
            out.add(archive.KEYS, iter([archive.sealed(_own_keys(config), passphrase)]))
        contents = Contents(
            format=archive.FORMAT,
            lobby=__version__,
            made_at=clock.now().isoformat(),
            database=sa.make_url(config.database_url).get_backend_name(),
            revisions=revisions,
            tables=tables,
            files=len(keys) - len(missing) if files else 0,
            files_left_out=0 if files else len(keys),
            missing=missing,
            spooled=spooled,
            proofs=_proofs(),
            keys=passphrase is not None,
            digests=out.digests,
        )
        out.finish(contents, secrets.keyring())
    return contents


@contextmanager
def snapshot(url: str) -> Iterator[sa.Connection]:
    """Yield a connection that sees one state of the database, however long it reads, without blocking others.

    Migrations are locked out meanwhile, except on SQLite, where the snapshot is the file's.
    """
    if sa.make_url(url).get_backend_name() == "sqlite":
        engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"isolation_level": None})
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA query_only=ON")
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.exec_driver_sql("ROLLBACK")
        return
    with migrations.locked(url) as engine:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            # Limits of the role or the server are intended for everyday work.
            for limit in _LIMITS.get(engine.dialect.name, _LIMITS["mariadb"]):
                connection.exec_driver_sql(f"SET SESSION {limit}")
            connection.commit()
            yield connection


def _revisions(connection: sa.Connection) -> dict[str, str]:
    names = [name for name in sa.inspect(connection).get_table_names() if name.endswith("alembic_version")]
    found = {}
    for name in names:
        at = connection.scalar(sa.select(sa.column("version_num")).select_from(sa.table(name)))
        if at is not None:
            found[name] = at
    return found


def _tables(connection: sa.Connection, out: Writing, *, but: set[str]) -> tuple[dict[str, int], list[str]]:
    """Write all tables except *but*; return their row counts, and the files they name."""
    metadata = sa.MetaData()
    metadata.reflect(connection, resolve_fks=False)
    counts: dict[str, int] = {}
    keys: set[str] = set()
    for name, table in sorted(metadata.tables.items()):
        if name in but:
            continue
        counts[name] = 0

        def lines(table: sa.Table = table, name: str = name) -> Iterator[bytes]:
            for row in _rows(connection, table):
                counts[name] += 1
                key = row.get("storage_key") or row.get("picture_key")
                if key and name not in NOT_NEEDED:
                    keys.add(key)
                written = {column: plain(value) for column, value in row.items() if value is not None}
                yield json.dumps(written, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n"

        out.add(f"tables/{name}.jsonl", lines(), packed=False)
    return counts, sorted(keys)


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[dict[str, Any]]:
    """Yield the rows of *table*. JSON stays text, so that no database reinterprets it."""
    as_text = sa.cast if connection.dialect.name == "postgresql" else sa.type_coerce
    columns = [
        as_text(column, sa.Text).label(column.name) if isinstance(column.type, sa.JSON) else column
        for column in table.columns
    ]
    query = sa.select(*columns).order_by(*table.primary_key.columns)
    at_once = _LARGE.get(table.name, _ROWS)
    for row in connection.execution_options(yield_per=at_once).execute(query).mappings():
        yield dict(row)


def _files(out: Writing, keys: list[str]) -> list[str]:
    """Write the files of *keys*; return those missing, which were deleted or erased meanwhile."""
    missing = []
    for key in keys:
        try:
            with storage.open_stored(key) as file:
                out.add(f"files/{key}", archive.whole(file))
        except storage.NotStoredError:
            missing.append(key)
        except StoreAwayError as error:
            raise _unread(error) from error
    return missing


def _unread(error: StoreAwayError) -> archive.BackupError:
    return archive.BackupError(
        f"The files of messages cannot be read: {error.words}. `--no-files` makes a backup without them."
    )


def _spool(config: Config, out: Writing) -> int:
    count = 0
    for path in sorted(spool.folder_of(config.data).glob("*")):
        try:
            content = path.read_bytes()
        except OSError:
            continue  # already in the database
        out.add(f"spool/{path.name}", iter([content]))
        count += 1
    return count


def _own_keys(config: Config) -> dict[str, str]:
    """Return the keys as files of a data folder."""
    file = secrets.keys_file(config)
    return {
        "secret.keys": config.secret_keys if file is None else file.read_text(),
        "session.key": secrets.load_session_key(config),
    }


def _proofs() -> list[str]:
    keyring = secrets.keyring()
    return [keyring.seal(Secret("lobby"), archive.PROOF)]
