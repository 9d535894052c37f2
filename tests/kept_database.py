"""One migrated database on a server for test after test, emptied in between: making one takes longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa

_POSTGRESQL = {
    "others": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND pid <> pg_backend_pid()",
    "shape": "SELECT md5(string_agg(part, ',' ORDER BY part)) FROM ("
    "SELECT concat(c.oid, c.relname, c.relkind, c.relowner, c.reloptions) AS part FROM pg_class c "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' "
    "UNION ALL SELECT concat(a.attrelid, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.attisdropped) "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'public' UNION ALL SELECT concat(oid, conname) FROM pg_constraint "
    "UNION ALL SELECT concat(oid, tgname) FROM pg_trigger WHERE NOT tgisinternal "
    "UNION ALL SELECT concat(oid, typname) FROM pg_type WHERE typnamespace = 'public'::regnamespace "
    "UNION ALL SELECT concat(setdatabase, setrole, setconfig) FROM pg_db_role_setting "
    "UNION ALL SELECT nspname FROM pg_namespace) AS parts",
    "free": "SET session_replication_role = replica",
    "quote": '"',
}
_MARIADB = {
    "others": "SELECT count(*) FROM information_schema.processlist "
    "WHERE db = database() AND id <> connection_id()",
    "shape": "SELECT md5(group_concat(part ORDER BY part)) FROM ("
    "SELECT concat_ws('|', table_name, column_name, column_type, is_nullable, ifnull(column_default, '')) "
    "AS part FROM information_schema.columns WHERE table_schema = database() UNION ALL "
    "SELECT concat_ws('|', table_name, index_name, column_name, seq_in_index) "
    "FROM information_schema.statistics WHERE table_schema = database() UNION ALL "
    "SELECT concat_ws('|', table_name, engine, table_collation, create_options) "
    "FROM information_schema.tables WHERE table_schema = database() UNION ALL "
    "SELECT concat_ws('|', table_name, constraint_name) FROM information_schema.table_constraints "
    "WHERE table_schema = database() UNION ALL SELECT trigger_name FROM information_schema.triggers "
    "WHERE trigger_schema = database()) AS parts",
    "free": "SET foreign_key_checks = 0, group_concat_max_len = 100000000",
    "quote": "`",
}


class KeptDatabase:
    """Gives out the URL of a database that has the tables, and the rows, of a fresh one.

    One whose tables a test changed, or that something is still connected to, is dropped and made anew.

    :param make: yields the URL of a fresh one, and drops it afterwards.
    """

    def __init__(self, make: Callable[[], Iterator[str]]) -> None:
        self._make = make
        self._making: Iterator[str] | None = None
        self._url = ""
        self._engine: sa.Engine | None = None
        self._shape = ""
        self._which_are_filled = ""
        self._rows: dict[str, Sequence[Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._drop()

    def take(self, *, fresh: bool = False) -> str:
        """Return the URL of a database as a fresh one, or of one that is."""
        if fresh:
            self._drop()
        if self._making is None:
            self._making = self._make()
            self._url = next(self._making)
            self._engine = sa.create_engine(self._url, poolclass=sa.pool.NullPool)
            with self._connected() as connection:
                self._shape = self._look(connection, "shape")
                self._which_are_filled = self._asked(sa.inspect(connection).get_table_names())
                self._rows = {name: self._all(connection, name) for name in self._filled(connection)}
        return self._url

    def give_back(self, *, again: bool = True) -> None:
        """Empty the database for the next test, or drop it."""
        if not again:
            self._drop()
            return
        try:
            with self._connected() as connection:
                clean = self._is_alone(connection) and self._look(connection, "shape") == self._shape
                if clean:
                    self._empty(connection)
        except sa.exc.SQLAlchemyError:
            clean = False
        if not clean:
            self._drop()

    def _drop(self) -> None:
        if self._engine is not None:
            self._engine.dispose()
        if self._making is not None:
            next(self._making, None)
        self._engine = self._making = None

    def _connected(self) -> sa.Connection:
        assert self._engine is not None
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(self._words["free"])
        return connection

    @property
    def _words(self) -> dict[str, str]:
        return _POSTGRESQL if self._url.startswith("postgresql") else _MARIADB

    def _look(self, connection: sa.Connection, what: str) -> Any:
        return connection.exec_driver_sql(self._words[what]).scalar_one()

    def _is_alone(self, connection: sa.Connection) -> bool:
        """Tell whether nobody else is connected any more; who has just gone may take a moment."""
        for _ in range(20):
            if not self._look(connection, "others"):
                return True
            time.sleep(0.01)
        return False

    def _named(self, name: str) -> str:
        return f"{self._words['quote']}{name}{self._words['quote']}"

    def _asked(self, names: Sequence[str]) -> str:
        """Return the statement that tells which tables of these *names* have a row."""
        dual = "" if self._url.startswith("postgresql") else " FROM dual"
        return " UNION ALL ".join(
            f"SELECT '{name}'{dual} WHERE EXISTS (SELECT 1 FROM {self._named(name)})" for name in names
        )

    def _filled(self, connection: sa.Connection) -> list[str]:
        """Return the tables that have a row; those there are, are the same as long as the shape is."""
        return list(connection.exec_driver_sql(self._which_are_filled).scalars())

    def _all(self, connection: sa.Connection, name: str) -> Sequence[Any]:
        return connection.exec_driver_sql(f"SELECT * FROM {self._named(name)}").all()

    def _empty(self, connection: sa.Connection) -> None:
        for name in self._filled(connection):
            if name not in self._rows or self._all(connection, name) != self._rows[name]:
                connection.exec_driver_sql(f"DELETE FROM {self._named(name)}")
                for row in self._rows.get(name, ()):
                    marks = ", ".join(["%s"] * len(row))
                    connection.exec_driver_sql(
                        f"INSERT INTO {self._named(name)} VALUES ({marks})", tuple(row)
                    )
        self._count_from_one(connection)

    def _count_from_one(self, connection: sa.Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"
            )
            return
        counted = (
            "SELECT table_name FROM information_schema.tables "
            "WHERE table_schema = database() AND auto_increment > 1"
        )
        for name in connection.exec_driver_sql(counted).scalars().all():
            connection.exec_driver_sql(f"ALTER TABLE {self._named(name)} AUTO_INCREMENT = 1")
