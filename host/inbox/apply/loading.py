"""Load the rows a batch of changes needs, with one query per kind of row.

The number of statements does not depend on the number of changes, accounts or conversations in a batch. Rows
to be written are locked, if the database has row locks, always in the same order, so that two workers on one
customer do not deadlock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from host.core.cleaning import external_id
from host.core.db import UTCDateTime, padded
from host.core.statements import Statement
from host.inbox.apply import claims, consent_rows, ids
from host.inbox.apply.annotations import AnyAnnotation, line_keys
from host.inbox.apply.consents import word_of
from host.inbox.apply.incoming import (
    MOST_FITTING,
    REPORTED_WITHIN,
    Incoming,
    handover_id,
    identified_id,
    message_key,
    not_sent_id,
    other_ids,
    own_key,
    reported_at,
)
from host.inbox.apply.tables import (
    ATTACHMENTS,
    CONTACTS,
    CONVERSATIONS,
    IDENTITIES,
    MARKS,
    MESSAGES,
    OUTBOX,
    POSTS,
    REACTIONS,
    has_name,
    names,
)
from host.inbox.apply.values import (
    Fitting,
    Key,
    KnownBeside,
    Loaded,
    StoredBody,
    StoredId,
    StoredMark,
    StoredMessage,
    StoredPerson,
    StoredReaction,
    StoredThread,
    Unconfirmed,
)
from host.models.channels import ChannelAccount, ref
from host.models.inbox import (
    ARRIVED,
    REPORT_MARK,
    ConversationStatus,
    DeliveryState,
    Direction,
    MarkKind,
    Origin,
)
from host.queue import outbox
from host.sdk.channel import AccountRef, Threading
from host.sdk.messages import (
    AccountNoticed,
    ContactIdentified,
    ConversationHandedOver,
    Ignored,
    InboundChange,
    MessageAccepted,
    MessageBounced,
    MessageDelivered,
    MessageEchoed,
    MessageKind,
    MessageReacted,
    MessageReceived,
    MessagesRead,
    ToLookUp,
)

_Aside = Ignored | AccountNoticed | ToLookUp | ContactIdentified
"""Changes of no message."""
_Report = MessageAccepted | MessageBounced | MessageDelivered | MessagesRead

SHOWN = 200
"""Number of newest messages read to find the participants of conversations that a batch answers."""
REACH_BACK = timedelta(days=8)
"""Maximum age of an unconfirmed message that an echo may confirm; no reply window is longer than a week."""


def _columns(row: type[Any], *tables: sa.Table) -> list[sa.Column[Any]]:
    """Return the columns for the fields of *row*, in order, each from the first of *tables* that has it."""
    return [next(t.c[name] for t in tables if name in t.c) for name in row._fields]


def _among(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """Return the condition that *column* has one of the values bound as *name*."""
    return column.in_(sa.bindparam(name, expanding=True))


class _LockedByName:
    """A query for rows by their names that locks them in the order of their ids."""

    def __init__(self, query: sa.Select[Any], table: sa.Table) -> None:
        # Their keys do not change, so a weaker lock suffices. A full lock could deadlock: a transaction that
        # updates a conversation twice makes PostgreSQL recheck, and so share-lock, its contact, while holding
        # the conversation that is locked next here.
        ordered = query.order_by(table.c.id).with_for_update(key_share=True)
        self._query = Statement(ordered.where(has_name(table)))
        self._ids = Statement(sa.select(table.c.id).where(has_name(table)))
        self._by_id = Statement(ordered.where(_among(table.c.id, "ids")))

    def rows(self, connection: Connection, keys: Collection[Key]) -> Sequence[tuple[Any, ...]]:
        """Return the rows of *keys*, and maybe others."""
        if connection.dialect.name not in {"mysql", "mariadb"}:
            return self._query.rows(connection, names(keys))
        # MariaDB locks rows while searching, in the order of the index it chose, and sorts afterwards.
        return self.with_ids(connection, {id_ for (id_,) in self._ids.rows(connection, names(keys))})

    def with_ids(self, connection: Connection, ids: Collection[int]) -> Sequence[tuple[Any, ...]]:
        """Return the rows with these ids."""
        return self._by_id.rows(connection, {"ids": padded(sorted(ids))}) if ids else []


# Statements are built once and run without the overhead of the ORM.
_people = _LockedByName(
    sa.select(
        *(IDENTITIES.c[name] for name in StoredPerson._fields[:-3]),
        # A join would lock the contact before the conversation, whose changes wait for the contact on
        # MariaDB.
        *(
            sa.select(column)
            .where(CONTACTS.c.id == IDENTITIES.c.contact_id)
            .scalar_subquery()
            .label(f"contact_{column.name}")
            for column in (CONTACTS.c.name, CONTACTS.c.email, CONTACTS.c.blocked_at)
        ),
    ),
    IDENTITIES,
)
_ids_of = Statement(
    sa.union_all(
        *(
            sa.select(*(IDENTITIES.c[name] for name in StoredId._fields)).where(_among(column, "ids"))
            for column in (IDENTITIES.c.id, IDENTITIES.c.same_as_id)
        )
    )
)
_strangers = Statement(
    sa.select(
        *(IDENTITIES.c[name] for name in StoredPerson._fields[:-3]),
        CONTACTS.c.name.label("contact_name"),
        CONTACTS.c.email.label("contact_email"),
        CONTACTS.c.blocked_at.label("contact_blocked_at"),
    )
    .join(CONTACTS, CONTACTS.c.id == IDENTITIES.c.contact_id)
    .where(_among(IDENTITIES.c.id, "ids"))
)
_contents = Statement(sa.select(MESSAGES.c.id, MESSAGES.c.content).where(_among(MESSAGES.c.id, "ids")))
_shown_before = Statement(
    sa.select(MESSAGES.c.conversation_id, MESSAGES.c.content)
    .where(_among(MESSAGES.c.conversation_id, "ids"), MESSAGES.c.direction != Direction.INTERNAL)
    .order_by(MESSAGES.c.id.desc())
    .limit(SHOWN)
)
_known_beside = Statement(
    sa.select(
        IDENTITIES.c.account_id,
        IDENTITIES.c.external_id,
        IDENTITIES.c.contact_id,
        IDENTITIES.c.username,
        IDENTITIES.c.name,
        CONTACTS.c.name.label("contact_name"),
        CONTACTS.c.email.label("contact_email"),
        CONTACTS.c.blocked_at.label("contact_blocked_at"),
    )
    .join(CONTACTS, CONTACTS.c.id == IDENTITIES.c.contact_id)
    .where(has_name(IDENTITIES))
)
_IN_DOUBT = sa.and_(
    MESSAGES.c.external_id.is_(None),
    sa.or_(
        MESSAGES.c.state.in_([DeliveryState.SENDING, DeliveryState.UNKNOWN]),
        sa.and_(MESSAGES.c.state == DeliveryState.QUEUED, OUTBOX.c.resent.is_(True)),
    ),
)
"""The condition for messages of ours that the provider may have without our knowing their id."""
_SAME = IDENTITIES.alias()
_sent_to = (
    sa.select(
        *(MESSAGES.c[name] for name in Fitting._fields[:6]),
        OUTBOX.c.attempted_at,
        MESSAGES.c.content,
        IDENTITIES.c.external_id.label("customer"),
    )
    .select_from(CONVERSATIONS)
    .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
    .join(IDENTITIES, IDENTITIES.c.id == CONVERSATIONS.c.identity_id)
    .outerjoin(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
    .where(
        CONVERSATIONS.c.workspace_id == sa.bindparam("workspace"),
        sa.or_(
            # With each status, for the index.
            CONVERSATIONS.c.status.in_(list(ConversationStatus))
            & (CONVERSATIONS.c.last_message_at >= sa.bindparam("since", type_=UTCDateTime())),
            # An older message may have been sent again.
            CONVERSATIONS.c.identity_id.in_(
                sa.select(_SAME.c.id).where(
                    _SAME.c.account_id == sa.bindparam("account"),
                    _SAME.c.external_id == sa.bindparam("contact"),
                )
            ),
        ),
        MESSAGES.c.account_id == sa.bindparam("account"),
        sa.or_(
            MESSAGES.c.sent_at >= sa.bindparam("since", type_=UTCDateTime()),
            OUTBOX.c.attempted_at >= sa.bindparam("since", type_=UTCDateTime()),
        ),
        MESSAGES.c.direction != Direction.INBOUND,
        MESSAGES.c.unsent_at.is_(None),
        sa.or_(
            MESSAGES.c.state.in_((*sorted(ARRIVED), DeliveryState.SENDING, DeliveryState.UNKNOWN)),
            sa.and_(MESSAGES.c.state == DeliveryState.FAILED, MESSAGES.c.external_id.is_not(None)),
        ),
        sa.or_(
            IDENTITIES.c.external_id == sa.bindparam("contact"),
            sa.cast(MESSAGES.c.content, sa.Text).like(sa.bindparam("named"), escape="!"),
        ),
    )
    .order_by(MESSAGES.c.sent_at.desc(), MESSAGES.c.id.desc())
    .limit(MOST_FITTING)
)
_marks = Statement(sa.select(*_columns(StoredMark, MARKS)).where(has_name(MARKS)))
_messages = Statement(
    sa.select(*_columns(StoredMessage, MESSAGES, OUTBOX))
    .select_from(MESSAGES)
    .outerjoin(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
    .where(has_name(MESSAGES))
)
_newest = Statement(
    sa.select(sa.func.max(CONVERSATIONS.c.id))
    .where(_among(CONVERSATIONS.c.identity_id, "identities"))
    .group_by(CONVERSATIONS.c.identity_id)
)
_newest_about = Statement(
    sa.select(sa.func.max(CONVERSATIONS.c.id))
    .where(
        _among(CONVERSATIONS.c.identity_id, "identities"),
        _among(CONVERSATIONS.c.post_id, "posts"),
    )
    .group_by(CONVERSATIONS.c.identity_id, CONVERSATIONS.c.post_id)
)
_posts = Statement(sa.select(POSTS.c.account_id, POSTS.c.external_id, POSTS.c.id).where(has_name(POSTS)))
_select_threads = (
    sa.select(*_columns(StoredThread, CONVERSATIONS))
    .where(_among(CONVERSATIONS.c.id, "ids"))
    .order_by(CONVERSATIONS.c.id)
)
_threads = Statement(_select_threads.with_for_update())
_free_threads = Statement(_select_threads.with_for_update(skip_locked=True))
_customers = Statement(
    sa.select(IDENTITIES.c.account_id, IDENTITIES.c.external_id)
    .join(CONVERSATIONS, CONVERSATIONS.c.identity_id == IDENTITIES.c.id)
    .where(_among(CONVERSATIONS.c.id, "ids"))
)
_select_bodies = (
    sa.select(*_columns(StoredBody, MESSAGES))
    .where(_among(MESSAGES.c.id, "ids"))
    .order_by(MESSAGES.c.id)
    .with_for_update()
)
_bodies = Statement(_select_bodies)
_unconfirmed_bodies = Statement(_select_bodies.where(MESSAGES.c.external_id.is_(None)))
_claiming = Statement(
    sa.select(CONVERSATIONS.c.identity_id, MESSAGES.c.content)
    .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
    .where(
        _among(CONVERSATIONS.c.identity_id, "identities"),
        _among(MESSAGES.c.reply_key, "keys"),
        MESSAGES.c.direction == Direction.OUTBOUND,
        MESSAGES.c.origin == Origin.SYSTEM,
    )
)
_asked_after_closing = Statement(
    sa.select(CONVERSATIONS.c.identity_id, MESSAGES.c.content)
    .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
    .where(
        _among(CONVERSATIONS.c.id, "ids"),
        MESSAGES.c.direction == Direction.OUTBOUND,
        MESSAGES.c.origin == Origin.SYSTEM,
        MESSAGES.c.sent_at >= CONVERSATIONS.c.closed_at,
    )
    .order_by(MESSAGES.c.sent_at, MESSAGES.c.id)
)
_reactions = _LockedByName(sa.select(*_columns(StoredReaction, REACTIONS)), REACTIONS)


class HeldConversationsError(Exception):
    """Another transaction has locked conversations that a batch needs, and waiting was not requested.

    :ivar customers: the customers of those conversations.
    """

    def __init__(self, customers: Collection[Key]) -> None:
        super().__init__(f"another transaction holds {len(customers)} conversations")
        self.customers = frozenset(customers)


@dataclass(slots=True)
class _Needs:
    """The keys of the rows to load.

    :param waits: whether to wait for conversations locked by another transaction.
    :param people: customers, with their accounts.
    :param messages: every message that is mentioned.
    :param received: messages received in the batch.
    :param claimed: messages received in the batch with ids their senders chose, and taps.
    :param echoes: the first echo of each message, or report that it was accepted.
    :param annotations: the message, the customer, and the annotation.
    :param named: messages the batch contains or annotates, each with the customer.
    :param posts: posts that messages of the batch are about.
    :param answers: messages that messages of the batch refer to, each with the referring customer.
    :param wishing: customers who wrote an opt-out or opt-in word.
    :param taps: customers who tapped a quick reply that an addon may claim, each with its payload.
    :param typed: customers with a text that may name one.
    :param bounced: customers with a report that becomes a message if it is about none of ours.
    :param others: customers that reports name, each with the other ids they may have.
    :param writing: customers of all other changes.
    :param identified: changes that tell ids of a customer, each with these.
    :param unnamed: recipients with a report that names no message, and the earliest time of that message.
    """

    people: dict[Key, AccountRef] = field(default_factory=dict)
    messages: set[Key] = field(default_factory=set)
    received: set[Key] = field(default_factory=set)
    claimed: set[Key] = field(default_factory=set)
    echoes: dict[Key, MessageEchoed | MessageAccepted] = field(default_factory=dict)
    annotations: list[tuple[Key, Key, AnyAnnotation]] = field(default_factory=list)
    named: set[tuple[Key, Key]] = field(default_factory=set)
    posts: set[Key] = field(default_factory=set)
    wishing: set[Key] = field(default_factory=set)
    answers: set[tuple[Key, Key]] = field(default_factory=set)
    taps: set[tuple[Key, str]] = field(default_factory=set)
    typed: set[tuple[Key, str]] = field(default_factory=set)
    bounced: set[Key] = field(default_factory=set)
    others: dict[Key, list[Key]] = field(default_factory=dict)
    writing: set[Key] = field(default_factory=set)
    identified: list[tuple[ContactIdentified, Collection[Key]]] = field(default_factory=list)
    unnamed: dict[Key, datetime] = field(default_factory=dict)
    waits: bool = True


def load(connection: Connection, items: Iterable[Incoming], *, waits: bool = True) -> Loaded:
    """Load the rows *items* need.

    :param waits: whether to wait for conversations locked by another transaction.
    :raises HeldConversationsError: if not, and one is locked.
    """
    needs = _Needs(waits=waits)
    report: InboundChange | None = None
    for item in _with_reports(items):
        change, account = item.change, item.account.id
        if isinstance(change, _Aside):
            _need_identified(needs, item)
            continue
        person = account, external_id(change.contact)
        needs.people[person] = item.account
        if isinstance(change, _Report):
            needs.others[person] = [(account, name) for name in other_ids(item.adapter, change.contact)]
            report = change.report if isinstance(change, MessageBounced) else None  # it comes next
        elif change is not report:
            needs.writing.add(person)
        if isinstance(change, MessageReceived):
            _need_received(needs, item, change, person)
        elif isinstance(change, ConversationHandedOver):
            needs.messages.add((account, handover_id(item.event_key)))
        elif isinstance(change, MessageBounced) and not change.external_id:
            since = reported_at(item, change) - REPORTED_WITHIN
            needs.unnamed[person] = min(since, needs.unnamed.get(person, since))
        else:
            key = account, external_id(change.external_id)
            needs.messages.add(key)
            if isinstance(change, MessageBounced):
                _need_bounced(needs, change, key, person)
            elif isinstance(change, MessageEchoed):
                _need_echoed(needs, item, change, key, person)
            elif isinstance(change, MessageAccepted):
                needs.echoes.setdefault(key, change)
                needs.named.add((key, person))
            elif isinstance(change, AnyAnnotation):
                needs.messages.update(line_keys(key))
                needs.annotations.append((key, person, change))
                needs.named.add((key, person))
    needs.messages |= needs.received
    return _load(connection, needs)


def _need_identified(needs: _Needs, item: Incoming) -> None:
    change = item.change
    if not isinstance(change, ContactIdentified):
        return
    keys = ids.named(item.account.id, change)
    needs.people |= dict.fromkeys(keys, item.account)
    needs.identified.append((change, keys))
    if change.changed is not None:
        needs.messages.add((item.account.id, identified_id(item.event_key)))


def _need_received(needs: _Needs, item: Incoming, change: MessageReceived, person: Key) -> None:
    account = item.account.id
    key = account, message_key(change, item.event_key)
    needs.received.add(key)
    needs.named.add((key, person))
    if word_of(item, change) is not None:
        needs.wishing.add(person)
    for payload in claims.payloads_to_check(change):
        needs.taps.add((person, payload))
    if not item.imported and (text := claims.typed(change)):
        needs.typed.add((person, text))
    if item.adapter.capabilities.threading is Threading.POST and change.post is not None:
        needs.posts.add((account, external_id(change.post.external_id)))
    by_reference = item.adapter.capabilities.threading is Threading.REFERENCES
    if by_reference:
        answered = {(account, external_id(name)) for name in change.references}
        needs.messages |= answered
        needs.answers.update((name, person) for name in answered)
    if by_reference or change.kind is MessageKind.POSTBACK:
        needs.claimed.add(key)
        needs.messages.add((account, own_key(change, item.event_key)))


def _need_bounced(needs: _Needs, change: MessageBounced, key: Key, person: Key) -> None:
    needs.answers.add((key, person))  # its content: the recipients besides its customer
    needs.bounced.add(person)
    if change.report is None:
        needs.messages.add((key[0], not_sent_id(change.external_id)))


def _need_echoed(needs: _Needs, item: Incoming, change: MessageEchoed, key: Key, person: Key) -> None:
    needs.echoes.setdefault(key, change)
    if change.reply_to and item.adapter.capabilities.threading is Threading.POST:
        needs.messages.add((key[0], external_id(change.reply_to)))
    if item.adapter.capabilities.threading is Threading.REFERENCES:
        needs.messages.update((key[0], external_id(name)) for name in change.references)
    needs.named.add((key, person))


def _with_reports(items: Iterable[Incoming]) -> Iterator[Incoming]:
    """Yield *items*, and for each bounce the report as a message, in case the bounced one is missing."""
    for item in items:
        yield item
        if isinstance(item.change, MessageBounced) and item.change.report is not None:
            yield item._replace(change=item.change.report)


def load_marked(
    connection: Connection, people: Mapping[Key, AccountRef], keys: Iterable[Key], *, waits: bool = True
) -> Loaded:
    """Load the rows that the marks of the messages *keys* need.

    :param people: the customers of the marks, with their accounts.
    :param waits: as for :func:`load`.
    """
    messages = {name for key in keys for name in (key, *line_keys(key))}
    return _load(connection, _Needs(dict(people), messages, waits=waits))


def _load(connection: Connection, needs: _Needs) -> Loaded:
    people = _read_named(connection, needs)
    fitting = {
        person: _read_fitting(connection, person, needs.people[person], since)
        for person, since in needs.unnamed.items()  # rare, so a statement for each
    }
    for person, found in fitting.items():
        known = {(person[0], one.external_id) for one in found if one.external_id is not None}
        needs.messages |= known
        needs.answers |= {(name, person) for name in known}
    # Before the messages: one that is recorded as sent in between is found there.
    sending = _read_sending(connection, [people[key].id for key in needs.bounced if key in people])
    kept = _read_marks(connection, needs.messages)
    marks = [mark for mark in kept if not mark.kind.startswith(REPORT_MARK)]
    lines = (line_keys(key) for key in {mark.key for mark in marks})
    messages = _read_messages(connection, needs.messages.union(*lines))
    posts = _read_posts(connection, needs.posts)
    threads = _read_threads(connection, people, messages, posts, waits=needs.waits)
    strangers, answered, shown = _read_answered(connection, needs, people, messages, threads)
    unconfirmed = _read_unconfirmed(connection, needs, people, messages)
    edited, reacted = _annotated(needs, people, marks, messages, threads)
    return Loaded(
        people={key: (account, people.get(key)) for key, account in needs.people.items()},
        ids=_read_ids(connection, needs, people) if needs.identified else None,
        marks=marks,
        reports=[mark for mark in kept if mark.kind.startswith(REPORT_MARK)],
        sending=sending,
        messages=messages,
        threads=threads,
        strangers=strangers,
        elsewhere=_read_accounts(connection, needs, strangers),
        answered=answered,
        shown=shown,
        fitting=fitting,
        posts=posts,
        beside=_read_beside(connection, {k: a for k, a in needs.people.items() if k not in people}),
        unconfirmed=unconfirmed,
        bodies=_read_bodies(
            connection, [messages[key].id for key in edited | needs.claimed if key in messages]
        ),
        reactions=_read_reactions(connection, reacted),
        claims=_read_claims(connection, needs.taps, people),
        typed=_read_typed(connection, needs.typed, people, threads),
        # Contacts are locked last, after everything that refers to them.
        standings=consent_rows.load(connection, needs.wishing, people),
    )


def _annotated(
    needs: _Needs,
    people: Mapping[Key, StoredPerson],
    marks: Iterable[StoredMark],
    messages: Mapping[Key, StoredMessage],
    threads: Iterable[StoredThread],
) -> tuple[set[Key], set[Key]]:
    """Return the messages to edit or unsend, and those with reactions, without changes that will be
    refused."""
    edited: set[Key] = set()
    reacted: set[Key] = set()
    owners = {thread.id: thread.identity_id for thread in threads}
    for key, customer, change in needs.annotations:
        message, person = messages.get(key), people.get(customer)
        if message is None or (person is not None and owners.get(message.conversation_id) == person.id):
            (reacted if isinstance(change, MessageReacted) else edited).add(key)
    due = edited | reacted
    named = {(key, people[customer].id) for key, customer in needs.named if customer in people}
    for mark in marks:
        message = messages.get(mark.key)
        if message is None:
            is_due = (mark.key, mark.identity_id) in named
        else:
            is_due = owners.get(message.conversation_id) == mark.identity_id
        if is_due:
            due.add(mark.key)
    for mark in marks:
        if mark.key in due:
            (reacted if mark.kind == MarkKind.REACTION else edited).add(mark.key)
    return edited, reacted


def _read_people(connection: Connection, wanted: Collection[Key]) -> dict[Key, StoredPerson]:
    if not wanted:
        return {}
    rows = map(StoredPerson._make, _people.rows(connection, wanted))
    # The same id may exist on another account of the batch.
    found = {key: row for row in rows if (key := (row.account_id, row.external_id)) in wanted}
    further = {row.same_as_id for row in found.values()} - {None}
    if not further:
        return found
    people = {row.id: row for row in found.values()}
    missing = cast("set[int]", further) - people.keys()
    people |= {row.id: row for row in map(StoredPerson._make, _people.with_ids(connection, missing))}
    return {key: people.get(row.same_as_id or row.id, row) for key, row in found.items()}


def _read_ids(
    connection: Connection, needs: _Needs, people: Mapping[Key, StoredPerson]
) -> Sequence[StoredId]:
    """Return every id of the people of whom the batch tells new ones; without such, no statement."""
    theirs: set[int] = set()
    for change, keys in needs.identified:
        stored = [people[key].id if key in people else None for key in keys]
        if ids.is_new(change, stored):
            theirs |= {id_ for id_ in stored if id_ is not None}
    if not theirs:
        return ()
    return list(map(StoredId._make, _ids_of.rows(connection, {"ids": padded(sorted(theirs))})))


def _read_named(connection: Connection, needs: _Needs) -> dict[Key, StoredPerson]:
    """Return the stored people of a batch, and add to *needs* those who may be the same under another id.

    Somebody whom only reports name, by an id that nobody has, is the one who has their other id.
    """
    if not any(needs.others.values()):
        return _read_people(connection, needs.people)
    accounts = {other: needs.people[key] for key, others in needs.others.items() for other in others}
    found = _read_people(connection, {*needs.people, *accounts})
    needs.people |= {key: accounts[key] for key in found if key not in needs.people}
    known = {key: [found[one] for one in others if one in found] for key, others in needs.others.items()}
    same = {key: rows[0] for key, rows in known.items() if len(rows) == 1 and key not in needs.writing}
    return {**same, **found}


def _read_beside(connection: Connection, new: Mapping[Key, AccountRef]) -> dict[Key, KnownBeside]:
    """Return the people among *new* who are already known on the account beside theirs."""
    beside = {
        (account.beside_id, external): (id_, external)
        for (id_, external), account in new.items()
        if account.beside_id is not None
    }
    if not beside:
        return {}
    rows = map(KnownBeside._make, _known_beside.rows(connection, names(beside)))
    return {beside[key]: row for row in rows if (key := (row.account_id, row.external_id)) in beside}


def _read_marks(connection: Connection, keys: Collection[Key]) -> list[StoredMark]:
    if not keys:
        return []
    return [mark for mark in map(StoredMark._make, _marks.rows(connection, names(keys))) if mark.key in keys]


def _read_sending(connection: Connection, identities: Collection[int]) -> frozenset[int]:
    if not identities:
        return frozenset()
    query = (
        sa.select(CONVERSATIONS.c.identity_id)
        .select_from(CONVERSATIONS)
        .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
        .join(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
        .where(CONVERSATIONS.c.identity_id.in_(identities), _IN_DOUBT)
        .distinct()
    )
    return frozenset(connection.scalars(query))


def _read_messages(connection: Connection, keys: Collection[Key]) -> dict[Key, StoredMessage]:
    if not keys:
        return {}
    rows = map(StoredMessage._make, _messages.rows(connection, names(keys)))
    return {(row.account_id, row.external_id): row for row in rows}


def _read_posts(connection: Connection, wanted: Collection[Key]) -> dict[Key, int]:
    if not wanted:
        return {}
    rows = _posts.rows(connection, names(wanted))
    return {(account, external): id_ for account, external, id_ in rows if (account, external) in wanted}


def _read_threads(
    connection: Connection,
    people: Mapping[Key, StoredPerson],
    messages: Mapping[Key, StoredMessage],
    posts: Mapping[Key, int],
    *,
    waits: bool,
) -> list[StoredThread]:
    """Return the newest conversation of each person, also for each of *posts*, and those of *messages*.

    :raises HeldConversationsError: if *waits* is not set and another transaction has locked one.
    """
    ids = {message.conversation_id for message in messages.values()}
    identities = padded({person.id for person in people.values()})
    if people:
        ids.update(id_ for (id_,) in _newest.rows(connection, {"identities": identities}))
    if people and posts:
        about = {"identities": identities, "posts": padded(set(posts.values()))}
        ids.update(id_ for (id_,) in _newest_about.rows(connection, about))
    if not ids:
        return []
    if waits:
        return list(map(StoredThread._make, _threads.rows(connection, {"ids": padded(ids)})))
    threads = list(map(StoredThread._make, _free_threads.rows(connection, {"ids": padded(ids)})))
    held = ids - {thread.id for thread in threads}
    if held:
        raise HeldConversationsError(set(map(tuple, _customers.rows(connection, {"ids": padded(held)}))))
    return threads


def _read_answered(
    connection: Connection,
    needs: _Needs,
    people: Mapping[Key, StoredPerson],
    messages: Mapping[Key, StoredMessage],
    threads: Iterable[StoredThread],
) -> tuple[Sequence[StoredPerson], dict[int, Mapping[str, Any]], dict[int, list[Mapping[str, Any]]]]:
    """Return the data to decide whether people may join other customers' conversations they refer to.

    These are the other customers, without those of the batch; the contents of the messages referred to; and
    the contents of the messages in their conversations. It runs no statement if there are no such references.
    """
    owners = {thread.id: thread.identity_id for thread in threads}
    known = {person.id for person in people.values()}
    foreign = {
        messages[name].id: owners[messages[name].conversation_id]
        for name, person in needs.answers
        if name in messages
        and messages[name].conversation_id in owners
        and (person not in people or people[person].id != owners[messages[name].conversation_id])
    }
    if not foreign:
        return (), {}, {}
    ids = padded(set(foreign.values()) - known)
    rows = map(StoredPerson._make, _strangers.rows(connection, {"ids": ids})) if ids else ()
    contents = dict(_contents.rows(connection, {"ids": padded(set(foreign))}))
    shown: dict[int, list[Mapping[str, Any]]] = {}
    places = {message.conversation_id for message in messages.values() if message.id in foreign}
    for conversation_id, content in _shown_before.rows(connection, {"ids": padded(places)}):
        shown.setdefault(conversation_id, []).append(content)
    return list(rows), contents, shown


def _read_fitting(
    connection: Connection, person: Key, account: AccountRef, since: datetime
) -> Sequence[Fitting]:
    """Return our messages since then that may have gone to *person*, as customer or copy, newest first."""
    like = person[1].replace("!", "!!").replace("%", "!%").replace("_", "!_")
    values = {
        "workspace": account.workspace_id,
        "account": account.id,
        "since": since,
        "contact": person[1],
        "named": f'%"{like}"%',
    }
    return [Fitting._make(row) for row in connection.execute(_sent_to, values)]


def _read_accounts(
    connection: Connection, needs: _Needs, strangers: Sequence[StoredPerson]
) -> dict[int, AccountRef]:
    """Return the accounts of *strangers* that are not among those of the batch."""
    ids = {one.account_id for one in strangers} - {account.id for account in needs.people.values()}
    if not ids:
        return {}
    table = ChannelAccount.__table__
    return {
        row.id: ref(cast(Any, row)) for row in connection.execute(sa.select(table).where(table.c.id.in_(ids)))
    }


def _read_bodies(connection: Connection, ids: Collection[int]) -> dict[int, StoredBody]:
    if not ids:
        return {}
    rows = map(StoredBody._make, _bodies.rows(connection, {"ids": padded(ids)}))
    return {row.id: row for row in rows}


def _read_claims(
    connection: Connection, taps: Collection[tuple[Key, str]], people: Mapping[Key, StoredPerson]
) -> frozenset[tuple[Key, str]]:
    """Return those of *taps* that an addon offered to that customer and claims."""
    identities = {people[person].id for person, _payload in taps if person in people}
    if not identities:
        return frozenset()
    keys = sorted({claims.reply_key_in(payload) for _person, payload in taps})
    sent = _claiming.rows(connection, {"identities": padded(identities), "keys": keys})
    offered = {(identity_id, one) for identity_id, content in sent for one in claims.offered(content)}
    return frozenset(
        (person, payload)
        for person, payload in taps
        if person in people and (people[person].id, payload) in offered
    )


def _read_typed(
    connection: Connection,
    texts: Collection[tuple[Key, str]],
    people: Mapping[Key, StoredPerson],
    threads: Iterable[StoredThread],
) -> dict[tuple[Key, str], str]:
    """Return the payloads that *texts* name of quick replies sent last, after a closing.

    It runs no statement while the conversations are open.
    """
    theirs = {people[person].id for person, _text in texts if person in people}
    is_closed = ConversationStatus.CLOSED
    ids = {one.id for one in threads if one.identity_id in theirs and one.status == is_closed}
    if not ids:
        return {}
    last = dict(_asked_after_closing.rows(connection, {"ids": padded(ids)}))
    named = {
        (person, text): claims.payload_for(text, last.get(people[person].id, {}))
        for person, text in texts
        if person in people
    }
    return {key: payload for key, payload in named.items() if payload}


def _read_reactions(connection: Connection, keys: Collection[Key]) -> list[StoredReaction]:
    if not keys:
        return []
    return list(map(StoredReaction._make, _reactions.rows(connection, keys)))


# ---- our messages that echoes may be about -----------------------------------------------------------


def _read_unconfirmed(
    connection: Connection,
    needs: _Needs,
    people: Mapping[Key, StoredPerson],
    messages: Collection[Key],
) -> list[Unconfirmed]:
    """Return our messages that the echoes may confirm, oldest attempt first."""
    echoes = {
        key: echo for key, echo in needs.echoes.items() if key not in messages and key not in needs.received
    }
    named = ((key[0], external_id(echo.contact)) for key, echo in echoes.items())
    senders = [one for sender in named for one in (sender, *needs.others.get(sender, ()))]
    identities = {people[sender].id for sender in senders if sender in people}
    if not identities:
        return []
    since = min(echo.at if isinstance(echo, MessageAccepted) else echo.sent_at for echo in echoes.values())
    return _unconfirmed(connection, identities, since - REACH_BACK)


def _unconfirmed(connection: Connection, identities: Collection[int], since: datetime) -> list[Unconfirmed]:
    """Return our messages that are being sent, are unconfirmed, or were queued again while unconfirmed."""
    files = (
        sa.select(sa.func.count())
        .select_from(ATTACHMENTS)
        .where(ATTACHMENTS.c.message_id == MESSAGES.c.id)
        .scalar_subquery()
    )
    attempted_at = sa.func.coalesce(OUTBOX.c.attempted_at, MESSAGES.c.created_at, type_=UTCDateTime())
    query = (
        sa.select(
            MESSAGES.c.id,
            MESSAGES.c.workspace_id,
            MESSAGES.c.conversation_id,
            CONVERSATIONS.c.identity_id,
            MESSAGES.c.kind,
            files.label("files"),
            attempted_at.label("attempted_at"),
            MESSAGES.c.origin,
            MESSAGES.c.author_id,
            MESSAGES.c.reply_key,
            MESSAGES.c.position,
        )
        .select_from(CONVERSATIONS)
        .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
        .join(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
        .where(
            CONVERSATIONS.c.identity_id.in_(identities),
            MESSAGES.c.sent_at >= since,
            _IN_DOUBT,
        )
        .order_by(attempted_at, MESSAGES.c.id)
    )
    found = connection.execute(query).all()
    if not found:
        return []
    # Lock only the messages, not the joined rows: a worker recording a provider's response holds the outbox
    # entry and waits for the message. A message with a recorded response is no longer a candidate.
    ids = padded({row.id for row in found})
    bodies = {
        row.id: row for row in map(StoredBody._make, _unconfirmed_bodies.rows(connection, {"ids": ids}))
    }
    return [
        Unconfirmed._make((*row[:-2], outbox.message_key(row), bodies[row.id], row.reply_key))
        for row in found
        if row.id in bodies
    ]
