"""The audit log: who did what to the installation or a workspace."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.users import AuditEntry, Membership, User, Workspace

PAGE = 50
CHUNK = 500
"""Maximum number of lines removed, or read for a file, at a time."""


class AuditRow(msgspec.Struct, frozen=True):
    """One line of the audit log, as shown."""

    id: int
    at: datetime
    person: str | None
    person_id: int | None
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
    """Write one line in the transaction of the change it describes; return its id.

    :param action: dotted, in the past tense: ``member.added``.
    :param subject: the object of the action, in words for people; never a secret.
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


class AuditFilter(msgspec.Struct, frozen=True):
    """A filter for lines of the audit log.

    Fields that are None or empty are ignored; the others must all match.

    :param workspace_id: lines of this workspace, and the sign-ins of its members.
    :param kinds: prefixes of actions: ``member`` for ``member.added``.
    :param text: text found in the action, its subject or the name of the actor.
    """

    workspace_id: int | None = None
    person: int | None = None
    kinds: tuple[str, ...] = ()
    since: datetime | None = None
    text: str = ""


EVERYTHING = AuditFilter()
SIGN_INS = ("session", "password", "second_factor", "identity", "push_device")
"""Kinds of actions that concern a person and no workspace."""


def _conditions(wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if wanted.workspace_id is not None:
        theirs = (
            sa.select(User.email)
            .join(Membership, Membership.user_id == User.id)
            .where(Membership.workspace_id == wanted.workspace_id)
        )
        sign_ins = sa.and_(
            AuditEntry.workspace_id.is_(None), _of_kinds(SIGN_INS), AuditEntry.subject.in_(theirs)
        )
        found.append(sa.or_(AuditEntry.workspace_id == wanted.workspace_id, sign_ins))
    if wanted.person is not None:
        found.append(AuditEntry.user_id == wanted.person)
    if wanted.kinds:
        found.append(_of_kinds(wanted.kinds))
    if wanted.since is not None:
        found.append(AuditEntry.at >= wanted.since)
    if wanted.text:
        columns = AuditEntry.action, AuditEntry.subject, User.name
        found.append(sa.or_(*(column.icontains(wanted.text, autoescape=True) for column in columns)))
    return found


def _of_kinds(kinds: Collection[str]) -> sa.ColumnElement[bool]:
    return sa.or_(*(AuditEntry.action.startswith(f"{kind}.", autoescape=True) for kind in kinds))


def page(
    session: Session, wanted: AuditFilter = EVERYTHING, *, before: int | None = None, size: int = PAGE
) -> tuple[Sequence[AuditRow], int | None]:
    """Return up to *size* lines older than the id *before*, newest first, and the id to continue from."""
    query = (
        sa.select(AuditEntry, User.name, Workspace.name)
        .outerjoin(User, User.id == AuditEntry.user_id)
        .outerjoin(Workspace, Workspace.id == AuditEntry.workspace_id)
        .where(*_conditions(wanted))
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
            person_id=entry.user_id,
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


def people(session: Session, workspace_id: int | None = None) -> Sequence[tuple[int, str]]:
    """Return id and name of the people to filter by: members of a workspace, or all users."""
    query = sa.select(User.id, User.name).order_by(User.name, User.id)
    if workspace_id is not None:
        query = query.join(Membership, Membership.user_id == User.id).where(
            Membership.workspace_id == workspace_id
        )
    return [(row.id, row.name) for row in session.execute(query)]


_kept: timedelta | None = None


def keep_for(days: int) -> None:
    """Set the retention of lines in days for this process; 0: forever."""
    global _kept  # noqa: PLW0603 - the settings of the process
    _kept = timedelta(days=days) if days else None


def forget_old(session: Session) -> int:
    """Delete up to :data:`CHUNK` expired lines, the oldest first; return how many."""
    if _kept is None:
        return 0
    old = sa.select(AuditEntry.id).where(AuditEntry.at < clock.now() - _kept).order_by(AuditEntry.at)
    ids = session.scalars(old.limit(CHUNK)).all()
    session.execute(sa.delete(AuditEntry).where(AuditEntry.id.in_(ids)))
    return len(ids)
