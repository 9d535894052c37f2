"""State of comments for lists and threads, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.core.cleaning import is_providers
from host.inbox.comments.private_reply import FREED
from host.models.inbox import Conversation, Direction, Message
from host.models.posts import MessageModeration, PrivateReply
from host.sdk.channel import Moderated


class Private(msgspec.Struct, frozen=True):
    """The private reply to a message.

    :param at: time it was written; *state*: its delivery state.
    """

    message_id: int
    at: datetime
    state: str | None

    @property
    def stands(self) -> bool:
        """Whether it was sent, or may have been, so that no other is allowed."""
        return self.state not in FREED


class Newest(msgspec.Struct, frozen=True):
    """The newest message of the customer in a conversation about a post.

    :param gone: whether its author deleted it; *moderated*: its state at the provider, set by the team.
    :param private: the private reply to it; None if there is none.
    """

    message_id: int
    sent_at: datetime
    content: dict[str, Any]
    gone: bool
    moderated: Moderated
    private: Private | None


def newest(session: Session, conversation_ids: Collection[int]) -> dict[int, Newest]:
    """Return the newest message of the customer of each conversation: one statement, none for no ids."""
    if not conversation_ids:
        return {}
    latest = (
        sa.select(Message.id)
        .where(Message.conversation_id == Conversation.id, Message.direction == Direction.INBOUND)
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(1)
        .correlate(Conversation)
        .scalar_subquery()
    )
    theirs, ours = aliased(Message), aliased(Message)
    query = (
        sa.select(
            *(Conversation.id, theirs.id, theirs.sent_at, theirs.content, theirs.unsent_at),
            *(MessageModeration.stood, ours.id, ours.sent_at, ours.state),
        )
        .select_from(Conversation)
        .join(theirs, theirs.id == latest)
        .outerjoin(MessageModeration, MessageModeration.message_id == theirs.id)
        .outerjoin(
            PrivateReply,
            sa.and_(
                PrivateReply.account_id == theirs.account_id, PrivateReply.external_id == theirs.external_id
            ),
        )
        .outerjoin(ours, ours.id == PrivateReply.message_id)
        .where(Conversation.id.in_(set(conversation_ids)))
    )
    found = {}
    for conversation, id_, sent_at, content, unsent_at, stood, reply, replied_at, state in session.execute(
        query
    ):
        found[conversation] = Newest(
            id_,
            sent_at,
            content,
            unsent_at is not None,
            Moderated.SHOWN if stood is None else Moderated(stood),
            None if reply is None else Private(reply, replied_at, state),
        )
    return found


def privates(session: Session, account_id: int, external_ids: Collection[str]) -> dict[str, Private]:
    """Return the private replies to messages of an account, by the external id of the answered message."""
    if not external_ids:
        return {}
    query = (
        sa.select(PrivateReply.external_id, Message.id, Message.sent_at, Message.state)
        .join(Message, Message.id == PrivateReply.message_id)
        .where(PrivateReply.account_id == account_id, PrivateReply.external_id.in_(set(external_ids)))
    )
    return {row[0]: Private(*row[1:]) for row in session.execute(query)}


class Answerable(msgspec.Struct, frozen=True):
    """A comment that can be answered."""

    id: int
    external_id: str
    text: str
    sent_at: datetime
    content: dict[str, Any]


def to_answer(session: Session, conversation_id: int, wanted: int | None = None) -> Answerable | None:
    """Return a comment to answer: *wanted* if it exists in this conversation, otherwise the newest.

    Return None if all are deleted.
    """
    query = (
        sa.select(Message.id, Message.external_id, Message.text, Message.sent_at, Message.content)
        .select_from(Message)
        .outerjoin(MessageModeration, MessageModeration.message_id == Message.id)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == Direction.INBOUND,
            Message.unsent_at.is_(None),
            Message.external_id.is_not(None),
            sa.or_(MessageModeration.stood.is_(None), MessageModeration.stood != Moderated.DELETED),
        )
        .order_by(
            sa.case((Message.id == (wanted or 0), 0), else_=1), Message.sent_at.desc(), Message.id.desc()
        )
        .limit(1)
    )
    row = session.execute(query).first()
    return None if row is None or not is_providers(row.external_id) else Answerable(*row)


class CommentExcerpt(msgspec.Struct, frozen=True):
    """A comment of the customer, shortened."""

    id: int
    text: str
    at: datetime
    private: bool


def said(session: Session, conversation_id: int, most: int) -> list[CommentExcerpt]:
    """Return the customer's newest messages in a conversation, oldest first."""
    answered = sa.exists().where(
        PrivateReply.account_id == Message.account_id, PrivateReply.external_id == Message.external_id
    )
    query = (
        sa.select(Message.id, sa.func.substr(Message.text, 1, 200), Message.sent_at, answered)
        .where(
            Message.conversation_id == conversation_id,
            Message.direction == Direction.INBOUND,
            Message.unsent_at.is_(None),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(most)
    )
    return [CommentExcerpt(id_, text, at, bool(has)) for id_, text, at, has in session.execute(query)][::-1]


class Direct(msgspec.Struct, frozen=True):
    """The latest conversation with the same person on the linked account."""

    conversation_id: int
    channel: str
    preview: str
    last_kind: str
    last_direction: str
    at: datetime


def direct(session: Session, contact_id: int, account_id: int) -> Direct | None:
    """Return the latest conversation with a contact on an account, or None."""
    query = (
        sa.select(
            *(Conversation.id, Conversation.channel, Conversation.last_preview, Conversation.last_kind),
            *(Conversation.last_direction, Conversation.last_message_at),
        )
        .where(Conversation.contact_id == contact_id, Conversation.account_id == account_id)
        .order_by(Conversation.last_message_at.desc(), Conversation.id.desc())
        .limit(1)
    )
    row = session.execute(query).first()
    return None if row is None else Direct(*row)
