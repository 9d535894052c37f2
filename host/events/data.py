"""Data hooks for the event log."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.core import clock, db
from host.events import retention
from host.events.models import DomainEvent
from host.features.hookspecs import hookimpl
from host.queue import policy
from host.users import data_retention


@hookimpl
def clean_up(most: int) -> None:
    """Remove events for browsers after a day, and other expired events that every consumer has passed."""
    while db.write(retention.remove_shown, clock.now() - policy.LIVE_KEPT, most) == most:
        pass
    before = clock.now() - data_retention.read().log
    while db.write(retention.remove_old, before, most) == most:
        pass


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the events of a workspace."""
    return db.delete_some(session, DomainEvent, DomainEvent.workspace_id == workspace_id, most) > 0 or None
