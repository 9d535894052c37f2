"""Make, rename and list workspaces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.core.errors import NotFoundError
from host.models.users import Membership, Role, User, Workspace
from host.users import members
from host.users.users import clean_name


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """A workspace as the admin list shows it."""

    id: int
    name: str
    created_at: datetime
    members: int
    owners: tuple[str, ...]


def create(session: Session, name: str, owner_id: int | None) -> Workspace:
    """Add a workspace; *owner_id* becomes its owner. Without one, an invitation has to follow."""
    workspace = Workspace(name=clean_name(name), created_at=clock.now())
    session.add(workspace)
    session.flush()
    if owner_id is not None:
        members.add(session, workspace.id, owner_id, Role.OWNER)
    return workspace


def rename(session: Session, workspace_id: int, name: str) -> None:
    """Give a workspace another name."""
    workspace = session.get(Workspace, workspace_id)
    if workspace is None:
        raise NotFoundError()
    workspace.name = clean_name(name)
    session.flush()


def listing(session: Session) -> Sequence[WorkspaceRow]:
    """Return every workspace with its owners and the number of its people, by name. Two queries."""
    owners: dict[int, list[str]] = {}
    counts: dict[int, int] = {}
    people = (
        sa.select(Membership.workspace_id, Membership.role, User.name)
        .join(User, User.id == Membership.user_id)
        .order_by(User.name)
    )
    for workspace_id, role, name in session.execute(people):
        counts[workspace_id] = counts.get(workspace_id, 0) + 1
        if role == Role.OWNER:
            owners.setdefault(workspace_id, []).append(name)
    return [
        WorkspaceRow(row.id, row.name, row.created_at, counts.get(row.id, 0), tuple(owners.get(row.id, ())))
        for row in session.scalars(sa.select(Workspace).order_by(Workspace.name, Workspace.id))
    ]
