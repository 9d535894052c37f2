"""Answer a comment privately, and find the resulting conversation on the linked account."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Required, TypedDict, Unpack

import msgspec
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from host.events.writing import show
from host.inbox.drafts import Draft
from host.inbox.reply import HeldLocks, Hold, Voice, queue_parts
from host.models.channels import ChannelAccount
from host.models.inbox import Conversation, Direction, Message
from host.sdk.channel import ChannelAdapter
from host.users.actor import UnitOfWork
from host.users.reach import Accounts


class Queued(TypedDict, total=False):
    """The parameters of :func:`host.inbox.reply.queue_parts` that a private reply has, too."""

    reply_key: Required[str]
    adapter: Required[ChannelAdapter | None]
    by_person: bool
    voice: Voice
    hold: Hold
    held: HeldLocks | None


def queue_private(
    work: UnitOfWork,
    conversation_id: int,
    message_id: int,
    text: str,
    *,
    quick_replies: Sequence[Mapping[str, str]] = (),
    **how: Unpack[Queued],
) -> Message:
    """Queue the one private reply to a customer's message, and return the reply.

    :param message_id: id of the message to answer.
    :param quick_replies: ``{title, payload}`` each, if the channel supports them.
    :raises PrivateReplyUsedError: if it already has a private reply.
    :raises PrivateReplyEndedError: if the channel doesn't allow it, or no longer does.

    Other parameters and errors are those of :func:`host.inbox.reply.queue_parts`.
    """
    content = {"quick_replies": [dict(one) for one in quick_replies]} if quick_replies else {}
    draft = Draft(text=text, content=content, reply_to=message_id, private=True)
    (message,) = queue_parts(work, conversation_id, [draft], overflow="reject", **how)
    return message


class LedTo(msgspec.Struct, frozen=True):
    """The private reply as a message on the linked account, with its conversation.

    :param state: the state on that account: whether the customer read it.
    :param answered: whether the customer wrote there since.
    """

    conversation_id: int
    message_id: int
    state: str | None
    answered: bool


def led_to(
    session: Session, workspace_id: int, message_ids: Collection[int], accounts: Accounts = None
) -> dict[int, LedTo]:
    """Return the direct messages that private replies became, by the ids of the replies.

    Replies that the linked account did not report are left out, for instance if it is disconnected.

    :param accounts: only direct messages on these accounts.
    """
    if not message_ids:
        return {}
    theirs, after = aliased(Message), aliased(Message)
    answered = (
        sa.select(sa.literal(1))
        .where(
            after.conversation_id == theirs.conversation_id,
            after.direction == Direction.INBOUND,
            after.sent_at > theirs.sent_at,
        )
        .correlate(theirs)
        .exists()
    )
    query = (
        sa.select(Message.id, theirs.conversation_id, theirs.id, theirs.state, answered)
        .join(ChannelAccount, ChannelAccount.id == Message.account_id)
        .join(
            theirs,
            sa.and_(theirs.account_id == ChannelAccount.beside_id, theirs.external_id == Message.external_id),
        )
        .where(Message.id.in_(message_ids), Message.workspace_id == workspace_id)
    )
    if accounts is not None:
        query = query.where(theirs.account_id.in_(sorted(accounts)))
    return {
        id_: LedTo(conversation_id, message_id, state, bool(answers))
        for id_, conversation_id, message_id, state, answers in session.execute(query)
    }


def redraw_beside(session: Session, message_id: int) -> None:
    """Redraw the direct message of a private reply, now that the reply is known."""
    session.flush()
    workspace_id = session.get_one(Message, message_id).workspace_id
    for led in led_to(session, workspace_id, [message_id]).values():
        ids = {"conversation_id": led.conversation_id, "message_id": led.message_id}
        show(session, workspace_id, "changed", **ids)


class CameFrom(msgspec.Struct, frozen=True):
    """The private reply, with its conversation about a post, that a direct message belongs to."""

    conversation_id: int
    message_id: int


def came_from(session: Session, workspace_id: int, conversation_id: int) -> CameFrom | None:
    """Return the newest private reply behind a direct conversation, or None."""
    ours = aliased(Message)
    query = (
        sa.select(ours.conversation_id, ours.id)
        .select_from(Message)
        .join(ChannelAccount, ChannelAccount.id == Message.account_id)
        .join(
            ours,
            sa.and_(ours.account_id == ChannelAccount.beside_id, ours.external_id == Message.external_id),
        )
        .join(Conversation, Conversation.id == ours.conversation_id)
        .where(
            Message.conversation_id == conversation_id,
            Message.workspace_id == workspace_id,
            Message.direction == Direction.OUTBOUND,
            ChannelAccount.beside_id.is_not(None),
            Conversation.post_id.is_not(None),
        )
        .order_by(ours.id.desc())
        .limit(1)
    )
    row = session.execute(query).first()
    return None if row is None else CameFrom(*row)
