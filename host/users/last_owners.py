"""Protect the last admin of the desk and the last owner of a workspace, who alone can let others in.

Operations that remove a role first take locks in a global order: workspaces by id, then the admins. If two
people remove each other's role concurrently, the second one waits and is then the last.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError, NotFoundError
from host.models.users import Membership, Role, User, Workspace


def lock_workspace(session: Session, workspace_id: int) -> None:
    """Lock a workspace, so that its members change one at a time.

    :raises NotFoundError: if there is no such workspace.
    """
    if session.scalar(sa.select(Workspace.id).where(Workspace.id == workspace_id).with_for_update()) is None:
        raise NotFoundError()


def keep_owner(session: Session, workspace_id: int, user_id: int) -> None:
    """Refuse to remove the last owner who can sign in. Takes the lock first.

    :raises ConflictError: if they are the last.
    """
    lock_workspace(session, workspace_id)
    if _owned_alone(session, user_id, workspace_id):
        raise ConflictError(
            _l("This is the only owner of the workspace. Every workspace needs one."),
            next_step=_l("Make someone else an owner first."),
        )


def keep_admin(session: Session, user_id: int) -> None:
    """Refuse to remove the last admin who can sign in. Takes the lock first.

    :raises ConflictError: if they are the last.
    """
    admins = session.scalars(_admins().order_by(User.id).with_for_update()).all()
    if list(admins) == [user_id]:
        raise ConflictError(
            _l("This is the only admin. Lobby needs at least one."),
            next_step=_l("Make someone else an admin first."),
        )


def keep_every_place(session: Session, user_id: int) -> None:
    """Refuse to lock out the last admin, or the last owner of any workspace. Takes the locks first.

    :raises ConflictError: if they are the last.
    """
    memberships = sa.select(Membership.workspace_id).where(Membership.user_id == user_id)
    workspaces = sa.select(Workspace.id).where(Workspace.id.in_(memberships)).order_by(Workspace.id)
    session.scalars(workspaces.with_for_update()).all()
    keep_admin(session, user_id)
    names = _owned_alone(session, user_id)
    if names:
        raise ConflictError(
            _l(
                "This is the only owner of %(workspaces)s. Every workspace needs one.",
                workspaces=", ".join(names),
            ),
            next_step=_l("Make someone else an owner there first."),
        )


def why_they_stay(session: Session, user_id: int) -> str:
    """Return why a user cannot be disabled now, as a sentence; empty if they can be. Takes no lock."""
    if session.scalars(_admins()).all() == [user_id]:
        return str(_l("The only admin. Make someone else an admin first."))
    names = _owned_alone(session, user_id)
    if names:
        return str(
            _l(
                "The only owner of %(workspaces)s. Make someone else an owner first.",
                workspaces=", ".join(names),
            )
        )
    return ""


def _admins() -> sa.Select[int]:
    return sa.select(User.id).where(User.is_admin, User.disabled_at.is_(None))


def _owned_alone(session: Session, user_id: int, workspace_id: int | None = None) -> Sequence[str]:
    """Return the names of the workspaces in which the person is the only owner who can sign in."""
    others = (
        sa.select(Membership.workspace_id)
        .join(User, User.id == Membership.user_id)
        .where(Membership.role == Role.OWNER, Membership.user_id != user_id, User.disabled_at.is_(None))
    )
    query = (
        sa.select(Workspace.name)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .where(
            Membership.user_id == user_id,
            Membership.role == Role.OWNER,
            Workspace.id.not_in(others),
        )
        .order_by(Workspace.name)
    )
    if workspace_id is not None:
        query = query.where(Workspace.id == workspace_id)
    return session.scalars(query).all()
