"""The audit journal: who did what to the installation or a workspace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.users import AuditEntry, User, Workspace

PAGE = 50


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One line of the journal, as shown."""

    id: int
    at: datetime
    person: str | None
    workspace: str | None
    action: str
    subject: str
    details: Mapping[str, Any]
    remote: str


def record(
    session: Session,
    action: str,
    subject: str,
    *,
    user_id: int | None,
    remote: str = "",
    workspace_id: int | None = None,
    details: Mapping[str, Any] | None = None,
) -> int:
    """Write one line in the transaction of what it tells about; return its id.

    :param action: dotted, in the past tense: ``member.added``.
    :param subject: the object of the action, in words people know; never a secret.
    """
    entry = AuditEntry(
        at=clock.now(),
        user_id=user_id,
        workspace_id=workspace_id,
        action=action[:64],
        subject=subject[:255],
        details=dict(details or {}),
        remote=remote[:64],
    )
    session.add(entry)
    session.flush()
    return entry.id


def page(
    session: Session, *, before: int | None = None, size: int = PAGE
) -> tuple[Sequence[AuditRow], int | None]:
    """Return up to *size* lines older than the id *before*, newest first, and the id to go on from."""
    query = (
        sa.select(AuditEntry, User.name, Workspace.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(Workspace, Workspace.id == AuditEntry.workspace_id)
        .order_by(AuditEntry.id.desc())
        .limit(size + 1)
    )
    if before is not None:
        query = query.where(AuditEntry.id < before)
    rows = [
        AuditRow(
            id=entry.id,
            at=entry.at,
            person=person,
            workspace=workspace,
            action=entry.action,
            subject=entry.subject,
            details=entry.details,
            remote=entry.remote,
        )
        for entry, person, workspace in session.execute(query)
    ]
    more = len(rows) > size
    rows = rows[:size]
    return rows, rows[-1].id if more else None
