"""One transaction's worth of changes: what it has to read, and writing what became of it.

The number of statements does not depend on how many changes, accounts or conversations a batch holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host import clock
from host.db import UTCDateTime, padded
from host.inbox import writing
from host.inbox.incoming import Incoming
from host.inbox.lines import line_keys
from host.inbox.models import ConversationStatus, DeliveryState
from host.inbox.rows import Forgotten, Fresh, Key, Known, Person, Thread
from host.inbox.tables import (
    ATTACHMENTS,
    CONTACTS,
    CONVERSATIONS,
    IDENTITIES,
    MARKS,
    MESSAGES,
    OUTBOX,
    has_name,
    names,
)
from host.live.publish import Change, publish_many
from host.sdk.channel import AccountRef


def _among(column: sa.Column[Any], name: str) -> sa.ColumnElement[bool]:
    """Return whether *column* holds one of the values given as *name*."""
    return column.in_(sa.bindparam(name, expanding=True))


# Built once: putting a statement together and naming it for SQLAlchemy's cache costs more than running it.
_people = (
    sa.select(
        IDENTITIES.c.id,
        IDENTITIES.c.contact_id,
        IDENTITIES.c.account_id,
        IDENTITIES.c.external_id,
        IDENTITIES.c.username,
        IDENTITIES.c.name,
        IDENTITIES.c.seen_at,
        IDENTITIES.c.seen_early,
        IDENTITIES.c.unreachable_since,
        IDENTITIES.c.profile_at,
        IDENTITIES.c.erased_at,
        CONTACTS.c.name.label("contact_name"),
        CONTACTS.c.email.label("contact_email"),
    )
    .join_from(IDENTITIES, CONTACTS, CONTACTS.c.id == IDENTITIES.c.contact_id)
    .where(has_name(IDENTITIES))
    .order_by(IDENTITIES.c.id)
    .with_for_update()
)
_marks = sa.select(MARKS).where(has_name(MARKS))
_messages = (
    sa.select(
        MESSAGES.c.id,
        MESSAGES.c.account_id,
        MESSAGES.c.external_id,
        MESSAGES.c.conversation_id,
        MESSAGES.c.direction,
        MESSAGES.c.origin,
        MESSAGES.c.state,
        MESSAGES.c.sent_at,
        MESSAGES.c.unsent_at,
        MESSAGES.c.imported_at,
        OUTBOX.c.attempted_at,
    )
    .select_from(MESSAGES)
    .outerjoin(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
    .where(has_name(MESSAGES))
)
_newest = (
    sa.select(sa.func.max(CONVERSATIONS.c.id))
    .where(_among(CONVERSATIONS.c.identity_id, "identities"))
    .group_by(CONVERSATIONS.c.identity_id)
)
_threads = (
    sa.select(CONVERSATIONS)
    .where(_among(CONVERSATIONS.c.id, "ids"))
    .order_by(CONVERSATIONS.c.id)
    .with_for_update()
)


class Batch:
    """The people, conversations and messages a batch of changes touches."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.connection = session.connection()
        self.now = clock.now()
        self.people: dict[Key, Person] = {}
        self.threads: dict[int, Thread] = {}
        self.known: dict[Key, Known] = {}
        self.fresh: dict[Key, Fresh] = {}
        self.marks: list[Any] = []
        self.doubles: list[tuple[Key, Incoming]] = []
        """Messages told of again, with the event that did."""
        self.refused: list[tuple[Key, Incoming]] = []
        """What was said about messages of somebody else than who said it."""
        self.forgotten = Forgotten()
        self.events: list[Change] = []
        self.heard: dict[int, datetime] = {}
        self.made: dict[int, tuple[int | None, int]] = {}
        """Of each journalled event that brought a message: the conversation's id and the message's."""
        self.arrived: list[tuple[int, Fresh]] = []
        """Messages known from the history that came after all, by the ids of their rows."""

    def load(self, people: Iterable[tuple[AccountRef, str]], messages: Iterable[Key]) -> None:
        """Read everything the batch needs with one query per table.

        The rows are locked where the database has row locks, in one order for everybody, so that two workers
        on one customer take turns.
        """
        wanted = {(account.id, contact): account for account, contact in people}
        self.people = {key: Person(account, key[1]) for key, account in wanted.items()}
        self._load_people()
        keys = set(messages)
        self._load_marks(keys)
        marked = {(row.account_id, row.external_id) for row in self.marks}
        self._load_messages(keys.union(*map(line_keys, marked)))
        self._load_threads()

    def _load_people(self) -> None:
        if not self.people:
            return
        for row in self.connection.execute(_people, names(self.people)):
            person = self.people.get((row.account_id, row.external_id))
            if person is None:
                continue  # the same id on another account of the batch
            person.id, person.contact_id = row.id, row.contact_id
            person.username, person.name = row.username, row.name
            person.contact_name, person.contact_email = row.contact_name, row.contact_email
            person.seen_at, person.seen_early = row.seen_at, list(row.seen_early or ())
            person.unreachable_since = row.unreachable_since
            person.profile_at, person.erased_at = row.profile_at, row.erased_at

    def _load_marks(self, keys: set[Key]) -> None:
        if not keys:
            return
        rows = self.connection.execute(_marks, names(keys))
        self.marks = [row for row in rows if (row.account_id, row.external_id) in keys]

    def _load_messages(self, keys: set[Key]) -> None:
        if not keys:
            return
        for row in self.connection.execute(_messages, names(keys)):
            self.known[row.account_id, row.external_id] = Known(
                id=row.id,
                conversation_id=row.conversation_id,
                direction=row.direction,
                origin=row.origin,
                state=row.state,
                sent_at=row.sent_at,
                position=row.attempted_at or row.sent_at,
                unsent=row.unsent_at is not None,
                imported=row.imported_at is not None,
            )

    def _load_threads(self) -> None:
        by_identity = {person.id: person for person in self.people.values() if person.id is not None}
        if not by_identity:
            return
        wanted = {known.conversation_id for known in self.known.values()}
        wanted.update(self.connection.execute(_newest, {"identities": padded(by_identity)}).scalars())
        for row in self.connection.execute(_threads, {"ids": padded(wanted)}):
            person = by_identity.get(row.identity_id)
            if person is None:
                continue
            thread = Thread(
                person=person,
                id=row.id,
                channel=row.channel,
                status=row.status,
                subject=row.subject,
                closed_at=row.closed_at,
                last_message_at=row.last_message_at,
                last_inbound_at=row.last_inbound_at,
                last_direction=row.last_direction,
                last_kind=row.last_kind,
                last_preview=row.last_preview,
                last_author_id=row.last_author_id,
            )
            self.threads[row.id] = thread
            person.newest = thread  # rows come oldest first, so the newest stays

    def told_again(self, key: Key, item: Incoming, person: Person) -> None:
        """Note that *item* tells once more of the message *key*, or gives its id to one of somebody else."""
        (self.refused if self.is_of_another(key, person) else self.doubles).append((key, item))

    def is_of_another(self, key: Key, person: Person) -> bool:
        """Tell whether the message *key* is here, and of somebody else than *person*."""
        return (key in self.fresh or key in self.known) and self.owner(key) is not person

    def owner(self, key: Key) -> Person | None:
        """Return whose conversation the message *key* is in, if it is here and they were loaded."""
        fresh, known = self.fresh.get(key), self.known.get(key)
        if fresh is not None:
            return fresh.thread.person
        if known is None:
            return None
        thread = self.threads.get(known.conversation_id)
        return known.person if thread is None else thread.person

    def start_thread(self, person: Person, channel: str, at: datetime, subject: str | None = None) -> Thread:
        """Return a new conversation with *person*, to be written with the batch."""
        thread = Thread(
            person=person,
            channel=channel,
            status=ConversationStatus.OPEN,
            subject=subject,
            last_message_at=at,
            last_direction="",
            last_kind="",
            changed=True,
        )
        person.newest = thread
        return thread

    def add(self, fresh: Fresh) -> None:
        """Take *fresh* into the batch. Its key must not be known."""
        self.fresh[fresh.account.id, fresh.external_id] = fresh

    def heard_from(self, account: AccountRef, at: datetime) -> None:
        """Note that *account* received something at *at*."""
        before = self.heard.get(account.id)
        if before is None or before < at:
            self.heard[account.id] = at

    def flush(self, about: Callable[[Mapping[Key, int]], None]) -> None:
        """Write everything; *about* writes what is said about messages, given the ids of the new ones."""
        used = {id(fresh.thread.person) for fresh in self.fresh.values()}
        newcomers = [
            p for p in self.people.values() if p.id is None and (id(p) in used or p.identity_changed)
        ]
        writing.insert_people(self.connection, newcomers, self.now)
        threads = list({id(fresh.thread): fresh.thread for fresh in self.fresh.values()}.values())
        writing.insert_threads(self.connection, [t for t in threads if t.id is None], self.now)
        ids = writing.insert_messages(self.connection, list(self.fresh.values()), self.now)
        new = {id(person) for person in newcomers}
        people = [p for p in self.people.values() if p.id is not None and id(p) not in new]
        writing.update_people(self.connection, people)
        writing.refresh_profiles(self.connection, people, self.now)
        writing.update_threads(self.connection, self._changed(threads))
        writing.update_arrived(self.session, self.arrived, self.now)
        for id_, fresh in self.arrived:
            payload = {"conversation": fresh.thread.id, "message": id_}
            self.events.append(Change(fresh.account.workspace_id, "message", payload))
            self.made.update(dict.fromkeys(fresh.sources, (fresh.thread.id, id_)))
        for key, fresh in self.fresh.items():
            payload = {"conversation": fresh.thread.id, "message": ids[key]}
            # Nobody is told by name of what was said long ago.
            topic = "message" if fresh.imported_at is None else "changed"
            self.events.append(Change(fresh.account.workspace_id, topic, payload))
            self.made.update(dict.fromkeys(fresh.sources, (fresh.thread.id, ids[key])))
        about(ids)
        raised = {p.id: p.seen_at for p in self.people.values() if p.seen_raised and p.id and p.seen_at}
        self.events.extend(writing.mark_seen(self.connection, raised))
        writing.touch_accounts(self.connection, self.heard)
        publish_many(self.session, self.events)

    def _changed(self, threads: Iterable[Thread]) -> list[Thread]:
        every = {id(thread): thread for thread in (*self.threads.values(), *threads)}
        return [thread for thread in every.values() if thread.changed]


def candidates(batch: Batch, people: Sequence[Person], since: datetime) -> list[Any]:
    """Return our messages to *people* that may be the ones an echo tells of, oldest attempt first.

    Those being sent, those nobody confirmed, and those queued again after nobody confirmed them.
    """
    identities = {person.id for person in people if person.id is not None}
    if not identities:
        return []
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
            MESSAGES.c.kind,
            MESSAGES.c.text,
            files.label("files"),
            CONVERSATIONS.c.identity_id,
            attempted_at.label("attempted_at"),
        )
        .select_from(CONVERSATIONS)
        .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
        .join(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
        .where(
            CONVERSATIONS.c.identity_id.in_(identities),
            MESSAGES.c.sent_at >= since,
            MESSAGES.c.external_id.is_(None),
            sa.or_(
                MESSAGES.c.state.in_([DeliveryState.SENDING, DeliveryState.UNKNOWN]),
                sa.and_(MESSAGES.c.state == DeliveryState.QUEUED, OUTBOX.c.resent.is_(True)),
            ),
        )
        .order_by(attempted_at, MESSAGES.c.id)
    )
    found = list(batch.connection.execute(query))
    if not found:
        return []
    # Only the messages are locked, not what they were joined with: a worker that records an answer meanwhile
    # holds its outbox entry and waits for the message. What it has recorded by then is no candidate any more.
    locked = (
        sa.select(MESSAGES.c.id)
        .where(MESSAGES.c.id.in_([row.id for row in found]), MESSAGES.c.external_id.is_(None))
        .order_by(MESSAGES.c.id)
        .with_for_update()
    )
    free = set(batch.connection.execute(locked).scalars())
    return [row for row in found if row.id in free]
