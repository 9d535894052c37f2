"""Helpers for converting an ENUM to VARCHAR on three databases."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from host.sdk.errors import SdkError

MAX_LENGTH = 63  # four bytes a character stay below 256, so widening it later rewrites nothing


WIDENING = "lobby_widening"
"""Key in a connection's ``info``: the table and column that the host's helper is changing."""


class MigrationRefusedError(SdkError):
    """A migration would have had to guess or lose data, so it changed nothing. The message is a sentence.

    :param statement: the SQL it would have run.
    :param way_out: what to do about it, if known: SQL, or a sentence.
    """

    def __init__(self, sentence: str, *, statement: str = "", way_out: str = "") -> None:
        super().__init__(sentence)
        self.statement = statement
        self.way_out = way_out


def in_the_way(
    table: str, column: str, obstacles: Sequence[tuple[str, str, str]], statement: str
) -> MigrationRefusedError:
    """Return the error for *statement*. Each obstacle has a name, SQL to drop it and SQL to recreate it."""
    what = ", ".join(name for name, _, _ in obstacles)
    away = "".join(f"{sql};\n" for _, sql, _ in obstacles)
    again = "".join(f"{sql};\n" for _, _, sql in reversed(obstacles) if sql)
    sentence = (
        f"{what[0].upper()}{what[1:]} {'depends' if len(obstacles) == 1 else 'depend'} on {table}.{column}. "
        f"Drop {'it' if len(obstacles) == 1 else 'them'}, activate again, and make "
        f"{'it' if len(obstacles) == 1 else 'them'} again afterwards where that still makes sense."
    )
    way_out = f"-- before:\n{away}" + (f"-- afterwards:\n{again}" if again else "")
    return MigrationRefusedError(sentence, statement=statement, way_out=way_out.rstrip())


def quoted(connection: sa.Connection, name: str) -> str:
    """Return *name* as a quoted identifier."""
    return connection.dialect.identifier_preparer.quote_identifier(name)


def histogram(connection: sa.Connection, table: str, column: str) -> dict[str | None, int]:
    """Return the number of rows per value, comparing values byte by byte."""
    source = sa.table(table, sa.column(column))
    value: sa.ColumnElement[Any] = source.c[column]
    if connection.dialect.name == "postgresql":
        value = sa.cast(value, sa.Text())
    elif connection.dialect.name in {"mysql", "mariadb"}:
        value = sa.func.hex(sa.cast(value, sa.BINARY()))
    query = sa.select(value, sa.func.count()).select_from(source).group_by(value)
    return {row[0]: row[1] for row in connection.execute(query)}


def same_rows(connection: sa.Connection, table: str, column: str, before: dict[str | None, int]) -> None:
    """Check that every value still occurs as often as *before*.

    :raises MigrationRefusedError: if not; a transaction, if any, is rolled back.
    """
    after = histogram(connection, table, column)
    if after != before:
        raise MigrationRefusedError(f"{table}.{column} does not hold what it held before")


def run(connection: sa.Connection, statement: str) -> None:
    """Run *statement* unchanged, including percent signs and colons."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


_LITERALS = r"'(?:[^']|'')*'(?:::[\w\".\s]+?)?"


def is_closed_list(clause: str, names: tuple[str, ...]) -> bool:
    """Return whether the CHECK *clause* only requires the column to be one of a list of strings.

    :param names: the forms the column's name may take in it.
    """
    text = clause.strip()
    while text.startswith("(") and _closes(text) == len(text) - 1:
        text = text[1:-1].strip()
    name = "|".join(re.escape(form) for form in names)
    subject = rf"\(?(?:{name})\)?(?:::text|::character varying)?"
    lists = rf"{_LITERALS}(?:\s*,\s*{_LITERALS})*"
    forms = (
        rf"{subject}\s+in\s*\(\s*{lists}\s*\)",
        rf"{subject}\s*=\s*any\s*\(\(?array\[\s*{lists}\s*\]\)?(?:::[\w\"\[\].\s]+)?\)",
        rf"{subject}\s*=\s*{_LITERALS}",
    )
    return any(re.fullmatch(form, text, re.IGNORECASE) for form in forms)


def _closes(text: str) -> int:
    """Return the position of the parenthesis that closes the first one in *text*, or -1."""
    depth = 0
    for index, char in unquoted(text):
        if char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return index
    return -1


def unquoted(text: str) -> list[tuple[int, str]]:
    """Return the characters of *text* outside quotes and comments, with their positions."""
    found: list[tuple[int, str]] = []
    index = 0
    pairs = {"'": "'", '"': '"', "`": "`", "[": "]"}
    while index < len(text):
        char = text[index]
        if text.startswith("--", index):
            stop = text.find("\n", index)
            index = len(text) if stop < 0 else stop
            continue
        if text.startswith("/*", index):
            stop = text.find("*/", index + 2)
            index = len(text) if stop < 0 else stop + 2
            continue
        if char in pairs:
            end = pairs[char]
            index += 1
            while index < len(text):
                if text[index] == end:
                    if end != "]" and text[index + 1 : index + 2] == end:
                        index += 2
                        continue
                    break
                index += 1
            index += 1
            continue
        found.append((index, char))
        index += 1
    return found
