"""Members of a workspace, and their roles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError, NotFoundError
from host.models.api import KeyEnd
from host.models.inbox import Conversation
from host.models.users import Membership, Role, User, Workspace
from host.users import endings
from host.users.endings import Ended


@dataclass(frozen=True, slots=True)
class Member:
    """A person of a workspace, as lists show them."""

    user_id: int
    name: str
    email: str
    role: Role
    disabled: bool


def listing(session: Session, workspace_id: int) -> Sequence[Member]:
    """Return the people of a workspace by name."""
    query = (
        sa.select(User.id, User.name, User.email, Membership.role, User.disabled_at)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id)
        .order_by(User.name, User.id)
    )
    return [
        Member(user_id, name, email, Role(role), disabled_at is not None)
        for user_id, name, email, role, disabled_at in session.execute(query)
    ]


def add(session: Session, workspace_id: int, user_id: int, role: Role) -> None:
    """Let a person into a workspace; a member keeps the higher role."""
    _lock(session, workspace_id)
    membership = session.get(Membership, (user_id, workspace_id))
    if membership is None:
        session.add(Membership(user_id=user_id, workspace_id=workspace_id, role=Role(role)))
    elif role == Role.OWNER:
        membership.role = Role.OWNER
    session.flush()


def set_role(session: Session, workspace_id: int, user_id: int, role: Role) -> Ended:
    """Make a member an owner or an agent. Return which keys and invitations end with that.

    :raises ConflictError: for the last owner.
    """
    _lock(session, workspace_id)
    membership = _get(session, workspace_id, user_id)
    if role != Role.OWNER:
        _keep_an_owner(session, workspace_id, user_id)
    membership.role = role
    session.flush()
    if role == Role.OWNER:
        return Ended((), ())
    return endings.end_all(session, user_id, KeyEnd.DEMOTED, workspace_id=workspace_id)


def remove(session: Session, workspace_id: int, user_id: int) -> Ended:
    """Take a person out of a workspace. Conversations assigned to them there become unassigned.

    Return which keys and invitations of theirs end with that.

    :raises ConflictError: for the last owner.
    """
    _lock(session, workspace_id)
    membership = _get(session, workspace_id, user_id)
    _keep_an_owner(session, workspace_id, user_id)
    session.delete(membership)
    session.flush()
    session.execute(
        sa.update(Conversation)
        .where(Conversation.workspace_id == workspace_id, Conversation.assignee_id == user_id)
        .values(assignee_id=None)
    )
    return endings.end_all(session, user_id, KeyEnd.LEFT, workspace_id=workspace_id)


def _lock(session: Session, workspace_id: int) -> None:
    """Lock the workspace, so that its members change one at a time: two owners must not remove each other."""
    if session.scalar(sa.select(Workspace.id).where(Workspace.id == workspace_id).with_for_update()) is None:
        raise NotFoundError()


def _get(session: Session, workspace_id: int, user_id: int) -> Membership:
    membership = session.get(Membership, (user_id, workspace_id))
    if membership is None:
        raise NotFoundError(_l("This person is not in this workspace."), next_step="")
    return membership


def _keep_an_owner(session: Session, workspace_id: int, user_id: int) -> None:
    """Refuse to leave a workspace without an owner who can sign in."""
    others = session.scalar(
        sa.select(sa.func.count())
        .select_from(Membership)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.workspace_id == workspace_id,
            Membership.role == Role.OWNER,
            Membership.user_id != user_id,
            User.disabled_at.is_(None),
        )
    )
    is_owner = session.scalar(
        sa.select(Membership.role).where(
            Membership.workspace_id == workspace_id, Membership.user_id == user_id
        )
    )
    if is_owner == Role.OWNER and not others:
        raise ConflictError(
            _l("This is the only owner of the workspace, and a workspace needs one."),
            next_step=_l("Make somebody else an owner first."),
        )
