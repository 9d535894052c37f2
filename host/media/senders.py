"""Senders whose remote pictures are shown by default, as decided in the workspace."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core import clock
from host.models.inbox import ContactIdentity, Conversation, Message
from host.models.media import PictureSender


class Sent(NamedTuple):
    """A message with the data needed to find its sender."""

    id: int
    workspace_id: int
    conversation_id: int
    content: Mapping[str, Any]


def pictures_elsewhere(content: Mapping[str, Any]) -> int:
    """Return the number of remote pictures in the formatted form of a message."""
    form = content.get("html")
    number = form.get("remote") if isinstance(form, Mapping) else 0
    return number if isinstance(number, int) and number > 0 else 0


def is_forged(content: Mapping[str, Any]) -> bool:
    """Return whether our mail server found that the sender of a message is forged."""
    check = content.get("sender_check")
    return isinstance(check, Mapping) and check.get("verdict") == "fail"


def senders(session: Session, messages: Sequence[Sent]) -> dict[int, str]:
    """Return the authors' addresses of *messages*, without forged ones."""
    found: dict[int, str] = {}
    theirs: dict[int, int] = {}
    for message in messages:
        if is_forged(message.content):
            continue
        author = message.content.get("author")
        named = message.content.get("from") or (
            author.get("address") if isinstance(author, Mapping) else None
        )
        if isinstance(named, str) and named:
            found[message.id] = named
        else:
            theirs[message.id] = message.conversation_id
    if theirs:
        query = (
            sa.select(Conversation.id, ContactIdentity.external_id)
            .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
            .where(Conversation.id.in_(set(theirs.values())))
        )
        names = {row[0]: row[1] for row in session.execute(query)}
        found |= {id_: names[place] for id_, place in theirs.items() if place in names}
    return found


def shown_unasked(session: Session, messages: Sequence[Sent]) -> frozenset[int]:
    """Return the ids of the *messages* whose remote pictures are shown by default."""
    asked = [message for message in messages if pictures_elsewhere(message.content)]
    if not asked:
        return frozenset()
    by = senders(session, asked)
    known = _remembered(session, {one.workspace_id for one in asked}, set(by.values()))
    return frozenset(one.id for one in asked if (one.workspace_id, by.get(one.id)) in known)


def _remembered(
    session: Session, workspaces: Collection[int], addresses: Collection[str]
) -> set[tuple[int, str | None]]:
    query = sa.select(PictureSender.workspace_id, PictureSender.sender).where(
        PictureSender.workspace_id.in_(workspaces), PictureSender.sender.in_(addresses)
    )
    return {(row[0], row[1]) for row in session.execute(query)}


def remember(session: Session, message: Sent, user_id: int) -> bool:
    """Show pictures of the sender of *message* by default; return whether the sender can be verified."""
    sender = senders(session, [message]).get(message.id)
    if sender is None:
        return False
    if not _remembered(session, [message.workspace_id], [sender]):
        row = PictureSender(
            workspace_id=message.workspace_id, sender=sender, user_id=user_id, created_at=clock.now()
        )
        try:
            with session.begin_nested():
                session.add(row)
        except sa.exc.IntegrityError:
            pass  # a concurrent request decided the same
    return True


def forget_sender_of(session: Session, message: Sent) -> None:
    """Stop showing pictures of the sender of *message* by default."""
    sender = senders(session, [message]).get(message.id)
    forget_senders(session, message.workspace_id, () if sender is None else (sender,))


def forget_senders(session: Session, workspace_id: int, addresses: Collection[str]) -> None:
    """Delete a workspace's decisions about *addresses*."""
    theirs = PictureSender.workspace_id == workspace_id, PictureSender.sender.in_(addresses)
    if addresses:
        session.execute(sa.delete(PictureSender).where(*theirs))


def load(session: Session, workspace_id: int, message_id: int) -> Sent | None:
    """Return a message of the workspace that still has its content, or None."""
    row = session.execute(
        sa.select(Message.id, Message.workspace_id, Message.conversation_id, Message.content).where(
            Message.id == message_id,
            Message.workspace_id == workspace_id,
            Message.unsent_at.is_(None),
            Message.hidden_at.is_(None),
        )
    ).one_or_none()
    return None if row is None else Sent(*row)
