"""Copy every table of a server's database into another database on it, with rows, keys and views."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from host.core.db import describe

SCHEMA = "lobby_rehearsal"
_SUFFIX = "_rehearsal"


class NotCopiedError(Exception):
    """The database could not be copied, usually because of a missing privilege. *words* is its message."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def size(connection: sa.Connection) -> int:
    """Return the approximate size of the database's tables in bytes, with indexes."""
    queries = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        "postgresql": "SELECT COALESCE(SUM(pg_total_relation_size(oid)), 0) FROM pg_class"
        " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'",
    }
    mariadb = (
        "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables"
        " WHERE table_schema = DATABASE()"
    )
    return int(connection.execute(sa.text(queries.get(connection.dialect.name, mariadb))).scalar_one())


def make(connection: sa.Connection) -> URL:
    """Create the copy and return its address. Commits.

    :raises NotCopiedError: if the database refuses.
    """
    url = connection.engine.url
    try:
        if connection.dialect.name == "postgresql":
            _postgresql(connection)
            connection.commit()
            return url.update_query_dict({"options": f"-c search_path={SCHEMA}"})
        _mariadb(connection)
        connection.commit()
        return url.set(database=_database(url))
    except DBAPIError as error:
        connection.rollback()
        raise NotCopiedError(describe(error)[1]) from error


def drop(connection: sa.Connection) -> None:
    """Drop the copy, if it exists."""
    if connection.dialect.name == "postgresql":
        known = connection.execute(
            sa.text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA}
        ).scalar()
        if known:
            connection.exec_driver_sql(f"DROP SCHEMA {SCHEMA} CASCADE")
        return
    name = _database(connection.engine.url)
    known = connection.execute(
        sa.text("SELECT 1 FROM information_schema.schemata WHERE schema_name = :name"), {"name": name}
    ).scalar()
    if known:
        connection.exec_driver_sql(f"DROP DATABASE {_quoted(connection, name)}")


def is_copy(url: str) -> bool:
    """Return whether *url* is the address of a copy on a server."""
    found = make_url(url)
    if found.get_dialect().name == "sqlite":
        return False
    return str(found.database).endswith(_SUFFIX) or f"search_path={SCHEMA}" in str(found.query.get("options"))


def _database(url: URL) -> str:
    return f"{str(url.database)[: 64 - len(_SUFFIX)]}{_SUFFIX}"


def _quoted(connection: sa.Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote_identifier(name)


def _run(connection: sa.Connection, statement: str) -> None:
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


# PostgreSQL

_TYPES = """
    SELECT quote_ident(t.typname), string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
    FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE t.typnamespace = current_schema()::regnamespace GROUP BY t.typname
"""
_COLUMNS = """
    SELECT quote_ident(c.relname) AS tbl, quote_ident(a.attname) AS name,
           CASE WHEN t.typtype = 'e' THEN quote_ident(t.typname) ELSE '' END AS enum,
           pg_get_expr(d.adbin, d.adrelid) AS value
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attgenerated = ''
    ORDER BY c.relname, a.attnum
"""
_CONSTRAINTS = """
    SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', c.relname, k.conname, pg_get_constraintdef(k.oid))
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
      AND k.contype IN ('p', 'u', 'c', 'x', 'f')
    ORDER BY k.contype = 'f', c.relname, k.conname
"""
_INDEXES = """
    SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
      AND NOT EXISTS (
        SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
"""
_VIEWS = """
    SELECT format('CREATE VIEW %I AS %s', relname, pg_get_viewdef(oid)) FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'v' ORDER BY oid
"""
_TRIGGERS = """
    SELECT pg_get_triggerdef(g.oid, true) FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
    WHERE NOT g.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""


def _postgresql(connection: sa.Connection) -> None:
    # One transaction sees one state of all tables, and takes no lock that others wait for.
    connection.execute(sa.text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
    here = connection.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    # Read while the search path finds tables by bare names: in the copy these names mean the copies.
    types, columns = (connection.execute(sa.text(query)).all() for query in (_TYPES, _COLUMNS))
    constraints, indexes, views, triggers = (
        connection.scalars(sa.text(query)).all() for query in (_CONSTRAINTS, _INDEXES, _VIEWS, _TRIGGERS)
    )
    _run(connection, f"CREATE SCHEMA {SCHEMA}")
    _run(connection, f"SET LOCAL search_path = {SCHEMA}, {here}")
    for name, labels in types:
        _run(connection, f"CREATE TYPE {SCHEMA}.{name} AS ENUM ({labels})")
    for table, group in groupby(columns, key=lambda column: column.tbl):
        _copy_table(connection, f"{here}.{table}", f"{SCHEMA}.{table}", list(group))
    for statement in (*constraints, *(text.replace(f" ON {here}.", f" ON {SCHEMA}.", 1) for text in indexes)):
        _run(connection, statement)
    for statement in (*views, *triggers):
        _run(connection, statement)


def _copy_table(connection: sa.Connection, old: str, new: str, columns: list[Any]) -> None:
    _run(connection, f"CREATE TABLE {new} (LIKE {old} INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS)")
    for column in columns:
        if column.enum:
            changes = [
                f"ALTER {column.name} DROP DEFAULT",
                f"ALTER {column.name} TYPE {SCHEMA}.{column.enum} USING NULL",
                *([f"ALTER {column.name} SET DEFAULT {column.value}"] if column.value else []),
            ]
            _run(connection, f"ALTER TABLE {new} {', '.join(changes)}")
    names = ", ".join(column.name for column in columns)
    values = ", ".join(
        f"{column.name}::text::{SCHEMA}.{column.enum}" if column.enum else column.name for column in columns
    )
    _run(connection, f"INSERT INTO {new} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM {old}")  # noqa: S608


# MariaDB


def _mariadb(connection: sa.Connection) -> None:
    source, target = str(connection.engine.url.database), _database(connection.engine.url)
    here, there = _quoted(connection, source), _quoted(connection, target)
    listed = connection.execute(
        sa.text(
            "SELECT table_name, table_type FROM information_schema.tables"
            " WHERE table_schema = DATABASE() ORDER BY table_type, table_name"
        )
    ).all()
    definitions = {
        name: _definition(connection, name, "Table") for name, kind in listed if kind == "BASE TABLE"
    }
    views = [_definition(connection, name, "View") for name, kind in listed if kind == "VIEW"]
    _run(connection, f"CREATE DATABASE {there} CHARACTER SET utf8mb4")
    _run(connection, f"USE {there}")
    _run(connection, "SET SESSION foreign_key_checks = 0, tx_isolation = 'READ-COMMITTED'")
    for name, definition in definitions.items():
        _run(connection, definition)
        columns = _stored_columns(connection, source, name)
        table = _quoted(connection, name)
        # READ COMMITTED takes no locks on the rows it reads.
        _run(connection, f"INSERT INTO {table} ({columns}) SELECT {columns} FROM {here}.{table}")  # noqa: S608
        connection.commit()
    for definition in views:
        # A view's text names the database it is in.
        text = re.sub(r"DEFINER=\S+ ", "", definition).replace(f"{here}.", "")
        _run(connection, text)


def _definition(connection: sa.Connection, name: str, kind: str) -> str:
    row = connection.exec_driver_sql(f"SHOW CREATE {kind.upper()} {_quoted(connection, name)}").one()
    return str(row._mapping[f"Create {kind}"])


def _stored_columns(connection: sa.Connection, database: str, table: str) -> str:
    rows = connection.execute(
        sa.text(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = :db"
            " AND table_name = :name AND extra NOT LIKE '%GENERATED%' ORDER BY ordinal_position"
        ),
        {"db": database, "name": table},
    )
    return ", ".join(_quoted(connection, name) for name in rows.scalars())
