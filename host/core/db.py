"""The database: base class, column types, engines, the write door, and the session of a request.

Views import the object, as in every Flask project: ``from host.core.db import db``. It is a Flask-SQLAlchemy
object with ``db.Model``, ``db.session``, ``db.read`` and ``db.write``. Workers and commands run without a
request and import the module: ``from host.core import db``. ``db.read`` and ``db.write`` are equivalent in
both; column types and engines are only in the module.

Engines belong to the process, not to a generation of the Flask app; otherwise each activation would create a
pool. Reading and writing share a pool on PostgreSQL and MariaDB, so a request holds at most one connection:
``read`` and ``write`` close the request's session before they begin.
"""

from __future__ import annotations

import logging
import math
import os
import re
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

import flask_sqlalchemy.session
import sqlalchemy as sa
from flask import Flask, has_app_context
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import URL, Dialect, Engine, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, UserDefinedType

from host.core import call_budget, clock

log = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

TABLE_OPTIONS = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}

REACH_SECONDS = 10
"""Timeout for connecting to a server, in seconds."""

LIVELINESS = {
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 40_000,
    "connect_timeout": REACH_SECONDS,
}
"""A silent connection to PostgreSQL counts as lost after 40 s; the operating system waits two hours.

A thread that waits for an answer, such as the journal's, would otherwise wait that long after the server
disappeared without closing the connection.
"""

IDLE_SECONDS = 5
"""Maximum idle time of a transaction in seconds.

Its locks block others: a frozen process must not keep them.
"""
LOCK_SECONDS = 5
"""How long a statement waits for a lock before its transaction is rolled back and retried."""
LEAST_WAIT = 0.1
"""The shortest lock timeout set on MariaDB, in seconds."""
STATEMENT_SECONDS = 120

CLOCK_NOISE = timedelta(milliseconds=50)
"""Largest ignored clock difference: it may be the duration of the query, and causes no noticeable delay."""
CLOCK_SECONDS = 5.0
"""Interval in seconds between queries of the server's time."""

PING_SECONDS = 5.0
"""Idle time in seconds after which a connection to a server is tested before its next use.

One used more recently is taken without a round trip. If the server restarted in between, one statement fails,
and the whole pool reconnects.
"""
IDLE_CONNECTION_SECONDS = 30.0
"""Time in seconds after which an unused connection to a server is closed."""
SQLITE_MORE, SERVER_MORE = 8, 4
"""Maximum number of connections a pool may open beyond its size; on a server, for threads that have one."""
CONNECTIONS, SQLITE_CONNECTIONS = 20, 72
"""Most connections of a process to a server, and size of the pool on SQLite, unless configured otherwise."""
BUSY_TIMEOUT_MS = 35_000  # longer than a guest command's patience, so the server outlasts it


class Base(DeclarativeBase):
    """Base of the host's own models."""

    metadata = sa.MetaData(naming_convention=NAMING)

    __table_args__: Any = TABLE_OPTIONS

    __writers__: ClassVar[tuple[str, ...]]
    """The parts of the host that may write the table: names below ``host``. A test enforces this."""


# ---- column types --------------------------------------------------------------------------------

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""Surrogate key. SQLite only auto-increments INTEGER."""

LongText = sa.Text().with_variant(mysql.MEDIUMTEXT(charset="utf8mb4"), "mysql", "mariadb")
"""Text of up to 16 MB; plain TEXT holds 64 KB on MariaDB."""

MAX_BLOB = 16 * 1024 * 1024 - 1

LongBlob = sa.LargeBinary(length=MAX_BLOB)
"""Bytes of up to 16 MB; BLOB without a length holds 64 KB on MariaDB."""


def _binary_string(length: int, charset: str) -> sa.types.TypeEngine[str]:
    return sa.String(length).with_variant(
        mysql.VARCHAR(length, charset=charset, collation=f"{charset}_bin"), "mysql", "mariadb"
    )


ExternalId = _binary_string(512, "utf8mb4")
"""An id from another system. Binary collation: MariaDB's default ignores case and would merge two ids."""

Ascii64 = _binary_string(64, "ascii")
"""A short ASCII key: a SHA-256 in hex, a UUID, a lane."""

Word = (
    sa.String(64)
    .with_variant(postgresql.VARCHAR(64, collation="C"), "postgresql")
    .with_variant(mysql.VARCHAR(64, charset="utf8mb4", collation="utf8mb4_bin"), "mysql", "mariadb")
)
"""A folded word. Every database compares it by its bytes, in their order."""

JsonDict = sa.JSON()


class UTCDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes with microseconds, on every database."""

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name in {"mysql", "mariadb"}:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a datetime without a time zone cannot be stored")
        if value.tzinfo is not UTC:
            value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return a function that binds a datetime: on SQLite as SQLAlchemy's text, but faster."""
        if dialect.name != "sqlite":
            return super().bind_processor(dialect)

        def bind(value: datetime | None) -> str | None:
            if value is None:
                return None
            if value.tzinfo is not UTC:
                bare = self.process_bind_param(value, dialect)
                return None if bare is None else bare.isoformat(" ", "microseconds")
            return value.isoformat(" ", "microseconds")[:26]

        return bind

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Return a function that reads a stored datetime: on SQLite from its text in one step."""
        if dialect.name != "sqlite":
            return super().result_processor(dialect, coltype)

        def read(value: str | None) -> datetime | None:
            return None if value is None else datetime.fromisoformat(value).replace(tzinfo=UTC)

        return read


class later_by(FunctionElement[datetime]):  # noqa: N801 - it stands in statements like a function
    """The time some minutes after another: ``later_by(moment, minutes)``; NULL if either is NULL."""

    name = "later_by"
    type = UTCDateTime()
    inherit_cache = True


def _written(element: Any, compiler: Any, form: str, **kw: Any) -> str:
    moment, minutes = (compiler.process(part, **kw) for part in element.clauses)
    return form.format(moment=moment, minutes=minutes)


_LATER_BY = {
    # In the format of UTCDateTime; SQLite only knows the first three of six digits.
    "sqlite": "(strftime('%Y-%m-%d %H:%M:%f', {moment}, '+' || ({minutes}) || ' minutes') || '000')",
    "postgresql": "({moment} + ({minutes}) * INTERVAL '1 minute')",
    "mysql": "TIMESTAMPADD(MINUTE, {minutes}, {moment})",
    "mariadb": "TIMESTAMPADD(MINUTE, {minutes}, {moment})",
}
for _dialect, _form in _LATER_BY.items():
    compiles(later_by, _dialect)(partial(_written, form=_form))


class _BareString(UserDefinedType[str]):
    """Binds without a cast: psycopg's ``::VARCHAR`` fails against an enum column."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "VARCHAR(32)"


class ChannelKey(TypeDecorator[str]):
    """The key of a channel. Fits ``conversations.channel`` both as its first ENUM and as VARCHAR."""

    impl = sa.String(32)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(_BareString())
        return dialect.type_descriptor(sa.String(32))


# ---- engines -------------------------------------------------------------------------------------


def _sqlite_engine(url: URL, *, pool_size: int, readonly: bool) -> Engine:
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=SQLITE_MORE,
        poolclass=sa.pool.QueuePool,
        connect_args={
            "timeout": BUSY_TIMEOUT_MS / 1000,
            "check_same_thread": False,
            "isolation_level": None,
            # The inbound log has a statement for each number of rows.
            "cached_statements": 512,
        },
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        # FULL: an answered webhook must survive a power cut, as the provider does not send it again.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA temp_store=MEMORY")
        # Deleted rows are overwritten: a deleted message must not stay in the file.
        cursor.execute("PRAGMA secure_delete=ON")
        if readonly:
            cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        # IMMEDIATE: a deferred transaction that becomes a writer fails immediately instead of waiting.
        if readonly:
            # This waits for no lock, so it cannot fail; it bypasses SQLAlchemy, which would take as long as a
            # small query.
            driver: Any = connection.connection.driver_connection
            driver.execute("BEGIN")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


class ShrinkingPool(sa.pool.QueuePool):
    """A pool that closes the connections opened for a burst: SQLAlchemy's own keeps them forever.

    Use it with ``use_lifo``: the connection used last is taken first, and the others grow old.

    A thread that has a connection may need a second one. If every connection were held by such a thread, each
    would wait for the others, so the overflow is only for them.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._first = threading.Semaphore(self.size())
        self._taken: dict[Any, tuple[int, bool]] = {}
        self._taking = threading.local()

    def _do_get(self) -> Any:
        if getattr(self._taking, "active", False):
            return super()._do_get()  # it calls itself again if another thread was faster
        thread = threading.get_ident()
        first = not any(holder == thread for holder, _first in list(self._taken.values()))
        if first and not self._first.acquire(timeout=self._timeout):
            raise sa.exc.TimeoutError(
                f"no connection to the database became free within {self._timeout:.0f} s"
            )
        self._taking.active = True
        try:
            record = super()._do_get()
        except BaseException:
            if first:
                self._first.release()
            raise
        finally:
            self._taking.active = False
        self._taken[record] = thread, first
        return record

    def _do_return_conn(self, record: Any) -> None:
        record.info["idle_since"] = clock.monotonic()
        _thread, first = self._taken.pop(record, (0, False))
        super()._do_return_conn(record)
        if first:
            self._first.release()

    def close_idle(self, seconds: float) -> int:
        """Close connections unused for *seconds*; return how many."""
        before = clock.monotonic() - seconds
        idle: list[Any] = []
        fresh: list[Any] = []
        for _ in range(self.checkedin()):
            try:
                record: Any = self._pool.get(False)
            except sa.util.queue.Empty:
                break
            (idle if record.info.get("idle_since", before) <= before else fresh).append(record)
        for record in reversed(fresh):  # the one used last is on top
            self._pool.put(record, False)
        for record in idle:
            record.close()
            self._dec_overflow()
        return len(idle)


class ServerClock:
    """The clock of a database server, shared by all processes, independent of the clocks of their machines.

    The server is queried when a connection is taken from the pool, at most every :data:`CLOCK_SECONDS`; in
    between, a monotonic clock continues. Thread-safe.
    """

    def __init__(self, engine: Engine) -> None:
        self._asks = (
            "SELECT clock_timestamp()" if engine.dialect.name == "postgresql" else "SELECT UTC_TIMESTAMP(6)"
        )
        self._known: tuple[datetime, float] | None = None
        event.listen(engine, "checkout", self._ask)

    def now(self) -> datetime:
        """Return the server's time, with the offset of a test's clock."""
        if self._known is None:
            return clock.now()
        at, steady = self._known
        return at + timedelta(seconds=clock.steady() - steady) + clock.offset()

    def _ask(self, connection: Any, _record: object, _proxy: object) -> None:
        if self._known is not None and clock.steady() - self._known[1] < CLOCK_SECONDS:
            return
        cursor = connection.cursor()
        try:
            began = clock.steady()
            cursor.execute(self._asks)
            (at,) = cursor.fetchone()
            ended = clock.steady()
        finally:
            cursor.close()
        connection.rollback()
        self._known = (_as_utc(at), (began + ended) / 2)


def _as_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _server_engine(url: URL, *, pool_size: int) -> Engine:
    connect_args: dict[str, Any] = {}
    name_key = "program_name"
    if url.get_dialect().name in {"mysql", "mariadb"}:
        connect_args = {
            "charset": "utf8mb4",
            "init_command": "SET SESSION sql_mode=CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), "
            f"time_zone='+00:00', idle_transaction_timeout={IDLE_SECONDS}, "
            f"innodb_lock_wait_timeout={LOCK_SECONDS}, max_statement_time={STATEMENT_SECONDS}, "
            # A longer name would be truncated with a warning.
            f"group_concat_max_len={MAX_BLOB}",
        }
    elif url.get_dialect().name == "postgresql":
        limits = (
            f"-c idle_in_transaction_session_timeout={IDLE_SECONDS}s -c lock_timeout={LOCK_SECONDS}s "
            f"-c statement_timeout={STATEMENT_SECONDS}s"
        )
        connect_args = {**LIVELINESS, "options": f"{url.query.get('options', '')} {limits}".strip()}
        name_key = "application_name"
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        poolclass=ShrinkingPool,
        pool_use_lifo=True,
        pool_size=pool_size,
        max_overflow=SERVER_MORE,
        pool_recycle=1800,
        connect_args=connect_args,
    )
    event.listen(engine, "checkout", partial(_test_idle, engine.dialect))

    @event.listens_for(engine, "do_connect")
    def _name(_dialect: Dialect, _record: object, _args: object, parameters: dict[str, Any]) -> None:
        parameters.setdefault(name_key, f"lobby {_role} {os.getpid()}".replace("  ", " "))

    return engine


def _test_idle(dialect: Dialect, connection: Any, record: Any, _proxy: object) -> None:
    """Test a connection that was unused for :data:`PING_SECONDS`; if it is lost, the pool opens a new one."""
    idle_since = record.info.get("idle_since")
    if idle_since is None or clock.monotonic() - idle_since < PING_SECONDS:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error:
        raise sa.exc.InvalidatePoolError from None


class ReadOnlyError(RuntimeError):
    """A session for reading was asked to write or to lock rows."""


_READS = ("SELECT", "WITH", "SHOW", "EXPLAIN", "VALUES")


def _without_transactions(engine: Engine) -> Engine:
    """Return *engine* for reading on PostgreSQL: no statement begins a transaction.

    Reads are READ COMMITTED, so each statement sees its own snapshot anyway; BEGIN and ROLLBACK were two of
    the three round trips of a small read. A statement that writes would be committed at once, so it is
    refused.
    """
    reading = engine.execution_options(isolation_level="AUTOCOMMIT")

    @event.listens_for(reading, "before_cursor_execute")
    def _refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.lstrip()[:8].upper().startswith(_READS) or " FOR UPDATE" in statement:
            raise ReadOnlyError("a session for reading only reads: write through db.write()")

    return reading


class WouldWaitError(BaseException):
    """The database was used in a thread that must not wait: the event loop's.

    Code on the loop catches it and runs again in a thread. Like a cancelled task, it is not an
    :class:`Exception`, so that ``except Exception`` in an addon does not catch it.
    """


_thread = threading.local()


def never_wait_here(never: bool = True) -> None:
    """Make every use of the database in this thread raise :class:`WouldWaitError`, or allow it again."""
    _thread.never = never


@contextmanager
def behind() -> Iterator[None]:
    """Write with the lowest priority in this process: other threads don't yield to this one.

    Such threads yield to others (:attr:`Database.is_wanted`), and would otherwise yield to each other
    endlessly.
    """
    before, _thread.behind = _is_behind(), True
    try:
        yield
    finally:
        _thread.behind = before


def _is_behind() -> bool:
    return getattr(_thread, "behind", False)


def may_wait() -> None:
    """Raise an error if this thread must not wait for the database.

    :raises WouldWaitError: in the thread of the event loop.
    :raises GivenUpError: in a thread whose work another one has taken over.
    """
    if getattr(_thread, "never", False):
        raise WouldWaitError
    call_budget.refuse_given_up()


class NestedWriteError(RuntimeError):
    """A use case tried to open a second write inside its write."""


def let_go(session: Session) -> None:
    """Return the connection of a reading *session* while it waits for something else.

    It takes one again with its next statement. What it loaded stays loaded.
    """
    if not (session.dirty or session.new or session.deleted):
        session.commit()


def cut_off(session: Session) -> None:
    """Close the connection of *session*, whose thread was given up; its changes are rolled back."""
    if not session.in_transaction():
        return
    connection: Any = session.connection().connection.dbapi_connection
    if hasattr(connection, "interrupt"):  # SQLite: interrupt a running statement first
        connection.interrupt()
    getattr(connection, "_force_close", connection.close)()


class Database:
    """One database of one process: a read engine, a write engine and, on SQLite, the write lock."""

    def __init__(self, url: str, *, pool_size: int | None = None) -> None:
        self.url = make_url(url)
        self.dialect = self.url.get_dialect().name
        self.is_sqlite = self.dialect == "sqlite"
        if pool_size is None:
            pool_size = SQLITE_CONNECTIONS if self.is_sqlite else CONNECTIONS - SERVER_MORE
        if self.is_sqlite:
            self.read_engine = _sqlite_engine(self.url, pool_size=pool_size, readonly=True)
            self.write_engine = _sqlite_engine(self.url, pool_size=2, readonly=False)
        else:
            self.write_engine = _server_engine(self.url, pool_size=pool_size)
            self.read_engine = (
                _without_transactions(self.write_engine)
                if self.dialect == "postgresql"
                else self.write_engine
            )
        self._clock = None if self.is_sqlite else ServerClock(self.write_engine)
        self.unreachable_at: float | None = None
        """When this process last failed to connect to the server (``clock.monotonic``)."""
        self.stalled_at: float | None = None
        """When the server last answered again to this process after a while; see
        :func:`host.queue.order.spooled_lanes.looking`."""
        self.is_quick = True
        """Whether the last look for due work was answered soon."""
        if not self.is_sqlite:
            event.listen(self.write_engine, "handle_error", self._note_unreachable)
        self.lock = threading.Lock()
        self._waiting: deque[None] = deque()
        self._writing: deque[None] = deque()
        self._inside = threading.local()
        self.has_traces = True
        """Whether SQLite's log may still contain deleted rows; see :mod:`host.core.sqlite_wipe`."""
        self.compacted_at = float("-inf")

    def _note_unreachable(self, failed: sa.engine.ExceptionContext) -> None:
        if failed.connection is None and not is_full(failed.original_exception):
            self.unreachable_at = clock.monotonic()

    @property
    def engines(self) -> tuple[Engine, ...]:
        """One engine for each pool; what listens to one also hears what others do with the pool."""
        return (self.read_engine, self.write_engine) if self.is_sqlite else (self.write_engine,)

    def now(self) -> datetime:
        """Return the time that leases use: the server's; on SQLite, the process's own."""
        return clock.now() if self._clock is None else self._clock.now()

    def connections(self) -> dict[str, int]:
        """Return the number of connections in use (``used``), kept (``idle``), and possible (``most``)."""
        found = {"used": 0, "idle": 0, "most": 0}
        for engine in self.engines:
            pool: Any = engine.pool
            found["used"] += pool.checkedout()
            found["idle"] += pool.checkedin()
            found["most"] += pool.size() + (SQLITE_MORE if self.is_sqlite else SERVER_MORE)
        return found

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Yield a session for reading; it never commits."""
        may_wait()
        close_request_session()
        with (
            Session(self.read_engine, expire_on_commit=False, autoflush=False) as session,
            call_budget.releasing(partial(cut_off, session)),
        ):
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Yield a session for reading in which every statement sees the same state.

        Long results can be streamed in it. It holds a transaction open: use :meth:`read` for anything short.
        """
        may_wait()
        close_request_session()
        engine = self.read_engine
        if not self.is_sqlite:
            engine = self.write_engine.execution_options(isolation_level="REPEATABLE READ")
        with (
            Session(engine, expire_on_commit=False, autoflush=False) as session,
            call_budget.releasing(partial(cut_off, session)),
        ):
            yield session

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock that serialises writers: on SQLite one per process; no lock on other databases."""
        if self.is_inside:
            raise NestedWriteError("write() inside write(): pass the session on instead")
        self._inside.active = True
        try:
            if self.is_sqlite:
                self._take_turn()
                with call_budget.released_once(self.lock.release):
                    yield
            elif _is_behind():
                yield
            else:
                self._writing.append(None)
                with call_budget.released_once(self._writing.pop):
                    yield
        finally:
            self._inside.active = False

    def _take_turn(self) -> None:
        if self.lock.acquire(blocking=False):
            return
        with call_budget.paused():
            if _is_behind():
                self.lock.acquire()
                return
            self._waiting.append(None)
            try:
                self.lock.acquire()
            finally:
                self._waiting.pop()

    @property
    def is_inside(self) -> bool:
        """Whether this thread is inside :meth:`write`, where no second write may begin."""
        return getattr(self._inside, "active", False)

    @property
    def is_wanted(self) -> bool:
        """Whether another thread is waiting for the writers' lock, which only SQLite has.

        Threads that write :func:`behind` others are not counted.
        """
        return bool(self._waiting)

    @property
    def is_shared(self) -> bool:
        """Whether a write now would delay other threads of this process.

        On SQLite, another thread waits for the single writer; on a server, another thread writes on the same
        processor.
        """
        return self.is_wanted if self.is_sqlite else len(self._writing) > (0 if _is_behind() else 1)

    def write(self, fn: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run ``fn(session, ...)`` in one transaction and commit it.

        *fn* only runs SQL, flushes and returns. Deadlocks, serialization failures and
        :class:`ReadChangedError` run it again (so it must not have other effects); a connection lost during
        COMMIT does not, because the commit may have been applied. Callbacks given to :func:`after_commit` run
        once it is durable.
        """
        may_wait()
        close_request_session()
        for attempt in range(1, 8):
            try:
                with self.writing():
                    session = Session(self.write_engine, expire_on_commit=False)
                    try:
                        with call_budget.releasing(partial(cut_off, session)):
                            result = fn(session, *args, **kwargs)
                        session.flush()
                        call_budget.refuse_given_up()
                        callbacks = session.info.pop("after_commit", [])
                        session.commit()
                    except BaseException:
                        session.rollback()
                        raise
                    finally:
                        session.close()
            except (DBAPIError, ReadChangedError) as error:
                if not note_undone(error) or attempt == 7:
                    raise
                time.sleep(0.01 * 2**attempt)
                continue
            for callback in callbacks:
                callback()
            return result
        raise AssertionError("unreachable")

    def reach(self) -> None:
        """Connect to a server once, with a timeout of :data:`REACH_SECONDS`.

        :raises sqlalchemy.exc.SQLAlchemyError: if it cannot be reached.
        """
        if self.is_sqlite:
            return
        patience = {"connect_timeout": REACH_SECONDS}
        if self.dialect != "postgresql":
            patience |= {"read_timeout": REACH_SECONDS}  # PyMySQL waits for the first word without a limit
        engine = sa.create_engine(
            self.url, poolclass=sa.pool.NullPool, hide_parameters=True, connect_args=patience
        )
        with engine.connect():
            pass

    def close_idle(self, seconds: float = IDLE_CONNECTION_SECONDS) -> int:
        """Close connections to a server unused for *seconds*; return how many."""
        pool = self.write_engine.pool
        return pool.close_idle(seconds) if isinstance(pool, ShrinkingPool) else 0

    def dispose(self) -> None:
        """Close every pooled connection."""
        for engine in self.engines:
            engine.dispose()


class ReadChangedError(Exception):
    """Another write changed data that this write had read, so this write is rolled back and retried."""


DEADLOCK, LOCK, CONFLICT = "deadlock", "lock", "conflict"
"""Reasons to roll back and retry a write: a deadlock; a lock timeout; data that changed after it was read."""
_UNDONE_PG = {"40P01": DEADLOCK, "55P03": LOCK, "40001": CONFLICT}
_UNDONE_MY = {1213: DEADLOCK, 1205: LOCK, 1020: CONFLICT}
_TOO_LONG_MY = 1969

_undone: Counter[str] = Counter()
_undone_lock = threading.Lock()


def why_undone(error: BaseException) -> str | None:
    """Return why a transaction was rolled back, if it can be retried, else None."""
    if isinstance(error, ReadChangedError):
        return CONFLICT
    original = error.orig if isinstance(error, DBAPIError) else error
    args = getattr(original, "args", ())
    # PyMySQL's errors have a state, too, but share it between reasons and have none for a lock timeout.
    if args and isinstance(args[0], int):
        return _UNDONE_MY.get(args[0])
    return _UNDONE_PG.get(getattr(original, "sqlstate", None) or "")


def note_undone(error: BaseException) -> bool:
    """Count a rolled-back transaction; return whether it can be retried."""
    why = why_undone(error)
    if why is not None:
        statement, said = describe(error)
        log.warning(
            "a write was undone (%s) and is tried again: %s", why, " ".join((statement or said).split())[:200]
        )
        with _undone_lock:
            _undone[why] += 1
    return why is not None


class HeldRowError(Exception):
    """Another transaction locks a row for longer than this write waits.

    The write is rolled back and not retried.
    """


@contextmanager
def waiting_at_most(session: Session, seconds: float) -> Iterator[None]:
    """Set the lock timeout of this transaction to *seconds*.

    MariaDB's lock timeout is in whole seconds, or zero. There, *seconds* limits the whole statement. Less
    than ``LEAST_WAIT`` would cancel statements that don't wait at all, so then it doesn't wait.

    :raises HeldRowError: after the timeout.
    """
    connection = session.connection()
    is_mysql = connection.dialect.name in {"mysql", "mariadb"}
    if is_mysql:
        if seconds < LEAST_WAIT:
            _limit(connection, lock=0, statement=STATEMENT_SECONDS)
        else:
            _limit(connection, lock=math.ceil(seconds), statement=seconds)
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(seconds * 1000))}")
    try:
        yield
        session.flush()
    except DBAPIError as error:
        if why_undone(error) != LOCK and not (is_mysql and _took_too_long(error)):
            raise
        raise HeldRowError("another transaction holds a row") from error
    finally:
        if is_mysql and not connection.invalidated:
            with suppress(sa.exc.SQLAlchemyError):  # a lost connection has no settings left to restore
                _limit(connection, lock=LOCK_SECONDS, statement=STATEMENT_SECONDS)


def _limit(connection: sa.Connection, *, lock: int, statement: float) -> None:
    connection.exec_driver_sql(f"SET innodb_lock_wait_timeout = {lock}, max_statement_time = {statement:.3f}")


def _took_too_long(error: DBAPIError) -> bool:
    return getattr(error.orig, "args", ())[:1] == (_TOO_LONG_MY,)


def take_undone() -> Mapping[str, int]:
    """Return how many transactions of this process were rolled back since the last call, by reason."""
    with _undone_lock:
        found = dict(_undone)
        _undone.clear()
    return found


def after_commit(session: Session, callback: Callable[[], object]) -> None:
    """Run *callback* after the write around *session* has been committed; never if it is rolled back."""
    session.info.setdefault("after_commit", []).append(callback)


def read_rows(session: Session, query: Any, **values: Any) -> Sequence[Any]:
    """Return the rows of *query*, a SELECT of columns only, in the transaction of *session*.

    Bypasses the ORM. Build the query once and pass its *values* here as named parameters: a page runs a dozen
    queries, and building, comparing and loading them took a third of its time.
    """
    if session.autoflush:
        session.flush()
    return session.connection().execute(query, values).all()


# ---- the database of this process ----------------------------------------------------------------

_current: Database | None = None
_role = ""


def call_process(role: str) -> None:
    """Set the name that connections of this process report: its *role*, such as ``web``, and its id."""
    global _role  # noqa: PLW0603 - a process has one
    if _role != role:
        _role = role
        current().close_idle(0)


def connect(url: str, *, pool_size: int | None = None) -> Database:
    """Make *url* the database of this process and return it. The previous one is closed."""
    global _current  # noqa: PLW0603 - one database per process is the point
    if _current is not None:
        _current.dispose()
    _current = Database(url, pool_size=pool_size)
    return _current


def is_connected(url: str) -> bool:
    """Return whether *url* is already the database of this process."""
    return _current is not None and _current.url == make_url(url)


def current() -> Database:
    """Return the database of this process.

    :raises RuntimeError: before :func:`connect`.
    """
    if _current is None:
        raise RuntimeError("no database: host.core.db.connect() was not called")
    return _current


def now() -> datetime:
    """Return the time that leases use; see :meth:`Database.now`."""
    return current().now()


def clock_ahead() -> timedelta:
    """Return how far the clock of this process is ahead of the database's; negative: behind."""
    ahead = clock.now() - now()
    return ahead if not current().is_sqlite and abs(ahead) > CLOCK_NOISE else timedelta()


def by_its_clock(at: datetime) -> datetime:
    """Return the database's time at the moment when this process's clock shows *at*."""
    return at - clock_ahead()


_NAMES = {"postgresql": "PostgreSQL", "mysql": "MariaDB", "mariadb": "MariaDB"}
_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}


def place() -> str:
    """Return the location of this process's database in words, without user or password."""
    url = current().url
    kind = url.get_backend_name()
    if kind == "sqlite":
        return f"SQLite in {url.database}"
    socket = url.query.get("host") or url.query.get("unix_socket")
    where = f"{url.host}:{url.port or _PORTS.get(kind)}" if url.host else str(socket or "this machine")
    return f"{_NAMES.get(kind, kind)} at {where}, database {url.database}"


def words(error: BaseException) -> str:
    """Return the message of the database or its driver for a failed connection, without a password."""
    said = _said(error).partition("\n")[0].strip().rstrip(".")
    password = current().url.password
    return said.replace(password, "…") if password else said


def write(fn: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a use case through the write door. See :meth:`Database.write`."""
    return current().write(fn, *args, **kwargs)


@contextmanager
def read() -> Iterator[Session]:
    """Yield a reading session of this process's database."""
    with current().read() as session:
        yield session


@contextmanager
def snapshot() -> Iterator[Session]:
    """Yield a session of this process's database that sees one state; see :meth:`Database.snapshot`."""
    with current().snapshot() as session:
        yield session


# ---- the session of a request --------------------------------------------------------------------


class UncommittableError(RuntimeError):
    """A view tried to commit the session of its request, which is read-only."""


class OpenTransactionError(RuntimeError):
    """A request tried to wait for another server while its session held a connection."""


class RequestSession(flask_sqlalchemy.session.Session):
    """The session of a request: on the engine for reading, and never committed."""


@event.listens_for(RequestSession, "before_commit")
def _refuse_commit(_session: Session) -> None:
    raise UncommittableError("the session of a request only reads: write through db.write()")


@event.listens_for(RequestSession, "after_begin")
def _cut_off_with_request(session: Session, *_: object) -> None:
    call_budget.release_later(partial(cut_off, session))


class LobbySQLAlchemy(SQLAlchemy):
    """Flask-SQLAlchemy over the engines of the process, which outlive every app.

    :ivar Model: the base of the host's models, :class:`Base`.
    :ivar session: the session of the current request. Objects it read stay usable after it was closed, except
        for attributes that were not loaded.
    """

    Model: type[Base]  # type: ignore[assignment]  # the library's type is its own base

    def __init__(self) -> None:
        super().__init__(
            session_options={"class_": RequestSession, "expire_on_commit": False, "autoflush": False},
            add_models_to_shell=False,
        )
        self.Model = Base
        self.metadatas = {None: Base.metadata}

    def init_app(self, app: Flask) -> None:
        """Register the extension, and remove the request's session when the request ends.

        Creates no engine.
        """
        app.extensions["sqlalchemy"] = self

        @app.teardown_appcontext
        def remove_session(_error: BaseException | None) -> None:
            self.session.remove()

    def read(self) -> AbstractContextManager[Session]:
        """Yield a separate session for reading, as :func:`read` does."""
        return read()

    def write(self, fn: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a use case through the write door. See :meth:`Database.write`."""
        return write(fn, *args, **kwargs)

    @property
    def engines(self) -> Mapping[str | None, Engine]:
        """The engine of the request's session: the process's read engine."""
        return {None: current().read_engine}


db = LobbySQLAlchemy()


def close_request_session() -> None:
    """Return the connection of the request's session to the pool, if it has one."""
    if has_app_context() and db.session.registry.has():
        db.session.close()


def refuse_open_transaction() -> None:
    """Refuse to wait for another server while the request's session is in a transaction.

    :raises OpenTransactionError: if the session is in one. Call :func:`close_request_session` first.
    """
    if has_app_context() and db.session.registry.has() and db.session().in_transaction():
        raise OpenTransactionError("a request called out while its session was in a transaction")


# ---- statements ----------------------------------------------------------------------------------


def padded(values: Collection[T]) -> list[T]:
    """Return *values* for an ``IN``, repeated up to a power of two, so that few statements are prepared."""
    found = list(values)
    return found + found[-1:] * ((1 << max(0, len(found) - 1).bit_length()) - len(found))


def delete_some(session: Session, model: Any, where: sa.ColumnElement[bool], most: int) -> int:
    """Delete up to *most* rows of *model* that match *where*; return their number.

    They are found by their first primary key: not every database limits a DELETE.
    """
    table: sa.Table = model.__table__
    key = next(iter(table.primary_key.columns))
    ids = list(session.scalars(sa.select(key).where(where).limit(most)))
    if ids:
        session.execute(sa.delete(table).where(key.in_(ids)))
    return len(ids)


def insert_ignore(table: sa.Table, dialect: str) -> sa.Insert:
    """Return an INSERT that skips rows that break a unique key, on every database."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as pg_insert

        return pg_insert(table).on_conflict_do_nothing()
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert as sqlite_insert

        return sqlite_insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects.mysql import insert as mysql_insert

    # Not INSERT IGNORE: it would also truncate values that are too long.
    key = next(iter(table.primary_key.columns))
    return mysql_insert(table).on_duplicate_key_update({key.name: key})


def insert_or_change(
    table: sa.Table, dialect: str, change: Callable[[sa.ColumnCollection[str, Any]], Mapping[str, Any]]
) -> sa.Insert:
    """Return an INSERT that updates an existing row with this primary key, on every database.

    :param change: function that gets the columns of the new row and returns the new values of the existing
        one.
    """
    if dialect in {"mysql", "mariadb"}:
        mine = mysql.insert(table)
        return mine.on_duplicate_key_update(dict(change(mine.inserted)))
    other: postgresql.Insert | sqlite.Insert
    other = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return other.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=dict(change(other.excluded))
    )


# MariaDB errors whose messages quote names of tables, columns and keys, but no values.
_NAMES_ONLY = frozenset({1050, 1051, 1054, 1060, 1061, 1072, 1091, 1146, 1265, 1364, 1406})
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d{4,}\b|\(\d[^)]*\)")


def describe(error: BaseException) -> tuple[str | None, str]:
    """Return the statement and the database's message of *error*, both without values."""
    if not isinstance(error, DBAPIError):
        return None, _LITERAL.sub("'…'", str(error))
    args: tuple[object, ...] = getattr(error.orig, "args", ())
    if len(args) == 2 and args[0] in _NAMES_ONLY:
        return error.statement, str(args[1])
    return error.statement, _LITERAL.sub("'…'", _said(error)).partition("\n")[0]


def _said(error: BaseException) -> str:
    if not isinstance(error, DBAPIError):
        return str(error)
    args: tuple[object, ...] = getattr(error.orig, "args", ())
    # PyMySQL's errors contain a number and a message.
    return str(args[1]) if len(args) == 2 and isinstance(args[0], int) else str(error.orig)


_AWAY = {
    "sqlite3.OperationalError",
    "psycopg.OperationalError",
    "psycopg.InterfaceError",
    "pymysql.err.OperationalError",
    "pymysql.err.InterfaceError",
}
"""Names of the classes, because importing both servers' drivers takes 9 MB, and a desk uses one or none."""
_TOO_LARGE = 1153
"""MariaDB's code for a row above max_allowed_packet, which PyMySQL raises like a lost connection."""


def is_away(error: BaseException) -> bool:
    """Return whether *error* means that the database is unavailable, not that it refused a row."""
    cause = (error.orig or error) if isinstance(error, DBAPIError) else error
    if isinstance(cause, (sa.exc.TimeoutError, OSError)):
        return True
    names = {f"{one.__module__}.{one.__name__}" for one in type(cause).__mro__}
    return bool(names & _AWAY) and cause.args[:1] != (_TOO_LARGE,)


_FULL_PG = re.compile("remaining connection slots|too many (?:clients|connections)")
_FULL_MY = frozenset({1040, 1203, 1226})


def is_full(error: BaseException) -> bool:
    """Return whether a server refused a connection because it has as many as it allows."""
    original = error.orig if isinstance(error, DBAPIError) else error
    code = (getattr(original, "args", ()) or (None,))[0]
    return code in _FULL_MY if isinstance(code, int) else bool(_FULL_PG.search(str(original)))


_UNDEFINED_PG = frozenset({"42P01", "42703"})
_UNDEFINED_MY = frozenset({1054, 1146})


def lacks_table_or_column(error: BaseException) -> bool:
    """Return whether a statement failed because its table or a column of it does not exist."""
    original = error.orig if isinstance(error, DBAPIError) else error
    code = (getattr(original, "args", ()) or (None,))[0]
    if isinstance(code, int):
        return code in _UNDEFINED_MY
    return getattr(original, "sqlstate", None) in _UNDEFINED_PG or str(code).startswith("no such ")


_REFUSED_PG = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry|"
    r'(?:database|role) ".*" does not exist|permission denied|is not permitted to log in|'
    r"server does not support SSL|certificate|invalid connection option"
)
_REFUSED_MY = frozenset({1044, 1045, 1049, 1130, 1193, 1227, 1251, 1524, 1698})


def may_come_back(error: BaseException) -> bool:
    """Return whether a server is temporarily unavailable; False for a refused login, and for a file."""
    if current().is_sqlite or not is_away(error):
        return False
    args: tuple[object, ...] = getattr(getattr(error, "orig", None), "args", ())
    return not (args and args[0] in _REFUSED_MY) and not _REFUSED_PG.search(_said(error))
