"""Wipe what deleted rows leave behind in an SQLite file.

Deleted rows are overwritten at once (``secure_delete``). Two things remain: the log of changes holds rows
as they were before, and where rows were moved between pages, the unused part of a page may hold a copy. The
log is emptied within seconds; copies go when the file is written anew, which is done soon where it is small,
and else when nothing has come for a while. That it is to be done is noted in a file, for after a restart.
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
"""How long writers may have to wait for readers that are in the way of emptying the log."""
SMALL = 64 * 1024 * 1024
SMALL_PAUSE = timedelta(minutes=5)
QUIET = timedelta(minutes=10)
LATEST = timedelta(hours=24)
"""A note this old is acted on even if the desk is never quiet."""


def note_deletion(database: Database) -> None:
    """Note that something was deleted that may not stay in the file; to be called after the commit."""
    path = _marker(database)
    if path is not None:
        path.touch()
        database.has_traces = True


def clear(database: Database, quiet_for: Callable[[], timedelta | None]) -> bool:
    """Remove what can be removed now; return whether nothing is left to do.

    :param quiet_for: returns how long nothing has come; None if nothing ever has.
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
    # First the note, then the work: what is deleted meanwhile is noted anew.
    path.unlink(missing_ok=True)
    try:
        compact(database)
    except BaseException:
        path.touch()
        raise
    return empty_log(database)


def empty_log(database: Database) -> bool:
    """Write the log of changes into the file and empty it; return False where readers were in the way."""
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
    """Write the file anew. Writers wait meanwhile, about a second per 50 MB; webhooks go to the spool."""
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
    """Return the file that says there is something to do; None where there is no file of a database."""
    name = database.url.database
    if not database.is_sqlite or not name or name == ":memory:":
        return None
    return Path(f"{name}-deleted")
