"""Migrations of the host leave the release before at work, or say since which release they do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from packaging.version import Version

import host
from host.core import migrations
from tests import mail

HEAD = '''"""A step."""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = {before!r}
{more}

def upgrade() -> None:
    {body}
'''

Schema = dict[str, dict[str, Any]]


def schema(engine: sa.Engine) -> Schema:
    """Return what a process reads and writes of each table, and what it has to keep to."""
    inspector = sa.inspect(engine)
    found: Schema = {}
    for table in inspector.get_table_names():
        unique = [one["column_names"] for one in inspector.get_unique_constraints(table)]
        unique += [one["column_names"] for one in inspector.get_indexes(table) if one["unique"]]
        rules: list[Any] = [
            *(("unique", sorted(filter(None, columns))) for columns in unique),
            *(
                ("refers", sorted(one["constrained_columns"]), one["referred_table"])
                for one in inspector.get_foreign_keys(table)
            ),
            *(("check", one["sqltext"]) for one in inspector.get_check_constraints(table)),
            ("key", inspector.get_pk_constraint(table)["constrained_columns"]),
        ]
        columns = {one["name"]: one for one in inspector.get_columns(table)}
        found[table] = {"columns": columns, "rules": rules}
    return found


def taken_away(before: Schema, after: Schema) -> Iterator[str]:
    """Yield what code that knows *before* cannot do on *after*."""
    for table, was in before.items():
        if table not in after:
            yield f"{table} is gone"
            continue
        now = after[table]
        for name, old in was["columns"].items():
            new = now["columns"].get(name)
            if new is None:
                yield f"{table}.{name} is gone"
            elif str(new["type"]) != str(old["type"]):
                yield f"{table}.{name} was {old['type']} and is {new['type']}"
            elif old["nullable"] and not new["nullable"]:
                yield f"{table}.{name} takes no NULL any more"
            elif old["default"] is not None and new["default"] is None:
                yield f"{table}.{name} has no default any more"
        for name, new in now["columns"].items():
            if name not in was["columns"] and not new["nullable"] and new["default"] is None:
                yield f"{table}.{name} is new, and who does not know it cannot write a row"
        for rule in now["rules"]:
            if rule not in was["rules"]:
                yield f"{table} has a new rule: {rule}"


def steps(url: str, directory: Path, table: str) -> Iterator[tuple[str, str | None, list[str]]]:
    """Run the revisions of *directory*; yield each with its contract and what it took away."""
    for revision in migrations.pending(url, directory, table):
        with migrations.locked(url) as engine:
            before = schema(engine)
            migrations.upgrade(engine, directory, table, revision)
            found = list(taken_away(before, schema(engine)))
        (contract,) = (
            one.get("contract")
            for one in map(migrations._constants, (directory / "versions").glob("*.py"))
            if one["revision"] == revision
        )
        yield revision, contract, found


@pytest.mark.slow
def test_a_release_works_on_the_tables_of_the_next(tmp_path: Path) -> None:
    """One that cannot has to say ``contract = "1.2.0"``: the first release that does without."""
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    lines = [
        ("host", migrations.host_directory(), migrations.HOST_VERSION_TABLE),
        ("email", mail.ADDON / "migrations", mail.VERSION_TABLE),
    ]
    for name, directory, table in lines:
        for revision, contract, found in steps(url, directory, table):
            if contract is None:
                assert found == [], f"{name} {revision}"
            else:
                assert found, f"{name} {revision} takes nothing away"
                assert Version(contract) < Version(host.__version__), "a release before has to do without"


NEW_COLUMN = 'op.add_column("desks", sa.Column("x", sa.Integer(){more}))'


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (NEW_COLUMN.format(more=""), None),
        (NEW_COLUMN.format(more=', nullable=False, server_default="0"'), None),
        ('op.create_table("more", sa.Column("id", sa.Integer(), primary_key=True))', None),
        ('op.create_index("ix_desks_name", "desks", ["name"])', None),
        ('op.drop_table("desks")', "desks is gone"),
        ('op.drop_column("desks", "name")', "desks.name is gone"),
        ('op.alter_column("desks", "name", new_column_name="title")', "desks.name is gone"),
        (
            'op.execute("ALTER TABLE desks ADD COLUMN x INTEGER NOT NULL DEFAULT 0")\n    '
            'with op.batch_alter_table("desks") as batch:\n        '
            'batch.alter_column("x", server_default=None, existing_type=sa.Integer())',
            "desks.x is new",
        ),
        (
            'with op.batch_alter_table("desks") as batch:\n        '
            'batch.alter_column("name", nullable=False, existing_type=sa.String(20))',
            "takes no NULL",
        ),
        (
            'with op.batch_alter_table("desks") as batch:\n        '
            'batch.alter_column("name", type_=sa.String(10), existing_type=sa.String(20))',
            "was VARCHAR(20)",
        ),
        ('op.create_index("ux_desks_name", "desks", ["name"], unique=True)', "new rule"),
    ],
)
def test_what_takes_something_away_is_seen(tmp_path: Path, body: str, seen: str | None) -> None:
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    versions = tmp_path / "own" / "versions"
    versions.mkdir(parents=True)
    table = 'op.create_table("desks", sa.Column("id", sa.Integer(), primary_key=True), '
    table += 'sa.Column("name", sa.String(20)))'
    (versions / "0001.py").write_text(HEAD.format(revision="0001", before=None, body=table, more=""))
    (versions / "0002.py").write_text(HEAD.format(revision="0002", before="0001", body=body, more=""))
    (_, _, first), (_, _, found) = steps(url, tmp_path / "own", "own_version")
    assert first == []
    assert found == [] if seen is None else any(seen in one for one in found), found
