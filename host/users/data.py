"""Delete expired audit log lines, links and sign-in steps."""

from __future__ import annotations

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from host.core import db
from host.features.hookspecs import hookimpl
from host.features.use import Use, named
from host.models.api_keys import ApiKey
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


@hookimpl
def uses(session: Session, workspace_id: int, kind: str) -> dict[int, list[Use]]:
    """Return the API keys in use that are limited to things of a kind."""
    found: dict[int, list[Use]] = {}
    if kind not in ("account", "team"):
        return found
    query = sa.select(ApiKey.name, ApiKey.limited_to).where(
        ApiKey.workspace_id == workspace_id, ApiKey.revoked_at.is_(None)
    )
    for name, limit in session.execute(query.order_by(ApiKey.name, ApiKey.id)):
        use = Use(_("API key"), name, "", ("api_keys.index", {}), "keys")
        for one in named(limit, kind):
            found.setdefault(one, []).append(use)
    return found
