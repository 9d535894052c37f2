"""Ask with one statement which jobs have something due, instead of a statement of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock, db
from host.core.db import UTCDateTime
from host.core.statements import Statement
from host.features import registry

LOOK_SECONDS = 0.25
"""Seconds between two looks while Lobby is in use."""
QUIET_LOOK_SECONDS = 0.9
"""The same while it is not: how late a job may be that no event announces."""


class DueWork:
    """Finds the jobs of enabled features that have something due."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._statement: Statement | None = None
        self._off: frozenset[str] | None = None

    def find(self, session: Session) -> list[str]:
        """Return the names of the jobs that have something due."""
        off = registry.switched_off()
        if self._off != off:
            self._prepare()
            self._off = off
        if self._statement is None:
            return []
        # Some times are written by the clock of the desk, some by that of the database. The job knows which.
        (row,) = self._statement.rows(session.connection(), {"now": max(clock.now(), db.now())})
        return [name for name, found in zip(self._names, row, strict=True) if found]

    def _prepare(self) -> None:
        now = sa.bindparam("now", type_=UTCDateTime())
        found = {name: _any_of(query(now)) for name, query in registry.due_queries().items()}
        self._names = tuple(found)
        columns = [column.label(f"due_{number}") for number, column in enumerate(found.values())]
        self._statement = Statement(sa.select(*columns)) if columns else None


def _any_of(queries: sa.Select[Any] | Iterable[sa.Select[Any]]) -> sa.ColumnElement[bool]:
    """Return the condition that any of *queries* finds a row.

    Not EXISTS, of which PostgreSQL ignores the order.
    """
    each = [queries] if isinstance(queries, sa.Select) else queries
    return sa.or_(*[one.limit(1).scalar_subquery().is_not(None) for one in each])
