"""Conversations: their filter, the rows that pages and the API show, and their counts.

The number of statements does not depend on the number of conversations.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from hashlib import sha256
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql import visitors

from host.core import clock, db
from host.core.backports.values import replace
from host.core.db import later_by
from host.inbox.errors import NotAMemberError
from host.inbox.labels import queries as label_queries
from host.inbox.labels.queries import LabelRef
from host.inbox.list_positions import Position, earlier_than, later_than
from host.inbox.teams.models import Team, TeamMember
from host.models.channels import ChannelAccount
from host.models.inbox import (
    OF_PERSON,
    Contact,
    ContactIdentity,
    Conversation,
    ConversationRead,
    ConversationStatus,
    Handler,
    Snooze,
    SnoozeKind,
)
from host.models.mentions import Mention
from host.models.users import Membership, User
from host.sdk.channel import AccountRef
from host.users import reach
from host.users.reach import Accounts, sees_account
from host.users.roles import Permission, with_permission

PAGE = 50
MAX_ROWS = 200
"""Maximum number of rows requested by id at a time."""


class Assignee(StrEnum):
    """Values of the assignee filter besides a member's id."""

    ME = "me"
    """The current person."""
    NOBODY = "nobody"


class AnyTeam(StrEnum):
    """Values of the team filter besides a team's id."""

    MINE = "mine"
    """Any team of the viewer."""
    NONE = "none"
    """Conversations without a team."""


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """A filter of the conversations of a workspace. None means any; all fields must match.

    :param channel: the channel of an account of the workspace; see :func:`has_accounts`.
    :param handled_by: the handler.
    :param assignee: the id of a member, or :class:`Assignee`; *team*: the id of a team, or :class:`AnyTeam`.
    :param contact: the contact's external id.
    :param accounts: the accounts the viewer sees.
    :param labels: ids of labels of which it has at least one; *all_labels*: has all; *no_labels*: has none.
    :param snoozed: whether it is snoozed; *spam*: whether it is spam.
    :param mentioned: the id of a member mentioned in one of its notes, or :attr:`Assignee.ME`.
    :param needs_reply: whether the customer waits for an answer; *failed*: whether an outgoing message
        failed.
    :param late: whether the customer has waited longer than the account's reply target.
    :param scheduled: whether it has a scheduled reply.
    :param post: the id of the post it is about.
    """

    status: ConversationStatus | None = None
    channel: str | None = None
    account_id: int | None = None
    assignee: int | Assignee | None = None
    team: int | AnyTeam | None = None
    handled_by: Handler | None = None
    contact: str | None = None
    accounts: Accounts = None
    labels: frozenset[int] | None = None
    all_labels: frozenset[int] | None = None
    no_labels: frozenset[int] | None = None
    snoozed: bool | None = None
    spam: bool | None = None
    needs_reply: bool | None = None
    failed: bool | None = None
    mentioned: int | Assignee | None = None
    late: bool | None = None
    scheduled: bool | None = None
    post: int | None = None


_FIELDS = tuple(field.name for field in fields(ConversationFilter))

CHOICES: Mapping[str, type[StrEnum]] = {"status": ConversationStatus, "handled_by": Handler}
"""Filter fields with an enum, which compare the column of the same name and are also URL parameters."""


_EQUAL: Mapping[str, Any] = {
    **{name: getattr(Conversation, name) for name in CHOICES},
    "post": Conversation.post_id,
}
"""Filter fields compared for equality, with their columns."""

Given = frozenset[str]
"""The names of the set fields of a filter, which determine the statement regardless of their values.
``nobody`` stands for no assignee, ``team none`` and ``team mine`` for values of :class:`AnyTeam`, and ``not
spam`` for a field that must be false."""

_LABELS = ("labels", "all_labels", "no_labels")
_promising = aliased(ChannelAccount)  # besides the account of the row
_YES_OR_NO: Mapping[str, sa.ColumnElement[bool]] = {
    "snoozed": Conversation.snooze_kind.is_not(None),
    "spam": Conversation.spam_at.is_not(None),
    "needs_reply": Conversation.waiting_since.is_not(None),
    "failed": Conversation.failed_count > 0,
    "late": sa.and_(
        Conversation.status == ConversationStatus.OPEN,
        Conversation.snooze_kind.is_(None),
        Conversation.spam_at.is_(None),
        sa.exists().where(
            _promising.id == Conversation.account_id,
            _promising.reply_target.is_not(None),
            later_by(Conversation.waiting_since, _promising.reply_target) <= sa.bindparam("now"),
        ),
    ),
    "scheduled": Conversation.scheduled_at.is_not(None),
}
"""Boolean filter fields, with their conditions. No condition evaluates to NULL, so negating one selects all
other rows."""


def _given(filter_: ConversationFilter) -> Given:
    names = {name for name in _FIELDS if getattr(filter_, name) is not None}
    for name in _YES_OR_NO:
        if getattr(filter_, name) is False:
            names = names - {name} | {f"not {name}"}
    if isinstance(filter_.team, AnyTeam):
        names = names - {"team"} | {f"team {filter_.team}"}
    return frozenset(names - {"assignee"} | {"nobody"} if filter_.assignee is Assignee.NOBODY else names)


def _values(filter_: ConversationFilter, workspace_id: int, user_id: int | None) -> dict[str, Any]:
    """Return the parameters of a query with :func:`_conditions`.

    :param user_id: the viewer; None for a program.
    :raises ValueError: if the filter refers to the viewer and the viewer is a program.
    """
    member = user_id if filter_.assignee is Assignee.ME else filter_.assignee
    named = user_id if filter_.mentioned is Assignee.ME else filter_.mentioned
    missing = (member, named).count(None) > (filter_.assignee, filter_.mentioned).count(None)
    if missing or (filter_.team is AnyTeam.MINE and user_id is None):
        raise ValueError("a program has no conversations and no teams of its own")
    return {
        "workspace": workspace_id,
        **{name: getattr(filter_, name) for name in _FIELDS},
        "assignee": member,
        "mentioned": named,
        "accounts": sorted(filter_.accounts or ()),
        **{name: sorted(getattr(filter_, name) or ()) for name in _LABELS},
        "label_count": len(filter_.all_labels or ()),
        "reader": user_id or 0,
        **({} if filter_.late is None else {"now": clock.now()}),
    }


def _conditions(given: Given, *, along_workspace: bool = False) -> list[sa.ColumnElement[bool]]:
    """Return the conditions of a filter for a query of :class:`Conversation`.

    Only the narrowest of contact, account and workspace is compared, so that the database uses its index.

    :param along_workspace: whether to use the workspace's index even for an account.
    """
    found: list[sa.ColumnElement[bool]] = []
    if "contact" in given:
        found.append(Conversation.identity_id.in_(_identities(given)))
    elif "account_id" in given:
        account: Any = Conversation.account_id
        if along_workspace:
            found.append(Conversation.workspace_id == sa.bindparam("workspace"))
            account = Conversation.account_id + 0  # an expression prevents the use of its index
        found.append(account == sa.bindparam("account_id"))
        found.append(sa.exists(_accounts(given)))
    else:
        found.append(Conversation.workspace_id == sa.bindparam("workspace"))
        if "channel" in given:
            found.append(Conversation.channel == sa.bindparam("channel"))
    found += [
        column == sa.bindparam(name, type_=column.type) for name, column in _EQUAL.items() if name in given
    ]
    if "accounts" in given:
        found.append(Conversation.account_id.in_(sa.bindparam("accounts", expanding=True)))
    if "nobody" in given:
        found.append(Conversation.assignee_id.is_(None))
    elif "assignee" in given:
        found.append(Conversation.assignee_id == sa.bindparam("assignee"))
    if "team" in given:
        found.append(Conversation.team_id == sa.bindparam("team", type_=db.Id))
    elif "team none" in given:
        found.append(Conversation.team_id.is_(None))
    elif "team mine" in given:
        mine = sa.select(TeamMember.team_id).where(
            TeamMember.user_id == sa.bindparam("reader", type_=db.Id),
            TeamMember.workspace_id == sa.bindparam("workspace"),
        )
        # The first condition names the index, which has no other conversations.
        found += [Conversation.team_id.is_not(None), Conversation.team_id.in_(mine)]
    if "mentioned" in given:
        named = sa.select(Mention.conversation_id).where(Mention.user_id == sa.bindparam("mentioned"))
        found.append(Conversation.id.in_(named))
    found += [condition for name, condition in _YES_OR_NO.items() if name in given]
    found += [sa.not_(condition) for name, condition in _YES_OR_NO.items() if f"not {name}" in given]
    return found + label_queries.conditions(given)


def _accounts(given: Given) -> sa.Select[Any]:
    """Select the ids of the workspace's accounts that match a filter."""
    query = sa.select(ChannelAccount.id).where(ChannelAccount.workspace_id == sa.bindparam("workspace"))
    if "account_id" in given:
        query = query.where(ChannelAccount.id == sa.bindparam("account_id"))
    if "channel" in given:
        query = query.where(ChannelAccount.channel == sa.bindparam("channel"))
    return query


def _identities(given: Given) -> sa.Select[Any]:
    """Select the ids of the contact's identities on the accounts that match the filter."""
    return sa.select(OF_PERSON).where(
        ContactIdentity.account_id.in_(_accounts(given)),
        ContactIdentity.external_id == sa.bindparam("contact"),
    )


class Unreachable(msgspec.Struct, frozen=True):
    """Why nothing can be sent to a contact: a sentence and a next step, both English msgids.

    :param templates: whether approved templates can.
    """

    since: datetime
    until: datetime | None
    sentence: str
    next_step: str
    templates: bool = False


def picture_hash(picture_url: str | None) -> str:
    """Return a value that changes with a contact's picture; empty if there is none."""
    return sha256(picture_url.encode()).hexdigest()[:12] if picture_url else ""


class Row(msgspec.Struct, frozen=True):
    """A conversation as shown in the list and the head of its thread."""

    id: int
    channel: str
    account: AccountRef
    account_state: str
    blocked_until: datetime | None
    blocked_reason: str | None
    contact_id: int
    contact_name: str | None
    contact_email: str | None
    identity_id: int
    identity_external_id: str
    identity_name: str | None
    username: str | None
    picture_url: str | None
    status: ConversationStatus
    handled_by: Handler
    subject: str | None
    assignee_id: int | None
    assignee_name: str | None
    team_id: int | None
    team_name: str | None
    unread: int
    """Number of messages that no member has seen."""
    arrived: int
    read_by_all: int
    seen: int | None
    marked: bool | None
    named: int
    """Number of notes that mention the viewer and that they have not seen."""
    failed: int
    waiting_since: datetime | None
    last_message_at: datetime
    last_preview: str
    last_direction: str
    last_kind: str
    last_author_id: int | None
    last_author_name: str | None
    last_inbound_at: datetime | None
    created_at: datetime
    closed_at: datetime | None
    woken_at: datetime | None
    spam_at: datetime | None
    scheduled_at: datetime | None
    post_id: int | None
    reply_target: int | None
    erased_at: datetime | None
    """When the customer was last erased."""
    responder: dict[str, Any] | None = None
    """See :attr:`host.models.inbox.Conversation.responder`."""
    snooze: Snooze | None = None
    labels: Sequence[LabelRef] = ()
    unreachable: Unreachable | None = None

    @property
    def listed_at(self) -> datetime:
        """Return the time by which the list sorts it: when it woke, or else of its last message."""
        if self.woken_at is None or self.status is ConversationStatus.CLOSED:
            return self.last_message_at
        return self.woken_at

    @property
    def picture(self) -> str:
        """Return a value that changes with the contact's picture; empty if there is none."""
        return picture_hash(self.picture_url)

    @property
    def news(self) -> int:
        """Return the viewer's number of unread messages; 1 if they marked it as unread."""
        new = self.arrived - (self.read_by_all if self.seen is None else self.seen)
        return max(new, 1 if self.marked else 0)

    @property
    def due_at(self) -> datetime | None:
        """Return when the customer's answer is due; None if they don't wait or there is no target."""
        waits = self.status is ConversationStatus.OPEN and self.snooze is None and self.spam_at is None
        if not waits or self.waiting_since is None or self.reply_target is None:
            return None
        return self.waiting_since + timedelta(minutes=self.reply_target)

    def held_back(self, now: datetime) -> bool:
        """Return whether a provider's limit delays all replies of the account *now*."""
        return self.blocked_until is not None and self.blocked_until > now

    def out_of_reach(self, now: datetime, *, approved: bool = False) -> Unreachable | None:
        """Return why nothing can be sent to the contact *now*, or None if something can.

        :param approved: ask for approved templates, which may reach them where nothing else does.
        """
        found = self.unreachable
        if found is None or (approved and found.templates):
            return None
        return None if found.until is not None and found.until <= now else found


class Page(msgspec.Struct, frozen=True):
    """A page of the list. *next* continues it; None on the last page."""

    rows: Sequence[Row]
    next: Position | None


@dataclass(slots=True)
class Counts:
    """The numbers of conversations in the sidebar."""

    mine: int = 0
    unassigned: int = 0
    all: int = 0
    open: int = 0
    closed: int = 0
    mentions: int = 0
    """Conversations, open and closed, with unseen mentions of the viewer."""
    waiting: int = 0
    """Open conversations whose customer waits for an answer."""
    failed: int = 0
    """Conversations, open and closed, with a message that was not delivered."""
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
    "beside_id": ChannelAccount.beside_id,
}
"""The fields of an account, each with its column."""


def _unseen_mentions() -> Any:
    """Return a column with the number of the viewer's unseen mentions in a conversation."""
    return (
        sa.select(sa.func.count())
        .select_from(Mention)
        .where(
            Mention.user_id == sa.bindparam("reader", type_=db.Id),
            Mention.conversation_id == Conversation.id,
            Mention.seen_at.is_(None),
        )
        .correlate(Conversation)
        .scalar_subquery()
    )


_assignee, _last_author = aliased(User), aliased(User)
_ROW: Mapping[str, Any] = {
    "id": Conversation.id,
    "channel": Conversation.channel,
    "account_state": ChannelAccount.state,
    "blocked_until": ChannelAccount.blocked_until,
    "blocked_reason": ChannelAccount.blocked_reason,
    "contact_id": Conversation.contact_id,
    "contact_name": Contact.name,
    "contact_email": Contact.email,
    "identity_id": Conversation.identity_id,
    "identity_external_id": ContactIdentity.external_id,
    "identity_name": ContactIdentity.name,
    "username": ContactIdentity.username,
    "picture_url": ContactIdentity.picture_url,
    "status": Conversation.status,
    "handled_by": Conversation.handled_by,
    "subject": Conversation.subject,
    "assignee_id": Conversation.assignee_id,
    "assignee_name": _assignee.name,
    "team_id": Team.id,
    "team_name": Team.name,
    "unread": Conversation.unread_count,
    "arrived": Conversation.arrived_count,
    "read_by_all": Conversation.read_count,
    "seen": ConversationRead.seen_count,
    "marked": ConversationRead.marked,
    "named": _unseen_mentions(),
    "waiting_since": Conversation.waiting_since,
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
    "woken_at": Conversation.woken_at,
    "spam_at": Conversation.spam_at,
    "scheduled_at": Conversation.scheduled_at,
    "post_id": Conversation.post_id,
    "reply_target": ChannelAccount.reply_target,
    "erased_at": ContactIdentity.erased_at,
    "responder": Conversation.responder,
}
"""Fields of :class:`Row` with their columns."""

_SNOOZE = Conversation.snooze_kind, Conversation.snoozed_until
_UNREACHABLE = (
    ContactIdentity.unreachable_since,
    ContactIdentity.unreachable_until,
    ContactIdentity.unreachable,
)


@cache
def _select_rows() -> Any:
    """Return the query for :class:`Row`, without conditions; see :func:`_built_row`."""
    return (
        sa.select(*_ACCOUNT.values(), *_ROW.values(), *_SNOOZE, *_UNREACHABLE)
        .select_from(Conversation)
        .join(Contact, Contact.id == Conversation.contact_id)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .join(ChannelAccount, ChannelAccount.id == Conversation.account_id)
        .outerjoin(_assignee, _assignee.id == Conversation.assignee_id)
        .outerjoin(Team, Team.id == Conversation.team_id)
        .outerjoin(_last_author, _last_author.id == Conversation.last_author_id)
        .outerjoin(ConversationRead, _own_read())
    )


def _own_read() -> sa.ColumnElement[bool]:
    """Return the condition that a :class:`ConversationRead` is the viewer's."""
    return sa.and_(
        ConversationRead.conversation_id == Conversation.id,
        ConversationRead.user_id == sa.bindparam("reader", type_=db.Id),
    )


def _built_row(found: Any) -> Row:
    """Return a result of :func:`_select_rows` as a :class:`Row`."""
    columns = iter(found)
    account = AccountRef(**{name: next(columns) for name in _ACCOUNT})
    values = {name: next(columns) for name in _ROW}
    for name, words in CHOICES.items():
        values[name] = words(values[name])
    kind, until = next(columns), next(columns)
    snooze = None if kind is None else Snooze(SnoozeKind(kind), until)
    return Row(account=account, snooze=snooze, unreachable=unreachable_of(*columns), **values)


def _with_labels(session: Session, rows: Sequence[Row]) -> list[Row]:
    """Return *rows* with their labels: one query, however many rows."""
    labels = label_queries.labels_of_conversations(session, [row.id for row in rows])
    return [replace(row, labels=labels[row.id]) if row.id in labels else row for row in rows]


def unreachable_of(
    since: datetime | None, until: datetime | None, why: dict[str, Any] | None
) -> Unreachable | None:
    """Return why an identity cannot be reached, from its columns; None if it can."""
    if since is None:
        return None
    why = why or {}
    said = str(why.get("sentence", "")), str(why.get("next_step", ""))
    return Unreachable(since, until, *said, why.get("templates") is True)


class Order(StrEnum):
    """Sort orders of a list of conversations. All but the first leave out customers who don't wait."""

    NEWEST = "newest"
    WAITING = "waiting"
    """The customer who has waited longest comes first."""
    CLOSING = "closing"
    """The conversation whose reply window ends next comes first; those without one come last."""
    DUE = "due"
    """The customer whose answer is due next comes first; accounts without a target come last."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A period in which some accounts may reply, or should answer.

    A reply window counts from the customer's last message, a reply target from their first since the last
    answer.

    :param since: its beginning; *until*: its end; None if it does not end.
    """

    accounts: frozenset[int]
    since: timedelta
    until: timedelta | None


@cache
def _list_query(
    given: Given,
    before: bool,
    woken: bool | None,
    order: Order = Order.NEWEST,
    unseen: bool | None = None,
) -> Any:
    """Return the query of a page.

    :param woken: for :attr:`Order.NEWEST`: True for conversations that woke and were not handled since,
        sorted by that time; False for the others; None for both.
    :param unseen: True for those with unseen mentions of the viewer; False for the others; None for both.
    """
    # Few conversations of a workspace have woken; searching all open ones of an account is slow.
    query = _select_rows().where(*_conditions(given | {"status"}, along_workspace=bool(woken)))
    if unseen is not None:
        here = Conversation.id.in_(_unseen_ids())
        query = query.where(here if unseen else sa.not_(here))
    position: Any = sa.bindparam("at"), sa.bindparam("id")
    limit: Any = sa.bindparam("limit", type_=sa.Integer)
    if order is Order.NEWEST:
        at: Any = Conversation.woken_at if woken else Conversation.last_message_at
        if woken is not None:
            is_woken = Conversation.woken_at.is_not(None)
            query = query.where(is_woken if woken else sa.not_(is_woken))
        if before:
            query = query.where(*earlier_than(position, at, Conversation.id))
        return query.order_by(at.desc(), Conversation.id.desc()).limit(limit)
    column = Conversation.waiting_since
    if order in {Order.CLOSING, Order.DUE}:
        query = query.where(Conversation.account_id.in_(sa.bindparam("stretch", expanding=True)))
    if order is Order.CLOSING:
        # A conversation whose last message is older than the end of the period is in the next period.
        column = Conversation.last_inbound_at
        query = query.where(column > sa.bindparam("ended"), column <= sa.bindparam("begun"))
    query = query.where(Conversation.waiting_since.is_not(None))
    if before:
        query = query.where(*later_than(position, column, Conversation.id))
    return query.order_by(column, Conversation.id).limit(limit)


_PARTS: Mapping[ConversationStatus, Sequence[bool | None]] = {
    ConversationStatus.OPEN: (True, False),
    ConversationStatus.CLOSED: (None,),
}
"""Values of *woken* to query per status for :attr:`Order.NEWEST`: each part has its own index."""


def list_conversations(
    session: Session,
    workspace_id: int,
    user_id: int | None,
    filter_: ConversationFilter,
    *,
    before: Position | None = None,
    limit: int = PAGE,
    order: Order = Order.NEWEST,
) -> Page:
    """Return a page of conversations with their labels, by default sorted by last message or wake-up.

    With :attr:`ConversationFilter.mentioned`, unseen mentions come first. It runs one query per part of the
    list, because each index begins with the status, and one for the labels.

    :param order: :attr:`Order.NEWEST` or :attr:`Order.WAITING`; see :func:`list_closing` for the others.
    """
    newest = order is Order.NEWEST
    values = _values(filter_, workspace_id, user_id) | {"limit": limit + 1}
    statuses = list(ConversationStatus) if filter_.status is None else [filter_.status]
    parts = [(status, woken) for status in statuses for woken in (_PARTS[status] if newest else (None,))]
    rows: list[Row] = []
    places: dict[int, datetime] = {}
    for unseen in (True, False) if unseen_first(filter_, order) else (None,):
        here = before if unseen is None else _within(before, unseen)
        if len(rows) > limit or (unseen and before is not None and here is None):
            continue
        at = {} if here is None else {"at": here[0], "id": here[1]}
        found: list[Row] = []
        for status, woken in parts:
            query = _list_query(_given(filter_), here is not None, woken, order, unseen)
            rows_ = db.read_rows(session, query, **{**values, **at, "status": status})
            found += [_built_row(row) for row in rows_]
        ahead = NO_END if unseen else timedelta(0)
        for row in found:
            places[row.id] = ahead + (row.listed_at if newest else row.waiting_since or row.last_message_at)
        if len(parts) > 1:
            found.sort(key=lambda row: (places[row.id], row.id), reverse=newest)
        rows += found
    return _page(session, rows, limit, places)


def unseen_first(filter_: ConversationFilter, order: Order) -> bool:
    """Return whether a list begins with the viewer's unseen mentions."""
    return order is Order.NEWEST and filter_.mentioned is Assignee.ME


def _within(before: Position | None, unseen: bool) -> Position | None:
    """Return a position of a list that begins with unseen mentions, within that part or the rest.

    None if it is in the other part. Positions in the first part are :data:`NO_END` later.
    """
    if before is None or unseen is not (before[0] > clock.now() + NO_END / 2):
        return None
    return (before[0] - NO_END, before[1]) if unseen else before


def list_closing(
    session: Session,
    workspace_id: int,
    user_id: int,
    filter_: ConversationFilter,
    stretches: Sequence[Stretch],
    now: datetime,
    *,
    before: Position | None = None,
    limit: int = PAGE,
    order: Order = Order.CLOSING,
) -> Page:
    """Return a page of open conversations that wait for an answer, sorted by the end of their period.

    It runs one query per period. Accounts with the same window or target share one.

    :param stretches: the reply windows of accounts; for :attr:`Order.DUE`, their targets.
    """
    filter_ = replace(filter_, status=ConversationStatus.OPEN)
    query = _list_query(_given(filter_), before is not None, None, order)
    values = _values(filter_, workspace_id, user_id) | {"limit": limit + 1}
    rows: list[Row] = []
    places: dict[int, datetime] = {}
    for one in stretches:
        length = NO_END if one.until is None else one.until
        here: dict[str, Any] = {"stretch": sorted(one.accounts)}
        if order is Order.CLOSING:
            here |= {"ended": now - length, "begun": now - one.since}
        if before is not None:
            here |= {"at": before[0] - length, "id": before[1]}
        for found in db.read_rows(session, query, **values, **here):
            row = _built_row(found)
            begun = row.last_inbound_at if order is Order.CLOSING else row.waiting_since
            assert begun is not None
            rows.append(row)
            places[row.id] = begun + length
    rows.sort(key=lambda row: (places[row.id], row.id))
    return _page(session, rows, limit, places)


def targets(session: Session, workspace_id: int) -> list[Stretch]:
    """Return the reply targets of a workspace, one per target with all its accounts."""
    query = sa.select(ChannelAccount.id, ChannelAccount.reply_target).where(
        ChannelAccount.workspace_id == workspace_id
    )
    found: dict[int | None, set[int]] = {}
    for id_, minutes in session.execute(query):
        found.setdefault(minutes, set()).add(id_)
    return [
        Stretch(frozenset(ids), timedelta(0), None if minutes is None else timedelta(minutes=minutes))
        for minutes, ids in found.items()
    ]


NO_END = timedelta(days=36_500)
"""Length used for a window that does not end, so that such conversations come last."""


def _page(session: Session, rows: list[Row], limit: int, places: Mapping[int, datetime]) -> Page:
    more = len(rows) > limit
    rows = _with_labels(session, rows[:limit])
    return Page(rows, (places[rows[-1].id], rows[-1].id) if more else None)


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
    """Return the conversations of *ids* that match the filter."""
    query, values = _matching_query(_given(filter_)), _values(filter_, workspace_id, user_id)
    rows = [_built_row(found) for found in db.read_rows(session, query, **values, ids=ids)]
    return _with_labels(session, rows)


def of_contacts(
    session: Session,
    workspace_id: int,
    contact_ids: Collection[int],
    *,
    before: Position | None = None,
    limit: int = PAGE,
    accounts: Accounts = None,
) -> Page:
    """Return a page of all conversations with some contacts, the one with the latest message first.

    :param accounts: only those on these accounts.
    """
    at, id_ = Conversation.last_message_at, Conversation.id
    query = sa.select(id_).where(Conversation.contact_id.in_(contact_ids))
    query = query.where(Conversation.workspace_id == workspace_id)
    if accounts is not None:
        query = query.where(Conversation.account_id.in_(sorted(accounts)))
    if before is not None:
        query = query.where(*earlier_than(before, at, id_))
    ids = session.scalars(query.order_by(at.desc(), id_.desc()).limit(limit + 1)).all()
    rows = matching_rows(session, workspace_id, None, ConversationFilter(accounts=accounts), ids[:limit])
    rows.sort(key=lambda row: (row.last_message_at, row.id), reverse=True)
    more = len(ids) > limit
    return Page(rows, (rows[-1].last_message_at, rows[-1].id) if more and rows else None)


def narrowing(
    filter_: ConversationFilter, workspace_id: int, user_id: int | None
) -> tuple[Sequence[sa.ColumnElement[bool]], Mapping[str, Any]]:
    """Return the filter's conditions on :class:`Conversation`, and their parameters.

    For queries that start from another table, such as messages.
    """
    return _conditions(_given(filter_)), _values(filter_, workspace_id, user_id)


@cache
def _row_query() -> Any:
    return _select_rows().where(
        Conversation.workspace_id == sa.bindparam("workspace"), Conversation.id == sa.bindparam("id")
    )


def get_row(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    user_id: int | None = None,
    *,
    accounts: Accounts,
) -> Row | None:
    """Return a conversation of the workspace on one of *accounts*, or None if there is none.

    :param user_id: the viewer; None for a program, or if their read state does not matter.
    """
    values = {"workspace": workspace_id, "id": conversation_id, "reader": user_id or 0}
    found = db.read_rows(session, _row_query(), **values)
    row = _with_labels(session, [_built_row(found[0])])[0] if found else None
    return row if row is not None and reach.includes(accounts, row.account.id) else None


@cache
def _count_query(given: Given) -> Any:
    """Count conversations by status, channel and assignee, and those with unseen mentions of the viewer."""
    return (
        sa.select(
            Conversation.status,
            Conversation.channel,
            Conversation.assignee_id,
            sa.func.count(),
            sa.func.count(Conversation.waiting_since),
            sa.func.sum(sa.case((Conversation.failed_count > 0, 1), else_=0)),
            _mentions(given),
        )
        .where(*_conditions(given))
        .group_by(Conversation.status, Conversation.channel, Conversation.assignee_id)
    )


def _unseen_ids() -> sa.Select[Any]:
    """Select the ids of the conversations with unseen mentions of the viewer."""
    return sa.select(Mention.conversation_id).where(
        Mention.user_id == sa.bindparam("reader", type_=db.Id), Mention.seen_at.is_(None)
    )


def _mentions(given: Given) -> Any:
    """Return a column with the number of conversations with unseen mentions of the viewer."""
    seen = given & {"accounts"}
    some = sa.select(Conversation.id).where(*_conditions(seen), Conversation.id.in_(_unseen_ids())).subquery()
    return sa.select(sa.func.count()).select_from(some).scalar_subquery()


def count(session: Session, workspace_id: int, user_id: int, filter_: ConversationFilter) -> Counts:
    """Count conversations for the sidebar.

    Counts per assignee and per channel cover only the filter's status; counts per status cover all assignees
    and channels.
    """
    everyone = ConversationFilter(accounts=filter_.accounts, snoozed=False, spam=False)
    values = _values(everyone, workspace_id, user_id)
    counts = Counts(channels={})
    assert counts.channels is not None
    found = db.read_rows(session, _count_query(_given(everyone)), **values)
    for status, channel, assignee_id, number, waiting, failed, mentions in found:
        counts.mentions = mentions
        if status == ConversationStatus.OPEN:
            counts.open += number
            counts.waiting += waiting
        else:
            counts.closed += number
        counts.failed += int(failed or 0)
        if filter_.status not in {None, status}:
            continue
        counts.all += number
        counts.mine += number if assignee_id == user_id else 0
        counts.unassigned += number if assignee_id is None else 0
        counts.channels[channel] = counts.channels.get(channel, 0) + number
    return counts


def count_each(
    session: Session,
    workspace_id: int,
    user_id: int,
    filters: Sequence[ConversationFilter],
    most: int,
    *,
    among: Collection[int] | None = None,
) -> list[int]:
    """Return the number of conversations matching each of *filters*, up to *most*: one query for all.

    :param among: count only these ids; None for all.
    """
    if not filters:
        return []
    parts = []
    for number, filter_ in enumerate(filters):
        some = sa.select(sa.literal(1).label("one")).select_from(Conversation)
        some = some.where(*_conditions(_given(filter_))).limit(most)
        if among is not None:
            some = some.where(Conversation.id.in_(list(among)))
        bound = _bound(some, _values(filter_, workspace_id, user_id))
        counted = sa.select(sa.literal(number).label("number"), sa.func.count().label("counted"))
        parts.append(counted.select_from(bound.subquery()))
    found = {row.number: row.counted for row in session.execute(sa.union_all(*parts))}
    return [found[number] for number in range(len(filters))]


def count_some(session: Session, workspace_id: int, user_id: int | None, filter_: ConversationFilter) -> int:
    """Return the number of conversations that match a filter."""
    query = sa.select(sa.func.count()).select_from(Conversation).where(*_conditions(_given(filter_)))
    ((number,),) = db.read_rows(session, query, **_values(filter_, workspace_id, user_id))
    return int(number)


def select_ids(
    filter_: ConversationFilter, workspace_id: int, user_id: int | None, *more: Any
) -> sa.Select[Any]:
    """Return the query of the ids that match a filter, with its values inlined.

    :param more: columns besides the id.
    """
    query = sa.select(Conversation.id, *more).where(*_conditions(_given(filter_)))
    return _bound(query, _values(filter_, workspace_id, user_id))


def _bound(query: sa.Select[Any], values: Mapping[str, Any]) -> sa.Select[Any]:
    """Return *query* with its parameters inlined, so that it can be combined with others."""

    def replaced(element: Any, **_: Any) -> Any:
        if not isinstance(element, sa.BindParameter) or element.key not in values:
            return None
        value, expanding = values[element.key], element.expanding
        return sa.bindparam(element.key, value, type_=element.type, unique=True, expanding=expanding)

    return cast("sa.Select[Any]", visitors.replacement_traverse(query, {}, replaced))


class Member(msgspec.Struct, frozen=True):
    """A person to whom a conversation can be assigned."""

    id: int
    name: str


@cache
def _members_query() -> Any:
    return (
        sa.select(User.id, User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.workspace_id == sa.bindparam("workspace"),
            User.disabled_at.is_(None),
            answers(sa.bindparam("account")),
        )
        .order_by(User.name, User.id)
    )


def answers(account_id: Any) -> sa.ColumnElement[bool]:
    """Return the condition that a :class:`Membership` may answer for an account of its workspace."""
    writes = Membership.role.in_(sorted(with_permission(Permission.ANSWER)))
    return sa.and_(writes, sees_account(account_id))


def all_members(session: Session, workspace_id: int) -> list[Member]:
    """Return the people who may answer in the workspace, regardless of the accounts they see, by name."""
    query = (
        sa.select(User.id, User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.workspace_id == workspace_id,
            Membership.role.in_(sorted(with_permission(Permission.ANSWER))),
            User.disabled_at.is_(None),
        )
        .order_by(User.name, User.id)
    )
    return [Member(*row) for row in session.execute(query)]


def names_of(session: Session, workspace_id: int, ids: Collection[int]) -> dict[int, str]:
    """Return the names of the members of the workspace among *ids*, by id."""
    query = (
        sa.select(User.id, User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id, User.id.in_(ids))
    )
    return {row.id: row.name for row in session.execute(query)}


def members(session: Session, workspace_id: int, account_id: int) -> list[Member]:
    """Return the people who may answer for an account of the workspace, by name."""
    rows = db.read_rows(session, _members_query(), workspace=workspace_id, account=account_id)
    return [Member(*row) for row in rows]


def check_member(session: Session, workspace_id: int, user_id: int) -> None:
    """Raise unless the person is a member of the workspace.

    :raises NotAMemberError: if they are not.
    """
    query = sa.select(Membership.user_id).where(
        Membership.workspace_id == workspace_id, Membership.user_id == user_id
    )
    if session.scalar(query) is None:
        raise NotAMemberError()


def accounts(session: Session, workspace_id: int) -> list[AccountRef]:
    """Return the accounts of the workspace, including disconnected ones."""
    columns = sa.select(*_ACCOUNT.values()).where(ChannelAccount.workspace_id == workspace_id)
    return [AccountRef(**dict(zip(_ACCOUNT, row, strict=True))) for row in session.execute(columns)]


def has_accounts(session: Session, workspace_id: int, channel: str | None = None) -> bool:
    """Return whether the workspace ever connected an account, or one of *channel*.

    Call this before using an untrusted filter: PostgreSQL refuses to compare ``Conversation.channel`` with a
    channel that is not in its enum type.
    """
    wanted = ConversationFilter(channel=channel)
    values = _values(wanted, workspace_id, None)
    return session.scalar(_accounts(_given(wanted)).limit(1), values) is not None
