"""Conversations: the filter that chooses them, the rows that pages and the API show, and their counts.

A fixed number of statements, however many conversations there are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.inbox.list_positions import Position, earlier_than
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Contact, ContactIdentity, Conversation, ConversationStatus
from host.models.users import Membership, User
from host.sdk.channel import AccountRef

PAGE = 50
MAX_ROWS = 200
"""Most rows asked for by id at a time."""


class Assignee(StrEnum):
    """Who a filter asks for, where it names no member."""

    ME = "me"
    """Whoever looks."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """Which conversations of a workspace. A field that is None does not matter; the others add up.

    :param channel: one that an account of the workspace has; see :func:`has_accounts`.
    :param assignee: the id of a member, or :class:`Assignee`.
    :param contact: the contact's external id.
    """

    status: ConversationStatus | None = None
    channel: str | None = None
    account_id: int | None = None
    assignee: int | Assignee | None = None
    contact: str | None = None


CHOICES: Mapping[str, type[StrEnum]] = {"status": ConversationStatus}
"""The fields of a filter that are one of a few words, and the words. Each compares the column of its name;
addresses of pages have it as a parameter of its name."""


def conditions(
    filter_: ConversationFilter, workspace_id: int, user_id: int | None
) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that narrow a query of :class:`Conversation` to *filter_*.

    Only the narrowest of contact, account and workspace becomes a condition, so that its index is used.

    :param user_id: who looks; None: a program.
    :raises ValueError: if the filter asks for the conversations of whoever looks, and that is a program.
    """
    found: list[sa.ColumnElement[bool]] = []
    if filter_.contact is not None:
        found.append(Conversation.identity_id.in_(_identities(filter_, workspace_id)))
    elif filter_.account_id is not None:
        found.append(Conversation.account_id == filter_.account_id)
        found.append(sa.exists(_accounts(filter_, workspace_id)))
    else:
        found.append(Conversation.workspace_id == workspace_id)
        if filter_.channel is not None:
            found.append(Conversation.channel == filter_.channel)
    for name in CHOICES:
        chosen = getattr(filter_, name)
        if chosen is not None:
            found.append(getattr(Conversation, name) == chosen)
    if filter_.assignee is Assignee.NOBODY:
        found.append(Conversation.assignee_id.is_(None))
    elif filter_.assignee is not None:
        member = user_id if filter_.assignee is Assignee.ME else filter_.assignee
        if member is None:
            raise ValueError("a program has no conversations of its own")
        found.append(Conversation.assignee_id == member)
    return found


def _accounts(filter_: ConversationFilter, workspace_id: int) -> sa.Select[Any]:
    """Select the ids of the workspace's accounts that a filter lets through."""
    query = sa.select(ChannelAccount.id).where(ChannelAccount.workspace_id == workspace_id)
    if filter_.account_id is not None:
        query = query.where(ChannelAccount.id == filter_.account_id)
    if filter_.channel is not None:
        query = query.where(ChannelAccount.channel == filter_.channel)
    return query


def _identities(filter_: ConversationFilter, workspace_id: int) -> sa.Select[Any]:
    """Select the ids the filter's contact has on those accounts."""
    return sa.select(ContactIdentity.id).where(
        ContactIdentity.account_id.in_(_accounts(filter_, workspace_id)),
        ContactIdentity.external_id == filter_.contact,
    )


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Why nothing can be sent to a contact: a sentence and what to do, both English msgids."""

    since: datetime
    until: datetime | None
    sentence: str
    next_step: str


@dataclass(frozen=True, slots=True)
class Row:
    """One conversation as the list and the head of its thread show it."""

    id: int
    channel: str
    account: AccountRef
    account_state: str
    contact_id: int
    contact_name: str | None
    contact_email: str | None
    identity_id: int
    identity_external_id: str
    identity_name: str | None
    username: str | None
    picture_url: str | None
    status: ConversationStatus
    subject: str | None
    assignee_id: int | None
    assignee_name: str | None
    unread: int
    failed: int
    last_message_at: datetime
    last_preview: str
    last_direction: str
    last_kind: str
    last_author_id: int | None
    last_author_name: str | None
    last_inbound_at: datetime | None
    created_at: datetime
    closed_at: datetime | None
    unreachable: Unreachable | None = None

    @property
    def picture(self) -> str:
        """Return a value that differs for each picture of the contact; empty where there is none."""
        return sha256(self.picture_url.encode()).hexdigest()[:12] if self.picture_url else ""

    def out_of_reach(self, now: datetime) -> Unreachable | None:
        """Return why nothing can be sent to the contact *now*; None where something can."""
        found = self.unreachable
        return None if found is None or (found.until is not None and found.until <= now) else found


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list. *next* continues it; None: that was all."""

    rows: Sequence[Row]
    next: Position | None


@dataclass(slots=True)
class Counts:
    """How many conversations there are, for the sidebar."""

    mine: int = 0
    unassigned: int = 0
    all: int = 0
    open: int = 0
    closed: int = 0
    unread: int = 0
    """Open conversations with something nobody has looked at, among mine and unassigned ones."""
    channels: dict[str, int] | None = None


@cache
def select_rows() -> Any:
    """Return the query of :class:`Row`, to be narrowed; see :func:`built_row`."""
    assignee, last_author = aliased(User), aliased(User)
    return (
        sa.select(
            Conversation,
            Contact.name,
            Contact.email,
            ContactIdentity.external_id,
            ContactIdentity.name,
            ContactIdentity.username,
            ContactIdentity.picture_url,
            ContactIdentity.unreachable_since,
            ContactIdentity.unreachable_until,
            ContactIdentity.unreachable,
            ChannelAccount,
            assignee.name,
            last_author.name,
        )
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .outerjoin(assignee, assignee.id == Conversation.assignee_id)
        .outerjoin(last_author, last_author.id == Conversation.last_author_id)
    )


def built_row(found: Any) -> Row:
    """Return what a query of :func:`select_rows` found as a :class:`Row`."""
    row, contact_name, email, external_id, name, username, picture_url, *closed, account, assignee, author = (
        found
    )
    return Row(
        id=row.id,
        channel=row.channel,
        account=account_ref(account),
        account_state=account.state,
        contact_id=row.contact_id,
        contact_name=contact_name,
        contact_email=email,
        identity_id=row.identity_id,
        identity_external_id=external_id,
        identity_name=name,
        username=username,
        picture_url=picture_url,
        status=ConversationStatus(row.status),
        subject=row.subject,
        assignee_id=row.assignee_id,
        assignee_name=assignee,
        unread=row.unread_count,
        failed=row.failed_count,
        last_message_at=row.last_message_at,
        last_preview=row.last_preview,
        last_direction=row.last_direction,
        last_kind=row.last_kind,
        last_author_id=row.last_author_id,
        last_author_name=author,
        last_inbound_at=row.last_inbound_at,
        created_at=row.created_at,
        closed_at=row.closed_at,
        unreachable=unreachable_of(*closed),
    )


def unreachable_of(
    since: datetime | None, until: datetime | None, why: dict[str, Any] | None
) -> Unreachable | None:
    """Return why an identity cannot be reached, from its columns; None if it can."""
    if since is None:
        return None
    why = why or {}
    return Unreachable(since, until, str(why.get("sentence", "")), str(why.get("next_step", "")))


def list_conversations(
    session: Session,
    workspace_id: int,
    user_id: int | None,
    filter_: ConversationFilter,
    *,
    before: Position | None = None,
    limit: int = PAGE,
) -> Page:
    """Return a page of conversations, the one with the latest message first.

    One query per status, because each index begins with it: two for a filter that takes both.
    """
    narrowed = conditions(replace(filter_, status=None), workspace_id, user_id)
    if before is not None:
        narrowed += earlier_than(before, Conversation.last_message_at, Conversation.id)
    statuses = list(ConversationStatus) if filter_.status is None else [filter_.status]
    rows: list[Row] = []
    for status in statuses:
        query = (
            select_rows()
            .where(*narrowed, Conversation.status == status)
            .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
            .limit(limit + 1)
        )
        rows += [built_row(found) for found in session.execute(query)]
    if len(statuses) > 1:
        rows.sort(key=lambda row: (row.last_message_at, row.id), reverse=True)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, (rows[-1].last_message_at, rows[-1].id) if more else None)


def matching_rows(
    session: Session,
    workspace_id: int,
    user_id: int | None,
    filter_: ConversationFilter,
    ids: Collection[int],
) -> list[Row]:
    """Return those of *ids* that the filter lets through."""
    query = select_rows().where(*conditions(filter_, workspace_id, user_id), Conversation.id.in_(ids))
    return [built_row(found) for found in session.execute(query)]


def get_row(session: Session, workspace_id: int, conversation_id: int) -> Row | None:
    """Return a conversation of the workspace, or None if it has no such one."""
    query = select_rows().where(Conversation.workspace_id == workspace_id, Conversation.id == conversation_id)
    found = session.execute(query).one_or_none()
    return None if found is None else built_row(found)


def count(session: Session, workspace_id: int, user_id: int, filter_: ConversationFilter) -> Counts:
    """Count conversations for the sidebar.

    The numbers beside assignees and channels are of the status shown, those beside a status of all assignees
    and channels.
    """
    everyone = replace(filter_, status=None, channel=None, assignee=None)
    query = (
        sa.select(
            Conversation.status,
            Conversation.channel,
            Conversation.assignee_id,
            sa.func.count(),
            sa.func.sum(sa.case((Conversation.unread_count > 0, 1), else_=0)),
        )
        .where(*conditions(everyone, workspace_id, user_id))
        .group_by(Conversation.status, Conversation.channel, Conversation.assignee_id)
    )
    counts = Counts(channels={})
    assert counts.channels is not None
    for status, channel, assignee_id, number, unread in session.execute(query):
        if status == ConversationStatus.OPEN:
            counts.open += number
            if assignee_id in {None, user_id}:
                counts.unread += int(unread or 0)
        else:
            counts.closed += number
        if filter_.status not in {None, status}:
            continue
        counts.all += number
        counts.mine += number if assignee_id == user_id else 0
        counts.unassigned += number if assignee_id is None else 0
        counts.channels[channel] = counts.channels.get(channel, 0) + number
    return counts


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody a conversation can be given to."""

    id: int
    name: str


def members(session: Session, workspace_id: int) -> list[Member]:
    """Return the people of the workspace, by name."""
    query = (
        sa.select(User.id, User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id, User.disabled_at.is_(None))
        .order_by(User.name, User.id)
    )
    return [Member(*row) for row in session.execute(query)]


def has_accounts(session: Session, workspace_id: int, channel: str | None = None) -> bool:
    """Tell whether the workspace ever connected an account, or one of *channel*.

    Check a filter from outside with this first: PostgreSQL refuses to compare ``Conversation.channel`` with
    a channel its enum type does not have.
    """
    accounts = _accounts(ConversationFilter(channel=channel), workspace_id)
    return session.scalar(accounts.limit(1)) is not None
