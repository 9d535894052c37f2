"""Hide, show or delete a customer's message at the provider. A worker sends the request to the provider."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.core.cleaning import is_providers
from host.core.ports import AdapterDirectory
from host.events.kinds.messages import MESSAGE_DELETED, MESSAGE_HIDDEN, MESSAGE_SHOWN, OfMessage
from host.events.models import ActorKind
from host.events.writing import Happened, record
from host.inbox.conversations import actor_of, locked_message, publish_changed_message
from host.inbox.errors import AccountDisconnectedError, UnknownChannelError
from host.inbox.sendable import NotSendableError
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import DeliveryState, Direction
from host.models.posts import MessageModeration
from host.sdk.channel import Moderated, Moderation
from host.users.actor import UnitOfWork

_NEEDS = {
    Moderated.SHOWN: Moderation.HIDE,
    Moderated.HIDDEN: Moderation.HIDE,
    Moderated.DELETED: Moderation.DELETE,
}


def moderate(
    work: UnitOfWork,
    message_id: int,
    wanted: Moderated,
    *,
    directory: AdapterDirectory,
    conversation_id: int | None = None,
) -> MessageModeration | None:
    """Show, hide or delete a customer's message at the provider; return its row if there is one.

    Asking again for the current or pending state changes nothing. A failed request is retried.

    :param conversation_id: the conversation it must be in; None for any of the workspace.
    :raises ConversationNotFoundError: if the workspace has no conversation *conversation_id*.
    :raises MessageNotFoundError: if there is no such message, or it is a note or an activity line.
    :raises UnknownChannelError: if no active addon provides the channel.
    :raises AccountDisconnectedError: if its account is disconnected.
    :raises NotSendableError: codes ``moderation_not_supported``, ``message_gone``.
    """
    session = work.session
    conversation, message = locked_message(work, message_id, conversation_id=conversation_id)
    adapter = directory.adapter(conversation.channel)
    if adapter is None:
        raise UnknownChannelError()
    account = session.get_one(ChannelAccount, conversation.account_id)
    if account.state == AccountState.DISCONNECTED:
        raise AccountDisconnectedError()
    allowed = _NEEDS[wanted] in adapter.capabilities_of(ref(account)).moderation
    if not allowed or message.direction != Direction.INBOUND:
        raise NotSendableError(
            "moderation_not_supported",
            _l("This message cannot be hidden or deleted from here."),
            next_step=_l("Do it in the provider's own app."),
            status=409,
        )
    row = session.get(MessageModeration, message.id, with_for_update=True)
    stood = Moderated.SHOWN if row is None else Moderated(row.stood)
    if not is_providers(message.external_id) or message.unsent_at is not None or stood is Moderated.DELETED:
        if row is not None and wanted is Moderated.DELETED:
            return row
        raise NotSendableError(
            "message_gone",
            _l("The message no longer exists: it was deleted or unsent."),
            next_step=_l("Load the conversation again."),
            status=409,
        )
    if row is None and wanted is Moderated.SHOWN:
        return None
    if row is not None and row.wanted == wanted and row.state != DeliveryState.FAILED:
        return row
    if row is None:
        row = MessageModeration(
            message_id=message.id,
            workspace_id=conversation.workspace_id,
            conversation_id=conversation.id,
            account_id=conversation.account_id,
        )
        session.add(row)
    row.stood = stood
    row.wanted = wanted
    row.author_id, row.author, row.at = work.author_id, (work.by or "")[:255], work.now
    row.state, row.error, row.attempts, row.next_at = DeliveryState.QUEUED, None, 0, work.now
    session.flush()
    publish_changed_message(session, message)
    return row


_HAPPENED = {
    Moderated.SHOWN: MESSAGE_SHOWN,
    Moderated.HIDDEN: MESSAGE_HIDDEN,
    Moderated.DELETED: MESSAGE_DELETED,
}


def stands_now(session: Session, row: MessageModeration) -> None:
    """Record the state of a message after the provider's answer: changed, or unchanged if it refused."""
    kind = _HAPPENED[Moderated(row.wanted)] if row.state == DeliveryState.SENT else ""
    record(
        session,
        Happened(
            row.workspace_id,
            kind,
            "changed",
            row.account_id,
            row.conversation_id,
            row.message_id,
            actor_kind=actor_of(row.author_id) if not row.author else ActorKind.SYSTEM,
            actor_id=row.author_id,
            facts=OfMessage() if kind else None,
        ),
    )
