"""What an SQL statement would change, read from its text."""

from __future__ import annotations

import pytest

from host.addons.migrating.statements import effects

ALL = ("sqlite", "postgresql", "mariadb")

CHANGES = [
    (ALL, 'CREATE TABLE IF NOT EXISTS "a b" (id INTEGER)', ["CREATE TABLE a b"]),
    (ALL, "create /* a ; comment */ table x (y text default 'a;b') -- drop table z", ["CREATE TABLE x"]),
    (ALL, "ALTER TABLE x ADD COLUMN renamed INTEGER", ["ALTER TABLE x"]),
    (ALL, "ALTER TABLE x RENAME TO y", ["ALTER TABLE x", "ALTER TABLE y"]),
    (ALL, "ALTER TABLE x RENAME COLUMN a TO b", ["ALTER TABLE x"]),
    (("mariadb",), "ALTER TABLE x RENAME y", ["ALTER TABLE x", "ALTER TABLE y"]),
    (("mariadb",), "ALTER TABLE x RENAME INDEX a TO b, ADD KEY (c)", ["ALTER TABLE x"]),
    (ALL, "DROP TABLE IF EXISTS x, y CASCADE", ["DROP TABLE x", "DROP TABLE y"]),
    (ALL, "CREATE UNIQUE INDEX IF NOT EXISTS i ON x (a, b)", ["CREATE INDEX x"]),
    (("postgresql",), "CREATE INDEX CONCURRENTLY ON ONLY x USING btree (a)", ["CREATE INDEX x"]),
    (("postgresql",), "DROP INDEX IF EXISTS i, j", ["DROP INDEX i", "DROP INDEX j"]),
    (("mariadb",), "DROP INDEX i ON x", ["DROP INDEX x"]),
    (ALL, "INSERT INTO s.x (a) VALUES (REPLACE('a', 'b', 'c'))", ["INSERT s.x"]),
    (("sqlite",), "INSERT OR REPLACE INTO x SELECT 1", ["INSERT x"]),
    (("sqlite", "mariadb"), "REPLACE INTO x VALUES (1)", ["REPLACE x"]),
    (("mariadb",), "INSERT INTO x VALUES (1) ON DUPLICATE KEY UPDATE a = 1", ["INSERT x"]),
    (("sqlite", "postgresql"), "INSERT INTO x VALUES (1) ON CONFLICT DO UPDATE SET a = 1", ["INSERT x"]),
    (ALL, "UPDATE x SET a = (SELECT 1 FROM y)", ["UPDATE x"]),
    (("mariadb",), "UPDATE x AS a JOIN y AS b ON a.i = b.i SET a.c = b.c", ["UPDATE x", "UPDATE y"]),
    (ALL, "DELETE FROM x WHERE a IN (SELECT a FROM y)", ["DELETE x"]),
    (("mariadb",), "DELETE b FROM a JOIN b", ["DELETE b"]),
    (("postgresql",), "WITH w AS (DELETE FROM x RETURNING *) SELECT * FROM w", ["DELETE x"]),
    (ALL, "WITH w AS (SELECT 1) INSERT INTO x SELECT * FROM w", ["INSERT x"]),
    (("postgresql",), "EXPLAIN ANALYZE DELETE FROM x", ["DELETE x"]),
    (("postgresql",), "SELECT * INTO TEMP x FROM y", ["SELECT INTO x"]),
    (("postgresql",), "TRUNCATE x, y", ["TRUNCATE x", "TRUNCATE y"]),
    (("postgresql",), "COMMENT ON COLUMN x.a IS 'drop table y'", ["COMMENT x"]),
    (("postgresql",), "CREATE TYPE t AS ENUM ('a')", ["CREATE TYPE t"]),
    (("postgresql",), "ALTER TYPE t ADD VALUE 'b'", ["ALTER TYPE t"]),
    (("postgresql",), "LOCK TABLE x IN ACCESS EXCLUSIVE MODE", ["LOCK x"]),
    (ALL, "UPDATE x SET a = 1; DROP TABLE y", ["UPDATE x", "DROP TABLE y"]),
]
NOTHING = [
    (ALL, ""),
    (ALL, "SELECT 'x; DROP TABLE y' AS \"update\" -- INSERT INTO z"),
    (ALL, "SELECT replace(a, 'b', 'c'), insert(1) FROM x FOR UPDATE"),
    (("sqlite",), 'PRAGMA main.table_xinfo("x")'),
    (("sqlite",), "PRAGMA foreign_keys"),
    (("sqlite",), "BEGIN IMMEDIATE"),
    (("sqlite",), "SELECT [drop table x] FROM y"),
    (("postgresql",), "SELECT $q$; DROP TABLE x; $q$, E'\\'; DROP TABLE x'"),
    (("mariadb",), "SELECT '\\'; DROP TABLE x' # ; DROP TABLE x"),
    (("mariadb",), "SET SESSION lock_wait_timeout = 1"),
    (("mariadb",), "SHOW CREATE TABLE `x`"),
]
UNKNOWN = [
    (ALL, "COMMIT"),
    (ALL, "CREATE VIEW v AS SELECT 1"),
    (ALL, "CREATE TRIGGER t AFTER INSERT ON x BEGIN DELETE FROM y; END"),
    (ALL, "CREATE OR REPLACE TABLE x (a INTEGER)"),
    (ALL, "GRANT ALL ON x TO y"),
    (("sqlite",), "PRAGMA writable_schema = 1"),
    (("sqlite",), "PRAGMA foreign_keys(1)"),
    (("sqlite",), "ATTACH 'x' AS y"),
    (("postgresql",), "DO $$ BEGIN DROP TABLE x; END $$"),
    (("postgresql",), "COPY x FROM '/etc/passwd'"),
    (("postgresql",), "SELECT 'a\\'; DO $$x$$ --'"),
    (("mariadb",), "/*! DROP TABLE x */"),
    (("mariadb",), "/*M!100100 DROP TABLE x */"),
    (("mariadb",), "RENAME TABLE x TO y"),
    (("mariadb",), "SET GLOBAL sql_mode = ''"),
    (("mariadb",), "SET STATEMENT max_statement_time = 1 FOR DROP TABLE x"),
    (("mariadb",), "CALL p()"),
    (("mariadb",), "SELECT 1 INTO OUTFILE '/tmp/x'"),
]


def each(rows: list[tuple[object, ...]]) -> list[object]:
    return [pytest.param(dialect, *rest) for dialects, *rest in rows for dialect in dialects]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("dialect", "statement", "changed"), each(CHANGES))  # type: ignore[arg-type]
def test_what_a_statement_changes(dialect: str, statement: str, changed: list[str]) -> None:
    assert [f"{effect.verb} {effect.name}" for effect in effects(statement, dialect)] == changed


@pytest.mark.parametrize(("dialect", "statement"), each(NOTHING))  # type: ignore[arg-type]
def test_what_only_reads_changes_nothing(dialect: str, statement: str) -> None:
    assert effects(statement, dialect) == []


@pytest.mark.parametrize(("dialect", "statement"), each(UNKNOWN))  # type: ignore[arg-type]
def test_what_is_not_known_names_no_table(dialect: str, statement: str) -> None:
    found = effects(statement, dialect)
    assert any(effect.kind == "" or effect.name in {"", "OUTFILE"} for effect in found), found
