"""Write the result of a batch: :func:`write` names the steps in their order.

Each step writes any number of rows with a fixed number of statements, or none if there is nothing to write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from host.core import db
from host.core.cleaning import clean, clean_short
from host.core.db import UTCDateTime
from host.core.statements import Insert, Statement
from host.events.writing import Happened, record_all
from host.features import registry
from host.inbox.apply import bounces, consent_rows, phone_numbers
from host.inbox.apply.conversations import preview
from host.inbox.apply.happenings import (
    Sent,
    changes_conversation,
    of_annotation,
    of_beginning,
    of_further_id,
    of_new,
    of_state,
)
from host.inbox.apply.states import states_of
from host.inbox.apply.tables import (
    ACCOUNTS,
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
    Annotated,
    Confirmed,
    Decided,
    Key,
    KnownId,
    NewMark,
    NewMessage,
    Person,
    Removals,
    SetReaction,
    StoredMessage,
    Thread,
)
from host.media import file_removal, inbound
from host.models.inbox import DeliveryState, Direction
from host.queue import journal_erasure, outbox, policy
from host.sdk.messages import AttachmentRole, MessageKind
from host.search import postings

log = logging.getLogger(__name__)

LONGEST_URL = 8_000
TOUCH_EVERY = timedelta(seconds=1)
"""Minimum time between writes of an account's ``last_event_at``, so that workers do not queue for its row."""


class _Named:
    """Inserts rows into a table with the unique key account and external id."""

    def __init__(self, table: sa.Table, *returning: sa.Column[Any]) -> None:
        returned = (table.c.account_id, table.c.external_id, *returning)
        self._insert = Insert(table, returning=returned, ignore=True)
        self._find = Statement(sa.select(*returned).where(has_name(table)))

    def insert(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[Key, tuple[Any, ...]]:
        """Insert those of *rows* that are not yet stored; return the stored *returning* values of all."""
        found = self._by_key(self._insert.run(connection, rows))
        missing = {(row["account_id"], row["external_id"]) for row in rows} - found.keys()
        if missing:
            found |= self._by_key(self._find.rows(connection, names(missing)))
        return found

    @staticmethod
    def _by_key(rows: Iterable[tuple[Any, ...]]) -> dict[Key, tuple[Any, ...]]:
        return {(row[0], row[1]): row[2:] for row in rows}


_insert_identity = Insert(
    IDENTITIES, returning=(IDENTITIES.c.account_id, IDENTITIES.c.external_id, IDENTITIES.c.id)
)
_insert_message = Insert(MESSAGES, returning=(MESSAGES.c.account_id, MESSAGES.c.external_id, MESSAGES.c.id))
_POSTS = _Named(POSTS, POSTS.c.id)
_STALE_POST = timedelta(days=1)
_refresh_posts = (
    sa.update(POSTS)
    .where(
        POSTS.c.id.in_(sa.bindparam("ids", expanding=True)),
        POSTS.c.due_at.is_(None),
        POSTS.c.fetched_at < sa.bindparam("before"),
    )
    .values(due_at=sa.bindparam("now"))
)
_insert_contact = Insert(
    CONTACTS, returning=(CONTACTS.c.id, CONTACTS.c.workspace_id, CONTACTS.c.name, CONTACTS.c.email)
)
_insert_thread = Insert(
    CONVERSATIONS, returning=(CONVERSATIONS.c.id, CONVERSATIONS.c.identity_id, CONVERSATIONS.c.post_id)
)
_insert_attachment = Insert(ATTACHMENTS)
_thread_changes = Statement(
    sa.update(CONVERSATIONS)
    .where(CONVERSATIONS.c.id == sa.bindparam("b_id"))
    .values(
        unread_count=CONVERSATIONS.c.unread_count + sa.bindparam("b_unread"),
        arrived_count=CONVERSATIONS.c.arrived_count + sa.bindparam("b_unread"),
    )
)
_long_ago = (
    ACCOUNTS.c.id == sa.bindparam("b_id"),
    sa.or_(ACCOUNTS.c.last_event_at.is_(None), ACCOUNTS.c.last_event_at < sa.bindparam("b_before")),
)
_touch = Statement(sa.update(ACCOUNTS).where(*_long_ago).values(last_event_at=sa.bindparam("b_at")))
# Locked rows are skipped: the other transaction also writes the time, or may hold the lock for long.
_touch_if_free = Statement(
    sa.update(ACCOUNTS)
    .where(
        ACCOUNTS.c.id.in_(
            sa.select(ACCOUNTS.c.id).where(*_long_ago).with_for_update(key_share=True, skip_locked=True)
        )
    )
    .values(last_event_at=sa.bindparam("b_at"))
)


_last_event = sa.select(ACCOUNTS.c.id, ACCOUNTS.c.last_event_at).where(
    ACCOUNTS.c.id.in_(sa.bindparam("ids", expanding=True))
)
_fill_contact = (
    sa.update(CONTACTS)
    .where(CONTACTS.c.id == sa.bindparam("b_id"))
    # Only empty values, so that a colleague's concurrent change stays.
    .values(
        {
            name: sa.func.coalesce(sa.func.nullif(CONTACTS.c[name], ""), sa.bindparam(f"b_{name}"))
            for name in ("name", "email")
        }
    )
)
_confirm = sa.update(MESSAGES).where(MESSAGES.c.id == sa.bindparam("b_id")).values(error=sa.null())


def write(session: Session, decided: Decided) -> dict[int, tuple[int | None, int]]:
    """Write *decided* and return the messages of each event.

    People are written before their conversations, conversations before their messages, messages before their
    annotations. Events are recorded last, with one statement.

    :return: ids of conversation and message, by the event's id.
    """
    connection, now, annotated = session.connection(), decided.now, decided.annotated
    _confirm_echoed(connection, decided.confirmed)
    _write_people(session, decided, now)
    _write_posts(connection, decided, now)
    _insert_threads(connection, decided.new_threads, now)
    ids = _insert_messages(connection, list(decided.new_messages.values()), now)
    _update_people(connection, decided.people)
    _refresh_profiles(connection, decided.people, now)
    _update_threads(connection, decided.changed_threads)
    _update_arrived(session, decided.arrived, now)
    filled = _fill(session, decided.filled, now) if decided.filled else {}
    _update_rows(connection, MESSAGES, annotated.bodies)
    if annotated.unsent:
        registry.hooks().forget_messages(session=session, ids=annotated.unsent)
    # The text from before an edit is removed, too; the new one is found once search has read the event log.
    changed = (*annotated.bodies, *annotated.lines, *(line.id for line in annotated.gone))
    postings.forget_messages(session, (*changed, *filled, *(id_ for id_, _ in decided.arrived)))
    _update_rows(connection, MESSAGES, annotated.lines)
    _delete_rows(connection, MESSAGES, [line.id for line in annotated.gone])
    _write_reactions(connection, annotated.reactions, ids)
    _delete_rows(connection, MARKS, annotated.done)
    _update_rows(connection, MARKS, annotated.marks)
    _insert_marks(connection, annotated.new_marks)
    quoting = _read_quoting(connection, annotated)
    _remove(session, decided.removals)
    read = mark_seen(connection, {p.id: p.seen_at for p in _seen(decided) if p.id and p.seen_at})
    _touch_accounts(session, decided.heard)
    arrived = {(message.account.id, message.external_id): id_ for id_, message in decided.arrived}
    agreed = list(consent_rows.write(connection, decided.consents, {**ids, **arrived}))
    came_back = list(bounces.write(connection, decided.bounced))
    record_all(
        session,
        [
            *came_back,
            *_told_ids(decided),
            *_told(session, decided, ids),
            *(of_new(m, id_, {}) for id_, m in filled.items()),
            *_told_looks(decided, ids, quoting),
            *read,
            *agreed,
        ],
    )
    return _made(decided, ids)


def _seen(decided: Decided) -> Iterable[Person]:
    return (p for p in (*decided.people, *decided.new_people) if p.seen_raised)


def _made(decided: Decided, ids: Mapping[Key, int]) -> dict[int, tuple[int | None, int]]:
    made: dict[int, tuple[int | None, int]] = {}
    for id_, message in decided.arrived:
        made.update(dict.fromkeys(message.sources, (message.thread.id, id_)))
    for key, message in decided.new_messages.items():
        made.update(dict.fromkeys(message.sources, (message.thread.id, ids[key])))
    return made


# ---- messages of ours that echoes confirm ------------------------------------------------------------


def _confirm_echoed(connection: Connection, confirmed: Sequence[Confirmed]) -> None:
    values = [
        {"b_id": one.message.id, "external_id": one.key[1], "state": one.state, "sources": one.sources}
        for one in confirmed
    ]
    if values:
        connection.execute(_confirm, values)
        _close_entries(connection, [one.message.id for one in confirmed])


def _close_entries(connection: Connection, messages: Sequence[int]) -> None:
    """Close the outbox entries of *messages*, which the echoes confirmed.

    Locked entries are skipped: the worker that holds one waits for the message locked here, and closes it.
    """
    held = sa.select(OUTBOX.c.id).where(OUTBOX.c.message_id.in_(messages), OUTBOX.c.open.is_(True))
    ids = list(connection.scalars(held.order_by(OUTBOX.c.id).with_for_update(skip_locked=True)))
    if ids:
        closed = {"open": False, "next_at": None, "not_before": None, "waiting": sa.null(), "undo": sa.null()}
        connection.execute(sa.update(OUTBOX).where(OUTBOX.c.id.in_(ids)).values(closed))


# ---- people, conversations, messages -----------------------------------------------------------------


def _insert_people(connection: Connection, people: Sequence[Person], now: datetime) -> None:
    """Insert contacts and identities, and fill in their ids."""
    if not people:
        return
    fresh = [person for person in people if person.contact_id is None]
    made = _insert_contacts(connection, fresh, now)
    for person, contact_id in zip(fresh, made, strict=True):
        person.contact_id = contact_id
    rows = _insert_identity.run(
        connection,
        [
            {
                "workspace_id": person.account.workspace_id,
                "contact_id": person.contact_id,
                "account_id": person.account.id,
                "external_id": person.external_id,
                "username": person.username,
                "name": person.name,
                "profile": {},
                "profile_due_at": now,
                "profile_failures": 0,
                "seen_at": person.seen_at,
                "seen_early": person.seen_early or None,
                "phone": person.phone,
                "phone_key": phone_numbers.key(person.phone),
                "verified_email": person.verified_email,
                "created_at": now,
            }
            for person in people
        ],
    )
    made_ids = {(account_id, external_id): id_ for account_id, external_id, id_ in rows}
    for person in people:
        person.id = made_ids[person.account.id, person.external_id]


def _write_people(session: Session, decided: Decided, now: datetime) -> None:
    """Insert people, and write the ids of all that changed.

    :raises ReadChangedError: if another worker has just written one of these ids.
    """
    connection = session.connection()
    of_new = [one for one in decided.ids if one.person.id is None]
    try:
        if decided.ids:
            _free_ids(connection, decided.ids)
            _write_ids(connection, [one for one in decided.ids if one.person.id is not None], now)
        _insert_people(connection, decided.new_people, now)
        if of_new:
            _write_ids(connection, of_new, now)
    except sa.exc.IntegrityError as error:
        raise db.ReadChangedError("another worker has just written one of these ids") from error
    for person, old, new in decided.readdressed:
        if person.id is not None:
            outbox.readdress(session, person.account.id, person.id, old, new)


def _free_ids(connection: Connection, ids: Sequence[KnownId]) -> None:
    """Take the ids of rows that get others: an id is unique also while two rows change theirs."""
    renamed = [one.row_id for one in ids if one.renamed and one.row_id is not None]
    if renamed:
        freed = sa.literal("~") + sa.cast(IDENTITIES.c.id, sa.String(32))
        connection.execute(
            sa.update(IDENTITIES).where(IDENTITIES.c.id.in_(renamed)).values(external_id=freed)
        )


def _write_ids(connection: Connection, ids: Sequence[KnownId], now: datetime) -> None:
    """Write changed ids of people who are stored by now."""
    updates: list[dict[str, Any]] = []
    inserts: list[dict[str, Any]] = []
    for one in ids:
        person, external = one.person, one.key[1]
        if person.id is None:
            continue
        is_main = external == person.external_id
        values = {
            "contact_id": person.contact_id,
            "same_as_id": None if is_main else person.id,
            "id_kind": one.kind or None,
            "id_named_at": one.at if one.kind else None,
        }
        row_id = person.id if is_main else one.row_id
        if row_id is not None:
            updates.append({"b_id": row_id, "external_id": external, **values})
        else:
            inserts.append(
                {
                    "workspace_id": person.account.workspace_id,
                    "account_id": person.account.id,
                    "external_id": external,
                    "profile": {},
                    "profile_failures": 0,
                    "created_at": now,
                    **values,
                }
            )
    if updates:
        updates.sort(key=itemgetter("b_id"))
        connection.execute(sa.update(IDENTITIES).where(IDENTITIES.c.id == sa.bindparam("b_id")), updates)
    if inserts:
        made = {row[:2]: row[2] for row in _insert_identity.run(connection, inserts)}
        for one in ids:
            one.row_id = made.get(one.key, one.row_id)


def _write_posts(connection: Connection, decided: Decided, now: datetime) -> None:
    """Insert posts, schedule their look-up at the provider, and link the conversations about them."""
    ids = dict(decided.posts)
    if decided.new_posts:
        rows = [
            {
                "workspace_id": account.workspace_id,
                "account_id": account.id,
                "external_id": key[1],
                "kind": str(post.kind)[:16],
                "text": clean(post.text),
                "url": clean_short(post.url, LONGEST_URL) or "",
                "picture_url": clean_short(post.picture_url, LONGEST_URL),
                "owner": clean_short(post.owner, 255) or "",
                "published_at": post.published_at,
                "ended_at": post.ended_at,
                "due_at": now,
                "failures": 0,
                "created_at": now,
            }
            for key, (account, post) in decided.new_posts.items()
        ]
        ids |= {key: id_ for key, (id_,) in _POSTS.insert(connection, rows).items()}
    elif ids:
        values = {"ids": sorted(ids.values()), "before": now - _STALE_POST, "now": now}
        connection.execute(_refresh_posts, values)
    for thread in decided.new_threads:
        if thread.post is not None:
            thread.post_id = ids[thread.person.account.id, thread.post]


def _insert_contacts(connection: Connection, people: Sequence[Person], now: datetime) -> list[int]:
    """Insert a contact for each of *people* and return their ids in that order."""
    if not people:
        return []
    rows = _insert_contact.run(
        connection,
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
    # One statement returns ids in no particular order. Equal rows are interchangeable.
    made: dict[tuple[int, str | None, str | None], list[int]] = {}
    for id_, workspace_id, name, email in rows:
        made.setdefault((workspace_id, name, email), []).append(id_)
    return [made[p.account.workspace_id, p.contact_name, p.contact_email].pop() for p in people]


def _insert_threads(connection: Connection, threads: Sequence[Thread], now: datetime) -> None:
    if not threads:
        return
    rows = _insert_thread.run(
        connection,
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
                "arrived_count": thread.unread,
                "read_count": 0,
                "waiting_since": thread.waiting_since,
                "handled_by": thread.handled_by,
                "responder": thread.responder,
                "failed_count": 0,
                "last_message_at": thread.last_message_at,
                "last_preview": thread.last_preview,
                "last_direction": thread.last_direction,
                "last_kind": thread.last_kind,
                "last_author_id": thread.last_author_id,
                "last_inbound_at": thread.last_inbound_at,
                "created_at": now,
                "closed_at": thread.closed_at,
                "spam_at": now if thread.is_spam else None,
                "post_id": thread.post_id,
            }
            for thread in threads
        ],
    )
    # Unsorted: a sorted insert goes through a SELECT whose casts PostgreSQL refuses for an enum column.
    newest_first: dict[tuple[int | None, int | None], list[int]] = {}
    for id_, identity_id, post_id in sorted(rows, key=itemgetter(0), reverse=True):
        newest_first.setdefault((identity_id, post_id), []).append(id_)
    for thread in reversed(threads):
        thread.id = newest_first[thread.person.id, thread.post_id].pop(0)


def _insert_messages(connection: Connection, messages: Sequence[NewMessage], now: datetime) -> dict[Key, int]:
    """Insert messages with their attachments and return the messages' ids.

    :raises ReadChangedError: if one of them was stored concurrently: a worker has recorded the provider's
        response since this write looked for the message that the echo confirms.
    """
    if not messages:
        return {}
    try:
        rows = _insert_message.run(
            connection,
            [
                {
                    "workspace_id": message.account.workspace_id,
                    "conversation_id": message.thread.id,
                    "account_id": message.account.id,
                    "external_id": message.external_id,
                    "direction": message.direction,
                    "origin": message.origin,
                    "kind": message.kind,
                    "text": message.text,
                    "content": message.content,
                    "author_id": None,
                    "writer_id": None if message.writer is None else message.writer.id,
                    "reply_key": None,
                    "position": 0,
                    "state": message.state,
                    "sent_at": message.sent_at,
                    "reply_to": message.reply_to,
                    "edited_at": message.edited_at,
                    "edit_count": message.edit_count,
                    "unsent_at": message.unsent_at,
                    "imported_at": message.imported_at,
                    "erased_at": message.erased_at,
                    "sources": message.sources or None,
                    "created_at": now,
                }
                for message in messages
            ],
        )
    except sa.exc.IntegrityError as error:
        raise db.ReadChangedError("a message was stored by another write") from error
    ids: dict[Key, int] = {(account, external): id_ for account, external, id_ in rows}
    attachments = [row for message in messages for row in _attachments(message, ids, now)]
    _insert_attachment.run(connection, attachments)
    return ids


def _update_arrived(session: Session, messages: Sequence[tuple[int, NewMessage]], now: datetime) -> None:
    """Overwrite messages known only from the provider's history with the delivered ones.

    :param messages: ids of the rows, and the delivered messages.
    """
    if not messages:
        return
    text = sa.case((MESSAGES.c.edited_at.is_(None), sa.bindparam("b_text")), else_=MESSAGES.c.text)
    statement = sa.update(MESSAGES).where(MESSAGES.c.id == sa.bindparam("b_id")).values(text=text)
    values = [
        {
            "b_id": id_,
            "b_text": message.text,
            "kind": message.kind,
            "content": message.content,
            "reply_to": message.reply_to,
            "sent_at": message.sent_at,
            "sources": message.sources or None,
            "imported_at": None,
        }
        for id_, message in messages
    ]
    connection = session.connection()
    connection.execute(statement, values)
    file_removal.forget_files(session, [id_ for id_, _ in messages])
    ids = {(message.account.id, message.external_id): id_ for id_, message in messages}
    attachments = [row for _, message in messages for row in _attachments(message, ids, now)]
    _insert_attachment.run(connection, attachments)


def _fill(
    session: Session, messages: Sequence[tuple[int, NewMessage]], now: datetime
) -> Mapping[int, NewMessage]:
    """Put files into messages of the history that lack them; return the filled messages by id.

    :param messages: ids of the rows, and the messages with their files.
    """
    lacking = sa.select(MESSAGES.c.id).where(
        MESSAGES.c.id.in_([id_ for id_, _ in messages]),
        MESSAGES.c.kind == MessageKind.UNSUPPORTED,
        MESSAGES.c.erased_at.is_(None),
    )
    here = set(session.scalars(lacking.with_for_update()))
    filled = {id_: message for id_, message in messages if id_ in here}
    connection = session.connection()
    for id_, one in filled.items():
        values = {"kind": one.kind, "text": one.text, "content": one.content}
        connection.execute(sa.update(MESSAGES).where(MESSAGES.c.id == id_).values(values))
        newest = sa.update(CONVERSATIONS).where(
            CONVERSATIONS.c.id == one.thread.id,
            CONVERSATIONS.c.last_message_at
            == sa.select(MESSAGES.c.sent_at).where(MESSAGES.c.id == id_).scalar_subquery(),
            CONVERSATIONS.c.last_kind == MessageKind.UNSUPPORTED,
        )
        connection.execute(newest.values(last_kind=one.kind, last_preview=preview(one.text)))
    ids = {(one.account.id, one.external_id): id_ for id_, one in filled.items()}
    _insert_attachment.run(
        connection, [row for one in filled.values() for row in _attachments(one, ids, now)]
    )
    return filled


def _attachments(message: NewMessage, ids: Mapping[Key, int], now: datetime) -> list[dict[str, Any]]:
    rows = []
    for index, attachment in enumerate(message.attachments):
        begins = inbound.plan(
            attachment,
            stored=index in message.stored,
            media=message.media,
            settings=message.account.settings,
            now=now,
        )
        rows.append(
            {
                "workspace_id": message.account.workspace_id,
                "message_id": ids[message.account.id, message.external_id],
                "kind": str(attachment.kind),
                "name": attachment.name,
                "content_type": inbound.content_type(attachment),
                "size": None if attachment.content is None else len(attachment.content),
                "url": attachment.url,
                "storage_key": message.stored.get(index),
                "state": begins.state,
                "due_at": begins.due_at,
                "failures": 0,
                "role": None if attachment.role == AttachmentRole.FILE else str(attachment.role),
                "content_id": attachment.content_id or None,
            }
        )
    return rows


def _refresh_profiles(connection: Connection, people: Sequence[Person], now: datetime) -> None:
    """Schedule a fetch of outdated profiles of the customers who wrote."""
    before = now - policy.PROFILE_FRESH
    old = [p.id for p in people if p.wrote and p.profile_at is not None and p.profile_at < before]
    if old:
        idle = IDENTITIES.c.id.in_(old), IDENTITIES.c.profile_due_at.is_(None)
        connection.execute(sa.update(IDENTITIES).where(*idle).values(profile_due_at=now))


def _update_people(connection: Connection, people: Sequence[Person]) -> None:
    """Write new data of stored identities and contacts."""
    identities = [
        {
            "b_id": p.id,
            "username": p.username,
            "name": p.name,
            "seen_at": p.seen_at,
            "seen_early": p.seen_early or None,
            "unreachable_since": p.unreachable_since,
            "phone": p.phone,
            "phone_key": phone_numbers.key(p.phone),
            "verified_email": p.verified_email,
        }
        for p in people
        if p.identity_changed
    ]
    if identities:
        connection.execute(sa.update(IDENTITIES).where(IDENTITIES.c.id == sa.bindparam("b_id")), identities)
    contacts = [
        {"b_id": p.contact_id, "b_name": p.contact_name, "b_email": p.contact_email}
        for p in people
        if p.contact_changed
    ]
    if contacts:
        contacts.sort(key=itemgetter("b_id"))  # in the lock order of every write
        connection.execute(_fill_contact, contacts)


def _update_threads(connection: Connection, threads: Sequence[Thread]) -> None:
    _thread_changes.run_many(
        connection,
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
                "snooze_kind": thread.snooze_kind,
                "snoozed_until": thread.snoozed_until,
                "woken_at": thread.woken_at,
                "waiting_since": thread.waiting_since,
                "handled_by": thread.handled_by,
                "responder": thread.responder,
            }
            for thread in threads
        ],
    )


def mark_seen(connection: Connection, until: Mapping[int, datetime]) -> list[Happened]:
    """Mark our sent messages as read up to a time, by identity id; return the events."""
    if not until:
        return []
    position = sa.func.coalesce(OUTBOX.c.attempted_at, MESSAGES.c.sent_at, type_=UTCDateTime())
    query = (
        sa.select(
            MESSAGES.c.id,
            MESSAGES.c.workspace_id,
            MESSAGES.c.conversation_id,
            MESSAGES.c.account_id,
            MESSAGES.c.origin,
            MESSAGES.c.author_id,
            MESSAGES.c.sent_at,
            CONVERSATIONS.c.identity_id,
            MESSAGES.c.state,
            position.label("position"),
        )
        .select_from(CONVERSATIONS)
        .join(MESSAGES, MESSAGES.c.conversation_id == CONVERSATIONS.c.id)
        .outerjoin(OUTBOX, OUTBOX.c.message_id == MESSAGES.c.id)
        .where(
            CONVERSATIONS.c.identity_id.in_(until),
            MESSAGES.c.direction == Direction.OUTBOUND,
            MESSAGES.c.state.in_((DeliveryState.SENT, DeliveryState.DELIVERED)),
        )
        .order_by(MESSAGES.c.id)
    )
    rows = [row for row in connection.execute(query) if row.position <= until[row.identity_id]]
    if not rows:
        return []
    connection.execute(
        sa.update(MESSAGES).where(MESSAGES.c.id.in_([r.id for r in rows])).values(state=DeliveryState.READ)
    )
    return [happened for row in rows for happened in of_state(Sent(*row[:7]), DeliveryState.READ, row.state)]


def _touch_accounts(session: Session, heard: Mapping[int, datetime]) -> None:
    """Record when accounts last received an event."""
    rows = [{"b_id": id_, "b_at": at, "b_before": at - TOUCH_EVERY} for id_, at in sorted(heard.items())]
    connection = session.connection()
    if connection.dialect.name not in {"mysql", "mariadb"}:
        _touch_if_free.run_many(connection, rows)
    elif rows:
        known = dict(map(tuple, connection.execute(_last_event, {"ids": db.padded(heard)})))
        late = [row for row in rows if known.get(row["b_id"]) is None or known[row["b_id"]] < row["b_before"]]
        if late:
            # Every inserted message share-locks its account's row until the commit. A write of that row here
            # would wait for the other transactions, and they for one another.
            db.after_commit(session, partial(_touch_later, late))


def _touch_later(rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        for row in rows:  # one write each, so that none holds one account while waiting for another
            db.write(_touch_account, row)
    except db.HeldRowError:
        log.info("when an account last received something is noted with what it receives next")
    except sa.exc.SQLAlchemyError:
        log.exception("when an account last received something is not noted")


def _touch_account(session: Session, row: Mapping[str, Any]) -> None:
    with db.waiting_at_most(session, 0):
        _touch.run(session.connection(), row)


# ---- annotations -------------------------------------------------------------------------------------


def _update_rows(connection: Connection, table: sa.Table, values: Mapping[int, Mapping[str, Any]]) -> None:
    """Update rows by id. All must set the same columns."""
    if values:
        statement = sa.update(table).where(table.c.id == sa.bindparam("b_id"))
        connection.execute(statement, [{"b_id": id_, **columns} for id_, columns in values.items()])


def _delete_rows(connection: Connection, table: sa.Table, ids: Sequence[int]) -> None:
    if ids:
        connection.execute(sa.delete(table).where(table.c.id.in_(ids)))


def _write_reactions(
    connection: Connection, reactions: Sequence[SetReaction], ids: Mapping[Key, int]
) -> None:
    new: list[dict[str, Any]] = []
    changed: dict[int, dict[str, Any]] = {}
    for reaction in reactions:
        message_id, conversation_id = _place(reaction, ids)
        values = {"message_id": message_id, "conversation_id": conversation_id, **reaction.values}
        if reaction.row_id is not None:
            changed[reaction.row_id] = values
            continue
        account_id, external_id = reaction.key
        place = {"workspace_id": reaction.workspace_id, "account_id": account_id}
        new.append({**place, "external_id": external_id, "actor": reaction.actor, **values})
    if new:
        connection.execute(db.insert_ignore(REACTIONS, connection.dialect.name), new)
    _update_rows(connection, REACTIONS, changed)


def _place(reaction: SetReaction, ids: Mapping[Key, int]) -> tuple[int | None, int | None]:
    """Return the ids of the message and the conversation a reaction belongs to."""
    place = reaction.place
    if isinstance(place, NewMessage):
        return ids[reaction.key], place.thread.id
    if isinstance(place, StoredMessage):
        return place.id, place.conversation_id
    return None, None if place is None else place.id


def _insert_marks(connection: Connection, marks: Sequence[NewMark]) -> None:
    rows = [
        {
            "workspace_id": mark.person.account.workspace_id,
            "identity_id": mark.person.id,
            "account_id": mark.key[0],
            "external_id": mark.key[1],
            "kind": mark.kind,
            **mark.values,
        }
        for mark in marks
    ]
    if rows:
        connection.execute(db.insert_ignore(MARKS, connection.dialect.name), rows)


def _remove(session: Session, removals: Removals) -> None:
    """Remove the content of messages that were unsent or erased from disk and journal."""
    file_removal.remove_later(session, removals.files)
    journal_erasure.forget_events(session, removals.events)
    journal_erasure.forget_keys(session, removals.keys)
    if removals.messages:
        journal_erasure.clear_away(session, removals.keys, removals.messages)


# ---- events ------------------------------------------------------------------------------------------


def _told(session: Session, decided: Decided, ids: Mapping[Key, int]) -> Iterable[Happened]:
    """Yield the events for confirmed and new messages, and for new conversations."""
    began = {id(thread) for thread in decided.new_threads}
    changed = {one.thread.id or 0 for one in decided.new_messages.values() if changes_conversation(one)}
    states = states_of(session, changed)
    for one in decided.confirmed:
        yield from of_state(_sent(one), one.state, DeliveryState.SENDING)
    for id_, message in decided.arrived:
        yield of_new(message, id_, states)
    for key, message in decided.new_messages.items():
        if id(message.thread) in began and message.imported_at is None:
            began.discard(id(message.thread))
            yield of_beginning(message)
        yield of_new(message, ids[key], states)


def _told_ids(decided: Decided) -> Iterable[Happened]:
    """Yield the events for further ids of people; the first of a new one comes with their first message."""
    new = {id(person) for person in decided.new_people}
    for one in decided.ids:
        is_main = one.key[1] == one.person.external_id
        if one.added and not (is_main and id(one.person) in new):
            yield of_further_id(one, (one.person.id if is_main else one.row_id) or 0)


def _sent(confirmed: Confirmed) -> Sent:
    ours = confirmed.message
    ids = ours.id, ours.workspace_id, ours.conversation_id, confirmed.key[0]
    return Sent(*ids, ours.origin, ours.author_id, ours.body.sent_at, reply_key=ours.reply_key)


Shown = tuple[int, int, int]
"""The ids of an account, a conversation and a message."""


def _told_looks(decided: Decided, ids: Mapping[Key, int], quoting: Iterable[Shown]) -> Iterable[Happened]:
    """Yield the events for annotations, redrawn messages and removed lines."""
    people = (*decided.people, *decided.new_people)
    workspaces = {person.account.id: person.account.workspace_id for person in people}
    looks, gone = map(_shown, decided.annotated.looks), map(_shown, decided.annotated.gone)
    drawn = set(looks)
    for said in decided.annotated.happened:
        message = said.message
        if isinstance(message, NewMessage):
            place = message.account.id, message.thread.id, ids[message.account.id, message.external_id]
        else:
            place = _shown(message)
        account, conversation, id_ = place
        one = of_annotation(said, workspaces[account], id_, conversation)
        if place in drawn:
            drawn.discard(place)
            one = one._replace(topic="changed")
        yield one
    for topic, messages in (("changed", drawn), ("changed", quoting), ("gone", gone)):
        for account, conversation, id_ in sorted(set(messages)):
            yield Happened(workspaces[account], "", topic, account, conversation, id_)


def _shown(message: StoredMessage) -> Shown:
    return message.account_id, message.conversation_id, message.id


def _read_quoting(connection: Connection, annotated: Annotated) -> list[Shown]:
    """Return the messages that quote one that changed or arrived late."""
    if not annotated.quoted:
        return []
    conversations = {
        place.id if isinstance(place, Thread) else place.conversation_id for _, place in annotated.quoted
    }
    columns = MESSAGES.c.account_id, MESSAGES.c.conversation_id, MESSAGES.c.id
    query = sa.select(*columns).where(
        MESSAGES.c.conversation_id.in_(conversations),
        MESSAGES.c.reply_to.in_({external_id for external_id, _ in annotated.quoted}),
    )
    return [(row.account_id, row.conversation_id, row.id) for row in connection.execute(query)]
