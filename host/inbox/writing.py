"""Bulk statements of a batch: each function writes any number of rows with a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from host import db
from host.db import UTCDateTime
from host.delivery import policy
from host.inbox.models import DeliveryState, Direction
from host.inbox.rows import Fresh, Key, Person, Thread
from host.inbox.tables import (
    ACCOUNTS,
    ATTACHMENTS,
    CONTACTS,
    CONVERSATIONS,
    IDENTITIES,
    MESSAGES,
    OUTBOX,
    has_name,
    names,
)
from host.live.publish import Change
from host.media import inbound, removal

TOUCH_EVERY = timedelta(seconds=1)
"""An account's ``last_event_at`` moves at most this often: all workers would else queue for its row."""


class _Named:
    """Inserting rows of a table whose unique key is an account and an external id."""

    def __init__(self, table: sa.Table, *columns: sa.Column[Any]) -> None:
        self._table = table
        self._columns = (table.c.account_id, table.c.external_id, *columns)
        self._find = sa.select(*self._columns).where(has_name(table))
        self._inserts: dict[str, Any] = {}

    def insert(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[Key, sa.Row[Any]]:
        """Insert *rows*, but for those that are there by now; return all of them, as they are."""
        dialect = connection.dialect.name
        if dialect not in self._inserts:
            self._inserts[dialect] = db.insert_ignore(self._table, dialect).returning(*self._columns)
        found = self._by_key(connection.execute(self._inserts[dialect], rows))
        missing = {(row["account_id"], row["external_id"]) for row in rows} - found.keys()
        if missing:
            found |= self._by_key(connection.execute(self._find, names(missing)))
        return found

    @staticmethod
    def _by_key(rows: Iterable[sa.Row[Any]]) -> dict[Key, sa.Row[Any]]:
        return {(row.account_id, row.external_id): row for row in rows}


# Built once: putting a statement together and naming it for SQLAlchemy's cache costs more than running it.
_IDENTITIES = _Named(IDENTITIES, IDENTITIES.c.id, IDENTITIES.c.contact_id)
_MESSAGES = _Named(MESSAGES, MESSAGES.c.id)
_insert_contact = sa.insert(CONTACTS).returning(
    CONTACTS.c.id, CONTACTS.c.workspace_id, CONTACTS.c.name, CONTACTS.c.email
)
_insert_thread = sa.insert(CONVERSATIONS).returning(CONVERSATIONS.c.id, CONVERSATIONS.c.identity_id)
_update_thread = (
    sa.update(CONVERSATIONS)
    .where(CONVERSATIONS.c.id == sa.bindparam("b_id"))
    .values(unread_count=CONVERSATIONS.c.unread_count + sa.bindparam("b_unread"))
)
_touch_account = (
    sa.update(ACCOUNTS)
    .where(
        ACCOUNTS.c.id == sa.bindparam("b_id"),
        sa.or_(ACCOUNTS.c.last_event_at.is_(None), ACCOUNTS.c.last_event_at < sa.bindparam("b_before")),
    )
    .values(last_event_at=sa.bindparam("b_at"))
)


def insert_people(connection: Connection, people: Sequence[Person], now: datetime) -> None:
    """Insert contacts and identities, and fill in their ids.

    An identity another worker made a moment ago is taken over, and the contact made here goes away again.
    """
    if not people:
        return
    made = _insert_contacts(connection, people, now)
    rows = _IDENTITIES.insert(
        connection,
        [
            {
                "workspace_id": person.account.workspace_id,
                "contact_id": contact_id,
                "account_id": person.account.id,
                "external_id": person.external_id,
                "username": person.username,
                "name": person.name,
                "profile": {},
                "profile_due_at": now,
                "profile_failures": 0,
                "seen_at": person.seen_at,
                "seen_early": person.seen_early or None,
                "created_at": now,
            }
            for person, contact_id in zip(people, made, strict=True)
        ],
    )
    for person in people:
        row = rows[person.account.id, person.external_id]
        person.id, person.contact_id = row.id, row.contact_id
    orphans = set(made) - {person.contact_id for person in people}
    if orphans:
        connection.execute(sa.delete(CONTACTS).where(CONTACTS.c.id.in_(orphans)))


def _insert_contacts(connection: Connection, people: Sequence[Person], now: datetime) -> list[int]:
    """Insert a contact for each of *people* and return their ids in that order."""
    rows = connection.execute(
        _insert_contact,
        [
            {
                "workspace_id": person.account.workspace_id,
                "name": person.contact_name,
                "email": person.contact_email,
                "created_at": now,
            }
            for person in people
        ],
    )
    # They come in no particular order, which costs one statement instead of one each; equal rows are equal.
    made: dict[tuple[int, str | None, str | None], list[int]] = {}
    for row in rows:
        made.setdefault((row.workspace_id, row.name, row.email), []).append(row.id)
    return [made[p.account.workspace_id, p.contact_name, p.contact_email].pop() for p in people]


def insert_threads(connection: Connection, threads: Sequence[Thread], now: datetime) -> None:
    """Insert conversations and fill in their ids."""
    if not threads:
        return
    rows = connection.execute(
        _insert_thread,
        [
            {
                "workspace_id": thread.person.account.workspace_id,
                "channel": thread.channel,
                "account_id": thread.person.account.id,
                "contact_id": thread.person.contact_id,
                "identity_id": thread.person.id,
                "status": thread.status,
                "subject": thread.subject,
                "assignee_id": None,
                "unread_count": thread.unread,
                "failed_count": 0,
                "last_message_at": thread.last_message_at,
                "last_preview": thread.last_preview,
                "last_direction": thread.last_direction,
                "last_kind": thread.last_kind,
                "last_author_id": thread.last_author_id,
                "last_inbound_at": thread.last_inbound_at,
                "created_at": now,
                "closed_at": thread.closed_at,
            }
            for thread in threads
        ],
    )
    # In no particular order: sorted, they come by way of a SELECT whose casts PostgreSQL's enum refuses.
    newest_first: dict[int, list[int]] = {}
    for id_, identity_id in sorted(rows, reverse=True):
        newest_first.setdefault(identity_id, []).append(id_)
    for thread in reversed(threads):
        assert thread.person.id is not None
        thread.id = newest_first[thread.person.id].pop(0)
        thread.changed = False


def insert_messages(connection: Connection, messages: Sequence[Fresh], now: datetime) -> dict[Key, int]:
    """Insert messages with their attachments and return the messages' ids."""
    if not messages:
        return {}
    rows = _MESSAGES.insert(
        connection,
        [
            {
                "workspace_id": fresh.account.workspace_id,
                "conversation_id": fresh.thread.id,
                "account_id": fresh.account.id,
                "external_id": fresh.external_id,
                "direction": fresh.direction,
                "origin": fresh.origin,
                "kind": fresh.kind,
                "text": fresh.text,
                "content": fresh.content,
                "author_id": None,
                "reply_key": None,
                "position": 0,
                "state": fresh.state,
                "sent_at": fresh.sent_at,
                "reply_to": fresh.reply_to,
                "edited_at": fresh.edited_at,
                "edit_count": fresh.edit_count,
                "unsent_at": fresh.unsent_at,
                "imported_at": fresh.imported_at,
                "erased_at": fresh.erased_at,
                "sources": fresh.sources or None,
                "created_at": now,
            }
            for fresh in messages
        ],
    )
    ids = {key: row.id for key, row in rows.items()}
    attachments = [row for fresh in messages for row in _attachments(fresh, ids, now)]
    if attachments:
        connection.execute(sa.insert(ATTACHMENTS), attachments)
    return ids


def update_arrived(session: Session, messages: Sequence[tuple[int, Fresh]], now: datetime) -> None:
    """Let messages that were known from the provider's history only say what they said as they came.

    :param messages: the ids of their rows, and what came.
    """
    if not messages:
        return
    text = sa.case((MESSAGES.c.edited_at.is_(None), sa.bindparam("b_text")), else_=MESSAGES.c.text)
    statement = sa.update(MESSAGES).where(MESSAGES.c.id == sa.bindparam("b_id")).values(text=text)
    values = [
        {
            "b_id": id_,
            "b_text": fresh.text,
            "kind": fresh.kind,
            "content": fresh.content,
            "reply_to": fresh.reply_to,
            "sent_at": fresh.sent_at,
            "sources": fresh.sources or None,
            "imported_at": None,
        }
        for id_, fresh in messages
    ]
    connection = session.connection()
    connection.execute(statement, values)
    removal.forget(session, [id_ for id_, _ in messages])
    ids = {(fresh.account.id, fresh.external_id): id_ for id_, fresh in messages}
    attachments = [row for _, fresh in messages for row in _attachments(fresh, ids, now)]
    if attachments:
        connection.execute(sa.insert(ATTACHMENTS), attachments)


def _attachments(fresh: Fresh, ids: Mapping[Key, int], now: datetime) -> list[dict[str, Any]]:
    rows = []
    for index, attachment in enumerate(fresh.attachments):
        begins = inbound.plan(
            attachment,
            stored=index in fresh.stored,
            media=fresh.media,
            settings=fresh.account.settings,
            now=now,
        )
        rows.append(
            {
                "workspace_id": fresh.account.workspace_id,
                "message_id": ids[fresh.account.id, fresh.external_id],
                "kind": str(attachment.kind),
                "name": attachment.name,
                "content_type": inbound.content_type(attachment),
                "size": None if attachment.content is None else len(attachment.content),
                "url": attachment.url,
                "storage_key": fresh.stored.get(index),
                "state": begins.state,
                "due_at": begins.due_at,
            }
        )
    return rows


def refresh_profiles(connection: Connection, people: Sequence[Person], now: datetime) -> None:
    """Have the profiles of those who wrote asked for again where what is known of them is old."""
    before = now - policy.PROFILE_FRESH
    old = [p.id for p in people if p.wrote and p.profile_at is not None and p.profile_at < before]
    if old:
        idle = IDENTITIES.c.id.in_(old), IDENTITIES.c.profile_due_at.is_(None)
        connection.execute(sa.update(IDENTITIES).where(*idle).values(profile_due_at=now))


def update_people(connection: Connection, people: Sequence[Person]) -> None:
    """Write what became known about contacts that were there before."""
    identities = [
        {
            "b_id": p.id,
            "username": p.username,
            "name": p.name,
            "seen_at": p.seen_at,
            "seen_early": p.seen_early or None,
            "unreachable_since": p.unreachable_since,
        }
        for p in people
        if p.identity_changed
    ]
    if identities:
        connection.execute(sa.update(IDENTITIES).where(IDENTITIES.c.id == sa.bindparam("b_id")), identities)
    contacts = [
        {"b_id": p.contact_id, "name": p.contact_name, "email": p.contact_email}
        for p in people
        if p.contact_changed
    ]
    if contacts:
        connection.execute(sa.update(CONTACTS).where(CONTACTS.c.id == sa.bindparam("b_id")), contacts)


def update_threads(connection: Connection, threads: Sequence[Thread]) -> None:
    """Write what changed in conversations that were there before."""
    if not threads:
        return
    connection.execute(
        _update_thread,
        [
            {
                "b_id": thread.id,
                "b_unread": thread.unread,
                "status": thread.status,
                "subject": thread.subject,
                "closed_at": thread.closed_at,
                "last_message_at": thread.last_message_at,
                "last_inbound_at": thread.last_inbound_at,
                "last_preview": thread.last_preview,
                "last_direction": thread.last_direction,
                "last_kind": thread.last_kind,
                "last_author_id": thread.last_author_id,
            }
            for thread in threads
        ],
    )


def mark_seen(connection: Connection, until: Mapping[int, datetime]) -> list[Change]:
    """Set our sent messages to read up to a time, by identity id; return what to tell browsers."""
    if not until:
        return []
    position = sa.func.coalesce(OUTBOX.c.attempted_at, MESSAGES.c.sent_at, type_=UTCDateTime())
    query = (
        sa.select(
            MESSAGES.c.id,
            MESSAGES.c.workspace_id,
            MESSAGES.c.conversation_id,
            CONVERSATIONS.c.identity_id,
            position.label("position"),
        )
        .select_from(CONVERSATIONS)
        .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
        .outerjoin(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
        .where(
            CONVERSATIONS.c.identity_id.in_(until),
            MESSAGES.c.direction == Direction.OUTBOUND,
            MESSAGES.c.state == DeliveryState.SENT,
        )
        .order_by(MESSAGES.c.id)
    )
    rows = [row for row in connection.execute(query) if row.position <= until[row.identity_id]]
    if not rows:
        return []
    connection.execute(
        sa.update(MESSAGES).where(MESSAGES.c.id.in_([r.id for r in rows])).values(state=DeliveryState.READ)
    )
    return [
        Change(
            row.workspace_id,
            "state",
            {"conversation": row.conversation_id, "message": row.id, "state": DeliveryState.READ},
        )
        for row in rows
    ]


def touch_accounts(connection: Connection, heard: Mapping[int, datetime]) -> None:
    """Note when accounts last received something."""
    if not heard:
        return
    connection.execute(
        _touch_account,
        [{"b_id": id_, "b_at": at, "b_before": at - TOUCH_EVERY} for id_, at in sorted(heard.items())],
    )
