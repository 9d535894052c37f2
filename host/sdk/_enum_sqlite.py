"""SQLite: an ENUM is text with a CHECK. Removing the CHECK means rebuilding the table.

The table's own SQL is edited as text. Rebuilding it from SQLAlchemy's reflection would lose AUTOINCREMENT,
collations, generated columns, expression indexes and triggers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import sqlalchemy as sa

from host.sdk._enum import MigrationRefusedError, histogram, is_closed_list, quoted, run, same_rows, unquoted

_TEXT_TYPE = re.compile(r"(?i)\b(?:var)?char(?:acter)?(?:\s+varying)?\s*\(\s*\d+\s*\)")
_CHECK = re.compile(r"(?i)\bcheck\s*\(")
_NAMED = re.compile(r"(?i)\bconstraint\s+(?:\w+|\"[^\"]+\"|`[^`]+`|\[[^\]]+\])\s*$")


@dataclass(frozen=True, slots=True)
class _Table:
    head: str
    items: list[str]
    tail: str


def convert(connection: sa.Connection, table: str, column: str, length: int) -> bool:
    """Remove the closed list of values from *column*. See :func:`host.sdk.migrations.enum_to_varchar`."""
    sql = connection.execute(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"), {"name": table}
    ).scalar()
    if sql is None:
        raise MigrationRefusedError(f"there is no table {table}")
    columns = connection.exec_driver_sql(f"PRAGMA table_xinfo({quoted(connection, table)})").all()
    facts = next((row for row in columns if row.name == column), None)
    if facts is None:
        raise MigrationRefusedError(f"{table} has no column {column}")
    if facts.hidden:
        raise MigrationRefusedError(f"{table}.{column} is computed from other columns")
    if not re.search(r"(?i)char|clob|text", facts.type or "char"):
        raise MigrationRefusedError(f"{table}.{column} is {facts.type}, not text")
    parsed = _parse(sql)
    edited = _Table(parsed.head, _edit(parsed.items, table, column, length), parsed.tail)
    if edited.items == parsed.items:
        return False
    _refuse_foreign_keys(connection, table, column)
    _rebuild(connection, table, column, edited, [row.name for row in columns if not row.hidden])
    return True


def _refuse_foreign_keys(connection: sa.Connection, table: str, column: str) -> None:
    """Refuse a column of a foreign key, because the key limits its values, not the CHECK."""
    keys = connection.execute(
        sa.text(
            'SELECT m.name AS child, k."table" AS parent, k."from" AS source'
            " FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table'"
            ' AND ((m.name = :table AND k."from" = :column) OR (k."table" = :table AND k."to" = :column))'
        ),
        {"table": table, "column": column},
    ).all()
    if keys:
        names = ", ".join(f"{key.child}.{key.source} to {key.parent}" for key in keys)
        raise MigrationRefusedError(
            f"A foreign key ({names}) uses {table}.{column}. Take it away, then activate again.",
            statement=f"CREATE TABLE {quoted(connection, f'_new_{table}')} ... -- {table} without the CHECK",
            way_out="-- SQLite drops a foreign key only by making the table anew:"
            " https://www.sqlite.org/lang_altertable.html#otheralter",
        )


def _parse(sql: str) -> _Table:
    """Split ``CREATE TABLE ... ( items ) tail`` at the commas between its items."""
    depth = 0
    start = -1
    cuts: list[int] = []
    for index, char in unquoted(sql):
        if char == "(":
            depth += 1
            if depth == 1:
                start = index
        elif char == ")":
            depth -= 1
            if depth == 0:
                bounds = [start, *cuts, index]
                items = [sql[a + 1 : b] for a, b in pairwise(bounds)]
                return _Table(sql[: start + 1], items, sql[index:])
        elif char == "," and depth == 1:
            cuts.append(index)
    raise MigrationRefusedError("the table's SQL cannot be read")


def _forms(column: str) -> tuple[str, ...]:
    return (column, f'"{column}"', f"`{column}`", f"[{column}]")


def _first_word(item: str) -> str:
    text = re.sub(r"^(?:\s|--[^\n]*\n|/\*.*?\*/)+", "", item, flags=re.DOTALL)
    match = re.match(r'"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|\w+', text)
    return match.group() if match else ""


def _edit(items: list[str], table: str, column: str, length: int) -> list[str]:
    """Return *items* without the closed list on *column*; unchanged if there is none."""
    forms = tuple(form.casefold() for form in _forms(column))
    edited: list[str] = []
    found = False
    own = -1
    for item in items:
        word = _first_word(item).casefold()
        kept, removed = _without_list(item, table, column)
        found = found or removed
        if word in forms and own < 0:
            own = len(edited)
        if kept.strip():
            edited.append(kept)
    if not found:
        return items
    if own >= 0:
        edited[own] = _TEXT_TYPE.sub(f"VARCHAR({length})", edited[own], count=1)
    return edited


def _without_list(item: str, table: str, column: str) -> tuple[str, bool]:
    """Return *item* without each CHECK that only lists values of *column*, and whether there was one.

    :raises MigrationRefusedError: for a CHECK that names the column and a string in some other way.
    """
    removed = False
    position = 0
    while match := _find(item, position):
        stop = _end_of(item, match.end() - 1)
        clause = item[match.end() : stop]
        names_it = re.search(rf'(?i)(?<![\w"]){re.escape(column)}(?!\w)|"{re.escape(column)}"', clause)
        if is_closed_list(clause, _forms(column)):
            named = _NAMED.search(item[: match.start()])
            start = named.start() if named else match.start()
            item = item[:start].rstrip() + item[stop + 1 :]
            removed = True
            position = start
            continue
        if names_it and "'" in clause:
            raise MigrationRefusedError(
                f"a CHECK of {table} says more about {column} than which values it has"
            )
        position = stop
    return item, removed


def _find(item: str, position: int) -> re.Match[str] | None:
    free = {index for index, _ in unquoted(item)}
    return next((m for m in _CHECK.finditer(item, position) if m.start() in free), None)


def _end_of(item: str, opening: int) -> int:
    depth = 0
    for index, char in unquoted(item):
        if index >= opening:
            depth += (char == "(") - (char == ")")
            if depth == 0:
                return index
    raise MigrationRefusedError("the table's SQL cannot be read")


def _rebuild(connection: sa.Connection, table: str, column: str, edited: _Table, columns: list[str]) -> None:
    for pragma, wanted in (("foreign_keys", 0), ("legacy_alter_table", 1)):
        if connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() != wanted:
            raise MigrationRefusedError(
                f"SQLite must be migrated with {pragma}={wanted}; other tables would change with {table}"
            )
    fresh = f"_new_{table}"
    old, new = quoted(connection, table), quoted(connection, fresh)
    name = re.escape(table)
    pattern = rf'(?i)^(\s*create\s+table\s+)(?:{name}|"{name}"|`{name}`)(?=[\s(])'
    head, renamed = re.subn(pattern, lambda m: f"{m.group(1)}{new} ", edited.head, count=1)
    if not renamed:
        raise MigrationRefusedError(f"the SQL of {table} cannot be read")
    extras = [
        row.sql
        for row in connection.execute(
            sa.text(
                "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND type IN ('index', 'trigger')"
                " AND sql IS NOT NULL ORDER BY type, name"
            ),
            {"name": table},
        )
    ]
    sequence = _sequence(connection, table)
    before = histogram(connection, table, column)
    names = ", ".join(quoted(connection, name) for name in columns)
    run(connection, f"DROP TABLE IF EXISTS {new}")
    run(connection, head + ",".join(edited.items) + edited.tail)
    run(connection, f"INSERT INTO {new} ({names}) SELECT {names} FROM {old}")  # noqa: S608 - quoted names
    same_rows(connection, fresh, column, before)
    run(connection, f"DROP TABLE {old}")
    run(connection, f"ALTER TABLE {new} RENAME TO {old}")
    for sql in extras:
        run(connection, sql)
    if sequence is not None:
        table_of = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
        connection.execute(sa.delete(table_of).where(table_of.c.name == table))
        connection.execute(sa.insert(table_of).values(name=table, seq=sequence))
    wrong = connection.exec_driver_sql(f"PRAGMA integrity_check({old})").scalars().all()
    if wrong != ["ok"]:
        raise MigrationRefusedError(f"{table} was not sound after it was rebuilt")


def _sequence(connection: sa.Connection, table: str) -> int | None:
    known = connection.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").scalar()
    if not known:
        return None
    value = connection.execute(
        sa.text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table}
    ).scalar()
    return None if value is None else int(value)
