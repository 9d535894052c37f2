"""Count and checksum the rows of tables, to detect a migration that wrote to other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sqlalchemy as sa

MOST = 300_000
"""Maximum number of rows read from a table; larger tables are only counted."""

Sums = Mapping[str, tuple[int, str]]
"""For each table, its number of rows and a checksum of their content, empty if there are too many rows."""


def of_tables(connection: sa.Connection, columns: Mapping[str, Iterable[str]]) -> dict[str, tuple[int, str]]:
    """Return the checksums of the tables in *columns*, over those columns.

    Checksums are only comparable within one process. They ignore how a value is stored: an ENUM counts as
    text.
    """
    found = {}
    for table, names in columns.items():
        quoted = connection.dialect.identifier_preparer.quote_identifier
        count = int(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {quoted(table)}").scalar_one())  # noqa: S608
        total = _sum(connection, quoted(table), [quoted(one) for one in names]) if count <= MOST else ""
        found[table] = (count, total)
    return found


def _sum(connection: sa.Connection, table: str, columns: list[str]) -> str:
    name = connection.dialect.name
    if name == "sqlite":
        rows = connection.exec_driver_sql(f"SELECT {', '.join(columns)} FROM {table}")  # noqa: S608
        return str(sum(hash(tuple(row)) for row in rows))
    if name == "postgresql":
        row = f"ROW({', '.join(f'{one}::text' for one in columns)})::text"
        query = f"SELECT SUM(hashtextextended({row}, 0)::numeric) FROM {table}"  # noqa: S608
    else:
        row = ", ".join(f"COALESCE(HEX(CAST({one} AS BINARY)), '-')" for one in columns)
        query = f"SELECT SUM(CRC32(CONCAT_WS(',', {row}))) FROM {table}"  # noqa: S608
    return str(connection.exec_driver_sql(query, execution_options={"no_parameters": True}).scalar())


def columns_of(connection: sa.Connection, tables: Iterable[str]) -> dict[str, list[str]]:
    """Return the columns of each of *tables*."""
    inspector = sa.inspect(connection)
    return {table: [column["name"] for column in inspector.get_columns(table)] for table in tables}


def changed(before: Sums, after: Sums) -> str | None:
    """Return the first table whose rows changed, or None."""
    return next((table for table in sorted(before) if before[table] != after.get(table)), None)
