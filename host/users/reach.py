"""The part of a workspace visible to a member who is limited to some accounts, or to those of their teams.

Lists are narrowed in their queries (:class:`host.inbox.queries.ConversationFilter`), live events by
:func:`accounts_of`. Ids in addresses are checked here, in one place for every view. Everything else does not
    exist for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core.db import padded
from host.features import registry
from host.inbox.teams.models import Team, TeamAccount, TeamMember
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Conversation
from host.models.media import Upload
from host.models.users import MemberAccount, Membership

Accounts = frozenset[int] | None
"""The accounts of a workspace that a person sees; None: all of them."""
ALL_ACCOUNTS: Accounts = None
"""The accounts visible to Lobby and to API keys."""

_UPLOADER = sa.select(Upload.user_id).where(
    Upload.uuid == sa.bindparam("id"), Upload.workspace_id == sa.bindparam("workspace")
)


@cache
def _queries() -> Mapping[str, Any]:
    """Return, for each kind of id, the query that finds its accounts; None: it does not concern accounts."""
    return {
        name: feature.load(part) if part else None
        for feature in registry.features()
        for name, part in feature.ids.items()
    }


def known() -> frozenset[str]:
    """Return the names of ids that may appear in addresses of workspaces."""
    return frozenset({"account_id", "upload_id", *_queries()})


def sees(
    session: Session, workspace_id: int, user_id: int, accounts: frozenset[int], ids: Mapping[str, Any]
) -> bool:
    """Return whether a member limited to *accounts* may see everything to which *ids* of an address refer.

    An unknown kind of id is never seen.
    """
    return all(_sees_one(session, workspace_id, user_id, accounts, name, id_) for name, id_ in ids.items())


def _sees_one(
    session: Session, workspace_id: int, user_id: int, accounts: frozenset[int], name: str, id_: Any
) -> bool:
    if name == "account_id":
        return id_ in accounts
    values = {"id": id_, "workspace": workspace_id}
    if name == "upload_id":
        return session.scalar(_UPLOADER, values) == user_id
    if name not in _queries():
        return False
    query = _queries()[name]
    return query is None or not accounts.isdisjoint(session.scalars(query, values))


def accounts_of(session: Session, ids: Collection[int]) -> dict[int, int]:
    """Return the account of each conversation of *ids*."""
    query = sa.select(Conversation.id, Conversation.account_id).where(Conversation.id.in_(ids))
    return {row.id: row.account_id for row in session.execute(query)}


def accounts_of_teams(session: Session, workspace_id: int, team_ids: Collection[int]) -> frozenset[int]:
    """Return the accounts that these teams of the workspace are responsible for."""
    query = (
        sa.select(TeamAccount.account_id)
        .join(Team, Team.id == TeamAccount.team_id)
        .where(Team.workspace_id == workspace_id, Team.id.in_(team_ids))
    )
    return frozenset(session.scalars(query))


def names_of_teams(session: Session, workspace_id: int, team_ids: Collection[int]) -> list[str]:
    """Return the names of these teams of the workspace, in order."""
    query = sa.select(Team.name).where(Team.workspace_id == workspace_id, Team.id.in_(team_ids))
    return list(session.scalars(query.order_by(Team.name)))


def in_workspace(
    session: Session, workspace_id: int, accounts: Collection[int], teams: Collection[int]
) -> bool:
    """Return whether all of these accounts and teams are in the workspace."""
    for model, ids in ((ChannelAccount, accounts), (Team, teams)):
        query = sa.select(sa.func.count()).where(model.workspace_id == workspace_id, model.id.in_(ids))
        if ids and session.scalar(query) != len(set(ids)):
            return False
    return True


def limits(
    session: Session, *, users: Collection[int] | None = None, workspace_id: int | None = None
) -> dict[tuple[int, int], frozenset[int]]:
    """Return the accounts that limited members see, by the ids of member and workspace. One query.

    These are the accounts given to them, and those of their teams if they see them. Members without a limit
    are left out.

    :param users: only these members; None: all.
    """
    given = sa.select(MemberAccount.user_id, MemberAccount.workspace_id, MemberAccount.account_id)
    through = (
        sa.select(TeamMember.user_id, TeamMember.workspace_id, TeamAccount.account_id)
        .join(TeamAccount, TeamAccount.team_id == TeamMember.team_id)
        .join(Membership, _is_of(TeamMember))
        .where(Membership.by_teams)
    )
    if users is not None:
        given = given.where(MemberAccount.user_id.in_(users))
        through = through.where(TeamMember.user_id.in_(users))
    if workspace_id is not None:
        given = given.where(MemberAccount.workspace_id == workspace_id)
        through = through.where(TeamMember.workspace_id == workspace_id)
    found: dict[tuple[int, int], set[int]] = {}
    for user_id, in_, account_id in session.execute(sa.union_all(given, through)):
        found.setdefault((user_id, in_), set()).add(account_id)
    return {pair: frozenset(accounts) for pair, accounts in found.items()}


def sees_account(account_id: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a :class:`Membership` sees an account of its workspace."""
    given = sa.exists().where(_is_of(MemberAccount), MemberAccount.account_id == account_id)
    through = sa.exists().where(
        _is_of(TeamMember), TeamAccount.team_id == TeamMember.team_id, TeamAccount.account_id == account_id
    )
    # Correlate all tables except this query's, at any nesting depth.
    given = given.correlate_except(MemberAccount)
    through = through.correlate_except(TeamMember, TeamAccount)
    return sa.or_(Membership.limited.is_(False), given, sa.and_(Membership.by_teams, through))


def includes(accounts: Accounts, account_id: int) -> bool:
    """Return whether *accounts* includes the account *account_id*."""
    return accounts is None or account_id in accounts


def _is_of(row: type[MemberAccount] | type[TeamMember]) -> sa.ColumnElement[bool]:
    return sa.and_(row.user_id == Membership.user_id, row.workspace_id == Membership.workspace_id)


class Choice(msgspec.Struct, frozen=True):
    """An account to choose, as a filter or to make it visible to a member.

    :param name: its handle, or its name if it has none; *title*: its name, or its handle.
    :param connected: whether it is not disconnected.
    """

    id: int
    channel: str
    name: str
    title: str = ""
    connected: bool = True

    def matches(self, wanted: str) -> bool:
        """Return whether *wanted* is part of its name or handle, ignoring case."""
        return wanted.casefold() in f"{self.title} {self.name}".casefold()


def choices(session: Session, workspace_id: int, ids: Collection[int] | None = None) -> list[Choice]:
    """Return the accounts of a workspace by name, including disconnected ones, as their conversations remain.

    :param ids: only these accounts.
    """
    query = (
        sa.select(
            *(ChannelAccount.id, ChannelAccount.channel, ChannelAccount.handle, ChannelAccount.name),
            ChannelAccount.state,
        )
        .where(ChannelAccount.workspace_id == workspace_id)
        .order_by(ChannelAccount.name, ChannelAccount.id)
    )
    if ids is not None:
        query = query.where(ChannelAccount.id.in_(padded(sorted(ids) or [0])))
    return [
        Choice(
            row.id,
            row.channel,
            row.handle or row.name,
            row.name or row.handle or "",
            row.state != AccountState.DISCONNECTED,
        )
        for row in session.execute(query)
    ]


def count_accounts(session: Session, workspace_id: int) -> int:
    """Return the number of accounts that :func:`choices` would return."""
    query = sa.select(sa.func.count()).where(ChannelAccount.workspace_id == workspace_id)
    return session.scalar(query) or 0


def names_of(session: Session, workspace_id: int, accounts: Accounts) -> str:
    """Return the names of the accounts a member sees, for the audit log."""
    if accounts is None:
        return "all"
    return ", ".join(row.name for row in choices(session, workspace_id, accounts))[:200] or "none"
