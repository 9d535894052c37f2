"""Teams of a workspace: their names, members and accounts, and what waits for each.

Leads of the workspace keep them; whoever leads a team changes its members too. A conversation has a team as a
field of its own, see :mod:`host.inbox.conversation_actions`. A member who is limited to their teams sees the
accounts of these (:mod:`host.users.reach`), so what changes a team gives back what somebody sees no more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core import db
from host.inbox import names
from host.inbox.errors import (
    NotAMemberError,
    TeamAccountError,
    TeamNameError,
    TeamNotFoundError,
)
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, ConversationStatus
from host.models.record import ActorKind
from host.models.teams import Team, TeamAccount, TeamMember
from host.models.users import Membership, User
from host.record import catalogue
from host.record.catalogue import OfTeam
from host.record.writing import Happened, record
from host.users import last_ones, members
from host.users.reach import Accounts
from host.users.roles import Permission, with_permission

MOST = 100
"""Most teams of a workspace: all of them are in every menu."""
_TAKEN = _l("There is a team of that name already, so nothing was saved.")


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in a team."""

    user_id: int
    name: str
    lead: bool


@dataclass(frozen=True, slots=True)
class Listed:
    """A team with who is in it.

    :param members: by name, whoever leads it first.
    :param accounts: the ids of the accounts it looks after.
    :param open: how many open conversations it has; *all*: closed ones, snoozed ones and spam too.
    """

    id: int
    name: str
    members: Sequence[Member]
    accounts: frozenset[int]
    open: int = 0
    all: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A team as the inbox shows it to somebody.

    :param mine: whether they are in it; *lead*: whether they lead it.
    :param open: how many open conversations it has that are neither snoozed nor spam; *waiting*: how many of
        these wait for an answer; *nobody*: how many of those nobody has.
    """

    id: int
    name: str
    mine: bool
    lead: bool
    open: int = 0
    waiting: int = 0
    nobody: int = 0


# ---- what there is -----------------------------------------------------------------------------------


def listing(session: Session, workspace_id: int) -> list[Listed]:
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
        Listed(
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


def one_of(session: Session, workspace_id: int, team_id: int) -> Listed:
    """Return a team of the workspace with who is in it.

    :raises TeamNotFoundError: if the workspace has no such team.
    """
    found = next((one for one in listing(session, workspace_id) if one.id == team_id), None)
    if found is None:
        raise TeamNotFoundError()
    return found


def get(session: Session, workspace_id: int, team_id: int, *, lock: bool = False) -> Team:
    """Return a team of the workspace.

    :param lock: until the write ends.
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
def _seen_query() -> Any:
    mine = sa.and_(TeamMember.team_id == Team.id, TeamMember.user_id == sa.bindparam("reader", type_=db.Id))
    return (
        sa.select(Team.id, Team.name, TeamMember.user_id, TeamMember.lead)
        .outerjoin(TeamMember, mine)
        .where(Team.workspace_id == sa.bindparam("workspace"))
        .order_by(Team.name, Team.id)
    )


def seen(session: Session, workspace_id: int, user_id: int) -> list[Seen]:
    """Return the teams of a workspace as somebody sees them, their own first, uncounted. One query."""
    rows = db.read_rows(session, _seen_query(), workspace=workspace_id, reader=user_id)
    found = [Seen(id_, name, mine is not None, bool(lead)) for id_, name, mine, lead in rows]
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


def counted(session: Session, workspace_id: int, teams: Sequence[Seen], accounts: Accounts) -> list[Seen]:
    """Return *teams* with their numbers: one query, of an index alone.

    :param accounts: those whoever looks may see; None: all.
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


# ---- the teams of a workspace ------------------------------------------------------------------------


def create(session: Session, *, workspace_id: int, name: str, now: datetime) -> Team:
    """Add a team without members to a workspace and return it.

    :raises TeamNameError: if *name* is empty, too long, or that of another team but for capital letters; or
        if the workspace has :data:`MOST` teams.
    """
    count = session.scalar(sa.select(sa.func.count()).where(Team.workspace_id == workspace_id)) or 0
    if count >= MOST:
        raise TeamNameError(_l("There are as many teams as a workspace can have, so nothing was saved."))
    team = Team(workspace_id=workspace_id, name=names.checked(name, TeamNameError()), created_at=now)
    names.save(session, team, TeamNameError(_TAKEN))
    return team


def rename(session: Session, *, workspace_id: int, team_id: int, name: str) -> Team:
    """Give a team another name and return it.

    :raises TeamNotFoundError: if the workspace has no such team.
    :raises TeamNameError: as :func:`create`.
    """
    team = get(session, workspace_id, team_id, lock=True)
    team.name = names.checked(name, TeamNameError())
    names.save(session, team, TeamNameError(_TAKEN))
    return team


def delete(session: Session, *, workspace_id: int, team_id: int, author_id: int | None) -> Team:
    """Delete a team; its conversations are of no team then, and who has them keeps them. Return it as it was.

    :raises TeamNotFoundError: if the workspace has no such team.
    """
    last_ones.lock_workspace(session, workspace_id)
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
    record(
        session,
        Happened(
            workspace_id,
            catalogue.TEAM_DELETED,
            actor_kind=ActorKind.KEY if author_id is None else ActorKind.USER,
            actor_id=author_id,
            facts=OfTeam(team=team_id),
        ),
    )
    return team


def set_members(
    session: Session, *, workspace_id: int, team_id: int, people: Mapping[int, bool], now: datetime
) -> bool:
    """Let those of *people* be the members of a team. Return whether that changed anything.

    :param people: ids of members of the workspace who may answer, each with whether they lead the team.
    :raises TeamNotFoundError: if the workspace has no such team.
    :raises NotAMemberError: if one is no such member.
    """
    last_ones.lock_workspace(session, workspace_id)
    get(session, workspace_id, team_id, lock=True)
    # Who is in it already may stay, although they may not answer any more.
    before = {one.user_id: one for one in session.scalars(_rows_of(team_id))}
    writers = sa.select(Membership.user_id).where(
        Membership.workspace_id == workspace_id,
        Membership.role.in_(sorted(with_permission(Permission.ANSWER))),
    )
    if not people.keys() <= before.keys() | set(session.scalars(writers)):
        raise NotAMemberError()
    after = {**people}
    changed = {id_: row.lead for id_, row in before.items()} != after
    for user_id, row in before.items():
        if user_id not in after:
            session.delete(row)
        else:
            row.lead = after.pop(user_id)
    session.add_all(
        TeamMember(team_id=team_id, user_id=user_id, workspace_id=workspace_id, lead=lead, since=now)
        for user_id, lead in sorted(after.items())
    )
    session.flush()
    members.give_back(session, workspace_id, before.keys() - people.keys())
    return changed


def set_accounts(session: Session, *, workspace_id: int, team_id: int, accounts: Collection[int]) -> bool:
    """Let a team look after *accounts*. Return whether that changed anything.

    :raises TeamNotFoundError: if the workspace has no such team.
    :raises TeamAccountError: if one is no account of the workspace.
    """
    last_ones.lock_workspace(session, workspace_id)
    get(session, workspace_id, team_id, lock=True)
    known = session.scalars(
        sa.select(ChannelAccount.id).where(
            ChannelAccount.workspace_id == workspace_id, ChannelAccount.id.in_(list(accounts))
        )
    )
    wanted = set(accounts)
    if wanted != set(known):
        raise TeamAccountError()
    of_team = TeamAccount.team_id == team_id
    has = set(session.scalars(sa.select(TeamAccount.account_id).where(of_team)))
    session.execute(sa.delete(TeamAccount).where(of_team, TeamAccount.account_id.in_(sorted(has - wanted))))
    session.add_all(TeamAccount(team_id=team_id, account_id=id_) for id_ in sorted(wanted - has))
    session.flush()
    if has - wanted:
        members.give_back(session, workspace_id, _members_of(session, team_id))
    return has != wanted


def leads(session: Session, team_id: int, user_id: int) -> bool:
    """Tell whether somebody leads a team."""
    row = session.get(TeamMember, (team_id, user_id))
    return row is not None and row.lead


def _rows_of(team_id: int) -> sa.Select[TeamMember]:
    return sa.select(TeamMember).where(TeamMember.team_id == team_id)


def _members_of(session: Session, team_id: int) -> list[int]:
    return [one.user_id for one in session.scalars(_rows_of(team_id))]
