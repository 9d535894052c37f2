"""Members of a workspace, their roles, and the accounts they see."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError, NotFoundError
from host.features import registry
from host.models.api_keys import KeyEnd
from host.models.channels import ChannelAccount
from host.models.users import MemberAccount, Membership, Role, User
from host.users import endings, last_owners, reach, roles
from host.users.endings import Ended
from host.users.reach import Accounts
from host.users.roles import Permission
from host.users.sessions import picture_name

RANK = (Role.AUDITOR, Role.AGENT, Role.LEAD, Role.OWNER)
"""The roles, from the least privileged up."""


class Member(msgspec.Struct, frozen=True):
    """A member of a workspace in a list.

    :param accounts: the accounts they see; None: all.
    :param by_teams: whether the accounts of their teams are included, following changes to the teams.
    :param seen_at: when they last opened a page; None: never.
    :param second_factor: whether they have one.
    :param picture: as in :class:`host.users.sessions.CurrentUser`.
    """

    user_id: int
    name: str
    email: str
    role: Role
    disabled: bool
    is_admin: bool = False
    accounts: Accounts = None
    by_teams: bool = False
    seen_at: datetime | None = None
    second_factor: bool = False
    picture: str = ""


def listing(session: Session, workspace_id: int) -> Sequence[Member]:
    """Return the people of a workspace by name. Two queries."""
    limits = reach.limits(session, workspace_id=workspace_id)
    query = (
        sa.select(User, Membership.role, Membership.limited, Membership.by_teams)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id)
        .order_by(User.name, User.id)
    )
    return [
        Member(
            user_id=user.id,
            name=user.name,
            email=user.email,
            role=Role(role),
            disabled=user.disabled_at is not None,
            is_admin=user.is_admin,
            accounts=limits.get((user.id, workspace_id), frozenset()) if limited else None,
            by_teams=limited and by_teams,
            seen_at=user.seen_at,
            second_factor=user.second_factor_at is not None,
            picture=picture_name(user.picture_key),
        )
        for user, role, limited, by_teams in session.execute(query)
    ]


def add(session: Session, workspace_id: int, user_id: int, role: Role, accounts: Accounts = None) -> None:
    """Add a person to a workspace; an existing member keeps the higher role.

    :param accounts: accounts they see; None: all. An existing member's accounts stay unchanged.
    """
    last_owners.lock_workspace(session, workspace_id)
    row = session.get(Membership, (user_id, workspace_id))
    if row is None:
        session.add(Membership(user_id=user_id, workspace_id=workspace_id, role=Role(role)))
        session.flush()
        if accounts is not None:
            set_accounts(session, workspace_id, user_id, accounts)
    elif RANK.index(role) > RANK.index(Role(row.role)):
        set_role(session, workspace_id, user_id, role)
    session.flush()


def set_role(session: Session, workspace_id: int, user_id: int, role: Role) -> Ended:
    """Change a member's role. Return the keys and invitations that ended.

    Conversations of a member who may no longer reply become unassigned; a member whose role cannot be limited
    sees all accounts.

    :raises ConflictError: for the last owner.
    """
    if role is not Role.OWNER:
        last_owners.keep_owner(session, workspace_id, user_id)
    last_owners.lock_workspace(session, workspace_id)
    row = membership(session, workspace_id, user_id)
    row.role = role
    session.flush()
    if role not in roles.LIMITABLE:
        set_accounts(session, workspace_id, user_id, None)
    show_access(session, workspace_id, [user_id])
    if not roles.may(role, Permission.ANSWER):
        endings.assign_all(session, user_id, workspace_id, None)
    if role is Role.OWNER:
        return Ended((), ())
    return endings.end_all(session, user_id, KeyEnd.DEMOTED, workspace_id=workspace_id)


def set_accounts(
    session: Session, workspace_id: int, user_id: int, accounts: Accounts, *, by_teams: bool = False
) -> None:
    """Limit a member to some accounts of the workspace, or let them see all.

    Their conversations on other accounts become unassigned. Their open browsers update within seconds.

    :param by_teams: if limited: whether they also see the accounts of their teams.
    :raises ConflictError: if their role sees all of them.
    :raises NotFoundError: if one is not an account of the workspace.
    """
    last_owners.lock_workspace(session, workspace_id)
    row = membership(session, workspace_id, user_id)
    if accounts is not None and Role(row.role) not in roles.LIMITABLE:
        raise ConflictError(
            _l("This role can see all accounts."), next_step=_l("Make the person an agent first.")
        )
    for account_id in accounts or ():
        account = session.get(ChannelAccount, account_id)
        if account is None or account.workspace_id != workspace_id:
            raise NotFoundError(_l("One of these accounts no longer exists."))
    row.limited = accounts is not None
    row.by_teams = by_teams and accounts is not None
    session.execute(
        sa.delete(MemberAccount).where(
            MemberAccount.user_id == user_id, MemberAccount.workspace_id == workspace_id
        )
    )
    session.flush()
    for account_id in sorted(accounts or ()):
        session.add(MemberAccount(user_id=user_id, workspace_id=workspace_id, account_id=account_id))
    session.flush()
    if accounts is not None:
        give_back(session, workspace_id, [user_id])
    else:
        show_access(session, workspace_id, [user_id])


def give_back(session: Session, workspace_id: int, users: Collection[int]) -> None:
    """Unassign conversations of limited members on accounts they no longer see; notify their pages."""
    limited = sa.select(Membership.user_id).where(
        Membership.workspace_id == workspace_id, Membership.user_id.in_(users), Membership.limited
    )
    found = session.scalars(limited.order_by(Membership.user_id)).all()
    seen = reach.limits(session, users=found, workspace_id=workspace_id) if found else {}
    for user_id in found:
        kept = seen.get((user_id, workspace_id), frozenset())
        endings.assign_all(session, user_id, workspace_id, None, besides=kept)
    show_access(session, workspace_id, found)


def show_access(session: Session, workspace_id: int, users: Collection[int]) -> None:
    """Notify the open pages of members who may see more or less than before."""
    if users:
        registry.hooks().access_changed(session=session, workspace_id=workspace_id, users=users)


def remove(session: Session, workspace_id: int, user_id: int) -> Ended:
    """Remove a person from a workspace. Conversations assigned to them there become unassigned.

    Return their keys and invitations that ended.

    :raises ConflictError: for the last owner.
    """
    last_owners.keep_owner(session, workspace_id, user_id)
    session.delete(membership(session, workspace_id, user_id))
    session.flush()
    show_access(session, workspace_id, [user_id])
    endings.end_pushes(session, user_id)
    endings.assign_all(session, user_id, workspace_id, None)
    return endings.end_all(session, user_id, KeyEnd.LEFT, workspace_id=workspace_id)


def membership(session: Session, workspace_id: int, user_id: int) -> Membership:
    """Return the row of a member.

    :raises NotFoundError: if the person is not in the workspace.
    """
    row = session.get(Membership, (user_id, workspace_id))
    if row is None:
        raise NotFoundError(_l("This person is not in this workspace."), next_step="")
    return row
