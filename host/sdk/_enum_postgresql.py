"""PostgreSQL: one ALTER that changes type and default together, in the migration's transaction."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from host.sdk._enum import (
    MigrationRefusedError,
    histogram,
    in_the_way,
    is_closed_list,
    quoted,
    run,
    same_rows,
)

_COLUMN = sa.text("""
    SELECT c.oid AS table_oid, c.relkind::text AS relkind, a.attnum AS attnum, a.attinhcount AS inherited,
           a.attgenerated::text AS generated, a.atttypmod AS typmod, t.oid AS type_oid, t.typname AS typname,
           t.typtype::text AS typtype, t.typarray AS array_oid, format_type(t.oid, NULL) AS type_name,
           pg_get_expr(d.adbin, d.adrelid) AS column_default
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = :column AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.oid = to_regclass(:table)
""")
# Each object that depends on the column: its name, SQL to drop it, SQL to recreate it.
_OBSTACLES = sa.text("""
    SELECT DISTINCT 'the view ' || v.relname AS what,
           format('DROP %s %s', CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                  v.oid::regclass) AS away,
           format('CREATE %s %s AS %s', CASE v.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END,
                  v.oid::regclass, rtrim(pg_get_viewdef(v.oid), ';')) AS again
      FROM pg_depend p
      JOIN pg_rewrite r ON r.oid = p.objid JOIN pg_class v ON v.oid = r.ev_class
      WHERE p.classid = 'pg_rewrite'::regclass AND p.refobjid = :table_oid AND p.refobjsubid = :attnum
    UNION ALL SELECT 'the trigger ' || g.tgname,
      format('DROP TRIGGER %I ON %s', g.tgname, g.tgrelid::regclass),
      pg_get_triggerdef(g.oid, true)
      FROM pg_trigger g
      WHERE g.tgrelid = :table_oid AND NOT g.tgisinternal
        AND (:attnum = ANY (g.tgattr::int2[]) OR EXISTS (SELECT 1 FROM pg_depend p
          WHERE p.classid = 'pg_trigger'::regclass AND p.objid = g.oid AND p.refobjid = :table_oid
            AND p.refobjsubid = :attnum))
    UNION ALL SELECT 'the policy ' || y.polname,
      format('DROP POLICY %I ON %s', y.polname, y.polrelid::regclass),
      format('-- as in: SELECT * FROM pg_policies WHERE policyname = %L', y.polname)
      FROM pg_policy y
      JOIN pg_depend p ON p.classid = 'pg_policy'::regclass AND p.objid = y.oid
      WHERE p.refobjid = :table_oid AND p.refobjsubid = :attnum
    UNION ALL SELECT 'the computed column ' || a.attname,
      format('ALTER TABLE %s DROP COLUMN %I', d.adrelid::regclass, a.attname),
      format('ALTER TABLE %s ADD COLUMN %I %s GENERATED ALWAYS AS (%s) STORED',
             d.adrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod),
             replace(pg_get_expr(d.adbin, d.adrelid), '::' || :type_name, '::text'))
      FROM pg_attrdef d
      JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated <> ''
      JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
      WHERE p.refobjid = :table_oid AND p.refobjsubid = :attnum
    UNION ALL SELECT 'the foreign key ' || k.conname,
      format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::regclass, k.conname), ''
      FROM pg_constraint k
      WHERE k.contype = 'f' AND ((k.conrelid = :table_oid AND :attnum = ANY (k.conkey))
        OR (k.confrelid = :table_oid AND :attnum = ANY (k.confkey)))
""")
_INDEXES = sa.text("""
    SELECT i.indexrelid::regclass::text AS name, pg_get_indexdef(i.indexrelid) AS definition,
           EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid) AS backs
    FROM pg_index i
    WHERE i.indrelid = :table_oid AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)
      AND EXISTS (SELECT 1 FROM pg_depend p WHERE p.classid = 'pg_class'::regclass AND p.objid = i.indexrelid
        AND p.refobjid = :table_oid AND p.refobjsubid = :attnum)
    ORDER BY 1
""")
_CHECKS = sa.text("""
    SELECT k.conname AS name, pg_get_constraintdef(k.oid) AS definition,
           pg_get_expr(k.conbin, k.conrelid) AS clause
    FROM pg_constraint k WHERE k.contype = 'c' AND k.conrelid = :table_oid AND :attnum = ANY (k.conkey)
    ORDER BY 1
""")
_USERS = sa.text("""
    SELECT COUNT(*) FROM pg_depend p
    WHERE p.refclassid = 'pg_type'::regclass AND p.refobjid IN (:type_oid, :array_oid)
      AND p.deptype IN ('n', 'a')
      AND NOT (p.classid = 'pg_type'::regclass AND p.objid IN (:type_oid, :array_oid))
""")
_LONGEST = sa.text("SELECT COALESCE(MAX(LENGTH(enumlabel)), 0) FROM pg_enum WHERE enumtypid = :type_oid")


def convert(connection: sa.Connection, table: str, column: str, length: int) -> bool:
    """Convert the enum column to VARCHAR. See :func:`host.sdk.migrations.enum_to_varchar`."""
    name = quoted(connection, table)
    facts = connection.execute(_COLUMN, {"table": name, "column": column}).one_or_none()
    if facts is None:
        raise MigrationRefusedError(f"there is no column {table}.{column}")
    if facts.typname == "text" or (
        facts.typname == "varchar" and (facts.typmod < 0 or facts.typmod - 4 >= length)
    ):
        return False
    if facts.typtype != "e" and facts.typname != "varchar":
        raise MigrationRefusedError(f"{table}.{column} is {facts.type_name}, neither an enum nor text")
    if facts.relkind != "r" or facts.inherited or facts.generated:
        raise MigrationRefusedError(f"{table}.{column} is partitioned, inherited or computed")
    # Lock first, so that no row or view is added between the checks and the change.
    run(connection, f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    where = {"table_oid": facts.table_oid, "attnum": facts.attnum}
    obstacles = connection.execute(_OBSTACLES, {**where, "type_name": facts.type_name}).all()
    if obstacles:
        raise in_the_way(
            table,
            column,
            [(row.what, row.away, row.again) for row in obstacles],
            f"ALTER TABLE {name} ALTER COLUMN {quoted(connection, column)} TYPE VARCHAR({length})",
        )
    if (
        facts.typtype == "e"
        and connection.execute(_LONGEST, {"type_oid": facts.type_oid}).scalar_one() > length
    ):
        raise MigrationRefusedError(f"a value of {facts.type_name} is longer than {length} characters")
    before = histogram(connection, table, column)
    again = _set_aside(connection, name, table, column, facts, where)
    _alter(connection, name, table, column, facts, length)
    for statement in again:
        run(connection, statement)
    same_rows(connection, table, column, before)
    if facts.typtype == "e":
        _drop_type(connection, facts)
    return True


def _set_aside(
    connection: sa.Connection, name: str, table: str, column: str, facts: Any, where: dict[str, Any]
) -> list[str]:
    """Drop indexes and CHECKs that name the enum type; return the statements that recreate them."""
    again: list[str] = []
    for index in connection.execute(_INDEXES, where).all():
        if index.backs:
            raise MigrationRefusedError(f"a constraint of {table} rests on the index {index.name}")
        run(connection, f"DROP INDEX {index.name}")
        again.append(_as_text(index.definition, facts.type_name))
    forms = (column, quoted(connection, column))
    for check in connection.execute(_CHECKS, where).all():
        constraint = quoted(connection, check.name)
        if is_closed_list(check.clause, forms):
            run(connection, f"ALTER TABLE {name} DROP CONSTRAINT {constraint}")
        elif facts.typtype == "e" and f"::{facts.type_name}" in check.definition:
            run(connection, f"ALTER TABLE {name} DROP CONSTRAINT {constraint}")
            definition = _as_text(check.definition, facts.type_name)
            again.append(f"ALTER TABLE {name} ADD CONSTRAINT {constraint} {definition}")
    return again


def _as_text(definition: str, type_name: str) -> str:
    return re.sub(rf"::{re.escape(type_name)}(?![\w.])", "::text", definition)


def _alter(connection: sa.Connection, name: str, table: str, column: str, facts: Any, length: int) -> None:
    field = quoted(connection, column)
    changes = [f"ALTER COLUMN {field} TYPE VARCHAR({length}) USING {field}::text"]
    default = facts.column_default
    if default is not None and facts.typtype == "e":
        match = re.fullmatch(rf"('(?:[^']|'')*')::{re.escape(facts.type_name)}", default)
        if match is None:
            raise MigrationRefusedError(f"the default of {table}.{column} is computed: {default}")
        # A default that is not set again keeps the enum type.
        changes = [
            f"ALTER COLUMN {field} DROP DEFAULT",
            *changes,
            f"ALTER COLUMN {field} SET DEFAULT {match.group(1)}",
        ]
    run(connection, f"ALTER TABLE {name} {', '.join(changes)}")


def _drop_type(connection: sa.Connection, facts: Any) -> None:
    """Drop the enum type, unless something else uses it."""
    used = connection.execute(_USERS, {"type_oid": facts.type_oid, "array_oid": facts.array_oid}).scalar_one()
    if not used:
        run(connection, f"DROP TYPE {facts.type_name} RESTRICT")
