"""A received message in its original form, with headers and source."""

from __future__ import annotations

from flask import Response
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _l
from sqlalchemy.orm import Session

from host.channels.directory import current_directory
from host.core import db
from host.core.errors import LobbyError, NotFoundError
from host.media import files
from host.media.pages.blueprint import bp
from host.models.channels import ChannelAccount
from host.models.inbox import Message
from host.models.queue import InboundEvent
from host.queue.bodies import stored
from host.web.request_helpers import Permission, workspace_view

MOST = 1024 * 1024
"""Maximum bytes shown as text; a longer original is saved as a file."""


class OriginalGoneError(LobbyError):
    """The inbound log has already deleted the original."""

    code = "original_gone"
    status = 410
    title = _l("The original was deleted")
    default_sentence = _l("Originals are kept for a limited time. The message itself is complete.")
    default_next_step = _l("An admin can keep originals of new messages for longer.")


@bp.get("/w/<int:workspace_id>/messages/<int:message_id>/original")
@workspace_view(Permission.READ)
def original_message(workspace_id: int, message_id: int) -> ResponseReturnValue:
    """Show a received message with all its headers, as text."""
    with db.read() as session:
        body = _load(session, workspace_id, message_id)
    if not body:
        raise OriginalGoneError()
    response = Response(body)
    name = f"message-{message_id}.{'eml' if len(body) > MOST else 'txt'}"
    files.harmless(response, content_type="application/octet-stream", name=name, download=len(body) > MOST)
    if len(body) <= MOST:
        # As plain text without sniffing, and with a policy that allows no scripts.
        response.headers["Content-Type"] = "text/plain; charset=utf-8"
        response.headers["Content-Disposition"] = files.disposition(name, inline=True)
    return response


def _load(session: Session, workspace_id: int, message_id: int) -> bytes | None:
    """Return the original of a message from the journal, or None if it was deleted.

    :raises NotFoundError: if there is no such message, or its channel has no originals per message.
    """
    message = session.get(Message, message_id)
    if message is None or message.workspace_id != workspace_id or message.unsent_at or message.hidden_at:
        raise NotFoundError()
    account = session.get(ChannelAccount, message.account_id)
    adapter = None if account is None else current_directory().adapter(account.channel)
    if adapter is None or not adapter.capabilities.originals:
        raise NotFoundError()
    for event_id in message.sources or ():
        event = session.get(InboundEvent, event_id)
        if event is not None and event.account_id == message.account_id and event.body:
            return stored.whole(session, event.id, event.body)
    return None
