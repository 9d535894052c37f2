"""Describe the schema of a database in a form that can be compared, with a few queries, reading no rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

_CASTS = re.compile(r"::[\w\".]+(?: varying)?|[()]")

Fact = tuple[str, str, str]
"""Kind (``column``, ``index``, ``constraint``, ...), name, and its complete description by the database."""


@dataclass(slots=True)
class Snapshot:
    """Every table and view with its facts, and the table of each index."""

    tables: dict[str, set[Fact]] = field(default_factory=dict)
    indexes: dict[str, str] = field(default_factory=dict)

    def add(self, table: str, kind: str, name: str, *what: object) -> None:
        self.tables.setdefault(table, set()).add((kind, name, " ".join(str(part) for part in what)))
        if kind == "index":
            self.indexes[name] = table


def of_database(connection: sa.Connection) -> Snapshot:
    """Return the snapshot of the default schema of *connection*."""
    readers: Mapping[str, Callable[[sa.Connection], Snapshot]] = {
        "sqlite": _sqlite,
        "postgresql": _postgresql,
        "mysql": _mariadb,
        "mariadb": _mariadb,
    }
    return readers[connection.dialect.name](connection)


def without(facts: Collection[Fact], columns: Collection[str]) -> frozenset[Fact]:
    """Return *facts* without those that widening *columns* changes: type, form of default, closed lists."""
    if not columns:
        return frozenset(facts)
    kept: set[Fact] = set()
    for kind, name, what in facts:
        if kind == "check":
            continue
        if kind == "column" and name in columns:
            kept.add((kind, name, ""))
        else:
            kept.add((kind, name, _CASTS.sub("", what) if kind == "index" else what))
    return frozenset(kept)


def _sqlite(connection: sa.Connection) -> Snapshot:
    found = Snapshot()
    master = sa.text("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%'")
    for row in connection.execute(master):
        found.add(row.tbl_name, "check" if row.type == "table" else row.type, row.name, row.sql)
    columns = sa.text(
        'SELECT m.name AS tbl, c.name, c.type, c."notnull", c.dflt_value, c.pk'
        " FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c"
        " WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite%'"
    )
    for tbl, name, *what in connection.execute(columns):
        found.add(tbl, "column", name, *what)
    return found


_PG_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
_PG_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()"
_PG_CONSTRAINTS = """
    SELECT c.relname, k.contype::text, k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = current_schema()::regnamespace
"""
_PG_TRIGGERS = """
    SELECT c.relname, g.tgname, pg_get_triggerdef(g.oid)
    FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""


def _postgresql(connection: sa.Connection) -> Snapshot:
    found = Snapshot()
    for table, name, *what in connection.execute(sa.text(_PG_COLUMNS)):
        found.add(table, "column", name, *what)
    for table, name, definition in connection.execute(sa.text(_PG_INDEXES)):
        found.add(table, "index", name, definition)
    for table, kind, name, definition in connection.execute(sa.text(_PG_CONSTRAINTS)):
        found.add(table, "check" if kind == "c" else "constraint", name, definition)
    for table, name, definition in connection.execute(sa.text(_PG_TRIGGERS)):
        found.add(table, "trigger", name, definition)
    return found


_MY_COLUMNS = """
    SELECT table_name, column_name, column_type, is_nullable, column_default, collation_name, extra
    FROM information_schema.columns WHERE table_schema = DATABASE()
"""
_MY_INDEXES = """
    SELECT table_name, index_name, non_unique, GROUP_CONCAT(column_name ORDER BY seq_in_index)
    FROM information_schema.statistics WHERE table_schema = DATABASE()
    GROUP BY table_name, index_name, non_unique
"""
_MY_KEYS = """
    SELECT table_name, constraint_name, referenced_table_name,
           GROUP_CONCAT(column_name, ':', referenced_column_name ORDER BY ordinal_position)
    FROM information_schema.key_column_usage
    WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL
    GROUP BY table_name, constraint_name, referenced_table_name
"""
_MY_TRIGGERS = """
    SELECT event_object_table, trigger_name, action_statement
    FROM information_schema.triggers WHERE trigger_schema = DATABASE()
"""


def _mariadb(connection: sa.Connection) -> Snapshot:
    found = Snapshot()
    for table, name, *what in connection.execute(sa.text(_MY_COLUMNS)):
        found.add(table, "column", name, *what)
    # An index's name is unique in its table only, so a DROP INDEX names its table.
    for table, name, *what in connection.execute(sa.text(_MY_INDEXES)):
        found.add(table, "constraint", name, *what)
    for table, name, *what in connection.execute(sa.text(_MY_KEYS)):
        found.add(table, "constraint", name, *what)
    for table, name, *what in connection.execute(sa.text(_MY_TRIGGERS)):
        found.add(table, "trigger", name, *what)
    return found
