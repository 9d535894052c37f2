"""The id of a row that was deleted isn't given to another one, for stored definitions name rows by id.

PostgreSQL never gives one out again, and MariaDB keeps the counter since 10.2.4.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from host.core import clock, db, migrations
from host.core.db import Base

NAMED = (
    *("labels", "teams", "contact_attributes", "canned_replies", "macros", "saved_views", "endpoints"),
    *("users", "workspaces", "channel_accounts", "api_keys", "language_models", "assistant_tools"),
    *("knowledge_entries", "assistants", "rules", "sequences", "button_answers", "posts"),
)
"""Tables whose rows are named by id in stored JSON, in keys, or in the event log, and can be deleted."""
BEFORE, AFTER = "0062", "0063"


def _value(column: sa.Column[Any], made: dict[str, int]) -> Any:
    """Return a value for a column that needs one."""
    for key in column.foreign_keys:
        return made[key.column.table.name]
    if isinstance(column.type, sa.JSON):
        return {}
    if isinstance(column.type, db.UTCDateTime):
        return clock.now()
    kind = column.type.python_type
    return f"x{len(made)}" if kind is str else kind(1)


def _insert(session: Any, name: str, made: dict[str, int]) -> int:
    """Insert a row with what it needs, and the rows it refers to; return its id."""
    table = Base.metadata.tables[name]
    needed = [
        one
        for one in table.columns
        if not one.nullable and one.server_default is None and not (one.primary_key and one.name == "id")
    ]
    for column in needed:
        for key in column.foreign_keys:
            of = key.column.table.name
            if of not in made:
                made[of] = _insert(session, of, made)
    row = {one.name: _value(one, made) for one in needed}
    return int(session.execute(sa.insert(table).values(row)).inserted_primary_key[0])


@pytest.mark.parametrize("name", NAMED)
def test_an_id_is_given_out_once(any_database: db.Database, name: str) -> None:
    table = Base.metadata.tables[name]

    def add(session: Any) -> int:
        return _insert(session, name, {})

    first = any_database.write(add)
    any_database.write(lambda session: session.execute(sa.delete(table).where(table.c.id == first)) and None)
    made: dict[str, int] = {}

    def again(session: Any) -> int:
        # What it refers to is there already.
        for key in table.foreign_keys:
            of = key.column.table
            found = session.scalar(sa.select(sa.func.max(of.c.id)))
            if found is not None:
                made[of.name] = found
        return _insert(session, name, made)

    assert any_database.write(again) > first


def _at(path: Path, revision: str) -> sqlite3.Connection:
    with migrations.locked(f"sqlite:///{path}") as engine:
        migrations.upgrade(engine, migrations.host_directory(), migrations.HOST_VERSION_TABLE, revision)
    return sqlite3.connect(path)


def _shape(connection: sqlite3.Connection, table: str) -> dict[str, Any]:
    """Return the columns, keys, indexes and unique rules of a table."""
    indexes = {row[1:3]: row[3:] for row in connection.execute(f"PRAGMA index_list({table})")}
    named = {
        name: [one[2] for one in connection.execute(f"PRAGMA index_info({name})")]
        for name, _unique in indexes
    }
    return {
        "columns": connection.execute(f"PRAGMA table_info({table})").fetchall(),
        "refers": sorted(row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({table})")),
        "indexes": indexes,
        "named": named,
    }


def _put(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", [*values.values()])


AT = "2026-01-01 00:00:00"


@pytest.mark.slow
def test_an_old_file_keeps_its_rows_and_what_refers_to_them(tmp_path: Path) -> None:
    path = tmp_path / "x.sqlite3"
    old = _at(path, BEFORE)
    _put(old, "workspaces", id=4, name="Pottery", created_at=AT)
    _put(old, "labels", id=7, workspace_id=4, name="Glaze", name_key="g", tone="grey", created_at=AT)
    _put(old, "teams", id=3, workspace_id=4, name="Kiln", name_key="k", created_at=AT)
    _put(
        old, "users", id=2, email="a@b", name="A", password_hash="x", is_admin=0, theme="auto", created_at=AT
    )
    _put(old, "memberships", user_id=2, workspace_id=4, role="agent")
    _put(old, "team_members", team_id=3, user_id=2, workspace_id=4, lead=1, since=AT)
    _put(
        old,
        "rules",
        id=1,
        workspace_id=4,
        name="R",
        state="live",
        position=1,
        version=1,
        state_at=AT,
        created_at=AT,
    )
    body = (
        '{"actions": [{"do": "label", "label": 12}, {"do": "team", "team": 2}, {"do": "reply", "canned": 5}]}'
    )
    _put(old, "rule_versions", rule_id=1, number=1, body=body, author="A", at=AT)
    _put(
        old,
        "saved_views",
        id=1,
        workspace_id=4,
        name="V",
        condition='{"labels": [9], "team": 6}',
        position=1,
        created_at=AT,
    )
    _put(old, "domain_events", workspace_id=4, kind="label.deleted", at=AT, data='{"label": 15}')
    old.commit()
    tables = [row[0] for row in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    tables = [one for one in tables if not one.startswith("sqlite_")]
    shapes = {table: _shape(old, table) for table in tables}
    rows = {table: old.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    old.close()

    new = _at(path, AFTER)
    last = dict(new.execute("SELECT name, seq FROM sqlite_sequence"))
    for table in tables:
        if table != migrations.HOST_VERSION_TABLE:
            assert new.execute(f"SELECT * FROM {table}").fetchall() == rows[table], table
            assert _shape(new, table) == shapes[table], table
    assert new.execute("PRAGMA foreign_key_check").fetchall() == []
    assert new.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    for table in NAMED:
        (sql,) = new.execute("SELECT sql FROM sqlite_master WHERE name = ?", [table]).fetchone()
        assert "AUTOINCREMENT" in sql, table
    assert last["labels"] == 15, "a deleted label that the event log knows"
    assert last["teams"] == 6, "a deleted team that a view names"
    assert last["canned_replies"] == 5, "a deleted canned reply that a rule names"
    assert (last["workspaces"], last["users"]) == (4, 2)
    new.execute("PRAGMA foreign_keys=ON")
    new.execute("DELETE FROM teams")
    assert new.execute("SELECT * FROM team_members").fetchall() == [], "what refers to a row goes with it"
    new.close()
