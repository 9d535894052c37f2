"""What the inbox shows, read with a fixed number of queries however much there is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.accounts.models import Membership, User
from host.channels.models import ChannelAccount
from host.inbox.models import Contact, ContactIdentity, Conversation, ConversationStatus
from host.sdk import accounts as sdk_accounts
from host.sdk.channel import AccountRef

PAGE = 50
MAX_ROWS = 200
"""Most rows asked for by id at a time."""


class View(StrEnum):
    """Whose conversations a list shows."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed to. ``channel`` None: every channel."""

    view: View = View.ALL
    status: ConversationStatus = ConversationStatus.OPEN
    channel: str | None = None

    def arguments(self) -> dict[str, str]:
        """Return what is not as usual, for the address."""
        values = {}
        if self.view is not View.ALL:
            values["view"] = str(self.view)
        if self.status is not ConversationStatus.OPEN:
            values["status"] = str(self.status)
        if self.channel is not None:
            values["channel"] = self.channel
        return values

    def changed(self, **values: str | None) -> Filter:
        """Return this filter with some of its parts replaced."""
        return Filter(
            view=View(values.get("view") or self.view),
            status=ConversationStatus(values.get("status") or self.status),
            channel=values.get("channel", self.channel),
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
        """Return what tells this picture of the contact from others; empty where there is none."""
        return sha256(self.picture_url.encode()).hexdigest()[:12] if self.picture_url else ""

    def out_of_reach(self, now: datetime) -> Unreachable | None:
        """Return why nothing can be sent to the contact *now*; None where something can."""
        found = self.unreachable
        return None if found is None or (found.until is not None and found.until <= now) else found


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list. *next* continues it; None: that was all."""

    rows: Sequence[Row]
    next: tuple[datetime, int] | None


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
        account=sdk_accounts.ref(account),
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
    """Return what the columns of an identity say."""
    if since is None:
        return None
    why = why or {}
    return Unreachable(since, until, str(why.get("sentence", "")), str(why.get("next_step", "")))


def _narrowed(query: Any, workspace_id: int, user_id: int, filter_: Filter) -> Any:
    query = query.where(Conversation.workspace_id == workspace_id, Conversation.status == filter_.status)
    if filter_.view is View.MINE:
        query = query.where(Conversation.assignee_id == user_id)
    elif filter_.view is View.UNASSIGNED:
        query = query.where(Conversation.assignee_id.is_(None))
    if filter_.channel is not None:
        query = query.where(Conversation.channel == filter_.channel)
    return query


def list_conversations(
    session: Session,
    workspace_id: int,
    user_id: int,
    filter_: Filter,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = PAGE,
) -> Page:
    """Return a page of conversations, the one with the latest message first."""
    query = _narrowed(select_rows(), workspace_id, user_id, filter_)
    if before is not None:
        at, id_ = before
        query = query.where(
            Conversation.last_message_at <= at,
            sa.or_(Conversation.last_message_at < at, Conversation.id < id_),
        )
    query = query.order_by(Conversation.last_message_at.desc(), Conversation.id.desc()).limit(limit + 1)
    rows = [built_row(found) for found in session.execute(query)]
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, (rows[-1].last_message_at, rows[-1].id) if more else None)


def matching_rows(
    session: Session, workspace_id: int, user_id: int, filter_: Filter, ids: Collection[int]
) -> list[Row]:
    """Return those of *ids* that belong into the list."""
    query = _narrowed(select_rows(), workspace_id, user_id, filter_).where(Conversation.id.in_(ids))
    return [built_row(found) for found in session.execute(query)]


def get_row(session: Session, workspace_id: int, conversation_id: int) -> Row | None:
    """Return a conversation of the workspace, or None if it has no such one."""
    query = select_rows().where(Conversation.workspace_id == workspace_id, Conversation.id == conversation_id)
    found = session.execute(query).one_or_none()
    return None if found is None else built_row(found)


def count(session: Session, workspace_id: int, user_id: int, filter_: Filter) -> Counts:
    """Count conversations for the sidebar.

    The numbers beside views and channels are of the status shown, those beside a status of all views.
    """
    query = (
        sa.select(
            Conversation.status,
            Conversation.channel,
            Conversation.assignee_id,
            sa.func.count(),
            sa.func.sum(sa.case((Conversation.unread_count > 0, 1), else_=0)),
        )
        .where(Conversation.workspace_id == workspace_id)
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
        if status != filter_.status:
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


def has_accounts(session: Session, workspace_id: int) -> bool:
    """Tell whether the workspace ever connected an account."""
    found = session.scalar(
        sa.select(ChannelAccount.id).where(ChannelAccount.workspace_id == workspace_id).limit(1)
    )
    return found is not None
