"""What a contact's page shows: one line of time of conversations and entries, figures, and shared files."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox import queries
from host.inbox.queries import LabelRef
from host.media.picture_size import MOST_PIXELS
from host.models.contacts import ContactEntry, ContactMerge, EntryKind, MergeState
from host.models.inbox import (
    Attachment,
    AttachmentState,
    Contact,
    ContactIdentity,
    Conversation,
    ConversationStatus,
    Direction,
    Message,
    is_sent_along,
)
from host.models.reports import Span, SpanEnd, SpanKind
from host.models.users import User
from host.sdk.messages import MessageKind
from host.users.reach import Accounts

PAGE = 30
FILES = 24
MEASURED = 500
"""Most answers that the median is made of."""


class Show(StrEnum):
    """What the line of time is narrowed to."""

    ALL = "all"
    CONVERSATIONS = "conversations"
    NOTES = "notes"
    CHANGES = "changes"
    FILES = "files"


class Place(NamedTuple):
    """A place in the line of time: behind a conversation (rank 1) or an entry (rank 0) of that moment."""

    at: datetime
    rank: int
    id: int


@dataclass(frozen=True, slots=True)
class Talk:
    """A conversation in the line of time.

    :param messages: that either side sent; *files*: of these.
    :param answered: seconds to the first answer; None: not measured.
    """

    id: int
    at: datetime
    channel: str
    identity_id: int
    handle: str
    status: str
    subject: str | None
    preview: str
    kind: str
    assignee_id: int | None
    assignee: str | None
    spam: bool
    waiting_since: datetime | None
    last_inbound_at: datetime | None
    labels: Sequence[LabelRef]
    messages: int
    files: int
    answered: int | None


@dataclass(frozen=True, slots=True)
class Event:
    """An entry in the line of time.

    :param other: what the other contact of a merge or split is called; empty where nobody knows any more.
    """

    id: int
    at: datetime
    kind: EntryKind
    text: str
    content: Mapping[str, Any]
    author_id: int | None
    author: str | None
    other: str = ""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A page of the line of time, the newest first. *next* continues it; None: that was all."""

    items: Sequence[Talk | Event]
    next: Place | None


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A file of a message of one of a contact's conversations."""

    id: int
    kind: str
    name: str
    size: int | None
    state: str
    conversation_id: int
    sent_at: datetime
    bearable: bool

    @property
    def is_picture(self) -> bool:
        """Whether there is a picture to see, and a browser bears it."""
        gone = {AttachmentState.EXPIRED, AttachmentState.OUTSIDE}
        return (
            self.bearable and self.kind in {MessageKind.IMAGE, MessageKind.STICKER} and self.state not in gone
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """How much there is of a contact.

    :param answer_seconds: the median of the first answers; None: none is measured.
    """

    conversations: int
    open: int
    messages: int
    files: int
    notes: int
    answer_seconds: int | None
    waiting_since: datetime | None
    last_inbound_at: datetime | None
    last_message_at: datetime | None


def _mine(contact_id: int, accounts: Accounts) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for conversations of a contact that may be seen."""
    found = [Conversation.contact_id == contact_id]
    if accounts is not None:
        found.append(Conversation.account_id.in_(sorted(accounts)))
    return found


def stretch(
    session: Session,
    contact_id: int,
    members: Collection[int],
    show: Show,
    *,
    before: Place | None = None,
    accounts: Accounts = None,
    limit: int = PAGE,
) -> Stretch:
    """Return a page of the line of time.

    :param members: the ids of the contact and of those that are a part of it.
    """
    items: list[Talk | Event] = []
    if show in {Show.ALL, Show.CONVERSATIONS}:
        items += _talks(session, contact_id, accounts, before, limit + 1)
    if show in {Show.ALL, Show.NOTES, Show.CHANGES}:
        items += _events(session, members, show, before, limit + 1)
    items.sort(key=_place, reverse=True)
    more = len(items) > limit
    items = items[:limit]
    talks = [one for one in items if isinstance(one, Talk)]
    counted = _counted(session, [one.id for one in talks])
    shown = [replace(one, **counted[one.id]._asdict()) if isinstance(one, Talk) else one for one in items]
    return Stretch(shown, _place(items[-1]) if more else None)


def _place(item: Talk | Event) -> Place:
    return Place(item.at, 1 if isinstance(item, Talk) else 0, item.id)


def _behind(before: Place | None, rank: int, at: Any, id_: Any) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows of a rank that come after *before* in the line."""
    if before is None:
        return []
    if rank > before.rank:
        return [at < before.at]
    if rank < before.rank:
        return [at <= before.at]
    return [at <= before.at, sa.or_(at < before.at, id_ < before.id)]


def _talks(
    session: Session, contact_id: int, accounts: Accounts, before: Place | None, limit: int
) -> list[Talk]:
    at = Conversation.last_message_at
    handle = sa.func.coalesce(ContactIdentity.username, ContactIdentity.external_id)
    query = (
        sa.select(Conversation, handle, User.name)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .outerjoin(User, User.id == Conversation.assignee_id)
        .where(*_mine(contact_id, accounts), *_behind(before, 1, at, Conversation.id))
        .order_by(at.desc(), Conversation.id.desc())
        .limit(limit)
    )
    return [
        Talk(
            id=row.id,
            at=row.last_message_at,
            channel=row.channel,
            identity_id=row.identity_id,
            handle=username,
            status=row.status,
            subject=row.subject,
            preview=row.last_preview,
            kind=row.last_kind,
            assignee_id=row.assignee_id,
            assignee=assignee,
            spam=row.spam,
            waiting_since=row.waiting_since,
            last_inbound_at=row.last_inbound_at,
            labels=(),
            messages=0,
            files=0,
            answered=None,
        )
        for row, username, assignee in session.execute(query)
    ]


class _Count(NamedTuple):
    labels: Sequence[LabelRef]
    messages: int
    files: int
    answered: int | None


def _counted(session: Session, ids: Sequence[int]) -> dict[int, _Count]:
    """Return what belongs to conversations: labels, messages, files and first answers, a statement each."""
    if not ids:
        return {}
    labels = queries.labels_of(session, ids)
    told = Message.conversation_id.in_(ids), Message.direction != Direction.INTERNAL
    count = sa.select(Message.conversation_id, sa.func.count()).where(*told)
    count = count.group_by(Message.conversation_id)
    messages = {row[0]: row[1] for row in session.execute(count)}
    files = {
        row[0]: row[1]
        for row in session.execute(
            count.join(Attachment, Attachment.message_id == Message.id).where(is_sent_along())
        )
    }
    first = sa.select(Span.conversation_id, sa.func.min(Span.seconds)).where(
        Span.conversation_id.in_(ids), *_answered()
    )
    answers = {row[0]: row[1] for row in session.execute(first.group_by(Span.conversation_id))}
    return {
        id_: _Count(labels.get(id_, ()), messages.get(id_, 0), files.get(id_, 0), answers.get(id_))
        for id_ in ids
    }


def _answered() -> list[sa.ColumnElement[bool]]:
    return [Span.kind == SpanKind.FIRST, Span.ended_by == SpanEnd.ANSWERED]


def _events(
    session: Session, members: Collection[int], show: Show, before: Place | None, limit: int
) -> list[Event]:
    entry = ContactEntry
    query = (
        sa.select(entry, User.name)
        .outerjoin(User, User.id == entry.author_id)
        .where(entry.contact_id.in_(members), *_behind(before, 0, entry.at, entry.id))
        .order_by(entry.at.desc(), entry.id.desc())
        .limit(limit)
    )
    if show is Show.NOTES:
        query = query.where(entry.kind == EntryKind.NOTE)
    elif show is Show.CHANGES:
        query = query.where(entry.kind != EntryKind.NOTE)
    rows = session.execute(query).all()
    names = names_of(session, {int(row.content["other"]) for row, _ in rows if "other" in row.content})
    return [
        Event(
            id=row.id,
            at=row.at,
            kind=EntryKind(row.kind),
            text=row.text,
            content=row.content,
            author_id=row.author_id,
            author=row.content.get("by") or author,
            other=names.get(row.content.get("other", 0), ""),
        )
        for row, author in rows
    ]


def names_of(session: Session, ids: Collection[int]) -> dict[int, str]:
    """Return what contacts are called, by their ids; also of those that are a part of another."""
    if not ids:
        return {}
    # Those of one that is a part of another are with that one now, so its merge says which.
    query = sa.select(Contact.id, Contact.name, Contact.email).where(Contact.id.in_(ids))
    found = {row.id: row.name or row.email or "" for row in session.execute(query)}
    unnamed = [id_ for id_, name in found.items() if not name]
    if unnamed:
        moved = sa.select(ContactMerge.other_id, ContactMerge.moved).where(
            ContactMerge.other_id.in_(unnamed), ContactMerge.state != MergeState.REFUSED
        )
        first = {row.other_id: min(row.moved.get("identities") or [0]) for row in session.execute(moved)}
        called = sa.func.coalesce(ContactIdentity.name, ContactIdentity.username, ContactIdentity.external_id)
        rows = session.execute(
            sa.select(ContactIdentity.id, called).where(ContactIdentity.id.in_(first.values()))
        )
        by_identity = {row[0]: row[1] for row in rows}
        found |= {id_: by_identity.get(first.get(id_, 0), "") for id_ in unnamed}
    return found


def number_said(*mine: sa.ColumnElement[bool]) -> sa.Select[int]:
    """Return the query for how many messages customers and the team wrote in conversations of *mine*."""
    return (
        sa.select(sa.func.count())
        .select_from(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(*mine, Message.direction != Direction.INTERNAL)
    )


def figures(
    session: Session, contact_id: int, members: Collection[int], accounts: Accounts = None
) -> Figures:
    """Return how much there is of a contact: four statements."""
    mine = _mine(contact_id, accounts)
    is_open = sa.case((Conversation.status == ConversationStatus.OPEN, 1), else_=0)
    row = session.execute(
        sa.select(
            sa.func.count(),
            sa.func.sum(is_open),
            sa.func.min(Conversation.waiting_since),
            sa.func.max(Conversation.last_inbound_at),
            sa.func.max(Conversation.last_message_at),
        ).where(*mine)
    ).one()
    files = _shared(contact_id, accounts).with_only_columns(sa.func.count()).order_by(None)
    notes = sa.select(sa.func.count()).where(
        ContactEntry.contact_id.in_(members), ContactEntry.kind == EntryKind.NOTE
    )
    numbers = session.execute(
        sa.select(number_said(*mine).scalar_subquery(), files.scalar_subquery(), notes.scalar_subquery())
    ).one()
    measured = session.scalars(
        sa.select(Span.seconds)
        .join(Conversation, Conversation.id == Span.conversation_id)
        .where(*mine, *_answered(), Span.seconds.is_not(None))
        .order_by(Span.id.desc())
        .limit(MEASURED)
    ).all()
    return Figures(
        conversations=row[0],
        open=int(row[1] or 0),
        messages=numbers[0],
        files=numbers[1],
        notes=numbers[2],
        answer_seconds=int(statistics.median(filter(None, measured))) if any(measured) else None,
        waiting_since=row[2],
        last_inbound_at=row[3],
        last_message_at=row[4],
    )


_bearable = sa.func.coalesce(Attachment.width, 0) * sa.func.coalesce(Attachment.height, 0) <= MOST_PIXELS
"""The condition that a browser bears to show a picture."""


def _shared(contact_id: int, accounts: Accounts) -> Any:
    """Select the files of messages of a contact's conversations that are still there, the newest first."""
    return (
        sa.select(
            Attachment.id,
            Attachment.kind,
            Attachment.name,
            Attachment.size,
            Attachment.state,
            Message.conversation_id,
            Message.sent_at,
            _bearable,
        )
        .join(Message, Message.id == Attachment.message_id)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            *_mine(contact_id, accounts),
            Message.unsent_at.is_(None),
            Message.hidden_at.is_(None),
            # Neither a mail's own form nor the pictures in it: logos, mostly.
            Attachment.role.is_(None),
        )
        .order_by(Attachment.id.desc())
    )


def shared_files(
    session: Session,
    contact_id: int,
    *,
    accounts: Accounts = None,
    below: int | None = None,
    pictures: bool = False,
    limit: int = FILES,
) -> list[SharedFile]:
    """Return files that were sent either way, the newest first.

    :param below: only those with a lower id.
    :param pictures: only pictures that can be seen.
    """
    query = _shared(contact_id, accounts)
    if below is not None:
        query = query.where(Attachment.id < below)
    if pictures:
        gone = (AttachmentState.EXPIRED, AttachmentState.OUTSIDE)
        query = query.where(Attachment.kind == MessageKind.IMAGE, Attachment.state.not_in(gone), _bearable)
    return [SharedFile(*row) for row in session.execute(query.limit(limit))]
