"""The timeline of a contact's page, with conversations and entries, figures, and shared files."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core.backports.values import replace
from host.features import registry
from host.inbox.contacts.models import ContactEntry, ContactMerge, EntryKind, MergeState
from host.inbox.labels.queries import LabelRef, labels_of_conversations
from host.media.picture_size import MOST_PIXELS
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
from host.models.users import User
from host.sdk.messages import MessageKind
from host.users.reach import Accounts

PAGE = 30
FILES = 24
MEASURED = 500
"""Maximum number of first answers used for the median."""


class TimelineFilter(StrEnum):
    """The filter of the timeline."""

    ALL = "all"
    CONVERSATIONS = "conversations"
    NOTES = "notes"
    CHANGES = "changes"
    FILES = "files"


class TimelinePosition(NamedTuple):
    """A position in the timeline: after a conversation (rank 1) or an entry (rank 0) at that time."""

    at: datetime
    rank: int
    id: int


class ConversationItem(msgspec.Struct, frozen=True):
    """A conversation in the timeline.

    :param messages: number of messages from both sides; *files*: number of their files.
    :param answered: seconds to the first answer; None if not measured.
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


class TimelineEntry(msgspec.Struct, frozen=True):
    """An entry in the timeline.

    :param other: name of the other contact of a merge or split; empty if unknown.
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
class TimelinePage:
    """A page of the timeline, newest first. *next* continues it; None on the last page."""

    items: Sequence[ConversationItem | TimelineEntry]
    next: TimelinePosition | None


class SharedFile(msgspec.Struct, frozen=True):
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
        """Whether it is a picture that a browser can show."""
        gone = {AttachmentState.EXPIRED, AttachmentState.OUTSIDE}
        return (
            self.bearable and self.kind in {MessageKind.IMAGE, MessageKind.STICKER} and self.state not in gone
        )


class Figures(msgspec.Struct, frozen=True):
    """Figures of a contact.

    :param answer_seconds: median time to the first answer; None if not measured.
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


E = TypeVar("E", TimelineEntry, ContactEntry)


def _mine(contact_id: int, accounts: Accounts) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for a contact's visible conversations."""
    found = [Conversation.contact_id == contact_id]
    if accounts is not None:
        found.append(Conversation.account_id.in_(sorted(accounts)))
    return found


def stretch(
    session: Session,
    contact_id: int,
    members: Collection[int],
    show: TimelineFilter,
    *,
    before: TimelinePosition | None = None,
    accounts: Accounts = None,
    limit: int = PAGE,
) -> TimelinePage:
    """Return a page of the timeline.

    :param members: the ids of the contact and of those merged into it.
    """
    items: list[ConversationItem | TimelineEntry] = []
    if show in {TimelineFilter.ALL, TimelineFilter.CONVERSATIONS}:
        items += _talks(session, contact_id, accounts, before, limit + 1)
    if show in {TimelineFilter.ALL, TimelineFilter.NOTES, TimelineFilter.CHANGES}:
        items += _events(session, members, show, before, limit + 1)
    items.sort(key=_place, reverse=True)
    more = len(items) > limit
    items = items[:limit]
    end = _place(items[-1]) if more else None
    entries = [one for one in items if isinstance(one, TimelineEntry)]
    seen = {one.id for one in without_hidden_merges(session, entries, accounts)}
    items = [one for one in items if isinstance(one, ConversationItem) or one.id in seen]
    talks = [one for one in items if isinstance(one, ConversationItem)]
    counted = _counted(session, [one.id for one in talks])
    shown = [
        replace(one, **counted[one.id]._asdict()) if isinstance(one, ConversationItem) else one
        for one in items
    ]
    return TimelinePage(shown, end)


def without_hidden_merges(session: Session, entries: Sequence[E], accounts: Accounts) -> list[E]:
    """Leave out merges with contacts on accounts that the viewer does not see."""
    merges = {one.content.get("merge") for one in entries if one.kind in {EntryKind.MERGED, EntryKind.SPLIT}}
    if accounts is None or not merges:
        return list(entries)
    moved = sa.select(ContactMerge.id, ContactMerge.moved).where(ContactMerge.id.in_(merges - {None}))
    identities = {row.id: set(row.moved.get("identities", ())) for row in session.execute(moved)}
    seen = set(
        session.scalars(
            sa.select(ContactIdentity.id).where(
                ContactIdentity.id.in_(set().union(*identities.values())),
                ContactIdentity.account_id.in_(sorted(accounts)),
            )
        )
    )
    parted = {one.content.get("other") for one in entries if one.kind == EntryKind.SPLIT}
    theirs = sa.select(ContactIdentity.contact_id).where(
        ContactIdentity.contact_id.in_(parted - {None}), ContactIdentity.account_id.in_(sorted(accounts))
    )
    known = set(session.scalars(theirs)) if parted else set()

    def is_seen(one: E) -> bool:
        if one.kind == EntryKind.SPLIT:
            return one.content.get("other") in known
        return one.kind != EntryKind.MERGED or bool(identities.get(one.content.get("merge"), set()) & seen)

    return [one for one in entries if is_seen(one)]


def _place(item: ConversationItem | TimelineEntry) -> TimelinePosition:
    return TimelinePosition(item.at, 1 if isinstance(item, ConversationItem) else 0, item.id)


def _behind(before: TimelinePosition | None, rank: int, at: Any, id_: Any) -> list[sa.ColumnElement[bool]]:
    """Return the conditions for rows of a rank after the position *before* in the timeline."""
    if before is None:
        return []
    if rank > before.rank:
        return [at < before.at]
    if rank < before.rank:
        return [at <= before.at]
    return [at <= before.at, sa.or_(at < before.at, id_ < before.id)]


def _talks(
    session: Session, contact_id: int, accounts: Accounts, before: TimelinePosition | None, limit: int
) -> list[ConversationItem]:
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
        ConversationItem(
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
    """Return labels, messages, files and first answers of conversations, one statement each."""
    if not ids:
        return {}
    labels = labels_of_conversations(session, ids)
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
    answers: dict[int, int] = {}
    for id_, took in registry.hooks().answer_times(session=session, conversations=ids, most=None) or ():
        answers[id_] = min(took, answers.get(id_, took))
    return {
        id_: _Count(labels.get(id_, ()), messages.get(id_, 0), files.get(id_, 0), answers.get(id_))
        for id_ in ids
    }


def _events(
    session: Session,
    members: Collection[int],
    show: TimelineFilter,
    before: TimelinePosition | None,
    limit: int,
) -> list[TimelineEntry]:
    entry = ContactEntry
    query = (
        sa.select(entry, User.name)
        .outerjoin(User, User.id == entry.author_id)
        .where(entry.contact_id.in_(members), *_behind(before, 0, entry.at, entry.id))
        .order_by(entry.at.desc(), entry.id.desc())
        .limit(limit)
    )
    if show is TimelineFilter.NOTES:
        query = query.where(entry.kind == EntryKind.NOTE)
    elif show is TimelineFilter.CHANGES:
        query = query.where(entry.kind != EntryKind.NOTE)
    rows = session.execute(query).all()
    names = names_of(session, {int(row.content["other"]) for row, _ in rows if "other" in row.content})
    return [
        TimelineEntry(
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
    """Return names of contacts by id, including merged ones."""
    if not ids:
        return {}
    # A merged contact's identities belong to the other contact, so they are read from the merge.
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
    """Return the query for the number of messages from both sides in these conversations."""
    return (
        sa.select(sa.func.count())
        .select_from(Message)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(*mine, Message.direction != Direction.INTERNAL)
    )


def figures(
    session: Session, contact_id: int, members: Collection[int], accounts: Accounts = None
) -> Figures:
    """Return the figures of a contact: four statements."""
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
    mine_ids = sa.select(Conversation.id).where(*mine)
    times = registry.hooks().answer_times(session=session, conversations=mine_ids, most=MEASURED) or ()
    measured = [seconds for _conversation, seconds in times]
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
"""The condition that a browser can show a picture."""


def _shared(contact_id: int, accounts: Accounts) -> Any:
    """Select the existing files of a contact's conversations, newest first."""
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
            # Without the HTML of mails and the pictures in it, which are mostly logos.
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
    """Return shared files, newest first.

    :param below: only those with a lower id.
    :param pictures: only pictures that can be shown.
    """
    query = _shared(contact_id, accounts)
    if below is not None:
        query = query.where(Attachment.id < below)
    if pictures:
        gone = (AttachmentState.EXPIRED, AttachmentState.OUTSIDE)
        query = query.where(Attachment.kind == MessageKind.IMAGE, Attachment.state.not_in(gone), _bearable)
    return [SharedFile(*row) for row in session.execute(query.limit(limit))]
