"""What somebody has who goes, and who gets it: keys of the API, open invitations, conversations.

A page shows it before anything is done. What is not handed on ends, or goes back to nobody
(:mod:`host.users.endings`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError
from host.models.users import Membership, Role, User, Workspace
from host.users import api_keys, endings, invitations
from host.users.api_keys import KeyRow
from host.users.invitations import Pending
from host.users.roles import Permission, with_permission


@dataclass(frozen=True, slots=True)
class Heir:
    """Somebody who may take over."""

    user_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Belongings:
    """What a person has in one workspace.

    :param conversations: how many open ones are assigned to them.
    :param owners: who may answer for their keys; *members*: who may take their conversations.
    """

    workspace_id: int
    workspace_name: str
    keys: Sequence[KeyRow]
    invitations: Sequence[Pending]
    conversations: int
    owners: Sequence[Heir]
    members: Sequence[Heir]

    @property
    def names(self) -> frozenset[str]:
        """Return a name for each thing, to tell whether the page that lists them is still right."""
        found = {f"key-{one.id}" for one in self.keys} | {f"invitation-{one.id}" for one in self.invitations}
        return frozenset(found | ({f"conversations-{self.workspace_id}"} if self.conversations else set()))


@dataclass(frozen=True, slots=True)
class Heirs:
    """Who gets what a person leaves behind, by workspace; what has no heir ends, or goes to nobody."""

    keys: Mapping[int, int] = field(default_factory=dict)
    conversations: Mapping[int, int] = field(default_factory=dict)


def belongings(session: Session, user_id: int, workspace_id: int | None = None) -> list[Belongings]:
    """Return what a person has in each workspace they are in, or in one, where that is anything."""
    query = (
        sa.select(Workspace.id, Workspace.name)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .where(Membership.user_id == user_id)
        .order_by(Workspace.name, Workspace.id)
    )
    if workspace_id is not None:
        query = query.where(Workspace.id == workspace_id)
    found = [_belongings_in(session, user_id, *row) for row in session.execute(query).all()]
    return [one for one in found if one.names]


def _belongings_in(session: Session, user_id: int, workspace_id: int, name: str) -> Belongings:
    people = (
        sa.select(User.id, User.name, Membership.role, Membership.limited)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id, User.id != user_id, User.disabled_at.is_(None))
        .order_by(User.name, User.id)
    )
    others = session.execute(people).all()
    writers = with_permission(Permission.ANSWER)
    return Belongings(
        workspace_id=workspace_id,
        workspace_name=name,
        keys=api_keys.listing(session, workspace_id, holder_id=user_id),
        invitations=invitations.pending(session, workspace_id, invited_by=user_id),
        conversations=endings.open_conversations(session, user_id, workspace_id),
        owners=[Heir(row.id, row.name) for row in others if row.role == Role.OWNER],
        members=[Heir(row.id, row.name) for row in others if row.role in writers and not row.limited],
    )


def hand_over(session: Session, user_id: int, heirs: Heirs) -> Sequence[str]:
    """Give keys and conversations of a person to their *heirs*; return the names of the keys.

    To be called first, in the write that ends the rest.

    :raises ConflictError: for somebody who cannot have them.
    """
    handed: list[str] = []
    for workspace_id, owner in heirs.keys.items():
        rows = api_keys.listing(session, workspace_id, holder_id=user_id)
        handed += [api_keys.hand_over(session, workspace_id, row.id, owner) for row in rows]
    for workspace_id, member in heirs.conversations.items():
        if member not in {one.user_id for one in _belongings_in(session, user_id, workspace_id, "").members}:
            raise ConflictError(
                _l("Conversations go to somebody who answers all of them, so nothing was changed."),
                next_step=_l("Choose somebody else."),
            )
        endings.assign_all(session, user_id, workspace_id, member)
    return handed
