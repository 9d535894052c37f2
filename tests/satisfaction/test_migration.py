"""The addon's migration on every database, and again from wherever it died."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from host.core import db, migrations
from tests.satisfaction.conftest import ADDON, SLUG, Survey

DIRECTORY = ADDON / "migrations"
VERSIONS = migrations.addon_version_table(SLUG)
TABLE = "satisfaction_answers"


def _migrate(database: db.Database) -> None:
    with migrations.locked(database.url.render_as_string(hide_password=False)) as engine:
        migrations.upgrade(engine, DIRECTORY, VERSIONS)


def test_it_makes_the_table_the_model_describes(any_survey: Survey, any_database: db.Database) -> None:
    table = any_survey.models.Base.metadata.tables[TABLE]
    inspector = sa.inspect(any_database.write_engine)
    found = {column["name"]: column["nullable"] for column in inspector.get_columns(TABLE)}
    assert found == {column.name: column.nullable for column in table.columns}
    assert {index.name for index in table.indexes} <= {one["name"] for one in inspector.get_indexes(TABLE)}
    uniques = {tuple(one["column_names"]) for one in inspector.get_unique_constraints(TABLE)}
    assert ("event_id",) in uniques
    keys = {tuple(one["constrained_columns"]): one["options"] for one in inspector.get_foreign_keys(TABLE)}
    assert keys.keys() == {("workspace_id",), ("conversation_id",), ("contact_id",)}
    assert {options["ondelete"] for options in keys.values()} == {"CASCADE"}


@pytest.mark.parametrize("left", ["nothing", "table"])
def test_it_goes_on_from_wherever_it_died(any_survey: Survey, any_database: db.Database, left: str) -> None:
    with any_database.write_engine.begin() as connection:
        if left == "nothing":
            connection.exec_driver_sql(f"DROP TABLE {TABLE}")
        connection.exec_driver_sql(f"DELETE FROM {VERSIONS}")
    _migrate(any_database)
    any_survey.talked()
    any_survey.tap(4)
    any_survey.hear()
    assert any_survey.rows() == [("asked", 4, None)]


def test_a_deleted_conversation_takes_its_answer_along(any_survey: Survey, any_database: db.Database) -> None:
    any_survey.talked()
    with any_database.write_engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM conversations")
    assert any_survey.rows() == []


def test_downgrading_drops_the_table(any_survey: Survey, any_database: db.Database) -> None:
    with migrations.locked(any_database.url.render_as_string(hide_password=False)) as engine:
        migrations.downgrade(engine, DIRECTORY, VERSIONS, "base")
    assert TABLE not in sa.inspect(any_database.write_engine).get_table_names()
    _migrate(any_database)
    assert any_survey.rows() == []
