"""The addon's migration on every database, and again from wherever it died."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from host.core import db, migrations
from tests.instagram import world
from tests.instagram.world import Addon

DIRECTORY = world.ADDON / "migrations"
VERSIONS = "addon_instagram_alembic_version"


def tables(database: db.Database) -> set[str]:
    return set(sa.inspect(database.write_engine).get_table_names())


def url(database: db.Database) -> str:
    return database.url.render_as_string(hide_password=False)


def test_it_makes_the_tables_the_models_describe(any_desk: db.Database, ig: Addon) -> None:
    inspector = sa.inspect(any_desk.write_engine)
    for table in ig.models.Base.metadata.tables.values():
        found = {column["name"]: column["nullable"] for column in inspector.get_columns(table.name)}
        assert found == {column.name: column.nullable for column in table.columns}
        indexes = {index["name"] for index in inspector.get_indexes(table.name)}
        assert {index.name for index in table.indexes} <= indexes
        uniques = {tuple(each["column_names"]) for each in inspector.get_unique_constraints(table.name)}
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                assert tuple(constraint.columns.keys()) in uniques


def test_a_conversation_may_be_of_this_channel_afterwards(any_desk: db.Database) -> None:
    assert migrations.pending(url(any_desk), DIRECTORY, VERSIONS) == []
    column = next(
        c for c in sa.inspect(any_desk.write_engine).get_columns("conversations") if c["name"] == "channel"
    )
    assert isinstance(column["type"], sa.VARCHAR)


def _drop(database: db.Database, statements: list[str]) -> None:
    with database.write_engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize(
    "left",
    [
        ["DROP TABLE instagram_checklist"],
        ["DROP TABLE instagram_checklist", "DROP TABLE instagram_accounts"],
        [],
    ],
)
def test_it_goes_on_from_wherever_it_died(any_desk: db.Database, left: list[str]) -> None:
    _drop(any_desk, [*left, f"DELETE FROM {VERSIONS}"])
    world.migrate(url(any_desk))
    assert {"instagram_accounts", "instagram_checklist"} <= tables(any_desk)
    assert migrations.pending(url(any_desk), DIRECTORY, VERSIONS) == []


def test_an_index_that_was_not_made_yet_is_made(any_desk: db.Database) -> None:
    index = "ix_instagram_accounts_page_id"
    on = " ON instagram_accounts" if any_desk.dialect in {"mysql", "mariadb"} else ""
    _drop(any_desk, [f"DROP INDEX {index}{on}", f"DELETE FROM {VERSIONS}"])
    world.migrate(url(any_desk))
    assert index in {
        each["name"] for each in sa.inspect(any_desk.write_engine).get_indexes("instagram_accounts")
    }


def test_accounts_are_kept_and_read_back_on_every_database(any_desk: db.Database, ig: Addon) -> None:
    account = world.connect(ig)
    with db.read() as session:
        row: Any = ig.accounts.find(session, account.id)
    assert row.scopes == world.SCOPES
    assert ig.accounts.credentials(account.id).token.reveal() == world.TOKEN
    assert ig.accounts.book.get().by_uuid[account.uuid].account_id == account.id


def test_a_workspace_that_is_deleted_takes_its_credentials_along(any_desk: db.Database, ig: Addon) -> None:
    account = world.connect(ig)

    def use_case(session: Any) -> None:
        session.execute(sa.text("DELETE FROM channel_accounts WHERE id = :id"), {"id": account.id})

    db.write(use_case)
    with db.read() as session:
        assert ig.accounts.find(session, account.id) is None
