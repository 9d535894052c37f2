"""What somebody has who goes, and who gets it: keys of the API, open invitations, conversations.

A page shows it before anything is done. What is not handed on ends, or goes back to nobody
(:mod:`host.users.endings`). Replies that wait go out all the same, and rules that name the person stay: what
they would do with them is left out. Canned replies, macros and views of their own end where they lose their
place (:mod:`host.inbox.canned.departed`). What somebody has typed and not sent is in their browser alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError
from host.models.automation import Rule, RuleState, RuleVersion
from host.models.canned import CannedReply, Macro
from host.models.inbox import DeliveryState, Message
from host.models.saved_views import SavedView
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

    :param conversations: how many open ones are assigned to them. *replies*: how many of theirs wait.
    :param rules: the names of those at work that name them.
    :param own: how many canned replies, macros and saved views nobody else sees, where these end.
    :param owners: who may answer for their keys; *members*: who may take their conversations.
    """

    workspace_id: int
    workspace_name: str
    keys: Sequence[KeyRow]
    invitations: Sequence[Pending]
    conversations: int
    replies: int
    rules: Sequence[str]
    own: int
    owners: Sequence[Heir]
    members: Sequence[Heir]

    @property
    def names(self) -> frozenset[str]:
        """Return a name for each thing, to tell whether the page that lists them is still right."""
        found = {f"key-{one.id}" for one in self.keys} | {f"invitation-{one.id}" for one in self.invitations}
        counted = {"conversations": self.conversations, "replies": self.replies, "rules": len(self.rules)}
        counted["own"] = self.own
        return frozenset(found | {f"{name}-{self.workspace_id}" for name, count in counted.items() if count})


@dataclass(frozen=True, slots=True)
class Heirs:
    """Who gets what a person leaves behind, by workspace; what has no heir ends, or goes to nobody."""

    keys: Mapping[int, int] = field(default_factory=dict)
    conversations: Mapping[int, int] = field(default_factory=dict)


def belongings(
    session: Session, user_id: int, workspace_id: int | None = None, *, for_good: bool = False
) -> list[Belongings]:
    """Return what a person has in each workspace they are in, or in one, where that is anything.

    :param for_good: whether they lose their place, and with it what was their own.
    """
    query = (
        sa.select(Workspace.id, Workspace.name)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .where(Membership.user_id == user_id)
        .order_by(Workspace.name, Workspace.id)
    )
    if workspace_id is not None:
        query = query.where(Workspace.id == workspace_id)
    found = [_belongings_in(session, user_id, *row, for_good) for row in session.execute(query).all()]
    return [one for one in found if one.names]


def _belongings_in(
    session: Session, user_id: int, workspace_id: int, name: str, for_good: bool = False
) -> Belongings:
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
        replies=_waiting(session, user_id, workspace_id),
        rules=_rules_naming(session, user_id, workspace_id),
        own=_own(session, user_id, workspace_id) if for_good else 0,
        owners=[Heir(row.id, row.name) for row in others if row.role == Role.OWNER],
        members=[Heir(row.id, row.name) for row in others if row.role in writers and not row.limited],
    )


def _waiting(session: Session, user_id: int, workspace_id: int) -> int:
    """Return how many replies of a person have not gone out yet."""
    query = sa.select(sa.func.count()).where(
        Message.author_id == user_id,
        Message.workspace_id == workspace_id,
        Message.state == DeliveryState.QUEUED,
    )
    return session.scalar(query) or 0


def _own(session: Session, user_id: int, workspace_id: int) -> int:
    """Return how many canned replies, macros and saved views a person has that nobody else sees."""
    return sum(
        session.scalar(
            sa.select(sa.func.count()).where(kind.owner_id == user_id, kind.workspace_id == workspace_id)
        )
        or 0
        for kind in (CannedReply, Macro, SavedView)
    )


def _rules_naming(session: Session, user_id: int, workspace_id: int) -> list[str]:
    """Return the names of the rules at work that ask for a person, or give or tell them something."""
    query = (
        sa.select(Rule.name, RuleVersion.body)
        .join(RuleVersion, sa.and_(RuleVersion.rule_id == Rule.id, RuleVersion.number == Rule.version))
        .where(Rule.workspace_id == workspace_id, Rule.state.in_((RuleState.LIVE, RuleState.SHADOW)))
        .order_by(Rule.position, Rule.id)
    )
    return [name for name, body in session.execute(query) if _names(body, user_id)]


def _names(part: object, user_id: int) -> bool:
    """Tell whether a part of a rule as it is kept names a person."""
    if isinstance(part, Mapping):
        own = user_id in {part.get("person"), part.get("assignee")}
        return own or any(_names(one, user_id) for one in part.values())
    return isinstance(part, list) and any(_names(one, user_id) for one in part)


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
