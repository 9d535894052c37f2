"""The private reply to a comment, of which there is at most one.

A row of the database (:class:`host.models.posts.PrivateReply`), written with our message, guarantees that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.errors import ConflictError
from host.models.channels import ChannelAccount
from host.models.channels import ref as account_ref
from host.models.inbox import Conversation, DeliveryState, Message
from host.models.posts import Post, PrivateReply
from host.sdk import messages as told
from host.sdk.capabilities import PrivateReplyLimits
from host.sdk.channel import ChannelAdapter, PrivateContext, ReplyPolicy, ReplyState

FREED = frozenset({DeliveryState.FAILED, DeliveryState.CANCELLED})
"""States of a private reply that allow another one."""


class PrivateReplyUsedError(ConflictError):
    """The message already has a private reply."""

    code = "private_reply_used"
    title = _l("Already replied to privately")
    default_sentence = _l("A comment can get one private reply, and this one already has. Nothing was sent.")
    default_next_step = _l("Reply publicly, or continue in the private conversation once they write back.")


class PrivateReplyEndedError(ConflictError):
    """The message cannot, or can no longer, be answered privately."""

    code = "private_reply_ended"
    title = _l("No private reply possible")
    default_sentence = _l("This comment cannot be replied to privately. Nothing was sent.")
    default_next_step = _l("Reply publicly.")


def post_value(row: Post) -> told.Post:
    """Return a stored post as adapters and addons receive it."""
    try:
        kind = told.PostKind(row.kind)
    except ValueError:
        kind = told.PostKind.OTHER
    return told.Post(
        external_id=row.external_id,
        kind=kind,
        text=row.text,
        url=row.url,
        picture_url=row.picture_url,
        published_at=row.published_at,
        ended_at=row.ended_at,
        owner=row.owner,
    )


def context(session: Session, message: Message, now: datetime) -> PrivateContext:
    """Return the data a policy needs to decide whether *message* may be answered privately."""
    account = session.get_one(ChannelAccount, message.account_id)
    post_id = session.get_one(Conversation, message.conversation_id).post_id
    row = None if post_id is None else session.get(Post, post_id)
    post = None if row is None else post_value(row)
    return PrivateContext(account_ref(account), now, message.sent_at, post, message.content)


def answered(session: Session, account_id: int, external_id: str) -> Message | None:
    """Return the private reply to a message, or None.

    :param external_id: of the answered message.
    """
    query = (
        sa.select(Message)
        .join(PrivateReply, PrivateReply.message_id == Message.id)
        .where(PrivateReply.account_id == account_id, PrivateReply.external_id == external_id)
    )
    return session.scalars(query).one_or_none()


def check(
    session: Session, conversation: Conversation, external_id: str, adapter: ChannelAdapter, now: datetime
) -> ReplyPolicy:
    """Refuse a private reply that cannot be sent; return its deadline. The conversation is locked.

    :param external_id: the customer's message to answer.
    :raises PrivateReplyUsedError: if it has one that was sent, or may have been.
    :raises PrivateReplyEndedError: if the channel doesn't allow it, or no longer does.
    """
    before = answered(session, conversation.account_id, external_id)
    if before is not None and before.state not in FREED:
        raise PrivateReplyUsedError()
    message = _message(session, conversation.account_id, external_id)
    policy = adapter.private_policy(context(session, message, now))
    if policy.state is ReplyState.CLOSED:
        raise PrivateReplyEndedError(policy.sentence or None)
    return policy


def take(session: Session, ours: Message) -> None:
    """Store *ours* as the private reply to the message it answers, replacing a failed or cancelled one.

    :raises PrivateReplyUsedError: if there is another one that neither failed nor was cancelled.
    """
    assert ours.reply_to is not None
    query = sa.select(PrivateReply).where(
        PrivateReply.account_id == ours.account_id, PrivateReply.external_id == ours.reply_to
    )
    row = session.scalars(query.with_for_update()).one_or_none()
    if row is None:
        row = PrivateReply(
            workspace_id=ours.workspace_id,
            account_id=ours.account_id,
            external_id=ours.reply_to,
            message_id=ours.id,
            created_at=ours.created_at,
        )
        session.add(row)
    elif row.message_id != ours.id:
        before = session.get(Message, row.message_id)
        if before is not None and before.state not in FREED:
            raise PrivateReplyUsedError()
        row.message_id = ours.id
    session.flush()


def attempted(session: Session, message_id: int, at: datetime | None) -> None:
    """Record when a private reply was handed to the provider; None if nothing was sent."""
    of = PrivateReply.message_id == message_id
    session.execute(sa.update(PrivateReply).where(of).values(attempted_at=at))


class OfHour(msgspec.Struct, frozen=True):
    """Private replies of an account within the last hour, and their limit."""

    used: int
    most: int

    @property
    def share(self) -> float:
        """The used share of the limit, in percent."""
        return round(100 * min(self.used / self.most, 1), 1)


def of_hour(
    session: Session,
    account_id: int,
    limits: PrivateReplyLimits | None,
    now: datetime,
    post_id: int | None = None,
) -> OfHour | None:
    """Return the number of an account's private replies handed to the provider within the last hour.

    Return None if there is no limit, or replies below *post_id* don't count. Like the provider, count each
    reply from that moment, whatever its result.
    """
    if limits is None or limits.per_hour is None:
        return None
    kind = sa.select(Post.kind).where(Post.id == post_id)
    if post_id is not None and limits.uncounted and session.scalar(kind) in limits.uncounted:
        return None
    lately = PrivateReply.attempted_at > now - timedelta(hours=1)
    query = sa.select(sa.func.count()).select_from(PrivateReply)
    query = query.where(PrivateReply.account_id == account_id, lately)
    if limits.uncounted:
        query = (
            query.join(Message, Message.id == PrivateReply.message_id)
            .join(Conversation, Conversation.id == Message.conversation_id)
            .join(Post, Post.id == Conversation.post_id)
            .where(Post.kind.not_in(limits.uncounted))
        )
    return OfHour(session.scalar(query) or 0, limits.per_hour)


def _message(session: Session, account_id: int, external_id: str) -> Message:
    query = sa.select(Message).where(Message.account_id == account_id, Message.external_id == external_id)
    found = session.scalars(query).one_or_none()
    if found is None or found.unsent_at is not None:
        raise PrivateReplyEndedError(_l("The comment was deleted, so nothing was sent."))
    return found
