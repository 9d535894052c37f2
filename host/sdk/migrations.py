"""Steps for an addon's revisions. Each checks the database first, so that it can be rerun from any point.

MariaDB commits each DDL statement implicitly, so a crashed migration restarts on a partly changed schema.
Each step therefore makes one change, and only if it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import sqlalchemy as sa

from host.sdk import _enum_mariadb, _enum_postgresql, _enum_sqlite
from host.sdk._enum import MAX_LENGTH, WIDENING, MigrationRefusedError

__all__ = [
    "MigrationRefusedError",
    "add_column_if_missing",
    "create_index_if_missing",
    "create_table_if_missing",
    "drop_table_if_present",
    "enum_to_varchar",
    "has_column",
    "has_index",
    "has_table",
]


_CONVERTERS: Mapping[str, Callable[[sa.Connection, str, str, int], bool]] = {
    "sqlite": _enum_sqlite.convert,
    "postgresql": _enum_postgresql.convert,
    "mysql": _enum_mariadb.convert,
    "mariadb": _enum_mariadb.convert,
}


class Operations(Protocol):
    """The part of ``alembic.op`` that these helpers use."""

    def get_bind(self) -> Any: ...

    def create_table(self, table_name: str, *columns: Any, **kw: Any) -> Any: ...

    def create_index(self, index_name: str, table_name: str, columns: Any, **kw: Any) -> Any: ...

    def drop_table(self, table_name: str) -> Any: ...

    def add_column(self, table_name: str, column: Any) -> Any: ...


def _connection(op: Operations | sa.Connection) -> sa.Connection:
    if isinstance(op, sa.Connection):
        return op
    connection = op.get_bind()
    if not isinstance(connection, sa.Connection):
        raise MigrationRefusedError("these migrations look at the database, so they cannot be printed as SQL")
    return connection


def has_table(op: Operations | sa.Connection, table: str) -> bool:
    """Return whether the database has *table*."""
    return sa.inspect(_connection(op)).has_table(table)


def has_column(op: Operations | sa.Connection, table: str, column: str) -> bool:
    """Return whether *table* has *column*; False if there is no such table."""
    inspector = sa.inspect(_connection(op))
    return inspector.has_table(table) and any(c["name"] == column for c in inspector.get_columns(table))


def has_index(op: Operations | sa.Connection, table: str, index: str) -> bool:
    """Return whether *table* has an index called *index*; False if there is no such table."""
    inspector = sa.inspect(_connection(op))
    return inspector.has_table(table) and inspector.has_index(table, index)


def create_table_if_missing(op: Operations, table: str, *columns: Any, **options: Any) -> None:
    """Create *table* like ``op.create_table``, unless it exists.

    Create its indexes with :func:`create_index_if_missing`, because they are separate statements.
    """
    if not has_table(op, table):
        op.create_table(table, *columns, **options)


def drop_table_if_present(op: Operations, table: str) -> None:
    """Drop *table* with its indexes, if it exists, for a ``downgrade``."""
    if has_table(op, table):
        op.drop_table(table)


def create_index_if_missing(
    op: Operations, index: str, table: str, columns: list[str], *, unique: bool = False
) -> None:
    """Create *index* on *table*, unless it exists."""
    if not has_index(op, table, index):
        op.create_index(index, table, columns, unique=unique)


def add_column_if_missing(op: Operations, table: str, column: sa.Column[Any]) -> None:
    """Add *column* to *table*, unless it exists."""
    if not has_column(op, table, str(column.name)):
        op.add_column(table, column)


def enum_to_varchar(op: Operations | sa.Connection, table: str, column: str, length: int = 32) -> bool:
    """Convert the ENUM *column* of *table* to ``VARCHAR(length)``; return whether it changed.

    On MariaDB the column is a real ENUM, on PostgreSQL of an enum type, on SQLite text with a CHECK. Rows,
    NOT NULL, DEFAULT, comment, character set, collation and indexes stay, and so do unrelated CHECKs. It
    checks the column first, so it can be rerun after a crash, and does nothing if it is already done. It is
    never reverted: narrowing the column would lose rows.

    :raises MigrationRefusedError: if a view, foreign key or trigger depends on the column, rows have a value
        outside the ENUM, or the column has another type.
    """
    if not 1 <= length <= MAX_LENGTH:
        raise ValueError(f"length must be 1 to {MAX_LENGTH}")
    connection = _connection(op)
    convert = _CONVERTERS.get(connection.dialect.name)
    if convert is None:
        raise MigrationRefusedError(f"{connection.dialect.name} is not a database Lobby runs on")
    info = connection.info  # read once, because a broken connection no longer has it
    info[WIDENING] = (table, column)
    try:
        return convert(connection, table, column, length)
    finally:
        del info[WIDENING]
