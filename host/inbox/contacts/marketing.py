"""Whether a customer wants marketing messages, as they told the provider.

What they say in one conversation counts for every account of the channel, until they say something else to
the account that writes: a shop with two numbers doesn't send by one what the customer stopped at the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.inbox.conversations import publish_message
from host.models.inbox import Conversation, Direction, Message, Origin
from host.sdk.messages import MessageKind

MOST_READ = 100
"""Number of a customer's newest preferences that are read."""


def stopped(session: Session, contact_id: int, channel: str, account_id: int) -> bool:
    """Return whether a contact stopped marketing messages of an account, or of another account since."""
    told = (
        sa.select(Message.account_id, Message.content)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(
            Conversation.contact_id == contact_id,
            Conversation.channel == channel,
            Message.kind == MessageKind.OPT_IN,
            Message.unsent_at.is_(None),
        )
        .order_by(Message.sent_at.desc(), Message.id.desc())
        .limit(MOST_READ)
    )
    heard: set[int] = set()
    for account, content in session.execute(told):
        state = _state(content)
        if account not in heard and state == "stopped":
            return True
        if state:
            heard.add(account)
            if account == account_id:
                return False
    return False


def note_stopped(session: Session, message_id: int, at: datetime) -> None:
    """Add the line that the customer stopped marketing messages, as the provider said when it refused one."""
    refused = session.get_one(Message, message_id)
    talk = session.get_one(Conversation, refused.conversation_id)
    if stopped(session, talk.contact_id, talk.channel, talk.account_id):
        return
    message = Message(
        workspace_id=talk.workspace_id,
        conversation_id=talk.id,
        account_id=talk.account_id,
        external_id=f"stopped-marketing:{refused.id}",
        direction=Direction.INBOUND,
        origin=Origin.CUSTOMER,
        kind=MessageKind.OPT_IN,
        text="",
        content={"opt_in": {"state": "stopped", "marketing": True}},
        sent_at=at,
        created_at=at,
    )
    session.add(message)
    session.flush()
    publish_message(session, message)


def _state(content: Mapping[str, Any]) -> str:
    """Return what a preference says of everything that advertises something; empty: nothing."""
    told = content.get("opt_in")
    if not isinstance(told, Mapping) or told.get("marketing") is not True:
        return ""
    return str(told.get("state") or "")


def is_marketing(content: Mapping[str, Any]) -> bool:
    """Return whether a message of ours is an approved template that advertises something."""
    template = content.get("approved_template")
    return isinstance(template, Mapping) and template.get("promotional") is True
