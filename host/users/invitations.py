"""Invitations: links that let a person join a workspace, once, for a week."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import ConflictError, NotFoundError
from host.models.users import Invitation, Membership, Role, User, Workspace
from host.users import members, users
from host.users.passwords import Hashed
from host.users.sessions import hash_token, new_token

LIFETIME = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Invited:
    """An invitation that can still be used, and whether the person has an account here already."""

    id: int
    workspace_id: int
    workspace_name: str
    email: str
    role: Role
    has_account: bool


@dataclass(frozen=True, slots=True)
class Pending:
    """An unused invitation, as the team page lists it."""

    id: int
    email: str
    role: Role
    expires_at: datetime


def invite(session: Session, *, workspace_id: int, email: str, role: Role, invited_by: int) -> str:
    """Make an invitation and return its token, which is stored only as a hash and never shown again.

    An earlier invitation to the same address ends.

    :raises ConflictError: if the person is in the workspace already.
    """
    address = users.clean_email(email)
    person = users.find_user(session, address)
    if person is not None and session.get(Membership, (person.id, workspace_id)) is not None:
        raise ConflictError(_l("This person is in the workspace already."), next_step="")
    session.execute(
        sa.delete(Invitation).where(
            Invitation.workspace_id == workspace_id, Invitation.email == address, Invitation.used_at.is_(None)
        )
    )
    token = new_token()
    now = clock.now()
    session.add(
        Invitation(
            token_hash=hash_token(token),
            workspace_id=workspace_id,
            email=address,
            role=role,
            invited_by=invited_by,
            created_at=now,
            expires_at=now + LIFETIME,
            used_at=None,
        )
    )
    session.flush()
    return token


def pending(session: Session, workspace_id: int, *, invited_by: int | None = None) -> Sequence[Pending]:
    """Return the invitations of a workspace that are still open, the newest first; or only one person's."""
    query = (
        sa.select(Invitation)
        .where(
            Invitation.workspace_id == workspace_id,
            Invitation.used_at.is_(None),
            Invitation.expires_at > clock.now(),
        )
        .order_by(Invitation.id.desc())
    )
    if invited_by is not None:
        query = query.where(Invitation.invited_by == invited_by)
    return [Pending(row.id, row.email, Role(row.role), row.expires_at) for row in session.scalars(query)]


def withdraw(session: Session, workspace_id: int, invitation_id: int) -> str:
    """End an invitation before it is used; return its address."""
    row = session.get(Invitation, invitation_id)
    if row is None or row.workspace_id != workspace_id or row.used_at is not None:
        raise NotFoundError(_l("This invitation is no longer open."), next_step="")
    email = row.email
    session.delete(row)
    session.flush()
    return email


def find_invitation(session: Session, token: str) -> Invited:
    """Return the invitation of *token*.

    :raises NotFoundError: if it was used, withdrawn, has run out or never existed.
    """
    query = (
        sa.select(Invitation, Workspace.name)
        .join(Workspace, Workspace.id == Invitation.workspace_id)
        .where(
            Invitation.token_hash == hash_token(token),
            Invitation.used_at.is_(None),
            Invitation.expires_at > clock.now(),
        )
    )
    found = session.execute(query).first()
    if found is None:
        raise NotFoundError(
            _l("This invitation was used already, was withdrawn, or is older than seven days."),
            next_step=_l("Ask the person who sent it for a new one."),
        )
    row, workspace_name = found
    return Invited(
        id=row.id,
        workspace_id=row.workspace_id,
        workspace_name=workspace_name,
        email=row.email,
        role=Role(row.role),
        has_account=users.find_user(session, row.email) is not None,
    )


def accept_as_new(session: Session, token: str, *, name: str, password: Hashed) -> tuple[User, Invited]:
    """Use the invitation up: add the person and let them into the workspace.

    :raises NotFoundError: if it can no longer be used.
    :raises ConflictError: if a user has this address by now.
    """
    invited = _use(session, token)
    user = users.create(session, invited.email, name, password)
    members.add(session, invited.workspace_id, user.id, invited.role)
    return user, invited


def accept_as(session: Session, token: str, user_id: int) -> Invited:
    """Use the invitation up for a person who is a user already.

    :raises NotFoundError: if it can no longer be used.
    :raises ConflictError: if it is for another address.
    """
    invited = _use(session, token)
    person = session.get(User, user_id)
    if person is None or person.email != invited.email:
        raise ConflictError(
            _l("This invitation is for somebody else."), next_step=_l("Sign out and sign in as that person.")
        )
    members.add(session, invited.workspace_id, user_id, invited.role)
    return invited


def _use(session: Session, token: str) -> Invited:
    invited = find_invitation(session, token)
    used = session.execute(
        sa.update(Invitation)
        .where(Invitation.id == invited.id, Invitation.used_at.is_(None))
        .values(used_at=clock.now())
    )
    if not used.rowcount:  # type: ignore[attr-defined]
        raise NotFoundError(_l("This invitation was used a moment ago."), next_step="")
    return invited
