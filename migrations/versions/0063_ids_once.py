"""On SQLite the id of a deleted row isn't given out again, so nothing that names it means another row.

Rules, sequences, macros, views, keys and the event log name rows by id. Only SQLite reuses ids: a table
without AUTOINCREMENT goes on after the greatest id it has now. PostgreSQL never does, and MariaDB keeps its
counter since 10.2.4. Each of these small tables is made anew from its own SQL, with its indexes and triggers;
foreign keys are off meanwhile, so what refers to it stays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

TABLES = (
    *("labels", "teams", "contact_attributes", "canned_replies", "macros", "saved_views", "endpoints"),
    *("users", "workspaces", "channel_accounts", "api_keys", "language_models", "assistant_tools"),
    "knowledge_entries",
)
DEFINITIONS = (
    *(("rule_versions", "body"), ("sequence_versions", "body"), ("macros", "steps")),
    *(("saved_views", "condition"), ("api_keys", "limited_to"), ("endpoints", "labels")),
    ("endpoints", "accounts"),
)
KEYS = {
    **dict.fromkeys(("label", "labels", "all_labels", "no_labels"), "labels"),
    **dict.fromkeys(("team", "teams"), "teams"),
    **dict.fromkeys(("person", "people", "assignee"), "users"),
    **dict.fromkeys(("account", "accounts"), "channel_accounts"),
    **dict.fromkeys(("attribute", "attributes"), "contact_attributes"),
    **{"canned": "canned_replies", "macro": "macros", "endpoint": "endpoints"},
}
"""Which table the ids under a key belong to."""
EVENTS = {"label.deleted": ("label", "labels"), "team.deleted": ("team", "teams")}
MOST = 2**31
"""A greater number is no id."""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    last = _named(connection)
    for table in TABLES:
        _rebuild(connection, table)
        _go_on_after(connection, table, last.get(table, 0))


def _rebuild(connection: sa.Connection, table: str) -> None:
    sql = connection.scalar(
        sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name"), {"name": table}
    )
    assert sql is not None
    if "AUTOINCREMENT" in sql:
        return
    key = "id INTEGER NOT NULL"
    without, keys = re.subn(rf",\s*CONSTRAINT pk_{table} PRIMARY KEY \(id\)", "", sql)
    fresh, ids = re.subn(rf"(?<=[(\s]){key}(?=,)", f"{key} PRIMARY KEY AUTOINCREMENT", without, count=1)
    fresh, heads = re.subn(rf'^CREATE TABLE "?{table}"?(?=[\s(])', f"CREATE TABLE _new_{table}", fresh)
    if (keys, ids, heads) != (1, 1, 1):
        raise RuntimeError(f"the SQL of {table} isn't as expected")
    extras = connection.scalars(
        sa.text(
            "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND type IN ('index', 'trigger') "
            "AND sql IS NOT NULL ORDER BY type, name"
        ),
        {"name": table},
    ).all()
    columns = [row.name for row in connection.exec_driver_sql(f"PRAGMA table_info({table})")]
    names = ", ".join(f'"{name}"' for name in columns)
    connection.exec_driver_sql(fresh)
    connection.exec_driver_sql(f"INSERT INTO _new_{table} ({names}) SELECT {names} FROM {table}")  # noqa: S608
    connection.exec_driver_sql(f"DROP TABLE {table}")
    connection.exec_driver_sql(f"ALTER TABLE _new_{table} RENAME TO {table}")
    for extra in extras:
        connection.exec_driver_sql(extra)


def _go_on_after(connection: sa.Connection, table: str, named: int) -> None:
    """Let the next id be greater than every one there is, and than *named*."""
    greatest = connection.scalar(sa.text(f"SELECT max(id) FROM {table}")) or 0  # noqa: S608
    connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table})
    connection.execute(
        sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"),
        {"name": table, "seq": max(greatest, named)},
    )


def _named(connection: sa.Connection) -> dict[str, int]:
    """Return the greatest id of each table that stored definitions and events name, also of deleted rows."""
    last: dict[str, int] = {}
    for table, column in DEFINITIONS:
        for (text,) in connection.exec_driver_sql(f'SELECT "{column}" FROM {table}'):  # noqa: S608
            for key, number in _numbers(json.loads(text or "null"), column):
                if key in KEYS and last.get(KEYS[key], 0) < number < MOST:
                    last[KEYS[key]] = number
    for kind, (fact, table) in EVENTS.items():
        found = connection.scalar(
            sa.text("SELECT max(json_extract(data, :path)) FROM domain_events WHERE kind = :kind"),
            {"path": f"$.{fact}", "kind": kind},
        )
        last[table] = max(last.get(table, 0), found or 0)
    return last


def _numbers(part: Any, key: str) -> Iterator[tuple[str, int]]:
    """Yield the integers in *part*, each with the key it stands under."""
    if isinstance(part, dict):
        for name, one in part.items():
            yield from _numbers(one, name)
    elif isinstance(part, list):
        for one in part:
            yield from _numbers(one, key)
    elif isinstance(part, int) and not isinstance(part, bool):
        yield key, part
