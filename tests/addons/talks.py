"""A table with a closed column, dressed up with everything that is easily lost, for tests of widening it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from host.sdk.migrations import enum_to_varchar

postgresql_only = pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
mariadb_only = pytest.mark.parametrize("empty_url", ["mariadb"], indirect=True)
servers_only = pytest.mark.parametrize("empty_url", ["postgresql", "mariadb"], indirect=True)

ROWS = 60
LABELS = ("email", "chat", "phone")


def execute(connection: sa.Connection, *statements: str) -> None:
    for statement in statements:
        connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


DDL = {
    "sqlite": (
        """CREATE TABLE talks (
            id INTEGER PRIMARY KEY AUTOINCREMENT, -- a comment, with a comma
            note VARCHAR(40) NOT NULL COLLATE NOCASE,
            channel VARCHAR(5) DEFAULT 'email' NOT NULL,
            size INTEGER CHECK (size >= 0),
            twice INTEGER GENERATED ALWAYS AS (size * 2) STORED,
            CONSTRAINT ck_talks_note CHECK (note <> 'a, (b'),
            CONSTRAINT ck_talks_channel CHECK (channel IN ('email', 'chat', 'phone'))
        )""",
        "CREATE INDEX ix_talks_partial ON talks (note) WHERE channel = 'chat'",
        "CREATE INDEX ix_talks_upper ON talks (upper(note))",
        "CREATE TABLE seen (id INTEGER)",
        "CREATE TRIGGER tr_talks AFTER DELETE ON talks BEGIN INSERT INTO seen VALUES (old.id); END",
    ),
    "postgresql": (
        "CREATE TYPE kind_of_talk AS ENUM ('email', 'chat', 'phone')",
        """CREATE TABLE talks (
            id SERIAL PRIMARY KEY, note VARCHAR(40) NOT NULL CONSTRAINT ck_talks_note CHECK (note <> 'a, (b'),
            channel kind_of_talk NOT NULL DEFAULT 'email', size INTEGER CHECK (size >= 0),
            CONSTRAINT ck_talks_other CHECK (channel <> 'phone' OR size IS NOT NULL)
        )""",
        "COMMENT ON COLUMN talks.channel IS 'where it''s from: 100%'",
        "CREATE INDEX ix_talks_partial ON talks (note) WHERE channel = 'chat'",
        "CREATE INDEX ix_talks_expression ON talks ((channel = 'email'))",
    ),
    "mariadb": (
        """CREATE TABLE talks (
            id INTEGER PRIMARY KEY AUTO_INCREMENT, note VARCHAR(40) NOT NULL,
            channel ENUM('email', 'chat', 'phone') CHARACTER SET ascii COLLATE ascii_bin
                NOT NULL DEFAULT 'email' COMMENT 'where it''s from: 100%',
            size INTEGER CHECK (size >= 0), CONSTRAINT ck_talks_note CHECK (note <> 'a, (b'),
            CONSTRAINT ck_talks_list CHECK (channel IN ('email', 'chat', 'phone'))
        ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
    ),
}
SHARED_DDL = (
    "CREATE INDEX ix_talks_channel ON talks (channel)",
    "CREATE UNIQUE INDEX uq_talks_channel_note ON talks (channel, note)",
    "CREATE TABLE entries (id INTEGER PRIMARY KEY,"
    " talk_id INTEGER NOT NULL, FOREIGN KEY (talk_id) REFERENCES talks (id) ON DELETE CASCADE)",
)


def make(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        execute(connection, *DDL[engine.dialect.name], *SHARED_DDL)
        for number in range(ROWS):
            connection.execute(
                sa.text("INSERT INTO talks (note, channel, size) VALUES (:note, :channel, :size)"),
                {"note": f"n{number}", "channel": LABELS[number % 3], "size": number},
            )
        ids = connection.scalars(sa.text("SELECT id FROM talks ORDER BY id")).all()
        for number, talk in enumerate(ids):
            connection.execute(
                sa.text("INSERT INTO entries (id, talk_id) VALUES (:id, :talk)"), {"id": number, "talk": talk}
            )
        # The highest id is gone, so that a sequence made anew from the rows would give it out again.
        connection.execute(sa.text("DELETE FROM talks WHERE id = :id"), {"id": ids[-1]})


def content(engine: sa.Engine) -> tuple[Any, ...]:
    """Return every row that must survive."""
    with engine.connect() as connection:
        talks = connection.execute(sa.text("SELECT id, note, channel, size FROM talks ORDER BY id")).all()
        entries = connection.execute(sa.text("SELECT id, talk_id FROM entries ORDER BY id")).all()
        return [tuple(row) for row in talks], [tuple(row) for row in entries]


def convert(engine: sa.Engine) -> bool:
    with engine.begin() as connection:
        return enum_to_varchar(connection, "talks", "channel")


def column(engine: sa.Engine, name: str = "channel") -> Any:
    return next(c for c in sa.inspect(engine).get_columns("talks") if c["name"] == name)


def index_names(engine: sa.Engine) -> set[str]:
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            return set(
                connection.scalars(
                    sa.text("SELECT name FROM sqlite_master WHERE type='index' AND sql IS NOT NULL")
                )
            )
    return {str(index["name"]) for index in sa.inspect(engine).get_indexes("talks")}


def insert(engine: sa.Engine, **values: Any) -> None:
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    with engine.begin() as connection:
        connection.execute(sa.text(f"INSERT INTO talks ({names}) VALUES ({marks})"), values)


def fill(engine: sa.Engine, count: int) -> None:
    """Add *count* rows, every label in turn."""
    with engine.begin() as connection:
        execute(
            connection,
            {
                "postgresql": "INSERT INTO talks (note, channel, size) SELECT 'row ' || n,"
                " (ARRAY['email', 'chat', 'phone'])[1 + n % 3]::kind_of_talk, n"
                f" FROM generate_series(1, {count}) n",
                "mariadb": "INSERT INTO talks (note, channel, size) SELECT CONCAT('row ', seq),"
                f" ELT(1 + seq % 3, 'email', 'chat', 'phone'), seq FROM seq_1_to_{count}",
                "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n <"
                f" {count}) INSERT INTO talks (note, channel, size) SELECT 'row ' || n,"
                " CASE n % 3 WHEN 0 THEN 'email' WHEN 1 THEN 'chat' ELSE 'phone' END, n FROM s",
            }[engine.dialect.name],
        )
