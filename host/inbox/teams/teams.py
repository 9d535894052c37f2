"""Create, change, delete and list the teams of a workspace.

Leads of the workspace manage all teams; the lead of a team manages its members. The team of a conversation is
a field of the conversation, see :mod:`host.inbox.conversation_actions`. Members who are limited to their
teams see the accounts of these (:mod:`host.users.reach`), so a change of a team unassigns the conversations
that a member no longer sees.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import db
from host.core.backports.values import replace
from host.events.kinds.conversations import TEAM_DELETED, OfTeam
from host.events.writing import publish
from host.inbox import names
from host.inbox.errors import NotAMemberError
from host.inbox.teams.errors import TeamAccountError, TeamNameError, TeamNotFoundError
from host.inbox.teams.models import Team, TeamAccount, TeamMember
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, ConversationStatus
from host.models.users import Membership, User
from host.users import last_owners, members, reach
from host.users.actor import UnitOfWork
from host.users.reach import Accounts
from host.users.roles import Permission, with_permission

MOST = 100
"""Maximum number of teams of a workspace: every menu lists all of them."""
_TAKEN = _l("A team with that name already exists. Nothing was saved.")


class Member(msgspec.Struct, frozen=True):
    """A member of a team."""

    user_id: int
    name: str
    lead: bool


class TeamDetails(msgspec.Struct, frozen=True):
    """A team with its members and accounts.

    :param members: leads first, then by name.
    :param accounts: the ids of the accounts it is responsible for.
    :param open: the number of its open conversations; *all*: of all its conversations.
    """

    id: int
    name: str
    members: Sequence[Member]
    accounts: frozenset[int]
    open: int = 0
    all: int = 0


class InboxTeam(msgspec.Struct, frozen=True):
    """A team as the inbox shows it to a member of the workspace.

    :param mine: whether they are in it; *lead*: whether they lead it.
    :param open: number of open conversations that are neither snoozed nor spam; *waiting*: number of these
        that wait for an answer; *nobody*: number of those that are unassigned.
    """

    id: int
    name: str
    mine: bool
    lead: bool
    open: int = 0
    waiting: int = 0
    nobody: int = 0


# ---- reading -----------------------------------------------------------------------------------


def listing(session: Session, workspace_id: int) -> list[TeamDetails]:
    """Return the teams of a workspace by name. Four queries, however many teams."""
    here = Team.workspace_id == workspace_id
    people: dict[int, list[Member]] = {}
    query = (
        sa.select(TeamMember.team_id, User.id, User.name, TeamMember.lead)
        .join(Team, Team.id == TeamMember.team_id)
        .join(User, User.id == TeamMember.user_id)
        .where(here)
        .order_by(TeamMember.lead.desc(), User.name, User.id)
    )
    for team_id, user_id, name, lead in session.execute(query):
        people.setdefault(team_id, []).append(Member(user_id, name, lead))
    accounts: dict[int, set[int]] = {}
    looked_after = sa.select(TeamAccount.team_id, TeamAccount.account_id).join(Team)
    for team_id, account_id in session.execute(looked_after.where(here)):
        accounts.setdefault(team_id, set()).add(account_id)
    is_open = sa.case((Conversation.status == ConversationStatus.OPEN, 1), else_=0)
    counted = (
        sa.select(Conversation.team_id, sa.func.sum(is_open), sa.func.count())
        .where(
            Conversation.workspace_id == workspace_id,
            Conversation.status.in_(list(ConversationStatus)),
            Conversation.team_id.is_not(None),
        )
        .group_by(Conversation.team_id)
    )
    numbers = {team_id: (int(open_), all_) for team_id, open_, all_ in session.execute(counted)}
    return [
        TeamDetails(
            one.id,
            one.name,
            people.get(one.id, []),
            frozenset(accounts.get(one.id, ())),
            *numbers.get(one.id, (0, 0)),
        )
        for one in all_of(session, workspace_id)
    ]


def all_of(session: Session, workspace_id: int) -> Sequence[Team]:
    """Return the teams of a workspace, by name."""
    query = sa.select(Team).where(Team.workspace_id == workspace_id).order_by(Team.name, Team.id)
    return session.scalars(query).all()


def details(session: Session, workspace_id: int, team_id: int) -> TeamDetails:
    """Return a team of the workspace with its members and accounts.

    :raises TeamNotFoundError: if the workspace has no such team.
    """
    found = next((one for one in listing(session, workspace_id) if one.id == team_id), None)
    if found is None:
        raise TeamNotFoundError()
    return found


def get(session: Session, workspace_id: int, team_id: int, *, lock: bool = False) -> Team:
    """Return a team of the workspace.

    :param lock: whether to lock it until the write ends.
    :raises TeamNotFoundError: if the workspace has no such team.
    """
    query = sa.select(Team).where(Team.id == team_id, Team.workspace_id == workspace_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    team = session.scalars(query).one_or_none()
    if team is None:
        raise TeamNotFoundError()
    return team


@cache
def _inbox_query() -> Any:
    mine = sa.and_(TeamMember.team_id == Team.id, TeamMember.user_id == sa.bindparam("reader", type_=db.Id))
    return (
        sa.select(Team.id, Team.name, TeamMember.user_id, TeamMember.lead)
        .outerjoin(TeamMember, mine)
        .where(Team.workspace_id == sa.bindparam("workspace"))
        .order_by(Team.name, Team.id)
    )


def inbox_teams(session: Session, workspace_id: int, user_id: int) -> list[InboxTeam]:
    """Return the teams of a workspace, those of the user first, without counts. One query."""
    rows = db.read_rows(session, _inbox_query(), workspace=workspace_id, reader=user_id)
    found = [InboxTeam(id_, name, mine is not None, bool(lead)) for id_, name, mine, lead in rows]
    return sorted(found, key=lambda one: not one.mine)


@cache
def _count_query(limited: bool) -> Any:
    waits = Conversation.waiting_since.is_not(None)
    nobody = sa.case((sa.and_(waits, Conversation.assignee_id.is_(None)), 1), else_=0)
    query = sa.select(
        Conversation.team_id,
        sa.func.count(),
        sa.func.count(Conversation.waiting_since),
        sa.func.sum(nobody),
    ).where(
        Conversation.workspace_id == sa.bindparam("workspace"),
        Conversation.status == ConversationStatus.OPEN,
        Conversation.team_id.in_(sa.bindparam("teams", expanding=True)),
        Conversation.spam_at.is_(None),
        Conversation.snooze_kind.is_(None),
    )
    if limited:
        query = query.where(Conversation.account_id.in_(sa.bindparam("accounts", expanding=True)))
    return query.group_by(Conversation.team_id)


def with_counts(
    session: Session, workspace_id: int, teams: Sequence[InboxTeam], accounts: Accounts
) -> list[InboxTeam]:
    """Return *teams* with their counts: one index-only query.

    :param accounts: the accounts the user may see; None for all.
    """
    if not teams:
        return []
    values = {"workspace": workspace_id, "teams": [one.id for one in teams]}
    if accounts is not None:
        values["accounts"] = sorted(accounts)
    rows = db.read_rows(session, _count_query(accounts is not None), **values)
    found = {team_id: (open_, waiting, int(nobody)) for team_id, open_, waiting, nobody in rows}
    numbers = [found.get(one.id, (0, 0, 0)) for one in teams]
    return [
        replace(one, open=open_, waiting=waiting, nobody=nobody)
        for one, (open_, waiting, nobody) in zip(teams, numbers, strict=True)
    ]


# ---- changing ------------------------------------------------------------------------


def create(
    work: UnitOfWork,
    *,
    name: str,
    people: Mapping[int, bool] | None = None,
    accounts: Collection[int] | None = None,
) -> TeamDetails:
    """Add a team to the workspace and return it.

    :param people: see :func:`change`; *accounts* too.
    :raises TeamNameError: if *name* is empty, too long, or equals another name ignoring case; or if the
        workspace has :data:`MOST` teams.
    :raises NotAMemberError: if one of *people* is not a member who may answer.
    :raises TeamAccountError: if one of *accounts* is not an account of the workspace.
    """
    session, workspace_id = work.session, work.workspace_id
    count = session.scalar(sa.select(sa.func.count()).where(Team.workspace_id == workspace_id)) or 0
    if count >= MOST:
        raise TeamNameError(
            _l("The workspace has reached the maximum number of teams. Nothing was saved."),
            next_step=_l("Delete a team you no longer use, then try again."),
        )
    team = Team(workspace_id=workspace_id, created_at=work.now)
    _set_fields(work, team, name, people, accounts)
    work.audit("team.added", team.name)
    return details(session, workspace_id, team.id)


def change(
    work: UnitOfWork,
    team_id: int,
    *,
    name: str | None = None,
    people: Mapping[int, bool] | None = None,
    accounts: Collection[int] | None = None,
) -> TeamDetails:
    """Change those fields of a team that are not None, and return the team.

    :param people: the ids of its members, who must be allowed to answer -> whether they lead the team.
    :param accounts: the ids of the accounts it is responsible for.
    :raises TeamNotFoundError: if the workspace has no such team.
    :raises TeamNameError: as :func:`create`.
    :raises NotAMemberError: if one of *people* is not such a member.
    :raises TeamAccountError: if one of *accounts* is not an account of the workspace.
    """
    session, workspace_id = work.session, work.workspace_id
    last_owners.lock_workspace(session, workspace_id)
    team = get(session, workspace_id, team_id, lock=True)
    before = details(session, workspace_id, team_id)
    _set_fields(work, team, name, people, accounts)
    after = details(session, workspace_id, team_id)
    if changes := _differences(session, workspace_id, before, after):
        work.audit("team.changed", after.name, details=changes)
    return after


def _set_fields(
    work: UnitOfWork,
    team: Team,
    name: str | None,
    people: Mapping[int, bool] | None,
    accounts: Collection[int] | None,
) -> None:
    if name is not None:
        team.name = names.checked(name, TeamNameError())
        names.save(work.session, team, TeamNameError(_TAKEN))
    if accounts is not None:
        _set_accounts(work.session, team.workspace_id, team.id, accounts)
    if people is not None:
        _set_members(work, team.id, people)


def _differences(
    session: Session, workspace_id: int, before: TeamDetails, after: TeamDetails
) -> dict[str, str]:
    """Return the changed fields, in words for the audit log."""
    found = {}
    if before.name != after.name:
        found["before"] = before.name
    if before.members != after.members:
        found["members"] = ", ".join(one.name for one in after.members)[:200] or "none"
    if before.accounts != after.accounts:
        called = [one.name for one in reach.choices(session, workspace_id, after.accounts)]
        found["accounts"] = ", ".join(called)[:200] or "none"
    return found


def delete(work: UnitOfWork, team_id: int) -> Team:
    """Delete a team and return its earlier values. Its conversations lose the team and keep their assignee.

    :raises TeamNotFoundError: if the workspace has no such team.
    """
    session, workspace_id = work.session, work.workspace_id
    last_owners.lock_workspace(session, workspace_id)
    team = get(session, workspace_id, team_id, lock=True)
    people = _members_of(session, team_id)
    of_team = sa.update(Conversation).where(
        Conversation.workspace_id == workspace_id,
        # With the status, so that the index of teams finds them.
        Conversation.status.in_(list(ConversationStatus)),
        Conversation.team_id == team_id,
    )
    session.execute(of_team.values(team_id=None), execution_options={"synchronize_session": False})
    session.execute(sa.delete(Team).where(Team.id == team_id))
    session.expunge(team)
    members.give_back(session, workspace_id, people)
    publish(work, TEAM_DELETED, OfTeam(team=team_id))
    work.audit("team.deleted", team.name)
    return team


def _set_members(work: UnitOfWork, team_id: int, people: Mapping[int, bool]) -> None:
    session, workspace_id = work.session, work.workspace_id
    # Members stay even if they may no longer answer.
    before = {one.user_id: one for one in session.scalars(_rows_of(team_id))}
    writers = sa.select(Membership.user_id).where(
        Membership.workspace_id == workspace_id,
        Membership.role.in_(sorted(with_permission(Permission.ANSWER))),
    )
    if unknown := people.keys() - before.keys() - set(session.scalars(writers)):
        raise NotAMemberError(wrong_values=unknown)
    after = {**people}
    for user_id, row in before.items():
        if user_id not in after:
            session.delete(row)
        else:
            row.lead = after.pop(user_id)
    session.add_all(
        TeamMember(team_id=team_id, user_id=user_id, workspace_id=workspace_id, lead=lead, since=work.now)
        for user_id, lead in sorted(after.items())
    )
    session.flush()
    members.give_back(session, workspace_id, before.keys() - people.keys())


def _set_accounts(session: Session, workspace_id: int, team_id: int, accounts: Collection[int]) -> None:
    known = session.scalars(
        sa.select(ChannelAccount.id).where(
            ChannelAccount.workspace_id == workspace_id, ChannelAccount.id.in_(list(accounts))
        )
    )
    wanted = set(accounts)
    if unknown := wanted - set(known):
        raise TeamAccountError(wrong_values=unknown)
    of_team = TeamAccount.team_id == team_id
    has = set(session.scalars(sa.select(TeamAccount.account_id).where(of_team)))
    session.execute(sa.delete(TeamAccount).where(of_team, TeamAccount.account_id.in_(sorted(has - wanted))))
    session.add_all(TeamAccount(team_id=team_id, account_id=id_) for id_ in sorted(wanted - has))
    session.flush()
    if has - wanted:
        members.give_back(session, workspace_id, _members_of(session, team_id))


def leads(session: Session, team_id: int, user_id: int) -> bool:
    """Return whether a user leads a team."""
    row = session.get(TeamMember, (team_id, user_id))
    return row is not None and row.lead


def _rows_of(team_id: int) -> sa.Select[TeamMember]:
    return sa.select(TeamMember).where(TeamMember.team_id == team_id)


def _members_of(session: Session, team_id: int) -> list[int]:
    return [one.user_id for one in session.scalars(_rows_of(team_id))]
