"""Messages as the API shows them: one form for every kind, however they are asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.accounts.models import User
from host.api import shapes
from host.api.cursors import Position
from host.api.declare import BASE
from host.delivery.models import OutboxEntry
from host.inbox import around
from host.inbox.cleaning import is_providers
from host.inbox.models import Actor, Attachment, DeliveryState, Direction, Message

WAITS = frozenset({DeliveryState.QUEUED, DeliveryState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class MessagePage:
    """Messages of a conversation, oldest first, and the places of the first and the last."""

    messages: list[shapes.Message]
    first: Position | None
    last: Position | None
    has_before: bool
    has_after: bool


def page_of(
    session: Session,
    workspace_id: int,
    conversation_id: int,
    *,
    before: Position | None,
    after: Position | None,
    limit: int,
) -> MessagePage:
    """Return up to *limit* messages before or after a position, or with neither the newest."""
    query = _select().where(Message.conversation_id == conversation_id, Message.workspace_id == workspace_id)
    if after is not None:
        at, id_ = after
        query = query.where(Message.sent_at >= at, sa.or_(Message.sent_at > at, Message.id > id_))
        query = query.order_by(Message.sent_at, Message.id)
    else:
        if before is not None:
            at, id_ = before
            query = query.where(Message.sent_at <= at, sa.or_(Message.sent_at < at, Message.id < id_))
        query = query.order_by(Message.sent_at.desc(), Message.id.desc())
    found = list(session.execute(query.limit(limit + 1)))
    more = len(found) > limit
    found = found[:limit]
    if after is None:
        found.reverse()
    ends = [(message.sent_at, message.id) for message, *_rest in found]
    return MessagePage(
        messages=_built(session, found),
        first=ends[0] if ends else after or before,
        last=ends[-1] if ends else after or before,
        has_before=more if after is None else True,
        has_after=more if after is not None else before is not None,
    )


def one_message(session: Session, workspace_id: int, message_id: int) -> shapes.Message | None:
    """Return a message of the workspace, or None if it has no such one."""
    return next(iter(some_messages(session, workspace_id, [message_id])), None)


def some_messages(session: Session, workspace_id: int, ids: Sequence[int]) -> list[shapes.Message]:
    """Return those of *ids* that are of the workspace, in the order of their ids."""
    query = _select().where(Message.id.in_(ids), Message.workspace_id == workspace_id).order_by(Message.id)
    return _built(session, list(session.execute(query)))


def _select() -> Any:
    return (
        sa.select(Message, User.name, OutboxEntry.waiting)
        .outerjoin(User, User.id == Message.author_id)
        .outerjoin(OutboxEntry, OutboxEntry.message_id == Message.id)
    )


def _built(session: Session, found: Sequence[Any]) -> list[shapes.Message]:
    """Return messages with what belongs to them: a fixed number of queries for any number of messages."""
    ids = [message.id for message, *_rest in found]
    files, reactions = _files(session, ids), around.reactions(session, ids)
    quoted = around.quoted(session, [message for message, *_rest in found])
    return [
        shapes.Message(
            id=message.id,
            conversation_id=message.conversation_id,
            account_id=message.account_id,
            external_id=message.external_id if is_providers(message.external_id) else None,
            direction=message.direction,
            origin=message.origin,
            kind=message.kind,
            text=message.text,
            content=_content(message),
            attachments=files.get(message.id, []),
            reactions=[_reaction(one) for one in reactions.get(message.id, ())],
            reply_to=_quote(message, quoted),
            author=None
            if message.author_id is None
            else shapes.Person(id=message.author_id, name=author or ""),
            state=message.state,
            error=_problem(message.error),
            waiting=_waiting(waiting) if message.state in WAITS else None,
            edited_at=message.edited_at,
            edit_count=message.edit_count,
            unsent_at=message.unsent_at,
            sent_at=message.sent_at,
            created_at=message.created_at,
        )
        for message, author, waiting in found
    ]


def _files(session: Session, ids: Sequence[int]) -> dict[int, list[shapes.Attachment]]:
    query = (
        sa.select(
            Attachment.message_id,
            Attachment.id,
            Attachment.kind,
            Attachment.name,
            Attachment.content_type,
            Attachment.size,
            Attachment.width,
            Attachment.height,
        )
        .where(Attachment.message_id.in_(ids))
        .order_by(Attachment.id)
    )
    files: dict[int, list[shapes.Attachment]] = {}
    for row in session.execute(query):
        file = shapes.Attachment(
            id=row.id,
            kind=row.kind,
            name=row.name,
            content_type=row.content_type,
            size=row.size,
            width=row.width,
            height=row.height,
            url=f"{BASE}/attachments/{row.id}",
        )
        files.setdefault(row.message_id, []).append(file)
    return files


def _content(message: Message) -> dict[str, Any]:
    """Return what a kind needs beyond its text, our own names in camelCase and the provider's as they are."""
    ours = {"quick_replies", "template"} if message.direction == Direction.OUTBOUND else set()
    shown = {
        _camel(name): _renamed(value) if name in ours else value
        for name, value in (message.content or {}).items()
    }
    return shown if message.imported_at is None else {**shown, "imported": True}


def _renamed(value: Any) -> Any:
    if isinstance(value, dict):
        return {_camel(name): _renamed(inner) for name, inner in value.items()}
    return [_renamed(inner) for inner in value] if isinstance(value, list) else value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _reaction(found: around.Reacted) -> shapes.Reaction:
    return shapes.Reaction(
        actor=Actor(found.actor),
        emoji=found.emoji,
        name=found.name,
        author=found.author_name,
        state=cast(Any, found.state),
    )


def _quote(message: Message, quoted: Mapping[tuple[int, str], around.Quoted]) -> shapes.Quote | None:
    if message.reply_to is None:
        return None
    known = quoted.get((message.account_id, message.reply_to))
    return shapes.Quote(external_id=message.reply_to, message_id=None if known is None else known.id)


def _problem(error: dict[str, Any] | None) -> shapes.Problem | None:
    if not error:
        return None
    named = {name: str(error.get(name) or "") for name in ("code", "sentence", "cause", "next_step", "raw")}
    return shapes.Problem(**named)


def _waiting(waiting: dict[str, Any] | None) -> shapes.Waiting | None:
    if not waiting or not waiting.get("sentence"):
        return None
    return shapes.Waiting(sentence=str(waiting["sentence"]), until=_moment(waiting.get("until")))


def _moment(value: object) -> datetime | None:
    """Return ISO 8601 text as a moment; None for anything else."""
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
