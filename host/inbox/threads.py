"""One conversation: its messages, their files, and what stands around them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.accounts.models import User
from host.delivery.models import OutboxEntry
from host.inbox import around
from host.inbox.around import Quoted, Reacted
from host.inbox.cleaning import is_providers
from host.inbox.models import Attachment, AttachmentState, Message

PAGE = 50


@dataclass(frozen=True, slots=True)
class File:
    """An attachment as a thread shows it.

    :param state: where its bytes are, see :class:`~host.inbox.models.AttachmentState`.
    :param width: and *height*: of a picture, in pixels, where they are known.
    """

    id: int
    kind: str
    name: str
    content_type: str
    size: int | None
    state: str
    width: int | None = None
    height: int | None = None

    @property
    def viewable(self) -> bool:
        """Whether there is something to see: with us, or at the provider by way of us."""
        return self.state not in {AttachmentState.EXPIRED, AttachmentState.OUTSIDE}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a thread.

    :param waiting: why it waits and until when: ``sentence``, ``until`` (ISO 8601).
    :param parts: how many messages the reply it belongs to became.
    :param addressable: whether the provider knows it, so that it can be quoted or reacted to.
    """

    id: int
    direction: str
    origin: str
    kind: str
    text: str
    content: dict[str, Any]
    author_id: int | None
    author_name: str | None
    state: str | None
    error: dict[str, Any] | None
    sent_at: datetime
    position: int
    reply_key: str | None
    waiting: dict[str, Any] | None
    parts: int = 1
    files: tuple[File, ...] = ()
    edited_at: datetime | None = None
    edit_count: int = 0
    unsent_at: datetime | None = None
    erased: bool = False
    imported: bool = False
    hidden: bool = False
    addressable: bool = False
    quoted: Quoted | None = None
    reactions: tuple[Reacted, ...] = ()


@dataclass(frozen=True, slots=True)
class Thread:
    """A page of a thread, oldest first. *earlier* continues it upwards; None: it starts here."""

    entries: Sequence[Entry]
    earlier: tuple[datetime, int] | None


@cache
def _entries() -> Any:
    return (
        sa.select(Message, User.name, OutboxEntry.waiting)
        .outerjoin(User, User.id == Message.author_id)
        .outerjoin(OutboxEntry, OutboxEntry.message_id == Message.id)
    )


def load_thread(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = PAGE,
) -> Thread:
    """Return the last *limit* messages, or those before the position *before*."""
    query = _entries().where(Message.conversation_id == conversation_id, Message.workspace_id == workspace_id)
    if before is not None:
        at, id_ = before
        query = query.where(Message.sent_at <= at, sa.or_(Message.sent_at < at, Message.id < id_))
    query = query.order_by(Message.sent_at.desc(), Message.id.desc()).limit(limit + 1)
    found = list(session.execute(query))
    more = len(found) > limit
    entries = _built(session, found[:limit][::-1])
    return Thread(entries, (entries[0].sent_at, entries[0].id) if more else None)


def load_messages(
    session: Session, workspace_id: int, conversation_id: int, ids: Collection[int]
) -> list[Entry]:
    """Return those of *ids* that are in the conversation, in the order they are shown."""
    query = (
        _entries()
        .where(
            Message.conversation_id == conversation_id,
            Message.workspace_id == workspace_id,
            Message.id.in_(ids),
        )
        .order_by(Message.sent_at, Message.id)
    )
    return _built(session, list(session.execute(query)))


def _built(session: Session, found: Sequence[Any]) -> list[Entry]:
    ids = [message.id for message, *_ in found]
    files = _files(session, ids)
    reactions = around.reactions(session, ids)
    quoted = around.quoted(session, [message for message, *_ in found])
    parts = _parts(session, [message for message, *_ in found if message.reply_key is not None])
    return [
        Entry(
            id=message.id,
            direction=message.direction,
            origin=message.origin,
            kind=message.kind,
            text=message.text,
            content=message.content,
            author_id=message.author_id,
            author_name=author,
            state=message.state,
            error=message.error,
            sent_at=message.sent_at,
            position=message.position,
            reply_key=message.reply_key,
            waiting=waiting,
            parts=parts.get((message.conversation_id, message.reply_key), 1),
            files=tuple(files.get(message.id, ())),
            edited_at=message.edited_at,
            edit_count=message.edit_count,
            unsent_at=message.unsent_at,
            erased=message.erased_at is not None,
            imported=message.imported_at is not None,
            hidden=message.hidden_at is not None,
            addressable=is_providers(message.external_id),
            quoted=quoted.get((message.account_id, message.reply_to)),
            reactions=tuple(reactions.get(message.id, ())),
        )
        for message, author, waiting in found
    ]


def _files(session: Session, ids: Sequence[int]) -> dict[int, list[File]]:
    query = (
        sa.select(
            Attachment.message_id,
            Attachment.id,
            Attachment.kind,
            Attachment.name,
            Attachment.content_type,
            Attachment.size,
            Attachment.state,
            Attachment.width,
            Attachment.height,
        )
        .where(Attachment.message_id.in_(ids))
        .order_by(Attachment.id)
    )
    files: dict[int, list[File]] = {}
    for row in session.execute(query):
        file = File(row.id, row.kind, row.name, row.content_type, row.size, row.state, row.width, row.height)
        files.setdefault(row.message_id, []).append(file)
    return files


def _parts(session: Session, messages: Sequence[Message]) -> dict[tuple[int, str | None], int]:
    """Return how many messages each reply became, for replies of which *messages* shows any part."""
    query = (
        sa.select(Message.conversation_id, Message.reply_key, sa.func.count())
        .where(
            Message.conversation_id.in_({message.conversation_id for message in messages}),
            Message.reply_key.in_({message.reply_key for message in messages}),
        )
        .group_by(Message.conversation_id, Message.reply_key)
    )
    return {(conversation, key): number for conversation, key, number in session.execute(query)}
