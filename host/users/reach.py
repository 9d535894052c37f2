"""What of a workspace a member sees who is limited to some of its accounts, or to those of their teams.

Lists are narrowed in their queries (:class:`host.inbox.queries.ConversationFilter`), live events by
:func:`accounts_of`. What an address names by its id is looked up here, in one place for every view.
What they may not see does not exist for them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core.db import padded
from host.models.assistants import AssistantCall, AssistantTurn
from host.models.channels import AccountState, ChannelAccount
from host.models.inbox import Attachment, Contact, ContactIdentity, Conversation, Message
from host.models.media import Upload
from host.models.posts import Post
from host.models.teams import TeamAccount, TeamMember
from host.models.users import MemberAccount, Membership

Accounts = frozenset[int] | None
"""The accounts of a workspace somebody sees; None: all of them."""
ALL_ACCOUNTS: Accounts = None
"""What the desk itself sees, and an API key."""

_BY_ACCOUNT: Mapping[str, Any] = {
    "conversation_id": sa.select(Conversation.account_id).where(
        Conversation.id == sa.bindparam("id"), Conversation.workspace_id == sa.bindparam("workspace")
    ),
    "message_id": sa.select(Message.account_id).where(
        Message.id == sa.bindparam("id"), Message.workspace_id == sa.bindparam("workspace")
    ),
    "attachment_id": sa.select(Message.account_id)
    .join(Attachment, Attachment.message_id == Message.id)
    .where(Attachment.id == sa.bindparam("id"), Attachment.workspace_id == sa.bindparam("workspace")),
    "identity_id": sa.select(ContactIdentity.account_id).where(
        ContactIdentity.id == sa.bindparam("id"), ContactIdentity.workspace_id == sa.bindparam("workspace")
    ),
    "turn_id": sa.select(AssistantTurn.account_id).where(
        AssistantTurn.id == sa.bindparam("id"), AssistantTurn.workspace_id == sa.bindparam("workspace")
    ),
    "call_id": sa.select(AssistantTurn.account_id)
    .join(AssistantCall, AssistantCall.turn_id == AssistantTurn.id)
    .where(AssistantCall.id == sa.bindparam("id"), AssistantTurn.workspace_id == sa.bindparam("workspace")),
    "post_id": sa.select(Post.account_id).where(
        Post.id == sa.bindparam("id"), Post.workspace_id == sa.bindparam("workspace")
    ),
    "contact_id": sa.select(ContactIdentity.account_id).where(
        # Of one that was merged, those of the contact it is a part of.
        ContactIdentity.contact_id
        == sa.select(sa.func.coalesce(Contact.merged_into_id, Contact.id))
        .where(Contact.id == sa.bindparam("id"))
        .scalar_subquery(),
        ContactIdentity.workspace_id == sa.bindparam("workspace"),
    ),
}
"""Names of ids in addresses -> the accounts the row belongs to."""

_UPLOADER = sa.select(Upload.user_id).where(
    Upload.uuid == sa.bindparam("id"), Upload.workspace_id == sa.bindparam("workspace")
)

WITHOUT_ACCOUNT = frozenset(
    {
        "workspace_id",
        "label_id",
        "view_id",
        "bulk_id",
        "team_id",
        "canned_id",
        "canned_file_id",
        "macro_id",
        "rule_id",
        "assistant_id",
        "model_id",
        "tool_id",
        "attribute_id",
        "entry_id",
        "merge_id",
        "knowledge_id",
        "case_id",
    }
)
"""Names of ids in addresses of workspaces that say nothing of an account; some stand behind one that does."""

KNOWN = frozenset({*_BY_ACCOUNT, "account_id", "upload_id"}) | WITHOUT_ACCOUNT


def sees(
    session: Session, workspace_id: int, user_id: int, accounts: frozenset[int], ids: Mapping[str, Any]
) -> bool:
    """Tell whether somebody who sees *accounts* only may see all that *ids*, parts of an address, name.

    A kind of id that is not known here is not seen.
    """
    return all(_sees_one(session, workspace_id, user_id, accounts, name, id_) for name, id_ in ids.items())


def _sees_one(
    session: Session, workspace_id: int, user_id: int, accounts: frozenset[int], name: str, id_: Any
) -> bool:
    if name in WITHOUT_ACCOUNT:
        return True
    if name == "account_id":
        return id_ in accounts
    values = {"id": id_, "workspace": workspace_id}
    if name == "upload_id":
        return session.scalar(_UPLOADER, values) == user_id
    query = _BY_ACCOUNT.get(name)
    return query is not None and not accounts.isdisjoint(session.scalars(query, values))


def accounts_of(session: Session, ids: Collection[int]) -> dict[int, int]:
    """Return the account of each conversation of *ids*."""
    query = sa.select(Conversation.id, Conversation.account_id).where(Conversation.id.in_(ids))
    return {row.id: row.account_id for row in session.execute(query)}


def limits(
    session: Session, *, users: Collection[int] | None = None, workspace_id: int | None = None
) -> dict[tuple[int, int], frozenset[int]]:
    """Return the accounts that limited members see, by the ids of member and workspace. One query.

    These are the accounts given to them, and those of their teams where they see these. Of members who are
    not limited it says nothing.

    :param users: of these members; None: of all.
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
    # All but their own tables is of the query around, however far out.
    given = given.correlate_except(MemberAccount)
    through = through.correlate_except(TeamMember, TeamAccount)
    return sa.or_(Membership.limited.is_(False), given, sa.and_(Membership.by_teams, through))


def includes(accounts: Accounts, account_id: int) -> bool:
    """Tell whether somebody who sees *accounts* sees the account *account_id*."""
    return accounts is None or account_id in accounts


def _is_of(row: type[MemberAccount] | type[TeamMember]) -> sa.ColumnElement[bool]:
    return sa.and_(row.user_id == Membership.user_id, row.workspace_id == Membership.workspace_id)


@dataclass(frozen=True, slots=True)
class Choice:
    """An account that can be chosen: to let somebody see it, or to narrow something to it.

    :param name: its handle, or its name where it has none; *title*: the other way round.
    :param connected: whether it is not disconnected.
    """

    id: int
    channel: str
    name: str
    title: str = ""
    connected: bool = True

    def matches(self, wanted: str) -> bool:
        """Tell whether *wanted* is a part of its name or handle, in any case."""
        return wanted.casefold() in f"{self.title} {self.name}".casefold()


def choices(session: Session, workspace_id: int, ids: Collection[int] | None = None) -> list[Choice]:
    """Return the accounts of a workspace by name, disconnected ones too: their conversations are there.

    :param ids: of these accounts alone.
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
    """Return how many accounts :func:`choices` would return."""
    query = sa.select(sa.func.count()).where(ChannelAccount.workspace_id == workspace_id)
    return session.scalar(query) or 0
