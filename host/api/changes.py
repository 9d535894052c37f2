"""Lists of what changed since a time, for programs that keep a copy."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from flask_babel import lazy_gettext as _l
from msgspec import Meta
from sqlalchemy.orm import Session

from host.api.http import log_cursors
from host.api.http.call import Call
from host.api.http.declare import Moment
from host.api.http.errors import QueryError
from host.events import changes as event_changes
from host.events.reading import Recorded

UpdatedSince = Annotated[
    Moment,
    Meta(
        description=(
            "Only what changed at this time or later, and up to a minute before; as far back as the event "
            "log is kept, 400 days by default. Implies `sort=updated`."
        ),
        examples=["2026-01-15T10:30:00Z"],
    ),
]
UPDATED = "updated"

T = TypeVar("T", bound=Hashable)


class Changes(NamedTuple, Generic[T]):
    """A page of what changed: ids, oldest change first, and the cursor of the next page."""

    ids: Sequence[T]
    next: str | None


def sorted_by(query: Any, default: str) -> str:
    """Return the order of a list with the parameters ``sort`` and ``updatedSince``.

    :param default: the order if there is no ``sort``.
    :raises QueryError: if the two don't fit.
    """
    if query.updated_since is None:
        if query.sort == UPDATED:
            raise QueryError(_l("Sorting by change needs `updatedSince`."), field="updatedSince")
    elif query.sort not in {UPDATED, default}:
        raise QueryError(_l("With `updatedSince`, the list can only be sorted by change."), field="sort")
    return query.sort if query.updated_since is None else UPDATED


def changes(
    session: Session,
    call: Call,
    query: Any,
    name: str,
    named: Callable[[Recorded], Iterable[T]],
) -> Changes[T]:
    """Return a page of what changed.

    :param query: the parameters, with ``updated_since``, ``cursor`` and ``limit``.
    :param name: the list, for its cursors; see ``Call.list_name``.
    :param named: what an event is about, of :mod:`host.events.changes`.
    :raises CursorError: for a cursor of something else.
    :raises EventsGoneError: if the event log doesn't reach back that far.
    """
    if query.cursor is None:
        position = log_cursors.since(session, call.workspace_id, query.updated_since, "updatedSince")
    else:
        position = log_cursors.read(session, name, query.cursor, "cursor")
    ids, end, more = event_changes.changed(session, call.workspace_id, position, query.limit, named)
    return Changes(ids, log_cursors.write(name, end) if more else None)
