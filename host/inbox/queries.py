"""Conversations: the filter that chooses them, the rows that pages and the API show, and their counts.

A fixed number of statements, however many conversations there are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.core import db
from host.inbox.list_positions import Position, earlier_than
from host.models.channels import ChannelAccount
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


_FIELDS = tuple(field.name for field in fields(ConversationFilter))

CHOICES: Mapping[str, type[StrEnum]] = {"status": ConversationStatus}
"""The fields of a filter that are one of a few words, and the words. Each compares the column of its name;
addresses of pages have it as a parameter of its name."""


Given = frozenset[str]
"""Which fields of a filter are given: what decides on the statement, whatever their values are. ``nobody``
stands for an assignee that is nobody."""


def _given(filter_: ConversationFilter) -> Given:
    names = {name for name in _FIELDS if getattr(filter_, name) is not None}
    return frozenset(names - {"assignee"} | {"nobody"} if filter_.assignee is Assignee.NOBODY else names)


def _values(filter_: ConversationFilter, workspace_id: int, user_id: int | None) -> dict[str, Any]:
    """Return the parameters of a query narrowed by :func:`_conditions`.

    :param user_id: who looks; None: a program.
    :raises ValueError: if the filter asks for the conversations of whoever looks, and that is a program.
    """
    member = user_id if filter_.assignee is Assignee.ME else filter_.assignee
    if member is None and filter_.assignee is not None:
        raise ValueError("a program has no conversations of its own")
    return {
        "workspace": workspace_id,
        **{name: getattr(filter_, name) for name in _FIELDS},
        "assignee": member,
    }


def _conditions(given: Given) -> list[sa.ColumnElement[bool]]:
    """Return what narrows a query of :class:`Conversation` to what a filter lets through.

    The narrowest of contact, account and workspace stands for all three, so that its index is the one used.
    """
    found: list[sa.ColumnElement[bool]] = []
    if "contact" in given:
        found.append(Conversation.identity_id.in_(_identities(given)))
    elif "account_id" in given:
        found.append(Conversation.account_id == sa.bindparam("account_id"))
        found.append(sa.exists(_accounts(given)))
    else:
        found.append(Conversation.workspace_id == sa.bindparam("workspace"))
        if "channel" in given:
            found.append(Conversation.channel == sa.bindparam("channel"))
    found += [getattr(Conversation, name) == sa.bindparam(name) for name in CHOICES if name in given]
    if "nobody" in given:
        found.append(Conversation.assignee_id.is_(None))
    elif "assignee" in given:
        found.append(Conversation.assignee_id == sa.bindparam("assignee"))
    return found


def _accounts(given: Given) -> sa.Select[Any]:
    """Select the ids of the workspace's accounts that a filter lets through."""
    query = sa.select(ChannelAccount.id).where(ChannelAccount.workspace_id == sa.bindparam("workspace"))
    if "account_id" in given:
        query = query.where(ChannelAccount.id == sa.bindparam("account_id"))
    if "channel" in given:
        query = query.where(ChannelAccount.channel == sa.bindparam("channel"))
    return query


def _identities(given: Given) -> sa.Select[Any]:
    """Select the ids the filter's contact has on those accounts."""
    return sa.select(ContactIdentity.id).where(
        ContactIdentity.account_id.in_(_accounts(given)),
        ContactIdentity.external_id == sa.bindparam("contact"),
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


_ACCOUNT = {
    "id": ChannelAccount.id,
    "uuid": ChannelAccount.uuid,
    "workspace_id": ChannelAccount.workspace_id,
    "channel": ChannelAccount.channel,
    "external_id": ChannelAccount.external_id,
    "name": ChannelAccount.name,
    "handle": ChannelAccount.handle,
    "settings": ChannelAccount.settings,
}
"""The fields of an account, each with its column."""

_assignee, _last_author = aliased(User), aliased(User)
_ROW: Mapping[str, Any] = {
    "id": Conversation.id,
    "channel": Conversation.channel,
    "account_state": ChannelAccount.state,
    "contact_id": Conversation.contact_id,
    "contact_name": Contact.name,
    "contact_email": Contact.email,
    "identity_id": Conversation.identity_id,
    "identity_external_id": ContactIdentity.external_id,
    "identity_name": ContactIdentity.name,
    "username": ContactIdentity.username,
    "picture_url": ContactIdentity.picture_url,
    "status": Conversation.status,
    "subject": Conversation.subject,
    "assignee_id": Conversation.assignee_id,
    "assignee_name": _assignee.name,
    "unread": Conversation.unread_count,
    "failed": Conversation.failed_count,
    "last_message_at": Conversation.last_message_at,
    "last_preview": Conversation.last_preview,
    "last_direction": Conversation.last_direction,
    "last_kind": Conversation.last_kind,
    "last_author_id": Conversation.last_author_id,
    "last_author_name": _last_author.name,
    "last_inbound_at": Conversation.last_inbound_at,
    "created_at": Conversation.created_at,
    "closed_at": Conversation.closed_at,
}
"""The fields of a :class:`Row` that are columns."""

_UNREACHABLE = (
    ContactIdentity.unreachable_since,
    ContactIdentity.unreachable_until,
    ContactIdentity.unreachable,
)


@cache
def _select_rows() -> Any:
    """Return the query of :class:`Row`, to be narrowed; see :func:`_built_row`."""
    return (
        sa.select(*_ACCOUNT.values(), *_ROW.values(), *_UNREACHABLE)
        .select_from(Conversation)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .outerjoin(_assignee, _assignee.id == Conversation.assignee_id)
        .outerjoin(_last_author, _last_author.id == Conversation.last_author_id)
    )


def _built_row(found: Any) -> Row:
    """Return what a query of :func:`_select_rows` found as a :class:`Row`."""
    columns = iter(found)
    account = AccountRef(**{name: next(columns) for name in _ACCOUNT})
    values = {name: next(columns) for name in _ROW}
    for name, words in CHOICES.items():
        values[name] = words(values[name])
    return Row(account=account, unreachable=unreachable_of(*columns), **values)


def unreachable_of(
    since: datetime | None, until: datetime | None, why: dict[str, Any] | None
) -> Unreachable | None:
    """Return why an identity cannot be reached, from its columns; None if it can."""
    if since is None:
        return None
    why = why or {}
    return Unreachable(since, until, str(why.get("sentence", "")), str(why.get("next_step", "")))


@cache
def _list_query(given: Given, before: bool) -> Any:
    query = _select_rows().where(*_conditions(given | {"status"}))
    if before:
        position: Any = sa.bindparam("at"), sa.bindparam("id")
        query = query.where(*earlier_than(position, Conversation.last_message_at, Conversation.id))
    newest = Conversation.last_message_at.desc(), Conversation.id.desc()
    return query.order_by(*newest).limit(sa.bindparam("limit", type_=sa.Integer))


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
    query = _list_query(_given(filter_), before is not None)
    values = _values(filter_, workspace_id, user_id) | {"limit": limit + 1}
    if before is not None:
        values["at"], values["id"] = before
    statuses = list(ConversationStatus) if filter_.status is None else [filter_.status]
    rows: list[Row] = []
    for status in statuses:
        rows += [_built_row(found) for found in db.read_rows(session, query, **{**values, "status": status})]
    if len(statuses) > 1:
        rows.sort(key=lambda row: (row.last_message_at, row.id), reverse=True)
    more = len(rows) > limit
    rows = rows[:limit]
    return Page(rows, (rows[-1].last_message_at, rows[-1].id) if more else None)


@cache
def _matching_query(given: Given) -> Any:
    ids: Any = sa.bindparam("ids", expanding=True)
    return _select_rows().where(*_conditions(given), Conversation.id.in_(ids))


def matching_rows(
    session: Session,
    workspace_id: int,
    user_id: int | None,
    filter_: ConversationFilter,
    ids: Collection[int],
) -> list[Row]:
    """Return those of *ids* that the filter lets through."""
    query, values = _matching_query(_given(filter_)), _values(filter_, workspace_id, user_id)
    return [_built_row(found) for found in db.read_rows(session, query, **values, ids=ids)]


@cache
def _row_query() -> Any:
    return _select_rows().where(
        Conversation.workspace_id == sa.bindparam("workspace"), Conversation.id == sa.bindparam("id")
    )


def get_row(session: Session, workspace_id: int, conversation_id: int) -> Row | None:
    """Return a conversation of the workspace, or None if it has no such one."""
    found = db.read_rows(session, _row_query(), workspace=workspace_id, id=conversation_id)
    return _built_row(found[0]) if found else None


@cache
def _count_query(given: Given) -> Any:
    return (
        sa.select(
            Conversation.status,
            Conversation.channel,
            Conversation.assignee_id,
            sa.func.count(),
            sa.func.sum(sa.case((Conversation.unread_count > 0, 1), else_=0)),
        )
        .where(*_conditions(given))
        .group_by(Conversation.status, Conversation.channel, Conversation.assignee_id)
    )


def count(session: Session, workspace_id: int, user_id: int, filter_: ConversationFilter) -> Counts:
    """Count conversations for the sidebar.

    The numbers beside assignees and channels are of the status shown, those beside a status of all assignees
    and channels.
    """
    everyone = replace(filter_, status=None, channel=None, assignee=None)
    query, values = _count_query(_given(everyone)), _values(everyone, workspace_id, user_id)
    counts = Counts(channels={})
    assert counts.channels is not None
    for status, channel, assignee_id, number, unread in db.read_rows(session, query, **values):
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


@cache
def _members_query() -> Any:
    return (
        sa.select(User.id, User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == sa.bindparam("workspace"), User.disabled_at.is_(None))
        .order_by(User.name, User.id)
    )


def members(session: Session, workspace_id: int) -> list[Member]:
    """Return the people of the workspace, by name."""
    return [Member(*row) for row in db.read_rows(session, _members_query(), workspace=workspace_id)]


def has_accounts(session: Session, workspace_id: int, channel: str | None = None) -> bool:
    """Tell whether the workspace ever connected an account, or one of *channel*.

    Check a filter from outside with this first: PostgreSQL refuses to compare ``Conversation.channel`` with
    a channel its enum type does not have.
    """
    wanted = ConversationFilter(channel=channel)
    values = _values(wanted, workspace_id, None)
    return session.scalar(_accounts(_given(wanted)).limit(1), values) is not None
