"""Find the connections that hold row locks for long and delay the affected customers.

Few of Lobby's own statements wait for a row: they skip locked ones, and the database does not report that.
Therefore every open transaction that has written or locked rows counts, even if no other waits for it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from host.core import clock

log = logging.getLogger(__name__)

LEAST_SECONDS = 3.0
"""Minimum age of a reported transaction.

Lobby's own idle ones end after :data:`host.core.db.IDLE_SECONDS`.
"""
MOST = 3
"""Maximum number of connections listed, the oldest first."""


class Blocker(msgspec.Struct, frozen=True):
    """A connection that holds rows.

    :param number: id of the connection, as pg_terminate_backend() and KILL take it.
    :param program: the client's application name, else its user.
    :param client: the address it is connected from; empty: the server's own machine.
    :param seconds: age of its transaction.
    :param statement: the first words of its last statement, without values; empty: not known.
    :param is_hidden: whether Lobby's database role may not read its statements.
    :param holds: the tables in which it holds rows, separated by commas; empty: unknown.
    :param waiting: number of connections that are waiting for it.
    """

    number: int
    program: str
    client: str
    seconds: float
    statement: str
    holds: str
    waiting: int
    is_hidden: bool = False


# Statements of other roles are hidden without pg_read_all_stats, but their locks are not. Vacuum holds
# ShareUpdateExclusiveLock for long, but no rows.
_POSTGRESQL = sa.text("""
    WITH holding AS (
      SELECT l.pid, min(l.virtualtransaction) AS transaction,
             string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname) AS holds
      FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
      WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND l.mode NOT IN ('AccessShareLock', 'ShareUpdateExclusiveLock') AND c.relkind IN ('r', 'p')
        AND c.relnamespace <> 'pg_catalog'::regnamespace
      GROUP BY l.pid
    )
    SELECT a.pid AS number, COALESCE(NULLIF(a.application_name, ''), a.usename) AS program,
           host(a.client_addr) AS client, a.query, holding.holds, holding.transaction,
           extract(epoch FROM clock_timestamp() - a.xact_start) AS seconds,
           (SELECT count(*) FROM pg_stat_activity w
            WHERE w.wait_event_type = 'Lock' AND a.pid = ANY (pg_blocking_pids(w.pid))) AS waiting
    FROM holding JOIN pg_stat_activity a ON a.pid = holding.pid
    WHERE a.xact_start IS NULL OR a.xact_start < clock_timestamp() - make_interval(secs => :least)
    ORDER BY a.xact_start NULLS LAST LIMIT 20
""")
# InnoDB names the locked tables only while another transaction waits for them.
_MARIADB = sa.text("""
    SELECT p.id AS number, COALESCE(c.attr_value, p.user) AS program,
           SUBSTRING_INDEX(p.host, ':', 1) AS client,
           COALESCE(t.trx_query, p.info) AS query, t.trx_id AS transaction,
           TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS seconds,
           (SELECT GROUP_CONCAT(DISTINCT l.lock_table ORDER BY l.lock_table SEPARATOR ', ')
            FROM information_schema.innodb_locks l WHERE l.lock_trx_id = t.trx_id) AS holds,
           (SELECT COUNT(*) FROM information_schema.innodb_lock_waits w
            WHERE w.blocking_trx_id = t.trx_id) AS waiting
    FROM information_schema.innodb_trx t
    JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id
    LEFT JOIN performance_schema.session_account_connect_attrs c
      ON c.processlist_id = p.id AND c.attr_name = 'program_name'
    WHERE p.id <> CONNECTION_ID() AND p.db = DATABASE() AND t.trx_rows_locked + t.trx_rows_modified > 0
      AND TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) >= :least
    ORDER BY t.trx_started LIMIT 20
""")
_HIDDEN = "<insufficient privilege>"
"""Text that PostgreSQL shows instead of the statements of other roles."""
_NOT_ALLOWED = frozenset({1142, 1227})
"""MariaDB's codes for a table and a privilege the user lacks."""


@dataclass(slots=True)
class _SeenTransaction:
    since: float
    logged: bool = False


_lock = threading.Lock()
_seen: dict[Hashable, _SeenTransaction] = {}
"""The transactions of the last check, with the time this process first saw each."""


def find_blockers(session: Session) -> list[Blocker]:
    """Return the connections that hold rows for long, the oldest first; log new ones.

    Empty on SQLite, and if Lobby's database user may not see them.
    """
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite":
        return []
    query = _POSTGRESQL if dialect == "postgresql" else _MARIADB
    try:
        rows = session.execute(query, {"least": LEAST_SECONDS}).all()
    except DBAPIError as error:
        if getattr(error.orig, "args", (None,))[0] not in _NOT_ALLOWED:
            raise
        return []
    now = clock.monotonic()
    keys = {(row.number, row.transaction): row for row in rows}
    with _lock:
        for gone in _seen.keys() - keys:
            del _seen[gone]
        found: list[Blocker] = []
        for key, row in keys.items():
            seen = _seen.setdefault(key, _SeenTransaction(now))
            blocker = _blocker(row, now - seen.since)
            if blocker.seconds >= LEAST_SECONDS and len(found) < MOST:
                found.append(blocker)
                if not seen.logged:
                    _log(blocker)
                    seen.logged = True
    return found


def _blocker(row: Any, seen: float) -> Blocker:
    return Blocker(
        number=row.number,
        program=row.program or "",
        client=row.client or "",
        seconds=seen if row.seconds is None else float(row.seconds),
        statement=first_words(row.query or ""),
        holds=(row.holds or "").replace("`", ""),
        waiting=row.waiting,
        is_hidden=row.query == _HIDDEN,
    )


def first_words(statement: str) -> str:
    """Return up to three first words of a statement, stopping at a value or a comment."""
    found = re.match(r"\s*([A-Za-z_]\w*(?:\s+[A-Za-z_]\w*){0,2})(?![\w.])", statement)
    return "" if found is None else " ".join(found[1].split())


def _log(one: Blocker) -> None:
    log.warning(
        "connection %d of %s%s has held rows of %s for %.0f s; %s",
        one.number,
        one.program,
        f" from {one.client}" if one.client else "",
        one.holds or "the desk",
        one.seconds,
        _last_statement(one),
    )


def _last_statement(one: Blocker) -> str:
    if one.is_hidden:
        return "its statements are readable to its own role only (and to pg_read_all_stats)"
    return (
        f"its last statement began with {one.statement!r}"
        if one.statement
        else "its last statement is not known"
    )
