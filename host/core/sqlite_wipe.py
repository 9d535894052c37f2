"""Wipe the traces of deleted rows from an SQLite file.

Deleted rows are overwritten immediately (``secure_delete``). Two traces remain: the write-ahead log contains
earlier versions of rows, and if rows were moved between pages, the unused part of a page may contain a copy.
The log is emptied within seconds. Copies disappear when the file is rewritten (VACUUM): soon if it is small,
else after a time without requests. A marker file records the remaining work across a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from host.core import clock
from host.core.db import BUSY_TIMEOUT_MS, Database

log = logging.getLogger(__name__)

PATIENCE_MS = 250
"""How long writers may wait for readers that prevent the log from being emptied, in milliseconds."""
SMALL = 64 * 1024 * 1024
SMALL_PAUSE = timedelta(minutes=5)
QUIET = timedelta(minutes=10)
LATEST = timedelta(hours=24)
"""Age at which pending work is done even if the desk is never quiet."""


def note_deletion(database: Database) -> None:
    """Record a deletion of data that must not remain in the file; call it after the commit."""
    path = _marker(database)
    if path is not None:
        path.touch()
        database.has_traces = True


def clear(database: Database, quiet_for: Callable[[], timedelta | None]) -> bool:
    """Remove the traces that can be removed now; return whether nothing is left to do.

    :param quiet_for: returns the time since the last request; None if there was none.
    """
    path = _marker(database)
    if path is None:
        return True
    if database.has_traces:
        database.has_traces = not empty_log(database)
    try:
        age = clock.now().timestamp() - path.stat().st_mtime
    except FileNotFoundError:
        return not database.has_traces
    size = Path(str(database.url.database)).stat().st_size
    soon = size <= SMALL and clock.monotonic() - database.compacted_at >= SMALL_PAUSE.total_seconds()
    if not soon and age < LATEST.total_seconds() and (quiet_for() or QUIET) < QUIET:
        return False
    # Remove the marker before the work: a deletion meanwhile sets it again.
    path.unlink(missing_ok=True)
    try:
        compact(database)
    except BaseException:
        path.touch()
        raise
    return empty_log(database)


def empty_log(database: Database) -> bool:
    """Write the log into the file and empty it; return False if readers prevented it."""
    with database.writing():
        connection = database.write_engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
            found = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            cursor.close()
        finally:
            connection.close()
    return found is not None and found[0] == 0


def compact(database: Database) -> None:
    """Rewrite the file. Writers wait meanwhile, about a second per 50 MB; webhooks go to the spool."""
    database.compacted_at = clock.monotonic()
    with database.writing():
        connection = database.write_engine.raw_connection()
        try:
            cursor = connection.cursor()
            cursor.execute("PRAGMA temp_store=FILE")
            try:
                cursor.execute("VACUUM")
            finally:
                cursor.execute("PRAGMA temp_store=MEMORY")
            cursor.close()
        finally:
            connection.close()
    log.info("the database file was written anew, without what had been deleted")


def _marker(database: Database) -> Path | None:
    """Return the path of the marker file; None for a database that is not a file."""
    name = database.url.database
    if not database.is_sqlite or not name or name == ":memory:":
        return None
    return Path(f"{name}-deleted")
