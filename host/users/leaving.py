"""Belongings of a person who leaves, and their new owners: API keys, open invitations, conversations.

A page shows them first. Keys that are not transferred end, and conversations become unassigned
(:mod:`host.users.endings`). Pending replies are still sent, and what refers to the person is kept but skips
the steps that involve them. Their personal canned replies, macros, views and drafts are deleted if they lose
their membership (:func:`left_behind`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError
from host.features import registry
from host.features.use import Use
from host.features.using import gathered
from host.models.inbox import DeliveryState, Message
from host.models.users import Membership, Role, User, Workspace
from host.users import api_keys, endings, invitations, members, reach, users
from host.users.actor import DeskWork, UnitOfWork
from host.users.api_keys import KeyRow
from host.users.endings import Ended
from host.users.invitations import Pending
from host.users.reach import Accounts
from host.users.roles import Permission, with_permission

UsesOfPeople = dict[int, dict[int, list[Use]]]


class Heir(msgspec.Struct, frozen=True):
    """A person who may take over."""

    user_id: int
    name: str


class Belongings(msgspec.Struct, frozen=True):
    """A person's belongings in one workspace.

    :param conversations: number of open ones assigned to them. *replies*: number of their pending replies.
    :param uses: what refers to them and is kept, without personal items of others.
    :param own: number of personal canned replies, macros and saved views that will be deleted.
    :param owners: people who may take their keys; *members*: people who may take their conversations.
    """

    workspace_id: int
    workspace_name: str
    keys: Sequence[KeyRow]
    invitations: Sequence[Pending]
    conversations: int
    replies: int
    uses: Sequence[Use]
    own: int
    owners: Sequence[Heir]
    members: Sequence[Heir]

    @property
    def names(self) -> frozenset[str]:
        """Return a name for each item, to detect whether the page that lists them is outdated."""
        found = {f"key-{one.id}" for one in self.keys} | {f"invitation-{one.id}" for one in self.invitations}
        counted = {"conversations": self.conversations, "replies": self.replies, "uses": len(self.uses)}
        counted["own"] = self.own
        return frozenset(found | {f"{name}-{self.workspace_id}" for name, count in counted.items() if count})


class Heirs(msgspec.Struct, frozen=True):
    """New owners of a person's belongings, by workspace.

    Keys without an heir end; conversations become unassigned.
    """

    keys: Mapping[int, int] = msgspec.field(default_factory=dict)
    conversations: Mapping[int, int] = msgspec.field(default_factory=dict)


NOBODY = Heirs()


def belongings(
    session: Session,
    user_id: int,
    workspace_id: int | None = None,
    *,
    for_good: bool = False,
    kept: UsesOfPeople | None = None,
) -> list[Belongings]:
    """Return a person's belongings by workspace, or in one workspace, without empty ones.

    :param for_good: whether they lose their membership, and with it their personal items.
    :param kept: what this found for other people, by workspace; it is read once for many.
    """
    kept = {} if kept is None else kept
    query = (
        sa.select(Workspace.id, Workspace.name)
        .join(Membership, Membership.workspace_id == Workspace.id)
        .where(Membership.user_id == user_id)
        .order_by(Workspace.name, Workspace.id)
    )
    if workspace_id is not None:
        query = query.where(Workspace.id == workspace_id)
    found = [_belongings_in(session, user_id, *row, for_good, kept) for row in session.execute(query).all()]
    return [one for one in found if one.names]


def _belongings_in(
    session: Session, user_id: int, workspace_id: int, name: str, for_good: bool, kept: UsesOfPeople
) -> Belongings:
    people = (
        sa.select(User.id, User.name, Membership.role, Membership.limited)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id, User.id != user_id, User.disabled_at.is_(None))
        .order_by(User.name, User.id)
    )
    others = session.execute(people).all()
    hooks = registry.hooks()
    whose: dict[str, Any] = {"session": session, "user_id": user_id, "workspace_id": workspace_id}
    writers = with_permission(Permission.ANSWER)
    if workspace_id not in kept:
        kept[workspace_id] = gathered(session, workspace_id, "person")
    return Belongings(
        workspace_id=workspace_id,
        workspace_name=name,
        keys=api_keys.listing(session, workspace_id, holder_id=user_id),
        invitations=invitations.pending(session, workspace_id, invited_by=user_id),
        conversations=endings.open_conversations(session, user_id, workspace_id),
        replies=_waiting(session, user_id, workspace_id),
        uses=[one for one in kept[workspace_id].get(user_id, ()) if one.name],
        own=sum(hooks.own_things(**whose)) if for_good else 0,
        owners=[Heir(row.id, row.name) for row in others if row.role == Role.OWNER],
        members=[Heir(row.id, row.name) for row in others if row.role in writers and not row.limited],
    )


def _waiting(session: Session, user_id: int, workspace_id: int) -> int:
    """Return the number of a person's pending replies."""
    query = sa.select(sa.func.count()).where(
        Message.author_id == user_id,
        Message.workspace_id == workspace_id,
        Message.state == DeliveryState.QUEUED,
    )
    return session.scalar(query) or 0


def hand_over(session: Session, user_id: int, heirs: Heirs) -> Sequence[str]:
    """Transfer keys and conversations of a person to their *heirs*; return the names of the keys.

    Call it first in the write that ends the remaining ones.

    :raises ConflictError: for an heir who cannot take them.
    """
    handed: list[str] = []
    for workspace_id, owner in heirs.keys.items():
        rows = api_keys.listing(session, workspace_id, holder_id=user_id)
        handed += [api_keys.hand_over(session, workspace_id, row.id, owner) for row in rows]
    for workspace_id, member in heirs.conversations.items():
        had = _belongings_in(session, user_id, workspace_id, "", False, {workspace_id: {}})
        if member not in {one.user_id for one in had.members}:
            raise ConflictError(
                _l(
                    "Conversations can only be reassigned to someone who can reply to all of them, so "
                    "nothing was changed."
                ),
                next_step=_l("Choose someone else."),
            )
        endings.assign_all(session, user_id, workspace_id, member)
    return handed


# What a person leaves, in one write each


class Sees(msgspec.Struct, frozen=True):
    """The accounts that a member is to see.

    :param accounts: None: all. *by_teams*: whether those of their teams are added.
    """

    accounts: Accounts
    by_teams: bool = False


def change_member(
    work: UnitOfWork, user_id: int, *, role: Role, sees: Sees | None = None, heirs: Heirs = NOBODY
) -> None:
    """Change a member's role and the accounts they see; None keeps those.

    :raises ConflictError: as :func:`host.users.members.set_role` and :func:`hand_over` do.
    """
    session, workspace_id = work.session, work.workspace_id
    email = session.get_one(User, user_id).email
    before = Role(members.membership(session, workspace_id, user_id).role)
    handed = hand_over(session, user_id, heirs)
    if role is not before:
        ended = members.set_role(session, workspace_id, user_id, role)
        work.audit("member.role_changed", email, details={"role": role.value, "before": before.value})
        record_end(work.desk, email, handed, ended, workspace_id)
    if sees is not None:
        members.set_accounts(session, workspace_id, user_id, sees.accounts, by_teams=sees.by_teams)
        names = reach.names_of(session, workspace_id, sees.accounts)
        details = {"accounts": "those of their teams" if sees.by_teams else names}
        work.audit("member.access_changed", email, details=details)


def remove_member(work: UnitOfWork, user_id: int, *, heirs: Heirs = NOBODY) -> None:
    """Remove a person from the workspace, see :func:`host.users.members.remove`."""
    handed = hand_over(work.session, user_id, heirs)
    ended = members.remove(work.session, work.workspace_id, user_id)
    email = work.session.get_one(User, user_id).email
    work.audit("member.removed", email)
    record_end(work.desk, email, handed, ended, work.workspace_id)


def lock_out(work: DeskWork, user_id: int, *, heirs: Heirs = NOBODY) -> Ended:
    """Lock a person out, see :func:`host.users.users.disable`."""
    handed = hand_over(work.session, user_id, heirs)
    ended = users.disable(work.session, user_id)
    email = work.session.get_one(User, user_id).email
    record_end(work, email, handed, ended)
    work.audit("user.disabled", email)
    return ended


def delete_account(work: DeskWork) -> None:
    """Delete the account of the person who acts, see :func:`host.users.users.delete`."""
    name = work.session.get_one(User, work.person_id).name
    work.audit("user.deleted", name)
    record_end(work, name, (), users.delete(work.session, work.person_id))


def record_end(
    work: DeskWork, whose: str, handed: Sequence[str], ended: Ended, workspace_id: int | None = None
) -> None:
    """Record each key and invitation of a person that ended or was handed over."""
    for name in handed:
        work.audit("api_key.handed_over", name, workspace_id=workspace_id, details={"of": whose})
    for name in ended.keys:
        work.audit("api_key.ended", name, workspace_id=workspace_id, details={"of": whose})
    for address in ended.invitations:
        work.audit("invitation.ended", address, workspace_id=workspace_id, details={"of": whose})


def left_behind(session: Session, kind: Any, most: int) -> list[int]:
    """Return the ids of up to *most* rows whose owner has left the workspace.

    Users who are locked out keep their membership and personal items.

    :param kind: a table with ``owner_id`` and ``workspace_id``.
    """
    place = sa.exists().where(
        Membership.user_id == kind.owner_id, Membership.workspace_id == kind.workspace_id
    )
    query = sa.select(kind.id).where(kind.owner_id.is_not(None), ~place).order_by(kind.id).limit(most)
    return list(session.scalars(query))


def count_own(session: Session, kind: Any, user_id: int, workspace_id: int) -> int:
    """Return the number of rows of *kind* (as in :func:`left_behind`) that a person owns."""
    query = sa.select(sa.func.count()).where(kind.owner_id == user_id, kind.workspace_id == workspace_id)
    return session.scalar(query) or 0
