"""MariaDB and MySQL: one atomic ALTER that restates the whole column definition; it commits implicitly."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from host.sdk._enum import (
    MigrationRefusedError,
    in_the_way,
    is_closed_list,
    quoted,
    run,
)

_COLUMN = sa.text(
    "SELECT data_type AS data_type, column_type AS column_type,"
    " character_maximum_length AS length, is_nullable AS nullable,"
    " column_default AS column_default, character_set_name AS charset, collation_name AS collation,"
    " column_comment AS comment, extra AS extra, generation_expression AS expression"
    " FROM information_schema.columns"
    " WHERE table_schema = DATABASE() AND table_name = :table AND column_name = :column"
)
_KEYS = sa.text(
    "SELECT DISTINCT table_name AS tbl, constraint_name AS name"
    " FROM information_schema.key_column_usage WHERE"
    " (table_schema = DATABASE() AND table_name = :table AND column_name = :column"
    "  AND referenced_table_name IS NOT NULL) OR"
    " (referenced_table_schema = DATABASE() AND referenced_table_name = :table"
    "  AND referenced_column_name = :column)"
)
_CHECKS = sa.text(
    "SELECT constraint_name AS name, level AS level, check_clause AS clause"
    " FROM information_schema.check_constraints"
    " WHERE constraint_schema = DATABASE() AND table_name = :table"
)
_TEXTS = {"text", "mediumtext", "longtext"}


def convert(connection: sa.Connection, table: str, column: str, length: int) -> bool:
    """Convert the ENUM to VARCHAR. See :func:`host.sdk.migrations.enum_to_varchar`."""
    names = {"table": table, "column": column}
    # Outside strict mode, a value that does not fit is silently changed.
    run(connection, "SET SESSION sql_mode=CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')")
    facts = connection.execute(_COLUMN, names).one_or_none()
    if facts is None:
        raise MigrationRefusedError(f"there is no column {table}.{column}")
    kind = facts.data_type.lower()
    if kind in _TEXTS or (kind == "varchar" and facts.length >= length):
        return False
    if kind not in {"enum", "varchar"}:
        raise MigrationRefusedError(f"{table}.{column} is {kind}, neither ENUM nor VARCHAR")
    if facts.extra or facts.expression:
        raise MigrationRefusedError(f"{table}.{column} is {facts.extra or 'computed from other columns'}")
    statement = (
        f"ALTER TABLE {quoted(connection, table)} MODIFY COLUMN {quoted(connection, column)}"
        f" {_definition(connection, facts, length)}"
    )
    keys = connection.execute(_KEYS, names).all()
    if keys:
        raise in_the_way(table, column, [_obstacle(connection, key.tbl, key.name) for key in keys], statement)
    _refuse_strays(connection, table, column, length, statement, is_enum=kind == "enum")
    inline = _checks(connection, table, column)
    run(
        connection,
        f"{statement}{inline}, ALGORITHM=COPY, LOCK=SHARED",
    )
    if kind == "enum":
        _only_labels(connection, table, column, facts.column_type)
    return True


def _only_labels(connection: sa.Connection, table: str, column: str, column_type: str) -> None:
    """Check that each row has a value of the ENUM, byte for byte.

    Counting rows is not enough: the statement commits implicitly, and others write before and after it.
    """
    labels = {label.replace("''", "'") for label in re.findall(r"'((?:[^']|'')*)'", column_type)}
    labels |= {label.replace("\\\\", "\\") for label in labels}
    source = sa.table(table, sa.column(column))
    text = sa.func.hex(sa.func.convert(source.c[column].op("USING")(sa.literal_column("utf8mb4"))))
    rows = connection.scalars(sa.select(text).select_from(source).distinct())
    found = {bytes.fromhex(value).decode() for value in rows if value}
    # The catalogue stores ENUM labels with three bytes per character, so four-byte characters are question
    # marks.
    strange = sorted(value for value in found if re.sub(r"[^\u0000-\uffff]", "?", value) not in labels)
    if strange:
        raise MigrationRefusedError(f"{table}.{column} holds {strange[0]!r}, which the ENUM did not know")


def _obstacle(connection: sa.Connection, table: str, key: str) -> tuple[str, str, str]:
    """Return a foreign key's name, the SQL that drops it, and the SQL that recreates it."""
    name, source = quoted(connection, key), quoted(connection, table)
    made = connection.exec_driver_sql(f"SHOW CREATE TABLE {source}").one()[1]
    lines = (line.strip().rstrip(",") for line in made.splitlines())
    definition = next((line for line in lines if line.startswith(f"CONSTRAINT {name} ")), "")
    return (
        f"the foreign key {key}",
        f"ALTER TABLE {source} DROP FOREIGN KEY {name}",
        f"ALTER TABLE {source} ADD {definition}" if definition else "",
    )


def _refuse_strays(
    connection: sa.Connection, table: str, column: str, length: int, statement: str, *, is_enum: bool
) -> None:
    """Refuse rows with a value outside the ENUM, stored as '' outside strict mode, or one too long."""
    source = sa.table(table, sa.column(column))
    field, name = quoted(connection, column), quoted(connection, table)
    if is_enum:
        ordinal = source.c[column].op("+")(sa.literal_column("0"))
        invalid = connection.scalar(sa.select(sa.func.count()).select_from(source).where(ordinal == 0))
        if invalid:
            raise MigrationRefusedError(
                f"{invalid} rows of {table} hold an invalid, empty {column}. "
                "Give them a value, then activate again.",
                statement=statement,
                way_out=f"UPDATE {name} SET {field} = '...' WHERE {field} + 0 = 0;",  # noqa: S608 - quoted names
            )
    size = sa.func.char_length(source.c[column])
    long = connection.scalar(sa.select(sa.func.count()).select_from(source).where(size > length))
    if long:
        raise MigrationRefusedError(
            f"{long} rows of {table} hold a {column} longer than {length} characters.",
            statement=statement,
            way_out=f"SELECT * FROM {name} WHERE CHAR_LENGTH({field}) > {length};",  # noqa: S608 - as above
        )


def _checks(connection: sa.Connection, table: str, column: str) -> str:
    """Drop CHECKs that only list the column's values; return the one on the column itself, to restate it."""
    if not getattr(connection.dialect, "is_mariadb", False):
        return ""
    kept = ""
    forms = (column, f"`{column}`")
    for row in connection.execute(_CHECKS, {"table": table}).all():
        listed = is_closed_list(row.clause, forms)
        if row.level.lower() == "column" and row.name == column:
            kept = "" if listed else f" CHECK ({row.clause})"
        elif listed:
            run(
                connection,
                f"ALTER TABLE {quoted(connection, table)} DROP CONSTRAINT {quoted(connection, row.name)}",
            )
    return kept


def _definition(connection: sa.Connection, facts: Any, length: int) -> str:
    parts = [
        f"VARCHAR({length}) CHARACTER SET {facts.charset} COLLATE {facts.collation}",
        "NULL" if facts.nullable == "YES" else "NOT NULL",
    ]
    if facts.column_default is not None:
        # MariaDB stores the default as an expression with quotes, MySQL as bare text.
        mariadb = getattr(connection.dialect, "is_mariadb", False)
        parts.append(f"DEFAULT {facts.column_default if mariadb else _literal(facts.column_default)}")
    if facts.comment:
        parts.append(f"COMMENT {_literal(facts.comment)}")
    return " ".join(parts)


def _literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
