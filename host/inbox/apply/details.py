"""Add details of a message that the provider sent later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.core.cleaning import clean_value, external_id
from host.events.kinds.messages import MESSAGE_COMPLETED
from host.events.writing import Happened, record
from host.models.inbox import Conversation, Message
from host.sdk.channel import AccountRef
from host.sdk.messages import MessageDetails


def add_details(session: Session, account: AccountRef, details: MessageDetails) -> None:
    """Merge *details* into the content of their message, and record that it is complete.

    Erased and unsent messages, and those that already have the details, stay unchanged.
    """
    mine = sa.select(Message.conversation_id).where(
        Message.account_id == account.id, Message.external_id == external_id(details.external_id)
    )
    # The conversation first, as in every write to one.
    locked = sa.select(Conversation.id).where(Conversation.id.in_(mine)).with_for_update()
    conversation_id = session.scalar(locked)
    message = session.scalar(mine.with_only_columns(Message).with_for_update())
    if conversation_id is None or message is None or message.unsent_at is not None:
        return
    content = _merged(message.content, clean_value(dict(details.content)))
    if details.content and content == message.content:
        return
    message.content = content
    session.flush()
    ids = account.id, conversation_id, message.id
    record(session, Happened(account.workspace_id, MESSAGE_COMPLETED, "changed", *ids))


def _merged(content: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(content)
    for name, value in more.items():
        before = merged.get(name)
        inside = isinstance(before, Mapping) and isinstance(value, Mapping)
        merged[name] = _merged(before or {}, value) if inside else value
    return merged
