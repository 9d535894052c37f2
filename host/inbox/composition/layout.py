"""The layout that a channel gives a message, such as an email with the earlier messages quoted below."""

from __future__ import annotations

import logging

from host.core import db
from host.inbox.composition.quotes import reader, to_quote
from host.inbox.queries import Row
from host.models.users import Workspace
from host.sdk.channel import AccountRef, ChannelAdapter, SendRequest
from host.sdk.messages import OutgoingPart
from host.users import desk_language

log = logging.getLogger(__name__)


def laid_out(
    account: AccountRef, adapter: ChannelAdapter | None, part: OutgoingPart, row: Row | None
) -> str | None:
    """Return a message as the HTML that its channel would send; None if it has no layout of its own.

    Pictures in the text have the address ``cid:``, with the place of the file in the message. Call it outside
    any transaction.

    :param row: the conversation it answers; None if it starts one.
    """
    if adapter is None:
        return None
    with db.read() as session:
        workspace = session.get_one(Workspace, account.workspace_id)
        customer = "" if row is None else reader(adapter, row.identity_external_id)
        wanted = SendRequest(
            account=account,
            recipient="" if row is None else row.identity_external_id,
            part=part,
            message_key="",
            recipient_name="" if row is None else row.identity_name or "",
            quoted=None if row is None else to_quote(session, row.id, account.id, customer, part.content),
            language=desk_language.of_workspace(workspace.language),
            timezone=workspace.timezone or "UTC",
        )
    try:
        return adapter.preview(wanted)
    except Exception:
        log.exception("the adapter of %s cannot lay out a message", account.channel)
        return None
