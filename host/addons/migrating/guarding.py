"""Restrict an addon's migration to its own tables: check statements before they run, the schema after."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from host.addons.migrating import snapshot
from host.addons.migrating.statements import Effect, effects
from host.addons.package.manifest import Manifest
from host.core.migrations import addon_version_table, host_tables
from host.sdk._enum import WIDENING

# Columns of the host that an addon may widen, only with the host's helper.
OPEN_COLUMNS = frozenset({("conversations", "channel")})


class ForeignTableError(Exception):
    """A migration would change, or changed, a table that is not the addon's.

    :param what: the table, index or kind of statement, for a sentence.
    :param statement: the SQL, if one statement is known to be the cause.
    """

    def __init__(self, what: str, statement: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.statement = statement


class Guard:
    """The tables that one addon's migrations may change in one database."""

    def __init__(self, manifest: Manifest, connection: sa.Connection) -> None:
        self.slug = manifest.slug
        own = {*manifest.declares.tables, addon_version_table(manifest.slug)} - host_tables()
        self.own = own | {f"_alembic_tmp_{name}" for name in own}
        self.widened: set[tuple[str, str]] = set()
        self.before = snapshot.of_database(connection)

    def is_own(self, table: str) -> bool:
        """Return whether *table* belongs to the addon: it was declared by this release or an earlier one."""
        name = table.casefold()
        if name in self.own:
            return True
        return name.startswith(f"{self.slug}_") and name in self.before.tables and name not in host_tables()

    def check(self, connection: sa.Connection, statement: str) -> None:
        """Check that *statement* changes only tables of the addon.

        :raises ForeignTableError: if it would change another.
        """
        widening = connection.info.get(WIDENING)
        if widening in OPEN_COLUMNS:
            self.widened.add(widening)
            return
        for effect in effects(statement, connection.dialect.name):
            if not self._allows(effect):
                raise ForeignTableError(effect.name or effect.verb, statement)

    def _allows(self, effect: Effect) -> bool:
        if effect.kind == "table":
            return self.is_own(effect.name)
        if effect.kind == "index":
            return effect.name not in self.before.indexes or self.is_own(self.before.indexes[effect.name])
        if effect.kind in {"type", "sequence"}:
            return effect.name.casefold().startswith(f"{self.slug}_")
        return False

    def compare(self, connection: sa.Connection) -> None:
        """Compare everything that is not the addon's with its earlier state.

        :raises ForeignTableError: for any difference except columns that the host's helpers widened.
        """
        after = snapshot.of_database(connection)
        before = self._foreign(self.before)
        for name, facts in self._foreign(after).items():
            if before.pop(name, None) != facts:
                raise ForeignTableError(name)
        if before:
            raise ForeignTableError(min(before))

    def _foreign(self, taken: snapshot.Snapshot) -> dict[str, Any]:
        return {
            name: snapshot.without(facts, {column for table, column in self.widened if table == name})
            for name, facts in taken.tables.items()
            if not self.is_own(name)
        }


@contextmanager
def guarded(manifest: Manifest, engine: sa.Engine) -> Iterator[Guard]:
    """Restrict every connection of *engine* to the tables of the addon while the block runs."""
    with engine.connect() as connection:
        guard = Guard(manifest, connection)

    def before(
        connection: sa.Connection,
        _cursor: object,
        statement: str,
        _values: object,
        _context: object,
        _m: bool,
    ) -> None:
        guard.check(connection, statement)

    event.listen(engine, "before_cursor_execute", before)
    try:
        yield guard
    finally:
        event.remove(engine, "before_cursor_execute", before)
