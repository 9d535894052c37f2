"""Build the search documents of messages and contacts from their current rows.

:class:`Indexing` reads the event log, including the events for open browsers: whatever a screen
shows was announced by one. It reads and locks each message again, so a text that is unsent concurrently is
either not yet indexed or already removed. A row locked by somebody else is not waited for, because the rows
of other customers are locked meanwhile: it is left alone and recorded again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import db
from host.core.db import padded
from host.events.consuming import ConsumerContext
from host.events.kinds.contacts import CONTACT_IDENTITY_ADDED
from host.events.kinds.conversations import CONVERSATION_CREATED, NOTE_ADDED, NOTE_EDITED
from host.events.kinds.messages import MESSAGE_EDITED, MESSAGE_RECEIVED, MESSAGE_SENT
from host.events.reading import Recorded
from host.events.writing import Happened, record_all
from host.models.inbox import (
    Attachment,
    Contact,
    ContactIdentity,
    Conversation,
    Direction,
    InternalKind,
    Message,
    is_sent_along,
)
from host.models.search import DocumentKind
from host.search import words
from host.search.postings import DocumentContent, put

_MESSAGES = cast(sa.Table, Message.__table__)
_ATTACHMENTS = cast(sa.Table, Attachment.__table__)
_CONVERSATIONS = cast(sa.Table, Conversation.__table__)
_CONTACTS = cast(sa.Table, Contact.__table__)
_IDENTITIES = cast(sa.Table, ContactIdentity.__table__)

RECEIVED, SENT, NOTE, FILE = ":in", ":out", ":note", ":file"
"""Marks: terms that no text can contain. A message has one of the first three, and the last if it has a file.
"""
SIDES = (RECEIVED, SENT, NOTE)
_SIDES = {Direction.INBOUND: RECEIVED, Direction.OUTBOUND: SENT, Direction.INTERNAL: NOTE}
_TOLD = frozenset({"title", "subtitle", "text", "caption", "name"})
"""Keys of a message's content with searchable text."""
MOST_OF_PARTS = 500
"""Terms of a contact from which on parts of further names are not indexed."""
SAYING = frozenset(
    {
        MESSAGE_RECEIVED,
        # One that was sent may have become another: the provider's word about it came first.
        MESSAGE_SENT,
        MESSAGE_EDITED,
        NOTE_ADDED,
        NOTE_EDITED,
    }
)
SHOWING = frozenset({"message", "changed"})
NAMING = frozenset({CONVERSATION_CREATED, MESSAGE_RECEIVED, CONTACT_IDENTITY_ADDED})
NAMING_TOPIC = "conversation"
"""The topic of a change for open browsers after which a contact may have another name."""


_of_conversations = sa.select(_CONVERSATIONS.c.id, _CONVERSATIONS.c.contact_id).where(
    _CONVERSATIONS.c.id.in_(sa.bindparam("ids", expanding=True))
)


def consumer(_context: ConsumerContext) -> Indexing:
    """Return the consumer that keeps the index up to date."""
    return Indexing()


class Indexing:
    """The consumer that keeps the index up to date."""

    name = "search"
    from_beginning = False
    """False: :mod:`host.search.building` indexes earlier documents."""
    batch = 200
    shown = True
    gather_seconds = 0.5
    """Many messages in one write cost far less than one each."""

    def consume(self, session: Session, events: Sequence[Recorded]) -> None:
        """Index the current content of the documents in *events*."""
        messages = {one.message_id: one for one in events if one.message_id and _may_say_else(one)}
        named = {one.conversation_id: one for one in events if one.conversation_id and _may_name_else(one)}
        again = [_once_more(messages[id_], "changed", id_) for id_ in refresh_messages(session, messages)]
        if named:
            rows = db.read_rows(session, _of_conversations, ids=padded(sorted(named)))
            contacts = {row.contact_id: named[row.id] for row in rows}
            again += [
                _once_more(contacts[id_], "conversation") for id_ in refresh_contacts(session, contacts)
            ]
        record_all(session, again)


def _once_more(event: Recorded, topic: str, message_id: int | None = None) -> Happened:
    """Return what to index again because of *event*, and what open browsers have to reload."""
    return Happened(
        event.workspace_id,
        topic=topic,
        account_id=event.account_id,
        conversation_id=event.conversation_id,
        message_id=message_id,
    )


def _may_say_else(event: Recorded) -> bool:
    return event.kind in SAYING or event.topic in SHOWING


def _may_name_else(event: Recorded) -> bool:
    return event.kind in NAMING or (event.topic == NAMING_TOPIC and not event.kind)


_messages = (
    sa.select(
        _MESSAGES.c.id,
        _MESSAGES.c.workspace_id,
        _MESSAGES.c.conversation_id,
        _MESSAGES.c.direction,
        _MESSAGES.c.kind,
        _MESSAGES.c.text,
        _MESSAGES.c.content,
        _MESSAGES.c.sent_at,
        _MESSAGES.c.unsent_at,
    )
    .where(_MESSAGES.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(_MESSAGES.c.id)
    .with_for_update(read=True, skip_locked=True)
)
_message_ids = sa.select(_MESSAGES.c.id).where(_MESSAGES.c.id.in_(sa.bindparam("ids", expanding=True)))
_files = sa.select(_ATTACHMENTS.c.message_id, _ATTACHMENTS.c.name).where(
    _ATTACHMENTS.c.message_id.in_(sa.bindparam("ids", expanding=True)), is_sent_along()
)


def refresh_messages(session: Session, ids: Collection[int]) -> set[int]:
    """Have the messages *ids* found by what they say now; those that are gone, or say nothing, by nothing.

    Return those somebody else holds: they are found as before.
    """
    if not ids:
        return set()
    read = db.read_rows(session, _messages, ids=padded(sorted(ids)))
    held = _held(session, _message_ids, ids, {row.id for row in read})
    rows = [row for row in read if _is_said(row)]
    files: dict[int, list[str]] = defaultdict(list)
    if rows:
        for row in db.read_rows(session, _files, ids=padded([row.id for row in rows])):
            files[row.message_id].append(row.name)
    begun = subjects(session, {row.conversation_id for row in rows})
    said = {}
    for row in rows:
        found: set[str] = set()
        for text in texts(row.text, row.content, files.get(row.id, ()), begun.get(row.id)):
            found |= words.terms(text)
        found.add(_SIDES[Direction(row.direction)])
        if row.id in files:
            found.add(FILE)
        said[row.id] = DocumentContent(row.workspace_id, int(row.sent_at.timestamp()), frozenset(found))
    put(session, DocumentKind.MESSAGE, set(ids) - held, said)
    return held


def _held(session: Session, query: sa.Select[Any], ids: Collection[int], read: set[int]) -> set[int]:
    """Return those of *ids* that match *query* but are missing from *read*."""
    missed = set(ids) - read
    return {row.id for row in db.read_rows(session, query, ids=padded(sorted(missed)))} if missed else set()


def _is_said(row: Any) -> bool:
    internal = row.direction == Direction.INTERNAL and row.kind != InternalKind.NOTE
    return row.unsent_at is None and not internal


def texts(text: str, content: Any, files: Sequence[str], subject: str | None) -> Iterator[str]:
    """Yield every searchable text of a message, in the order in which an excerpt is chosen.

    :param subject: subject of its conversation, for the message that began it.
    """
    if text:
        yield text
    yield from files
    if subject:
        yield subject
    yield from _told(content)


def _told(content: Any, depth: int = 0) -> Iterator[str]:
    if depth > 6:
        return
    if isinstance(content, dict):
        for name, value in content.items():
            if isinstance(value, str):
                if name in _TOLD:
                    yield value
            else:
                yield from _told(value, depth + 1)
    elif isinstance(content, list):
        for value in content:
            yield from _told(value, depth + 1)


_first = (
    sa.select(_MESSAGES.c.id)
    .where(_MESSAGES.c.conversation_id == _CONVERSATIONS.c.id)
    .order_by(_MESSAGES.c.sent_at, _MESSAGES.c.id)
    .limit(1)
    .correlate(_CONVERSATIONS)
    .scalar_subquery()
)
_subjects = sa.select(_first.label("first"), _CONVERSATIONS.c.subject).where(
    _CONVERSATIONS.c.id.in_(sa.bindparam("ids", expanding=True)), _CONVERSATIONS.c.subject.is_not(None)
)


def subjects(session: Session, conversations: Collection[int]) -> dict[int, str]:
    """Return the subjects of conversations, by the id of the message that began each."""
    if not conversations:
        return {}
    rows = db.read_rows(session, _subjects, ids=padded(sorted(conversations)))
    return {row.first: row.subject for row in rows}


_contacts = (
    sa.select(_CONTACTS.c.id, _CONTACTS.c.workspace_id, _CONTACTS.c.name, _CONTACTS.c.email)
    # One that is a part of another is found as that one.
    .where(_CONTACTS.c.id.in_(sa.bindparam("ids", expanding=True)), _CONTACTS.c.merged_into_id.is_(None))
    .order_by(_CONTACTS.c.id)
    .with_for_update(read=True, skip_locked=True)
)
_contact_ids = sa.select(_CONTACTS.c.id).where(
    _CONTACTS.c.id.in_(sa.bindparam("ids", expanding=True)), _CONTACTS.c.merged_into_id.is_(None)
)
_names = sa.select(
    _IDENTITIES.c.contact_id,
    # The id of who was erased stays, so that nothing comes back; it finds nobody.
    sa.case((_IDENTITIES.c.erased_at.is_(None), _IDENTITIES.c.external_id)).label("external_id"),
    _IDENTITIES.c.name,
    _IDENTITIES.c.username,
).where(_IDENTITIES.c.contact_id.in_(sa.bindparam("ids", expanding=True)))


def refresh_contacts(session: Session, ids: Collection[int]) -> set[int]:
    """Have the contacts *ids* found by their names, handles, addresses and provider's ids as they are now.

    Return those somebody else holds: they are found as before.
    """
    if not ids:
        return set()
    some = padded(sorted(ids))
    contacts = db.read_rows(session, _contacts, ids=some)
    held = _held(session, _contact_ids, ids, {row.id for row in contacts})
    named: dict[int, list[str | None]] = {row.id: [row.name, row.email] for row in contacts}
    external: dict[int, set[str]] = defaultdict(set)
    for contact_id, external_id, *names in db.read_rows(session, _names, ids=some):
        named.get(contact_id, []).extend(names)
        # Whole, or by how it begins: nobody looks for a part of an id.
        external[contact_id] |= words.name_terms(external_id or "", parts=False)
    said = {
        row.id: DocumentContent(
            row.workspace_id,
            0,
            frozenset(_name_terms(name for name in named[row.id] if name) | external[row.id]),
        )
        for row in contacts
    }
    put(session, DocumentKind.CONTACT, set(ids) - held, said)
    return held


def _name_terms(names: Iterable[str]) -> set[str]:
    """Return the terms of a contact's names: of one with very many, parts of the first only."""
    found: set[str] = set()
    for name in names:
        found |= words.name_terms(name, parts=len(found) < MOST_OF_PARTS)
    return found
