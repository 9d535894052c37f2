"""The host's models and its migrations describe the same tables, on every database."""

from __future__ import annotations

import importlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from host.core import db
from host.core.db import Base

HOST = Path(__file__).parents[2] / "host"

AS_MEANT = {("conversations", "channel")}
"""Born an ENUM of the host's own channels; the model reads it before and after it became VARCHAR."""


def differences(url: str) -> list[Any]:
    for path in sorted(HOST.glob("*/models.py")):
        importlib.import_module(f"host.{path.parent.name}.models")
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found = compare_metadata(context, Base.metadata)
    finally:
        engine.dispose()
    flat = [one for each in found for one in (each if isinstance(each, list) else [each])]
    return [one for one in flat if not _meant(one)]


def _meant(difference: Any) -> bool:
    if difference[0] == "remove_table":
        return bool(difference[1].name not in Base.metadata.tables)  # of an addon
    if difference[0] == "remove_index":
        return bool(difference[1].table.name not in Base.metadata.tables)
    if difference[0] == "modify_type":
        _, _, table, column, _, found, wanted = difference
        # MariaDB has one type for every length of BLOB up to that.
        return (table, column) in AS_MEANT or (
            isinstance(found, sa.types._Binary) and isinstance(wanted, sa.LargeBinary)
        )
    return False


def test_models_and_migrations_agree(any_database: db.Database) -> None:
    assert differences(any_database.url.render_as_string(hide_password=False)) == []


def test_a_difference_would_be_seen(migrated_file: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{shutil.copy(migrated_file, tmp_path)}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_attachments_due_at")
        connection.exec_driver_sql("ALTER TABLE uploads ADD COLUMN forgotten INTEGER")
    engine.dispose()
    assert {one[0] for one in differences(url)} == {"add_index", "remove_column"}


FEW = frozenset({"addon_releases", "addons", "api_keys", "endpoints", "invitations", "sign_ins"})
"""Tables of some hundred rows at most: reading them all takes no time."""


def unindexed(table: sa.Table) -> list[str]:
    """Return the columns of *table* that refer to another one, and that no index begins with."""
    keys = [
        one for one in table.constraints if isinstance(one, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    ]
    first = {next(iter(one.columns)).name for one in (*keys, *table.indexes) if len(one.columns)}
    refer = [next(iter(one.columns)).name for one in table.foreign_key_constraints]
    return [f"{table.name}.{name}" for name in refer if name not in first]


def test_what_is_deleted_with_something_else_is_found_by_an_index() -> None:
    """Else deleting a workspace reads every message of all others, and on SQLite nobody writes meanwhile."""
    tables = [one for one in Base.metadata.tables.values() if one.name not in FEW]
    assert [name for table in tables for name in unindexed(table)] == []
    assert unindexed(Base.metadata.tables["sign_ins"]), "the check sees what has none"


OF_ADDONS = [
    "addons.email.lobby_mail.models",
    "addons.instagram.instagram.models",
    "addons.telegram.telegram.models",
]


@pytest.mark.parametrize("module", OF_ADDONS)
def test_so_is_what_our_own_addons_keep_of_it(module: str) -> None:
    tables = importlib.import_module(module).Base.metadata.sorted_tables
    assert tables
    assert [name for table in tables for name in unindexed(table)] == []
