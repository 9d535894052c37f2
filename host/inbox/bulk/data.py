"""Stored bulk actions: deleted after a week. With their workspace, the database deletes them."""

from __future__ import annotations

from host.core import clock, db
from host.features.hookspecs import hookimpl
from host.inbox.bulk import actions


@hookimpl
def clean_up() -> None:
    """Delete old bulk actions, one per write, because each may have many conversations."""
    while db.write(actions.remove_old, clock.now() - actions.KEPT, 1):
        pass
