"""Name the session that holds the lock a migration could not get, in a sentence for the admin."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from host.web.languages import gettext as _

_LOCK_NOT_AVAILABLE = "55P03"
_MARIADB_TIMEOUTS = frozenset({1205})


def is_lock_timeout(error: BaseException) -> bool:
    """Return whether *error* means that waiting for a lock timed out."""
    original: Any = error.orig if isinstance(error, DBAPIError) else error
    if getattr(original, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
        return True
    if getattr(original, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return True
    args = getattr(original, "args", ())
    return bool(args and args[0] in _MARIADB_TIMEOUTS)


def holders(engine: sa.Engine) -> list[str]:
    """Return the sessions with open transactions or locks on the database of *engine*.

    A short text for each, oldest first, at most three; empty if the database doesn't reveal them.
    """
    name = engine.dialect.name
    if name == "sqlite":
        return _processes(Path(str(engine.url.database)))[:3]
    with suppress(SQLAlchemyError), engine.connect() as connection:
        rows = connection.execute(_POSTGRESQL if name == "postgresql" else _MARIADB).all()
        return [_described(row) for row in rows[:3]]
    return []


_POSTGRESQL = sa.text("""
    SELECT a.pid AS number, a.usename AS person,
           COALESCE(NULLIF(a.application_name, ''), a.client_addr::text) AS place,
           a.state AS doing, extract(epoch FROM now() - a.xact_start)::int AS seconds, a.query AS query,
           string_agg(DISTINCT l.relation::regclass::text, ', ') AS tables
    FROM pg_stat_activity a
    LEFT JOIN pg_locks l ON l.pid = a.pid AND l.granted AND l.locktype = 'relation'
      AND l.relation::regclass::text !~ '^(pg_|information_schema)'
      AND l.relation IN (SELECT oid FROM pg_class WHERE relkind IN ('r', 'p'))
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL
    GROUP BY a.pid, a.usename, a.application_name, a.client_addr, a.state, a.xact_start, a.query
    ORDER BY a.xact_start
""")
_MARIADB = sa.text("""
    SELECT p.id AS number, p.user AS person, p.host AS place, LOWER(p.command) AS doing,
           TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS seconds, COALESCE(p.info, '') AS query,
           NULL AS tables
    FROM information_schema.innodb_trx t
    JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
    WHERE p.id <> CONNECTION_ID() AND p.db = DATABASE()
    ORDER BY t.trx_started
""")


def _described(row: Any) -> str:
    doing = re.match(r"\s*(\w+)", row.query or "")
    parts = [
        _("connection %(number)s", number=row.number),
        _("of %(person)s", person=row.person),
        _("from %(place)s", place=row.place) if row.place else "",
        _("open for %(seconds)s s", seconds=row.seconds),
        _("last statement: %(verb)s", verb=doing.group(1).upper()) if doing else "",
        _("using %(tables)s", tables=row.tables) if row.tables else "",
    ]
    return ", ".join(part for part in parts if part)


def _processes(file: Path) -> list[str]:
    """Return the processes that hold an SQLite lock on *file*, if the system reveals them (Linux does)."""
    inodes = set()
    for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        with suppress(OSError):
            inodes.add(path.stat().st_ino)
    found: list[str] = []
    with suppress(OSError):
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if len(fields) < 6 or "WRITE" not in fields or "->" in fields:
                continue
            place = fields.index("WRITE")
            number, inode = fields[place + 1], fields[place + 2].rpartition(":")[2]
            if inode.isdigit() and int(inode) in inodes and int(number) != os.getpid():
                found.append(_("process %(number)s, %(program)s", number=number, program=_program(number)))
    return sorted(set(found))


def _program(number: str) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
        return " ".join(Path(word.decode("utf-8", "replace")).name for word in words[:3] if word) or "?"
    return "?"


def sentence(engine: sa.Engine, seconds: int) -> object:
    """Return a sentence that a lock was not free after *seconds*, who holds it, and what to do."""
    found: Sequence[str] = holders(engine)
    if not found:
        return _(
            "A table stayed locked for %(seconds)s seconds, and the database does not say by "
            "which connection. Nothing was activated. Try again when there is less load.",
            seconds=seconds,
        )
    return _(
        "A table stayed locked for %(seconds)s seconds by %(who)s. End that connection or "
        "wait for it, then try again. Nothing was activated.",
        seconds=seconds,
        who="; ".join(found),
    )
