"""The deletion of stored first steps."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host.features.hookspecs import hookimpl
from host.start import steps


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Remove the first steps of a workspace that is being deleted."""
    return bool(steps.remove(session, workspace_id, most)) or None
