"""The team's reaction on a message: set it, replace it, remove it. A worker sends it to the provider."""

from __future__ import annotations

import regex
import sqlalchemy as sa
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.cleaning import is_providers
from host.core.ports import AdapterDirectory
from host.events.writing import show
from host.inbox.apply import responders
from host.inbox.conversations import locked_message
from host.inbox.errors import AnsweredElsewhereError, UnknownChannelError, WindowClosedError
from host.inbox.reply import check_may_send
from host.inbox.sendable import NotSendableError
from host.models.channels import ChannelAccount, ref
from host.models.inbox import Actor, DeliveryState, Message, Reaction
from host.sdk.capabilities import Capabilities
from host.sdk.channel import ReplyState
from host.users.actor import UnitOfWork

MAX_LENGTH = 64
_EMOJI = regex.compile(r"\p{Extended_Pictographic}|\p{Regional_Indicator}|[0-9#*]\ufe0f?\u20e3")


def react(
    work: UnitOfWork,
    message_id: int,
    emoji: str,
    *,
    directory: AdapterDirectory,
    conversation_id: int | None = None,
    by_itself: bool = False,
) -> Reaction | None:
    """Set the team's reaction on a message, or remove it if *emoji* is empty; return its row, if any.

    :param conversation_id: the conversation the message must be in; None for any of the workspace.
    :param by_itself: whether no person does it.
    :raises AnsweredElsewhereError: if no person does it, and another program has the conversation.
    :raises ConversationNotFoundError: if the workspace has no conversation *conversation_id*.
    :raises MessageNotFoundError: if there is no such message, or it is a note or an activity line.
    :raises UnknownChannelError: if no active addon provides the channel.
    :raises NotSendableError: codes ``reactions_not_supported``, ``emoji_not_allowed``, ``reaction_unknown``.
    :raises WindowClosedError: if the reply window is closed, or open for people only.

    It also raises the errors of :func:`host.inbox.reply.check_may_send`.
    """
    session, now = work.session, work.now
    conversation, message = locked_message(work, message_id, conversation_id=conversation_id)
    adapter = directory.adapter(conversation.channel)
    if adapter is None:
        raise UnknownChannelError()
    account = ref(session.get_one(ChannelAccount, conversation.account_id))
    wanted = _allowed(emoji, adapter.capabilities_of(account))
    if not is_providers(message.external_id) or message.unsent_at is not None:
        raise NotSendableError(
            "reaction_unknown",
            _l("You cannot react to that message: it was not sent, or was unsent."),
            next_step=_l("Load the conversation again."),
            status=409,
        )
    if by_itself and responders.is_held(conversation, now):
        raise AnsweredElsewhereError()
    policy = check_may_send(session, conversation, adapter, now)
    if policy.state is not ReplyState.OPEN:
        raise WindowClosedError(
            _l("You can only react while the reply window is open. Nothing was sent."),
            next_step=_l("Write a reply instead."),
        )
    return _set(work, message, wanted)


def _set(work: UnitOfWork, message: Message, wanted: str) -> Reaction | None:
    session, now = work.session, work.now
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
            workspace_id=message.workspace_id,
            conversation_id=message.conversation_id,
            account_id=message.account_id,
            external_id=message.external_id,
            message_id=message.id,
            actor=Actor.TEAM,
            name="",
        )
        session.add(row)
    row.emoji = wanted or row.emoji  # if removing fails, the removed emoji is shown again
    row.removed_at = None if wanted else now
    row.at = now
    row.author_id = work.author_id
    row.state = DeliveryState.QUEUED
    row.error = None
    row.attempts = 0
    row.next_at = now
    session.flush()
    publish_reaction(session, row)
    return row


def publish_reaction(session: Session, row: Reaction) -> None:
    """Notify browsers that the message of a reaction has changed."""
    show(session, row.workspace_id, "changed", conversation_id=row.conversation_id, message_id=row.message_id)


def _allowed(emoji: str, capabilities: Capabilities) -> str:
    """Return *emoji* as the channel declares it.

    :raises NotSendableError: codes ``reactions_not_supported``, ``emoji_not_allowed``.
    """
    allowed = capabilities.reactions
    if allowed is None:
        raise NotSendableError(
            "reactions_not_supported",
            _l("This channel does not support reactions."),
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
        _l("This channel does not support that reaction."),
        next_step=_l("Choose one from the list."),
        field="emoji",
    )


def _bare(emoji: str) -> str:
    """Return *emoji* without the variation selector, which only some keyboards add."""
    return emoji.replace("\ufe0f", "")
