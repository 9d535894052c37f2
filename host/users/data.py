"""Delete expired audit log lines, links and sign-in steps."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.models.users import AuditEntry, User
from host.users import audit, password_links
from host.users.signin import steps

NAMES = sa.select(User.id, User.name)
"""Names of the people whose ids occur in events."""


@hookimpl
def clean_up() -> None:
    """Delete expired rows, and audit log lines past their retention."""
    db.write(password_links.forget_old)
    db.write(steps.forget_old)
    while db.write(audit.forget_old) == audit.CHUNK:
        pass


@hookimpl
def remove_workspace(session: Session, workspace_id: int, most: int) -> bool | None:
    """Delete the audit log of a workspace."""
    return db.delete_some(session, AuditEntry, AuditEntry.workspace_id == workspace_id, most) > 0 or None
