"""The tables after all migrations of the host, mail, Instagram and Telegram, on each kind of database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db, migrations
from tests.pins.pinning import ADDONS, SHIPPED, changes, hold

INDEXES = {
    "sqlite": "SELECT tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql <> ''",
    "postgresql": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
    "mariadb": (
        "SELECT table_name, CONCAT(index_name, IF(non_unique, ' ', ' UNIQUE '), index_type, ' (', "
        "GROUP_CONCAT(column_name, IFNULL(CONCAT('(', sub_part, ')'), ''), IF(collation = 'D', ' DESC', '') "
        "ORDER BY seq_in_index), ')') "
        "FROM information_schema.statistics WHERE table_schema = DATABASE() "
        "GROUP BY table_name, index_name, non_unique, index_type"
    ),
}
"""What lists each table's indexes in full, with expressions and conditions; on SQLite, triggers too."""


def facts(connection: sa.Connection) -> list[str]:
    """Return a line for each column, key, rule and index of each table."""
    kind = connection.dialect.name
    inspector = sa.inspect(connection)
    lines: list[str] = []
    for (_schema, table), columns in inspector.get_multi_columns().items():
        lines += [f"{table}.{column['name']}: {_column(column, connection.dialect)}" for column in columns]
    for (_schema, table), key in inspector.get_multi_pk_constraint().items():
        lines.append(f"{table} key ({', '.join(key['constrained_columns'])})")
    for (_schema, table), found in inspector.get_multi_foreign_keys().items():
        lines += [f"{table} refers {_reference(one)}" for one in found]
    for (_schema, table), rules in inspector.get_multi_check_constraints().items():
        lines += [f"{table} check {one['name']}: {_in_one_line(one['sqltext'])}" for one in rules]
    if kind == "sqlite":  # servers list them as indexes
        for (_schema, table), unique in inspector.get_multi_unique_constraints().items():
            lines += [f"{table} unique ({', '.join(one['column_names'])})" for one in unique]
    for table, index in connection.exec_driver_sql(INDEXES[kind]):
        lines.append(f"{table} index {_in_one_line(index)}")
    return sorted(line for line in lines if not line.startswith("sqlite_"))


def _column(column: Any, dialect: sa.Dialect) -> str:
    said = [column["type"].compile(dialect=dialect), "NULL" if column["nullable"] else "NOT NULL"]
    if column.get("default") is not None:
        said.append(f"DEFAULT {_in_one_line(str(column['default']))}")
    said += [
        name
        for name in ("autoincrement", "identity", "computed")
        if column.get(name) not in (None, False, "auto")
    ]
    return " ".join(said)


def _reference(key: Any) -> str:
    ours, theirs = ", ".join(key["constrained_columns"]), ", ".join(key["referred_columns"])
    options = " ".join(f"{name} {value}" for name, value in sorted(key["options"].items()) if value)
    return f"{key['name'] or ''} ({ours}) {key['referred_table']} ({theirs}) {options}".strip()


def _in_one_line(sql: str) -> str:
    return re.sub(r"\s+", " ", sql)


@pytest.fixture
def connection(any_database: db.Database) -> Iterator[sa.Connection]:
    """A connection to a database with the tables of everything that is shipped."""
    with migrations.locked(any_database.url.render_as_string(hide_password=False)) as engine:
        for slug in SHIPPED:
            table = migrations.addon_version_table(slug)
            migrations.upgrade(engine, ADDONS / slug / "migrations", table)
        with engine.connect() as connection:
            yield connection


@pytest.mark.fresh_database
def test_the_tables_are_what_they_were(connection: sa.Connection) -> None:
    hold(f"schema-{connection.dialect.name}", facts(connection))
    _a_change_is_seen(connection)


def _a_change_is_seen(connection: sa.Connection) -> None:
    """Fail unless a column and an index that came are seen; not a test of its own, to migrate once."""
    before = facts(connection)
    connection.exec_driver_sql("ALTER TABLE labels ADD COLUMN size INTEGER DEFAULT 3")
    connection.exec_driver_sql("CREATE INDEX ix_labels_size ON labels (size)")
    found = changes(before, facts(connection))
    assert len(found) == 2, found
    assert all(line.startswith("+labels") and "size" in line for line in found), found
