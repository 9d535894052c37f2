"""The list of contacts: the filter that chooses them, and the rows that pages and the API show.

The number of statements does not depend on the number of contacts. Contacts are sorted by their newest
conversation's last message, read along the index of the inbox's list until the page is full. If a condition
of the filter matches few contacts, that would read all conversations, so those contacts are looked up
directly.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.core.backports.values import replace
from host.inbox.contacts.models import ContactValue
from host.inbox.labels.models import ConversationLabel
from host.inbox.labels.queries import LabelRef, labels_of_contacts
from host.inbox.list_positions import EPOCH, Position, earlier_than, later_than
from host.inbox.queries import picture_hash
from host.models.channels import ChannelAccount
from host.models.inbox import (
    OF_PERSON,
    PAST_KINDS,
    Contact,
    ContactIdentity,
    Conversation,
    ConversationStatus,
)
from host.users.reach import Accounts

PAGE = 50
FEW = 1000
"""Up to this number, matching contacts are looked up directly instead of by reading all conversations."""


class Sort(StrEnum):
    """The order of the list."""

    RECENT = "recent"
    """Newest message first."""
    QUIET = "quiet"
    """Oldest last message first."""
    NEWEST = "newest"
    """Newest contact first. Only this order includes contacts without a conversation."""


class ContactFilter(msgspec.Struct, frozen=True):
    """A filter of the contacts of a workspace. None means any; all fields must match.

    :param ids: ids found by a search.
    :param label: the id of a label of one of their conversations.
    :param attribute: the id of an attribute for which they have a value; with *value*: this value.
    :param since: they have a message since then; *before*: they have none since then.
    :param accounts: the accounts the viewer sees; None for all.
    """

    ids: Collection[int] | None = None
    channel: str | None = None
    label: int | None = None
    opted_out: bool | None = None
    blocked: bool | None = None
    attribute: int | None = None
    value: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    accounts: Accounts = None


class Identity(msgspec.Struct, frozen=True):
    """A contact's identity on one account."""

    id: int
    contact_id: int
    account_id: int
    channel: str
    account: str
    external_id: str
    name: str | None
    username: str | None
    picture_url: str | None

    @property
    def picture(self) -> str:
        """Return a value that changes with their picture; empty if there is none."""
        return picture_hash(self.picture_url)


class PersonId(msgspec.Struct, frozen=True):
    """One of the ids of a person on an account.

    :param kind: the :class:`~host.models.inbox.IdKind` that the provider told; None: none.
    :param at: since when it is known to be theirs; of a former one, until when it was.
    :param is_main: whether messages go to it.
    """

    external_id: str
    kind: str | None
    at: datetime
    is_main: bool


class ContactRow(msgspec.Struct, frozen=True):
    """A contact in the list.

    :param last_message_at: in any conversation the person may see; None if there is none.
    """

    id: int
    name: str | None
    email: str | None
    created_at: datetime
    opted_out_at: datetime | None
    blocked_at: datetime | None
    identities: Sequence[Identity]
    labels: Sequence[LabelRef]
    conversations: int
    open: int
    waiting: int
    last_message_at: datetime | None


class ContactPage(msgspec.Struct, frozen=True):
    """A page of the list. *next* continues it; None on the last page."""

    rows: Sequence[ContactRow]
    next: Position | None


def find(
    session: Session,
    workspace_id: int,
    filter_: ContactFilter,
    *,
    sort: Sort = Sort.RECENT,
    after: Position | None = None,
    limit: int = PAGE,
) -> ContactPage:
    """Return a page of contacts."""
    ids, following = find_ids(session, workspace_id, filter_, sort=sort, after=after, limit=limit)
    return ContactPage(rows_of(session, workspace_id, ids, filter_.accounts), following)


def find_ids(
    session: Session,
    workspace_id: int,
    filter_: ContactFilter,
    *,
    sort: Sort,
    after: Position | None = None,
    limit: int = PAGE,
) -> tuple[list[int], Position | None]:
    """Return the ids of a page of contacts, and the position of the next page; None on the last page."""
    places = _places(session, workspace_id, filter_, sort, after, limit + 1)
    more = len(places) > limit
    places = places[:limit]
    return [id_ for _, id_, _ in places], (places[-1][0], places[-1][2]) if more else None


_Place = tuple[datetime, int, int]
"""The list's sort key: a time, a contact, and the id of the row with that time."""


def _places(
    session: Session,
    workspace_id: int,
    filter_: ContactFilter,
    sort: Sort,
    after: Position | None,
    limit: int,
) -> list[_Place]:
    filter_ = _narrowed(session, workspace_id, filter_)
    if filter_.ids is not None and not filter_.ids:
        return []
    if sort is Sort.NEWEST:
        query = sa.select(Contact.id).where(*_conditions(workspace_id, filter_))
        query = query.where(*_talk_conditions(filter_))
        if after is not None:
            query = query.where(Contact.id < after[1])
        ids = session.scalars(query.order_by(Contact.id.desc()).limit(limit))
        return [(EPOCH, id_, id_) for id_ in ids]
    found: list[_Place] = []
    few = filter_.ids is not None and len(filter_.ids) <= FEW
    for status in (None,) if few else ConversationStatus:
        query = _talks(workspace_id, filter_, status)
        at, id_column = Conversation.last_message_at, Conversation.id
        if sort is Sort.RECENT:
            if after is not None:
                query = query.where(*earlier_than(after, at, id_column))
            query = query.order_by(at.desc(), id_column.desc())
        else:
            if after is not None:
                query = query.where(*later_than(after, at, id_column))
            query = query.order_by(at, id_column)
        found += [(row[0], row[1], row[2]) for row in session.execute(query.limit(limit))]
    found.sort(key=lambda place: (place[0], place[2]), reverse=sort is Sort.RECENT)
    return found[:limit]


def _narrowed(session: Session, workspace_id: int, filter_: ContactFilter) -> ContactFilter:
    """Return a filter restricted to the ids that its conditions match, if they are few."""
    ids = None if filter_.ids is None else set(filter_.ids)
    for query in _parts(workspace_id, filter_):
        rows = session.scalars(query.limit(FEW + 1)).all()  # a contact may occur twice
        if len(rows) <= FEW:
            ids = set(rows) if ids is None else ids & set(rows)
    return replace(filter_, ids=ids)


def _parts(workspace_id: int, filter_: ContactFilter) -> Iterator[Any]:
    """Yield, for each condition that may match few contacts, the indexed query of their ids."""
    for given, column in ((filter_.opted_out, Contact.opted_out_at), (filter_.blocked, Contact.blocked_at)):
        if given:
            yield sa.select(Contact.id).where(Contact.workspace_id == workspace_id, column.is_not(None))
    if filter_.attribute is not None:
        values = sa.select(ContactValue.contact_id).where(ContactValue.attribute_id == filter_.attribute)
        yield values if filter_.value is None else values.where(ContactValue.value == filter_.value)
    if filter_.label is not None:
        talks = sa.select(ConversationLabel.conversation_id).where(
            ConversationLabel.label_id == filter_.label
        )
        some = talks.limit(FEW + 1).subquery()
        yield sa.select(Conversation.contact_id).join(some, some.c.conversation_id == Conversation.id)
    if filter_.channel is not None:
        accounts = sa.select(ChannelAccount.id).where(
            ChannelAccount.workspace_id == workspace_id, ChannelAccount.channel == filter_.channel
        )
        yield sa.select(ContactIdentity.contact_id).where(ContactIdentity.account_id.in_(accounts))


def _talks(workspace_id: int, filter_: ContactFilter, status: ConversationStatus | None) -> Any:
    """Select the newest conversation of each contact that matches the filter, of one status.

    :param status: None for any; then conversations are looked up by the ids of the filter.
    """
    newer = aliased(Conversation)
    later = sa.or_(
        newer.last_message_at > Conversation.last_message_at,
        sa.and_(newer.last_message_at == Conversation.last_message_at, newer.id > Conversation.id),
    )
    has_newer = sa.select(newer.id).where(newer.contact_id == Conversation.contact_id, later)
    query = (
        sa.select(Conversation.last_message_at, Conversation.contact_id, Conversation.id)
        .join(Contact, Contact.id == Conversation.contact_id)
        .where(*_conditions(workspace_id, filter_))
    )
    if status is None:
        query = query.where(Conversation.contact_id.in_(sorted(filter_.ids or ())))
    else:
        query = query.where(Conversation.workspace_id == workspace_id, Conversation.status == status)
    if filter_.accounts is not None:
        seen = sorted(filter_.accounts)
        query = query.where(Conversation.account_id.in_(seen))
        has_newer = has_newer.where(newer.account_id.in_(seen))
    if filter_.since is not None:
        query = query.where(Conversation.last_message_at >= filter_.since)
    if filter_.before is not None:
        query = query.where(Conversation.last_message_at < filter_.before)
    return query.where(~has_newer.exists())


def _talk_conditions(filter_: ContactFilter) -> list[sa.ColumnElement[bool]]:
    """Return the conditions on conversations for a list that is not read from them."""
    mine = sa.select(Conversation.id).where(Conversation.contact_id == Contact.id)
    found: list[sa.ColumnElement[bool]] = []
    if filter_.accounts is not None:
        seen = sorted(filter_.accounts)
        identity = sa.select(ContactIdentity.id).where(ContactIdentity.contact_id == Contact.id)
        found.append(identity.where(ContactIdentity.account_id.in_(seen)).exists())
        mine = mine.where(Conversation.account_id.in_(seen))
    if filter_.since is not None:
        found.append(mine.where(Conversation.last_message_at >= filter_.since).exists())
    if filter_.before is not None:
        found.append(~mine.where(Conversation.last_message_at >= filter_.before).exists())
    return found


def _conditions(workspace_id: int, filter_: ContactFilter) -> list[sa.ColumnElement[bool]]:
    found = [Contact.workspace_id == workspace_id, Contact.merged_into_id.is_(None)]
    if filter_.ids is not None:
        found.append(Contact.id.in_(sorted(filter_.ids)))
    for given, column in ((filter_.opted_out, Contact.opted_out_at), (filter_.blocked, Contact.blocked_at)):
        if given is not None:
            found.append(column.is_not(None) if given else column.is_(None))
    if filter_.channel is not None:
        on = (
            sa.select(sa.func.min(ContactIdentity.id))
            .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
            .where(ContactIdentity.contact_id == Contact.id, ChannelAccount.channel == filter_.channel)
        )
        if filter_.accounts is not None:
            on = on.where(ContactIdentity.account_id.in_(sorted(filter_.accounts)))
        found.append(_is_there(on))
    if filter_.label is not None:
        # Nested, so that the database checks the label per contact instead of reading all its conversations.
        talk = aliased(Conversation)
        labelled = sa.select(ConversationLabel.label_id).where(
            ConversationLabel.conversation_id == talk.id, ConversationLabel.label_id == filter_.label
        )
        has = sa.select(sa.func.min(talk.id)).where(talk.contact_id == Contact.id, labelled.exists())
        if filter_.accounts is not None:
            has = has.where(talk.account_id.in_(sorted(filter_.accounts)))
        found.append(_is_there(has))
    if filter_.attribute is not None:
        value = sa.select(sa.func.min(ContactValue.contact_id)).where(
            ContactValue.contact_id == Contact.id, ContactValue.attribute_id == filter_.attribute
        )
        if filter_.value is not None:
            value = value.where(ContactValue.value == filter_.value)
        found.append(_is_there(value))
    return found


def _is_there(least: sa.Select[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that *least*, a query for a minimum about one contact, finds any row.

    ``EXISTS`` would make MariaDB first compute it for all contacts, although a page has only fifty.
    """
    return least.correlate(Contact).scalar_subquery().is_not(None)


# ---- rows ----------------------------------------------------------------------------------------------


def rows_of(session: Session, workspace_id: int, ids: Sequence[int], accounts: Accounts) -> list[ContactRow]:
    """Return contacts as list rows, in the order of *ids*: four statements, however many."""
    if not ids:
        return []
    contacts = {
        one.id: one
        for one in session.scalars(
            sa.select(Contact).where(
                Contact.id.in_(ids), Contact.workspace_id == workspace_id, Contact.merged_into_id.is_(None)
            )
        )
    }
    identities = identities_of(session, ids, accounts)
    labels = labels_of_contacts(session, ids, accounts)
    numbers = _numbers_of(session, ids, accounts)
    found = []
    for id_ in ids:
        if (contact := contacts.get(id_)) is None:
            continue
        count, open_, waiting, last = numbers.get(id_, (0, 0, 0, None))
        found.append(
            ContactRow(
                id=id_,
                name=contact.name,
                email=contact.email,
                created_at=contact.created_at,
                opted_out_at=contact.opted_out_at,
                blocked_at=contact.blocked_at,
                identities=identities.get(id_, ()),
                labels=labels.get(id_, ()),
                conversations=count,
                open=open_,
                waiting=waiting,
                last_message_at=last,
            )
        )
    return found


def identities_of(
    session: Session, ids: Collection[int], accounts: Accounts
) -> Mapping[int, Sequence[Identity]]:
    """Return the contacts' identities on the visible accounts, by contact, each with the id to send to."""
    query = (
        sa.select(
            ContactIdentity.id,
            ContactIdentity.contact_id,
            ContactIdentity.account_id,
            ChannelAccount.channel,
            sa.func.coalesce(sa.func.nullif(ChannelAccount.handle, ""), ChannelAccount.name),
            ContactIdentity.external_id,
            ContactIdentity.name,
            ContactIdentity.username,
            ContactIdentity.picture_url,
        )
        .join(ChannelAccount, ChannelAccount.id == ContactIdentity.account_id)
        .where(ContactIdentity.contact_id.in_(ids), ContactIdentity.same_as_id.is_(None))
        .order_by(ContactIdentity.id)
    )
    if accounts is not None:
        query = query.where(ContactIdentity.account_id.in_(sorted(accounts)))
    found: dict[int, list[Identity]] = {}
    for row in session.execute(query):
        found.setdefault(row.contact_id, []).append(Identity(*row))
    return found


def ids_of(session: Session, identities: Collection[int]) -> Mapping[int, Sequence[PersonId]]:
    """Return all ids of people, by the identities that have their conversations: first the one to send to,
    last former ones."""
    query = (
        sa.select(
            OF_PERSON,
            ContactIdentity.external_id,
            ContactIdentity.id_kind,
            sa.func.coalesce(ContactIdentity.id_named_at, ContactIdentity.created_at),
            ContactIdentity.same_as_id.is_(None),
        )
        .where(sa.or_(ContactIdentity.id.in_(identities), ContactIdentity.same_as_id.in_(identities)))
        .order_by(ContactIdentity.id)
    )
    found: dict[int, list[PersonId]] = {}
    for row in session.execute(query):
        found.setdefault(row[0], []).append(PersonId(*row[1:]))
    for ids in found.values():
        ids.sort(key=lambda one: (not one.is_main, one.kind in PAST_KINDS))
    return found


def _numbers_of(
    session: Session, ids: Collection[int], accounts: Accounts
) -> Mapping[int, tuple[int, int, int, datetime]]:
    is_open = sa.case((Conversation.status == ConversationStatus.OPEN, 1), else_=0)
    query = (
        sa.select(
            Conversation.contact_id,
            sa.func.count(),
            sa.func.sum(is_open),
            sa.func.count(Conversation.waiting_since),
            sa.func.max(Conversation.last_message_at),
        )
        .where(Conversation.contact_id.in_(ids))
        .group_by(Conversation.contact_id)
    )
    if accounts is not None:
        query = query.where(Conversation.account_id.in_(sorted(accounts)))
    return {row[0]: (row[1], int(row[2] or 0), row[3], row[4]) for row in session.execute(query)}
