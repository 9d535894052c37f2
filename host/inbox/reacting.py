"""Put the team's reaction on a message, change it, take it away. A worker tells the provider."""

from __future__ import annotations

from datetime import datetime

import regex
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.models import ChannelAccount
from host.inbox.cleaning import is_providers
from host.inbox.conversations import locked
from host.inbox.errors import MessageNotFoundError, UnknownChannelError, WindowClosedError
from host.inbox.models import Actor, Conversation, DeliveryState, Direction, Message, Reaction
from host.inbox.reply import check_may_send
from host.inbox.sendable import NotSendableError
from host.live.publish import publish
from host.sdk.accounts import ref
from host.sdk.capabilities import Capabilities
from host.sdk.channel import ChannelAdapter, ReplyState

MAX_LENGTH = 64
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|[0-9#*]\ufe0f?\u20e3")


def react(
    session: Session,
    *,
    workspace_id: int,
    conversation_id: int,
    message_id: int,
    emoji: str,
    author_id: int | None,
    adapter: ChannelAdapter | None,
    now: datetime,
) -> Reaction | None:
    """Let the team's reaction on a message be *emoji*, or none if empty; return its row if there is one.

    Asking for what is so already changes nothing.

    :raises ConversationNotFoundError: if the workspace has no such conversation.
    :raises MessageNotFoundError: if the conversation has no such message.
    :raises UnknownChannelError: if no active addon brings the channel (*adapter* is None).
    :raises NotSendableError: codes ``reactions_not_supported``, ``emoji_not_allowed``, ``reaction_unknown``.
    :raises WindowClosedError: if not everybody may write to the customer now; a reaction has no other way.

    Besides, what :func:`host.inbox.reply.check_may_send` raises.
    """
    conversation = locked(session, workspace_id, conversation_id)
    message = session.get(Message, message_id)
    if (
        message is None
        or message.conversation_id != conversation.id
        or message.direction == Direction.INTERNAL
    ):
        raise MessageNotFoundError()
    if adapter is None:
        raise UnknownChannelError()
    account = ref(session.get_one(ChannelAccount, conversation.account_id))
    wanted = _allowed(emoji, adapter.capabilities_of(account))
    if not is_providers(message.external_id) or message.unsent_at is not None:
        raise NotSendableError(
            "reaction_unknown",
            _l("Nobody can react to that message: it was not sent, or was taken back."),
            next_step=_l("Reload the conversation."),
            status=409,
        )
    policy = check_may_send(session, conversation, adapter, now)
    if policy.state is not ReplyState.OPEN:
        raise WindowClosedError(
            _l("Reactions can be sent only as long as anybody may answer, so nothing was sent."),
            next_step=_l("Write a reply instead."),
        )
    return _set(session, conversation, message, wanted, author_id, now)


def _set(
    session: Session,
    conversation: Conversation,
    message: Message,
    wanted: str,
    author_id: int | None,
    now: datetime,
) -> Reaction | None:
    row = session.scalars(
        sa.select(Reaction)
        .where(
            Reaction.account_id == message.account_id,
            Reaction.external_id == message.external_id,
            Reaction.actor == Actor.TEAM,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    before = "" if row is None or row.removed_at is not None else row.emoji
    if before == wanted and (row is None or row.state != DeliveryState.FAILED):
        return row
    if row is None:
        row = Reaction(
            workspace_id=conversation.workspace_id,
            conversation_id=conversation.id,
            account_id=message.account_id,
            external_id=message.external_id,
            message_id=message.id,
            actor=Actor.TEAM,
            name="",
        )
        session.add(row)
    row.emoji = wanted or row.emoji  # what was taken away is shown again if that fails
    row.removed_at = None if wanted else now
    row.at = now
    row.author_id = author_id
    row.state = DeliveryState.QUEUED
    row.error = None
    row.attempts = 0
    row.next_at = now
    session.flush()
    announce(session, row)
    return row


def announce(session: Session, row: Reaction) -> None:
    """Tell browsers that the message of a reaction looks different now."""
    payload = {"conversation": row.conversation_id, "message": row.message_id}
    publish(session, row.workspace_id, "changed", payload)


def _allowed(emoji: str, capabilities: Capabilities) -> str:
    """Return *emoji* as the channel's declaration writes it."""
    allowed = capabilities.reactions
    if allowed is None:
        raise NotSendableError(
            "reactions_not_supported",
            _l("This channel has no reactions."),
            next_step=_l("Write a reply instead."),
            status=409,
        )
    wanted = emoji.strip()
    if not wanted:
        return ""
    if allowed:
        for one in allowed:
            if _bare(one) == _bare(wanted):
                return one
    elif (
        len(wanted) <= MAX_LENGTH
        and regex.fullmatch(r"\X", wanted) is not None
        and _EMOJI.search(wanted) is not None
    ):
        return wanted
    raise NotSendableError(
        "emoji_not_allowed",
        _l("This channel takes no such reaction."),
        next_step=_l("Choose one of those offered."),
        field="emoji",
    )


def _bare(emoji: str) -> str:
    """Return *emoji* without the mark that asks for colour: keyboards differ in whether they write it."""
    return emoji.replace("\ufe0f", "")
