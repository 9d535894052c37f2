"""Notify open pages of changes by features that know no live events."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy.orm import Session

from host.events.kinds.browsers import OfAccess
from host.events.writing import Happened, record
from host.features.hookspecs import hookimpl


@hookimpl
def access_changed(session: Session, workspace_id: int, users: Collection[int]) -> None:
    """Notify the pages of these members."""
    record(session, Happened(workspace_id, topic="access", facts=OfAccess(users=tuple(users))))
