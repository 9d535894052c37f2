"""Conversations as they lie in the database, without sending or receiving anything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from host.core import clock, db
from host.models.inbox import (
    Contact,
    ContactIdentity,
    Conversation,
    DeliveryState,
    Direction,
    Message,
    Origin,
)
from host.models.queue import OutboxEntry
from host.sdk.channel import AccountRef


def _thread(session: Session, account: AccountRef, at: datetime, **more: Any) -> Conversation:
    common = {"workspace_id": account.workspace_id, "created_at": at}
    contact = Contact(**common)
    session.add(contact)
    session.flush()
    identity = ContactIdentity(
        **common,
        contact_id=contact.id,
        account_id=account.id,
        external_id=f"99{contact.id:014}",
        profile={},
    )
    session.add(identity)
    session.flush()
    thread = Conversation(
        **common,
        channel=account.channel,
        account_id=account.id,
        contact_id=contact.id,
        identity_id=identity.id,
        status="open",
        last_message_at=at,
        last_preview="",
        last_direction="outbound",
        last_kind="text",
        **more,
    )
    session.add(thread)
    session.flush()
    return thread


def _message(thread: Conversation, at: datetime, **more: Any) -> Message:
    values: dict[str, Any] = {
        "direction": Direction.OUTBOUND,
        "origin": Origin.AGENT,
        "kind": "text",
        "text": "Hello",
        "content": {},
        **more,
    }
    return Message(
        workspace_id=thread.workspace_id,
        conversation_id=thread.id,
        account_id=thread.account_id,
        sent_at=at,
        created_at=at,
        **values,
    )


def outbound(account: AccountRef, *mids: str, at: datetime) -> None:
    """Write messages the provider took at *at*, by the ids it gave them."""

    def use_case(session: Session) -> None:
        thread = _thread(session, account, at)
        for mid in mids:
            message = _message(thread, at, external_id=mid, state=DeliveryState.SENT)
            session.add(message)
            session.flush()
            entry = OutboxEntry(
                message_id=message.id,
                account_id=account.id,
                lane="l",
                recipient="1026",
                open=False,
                attempted_at=at,
            )
            session.add(entry)

    db.write(use_case)


def refused(account: AccountRef, code: str, *, last_inbound_at: datetime | None = None) -> None:
    """Write a message the provider refused just now with *code*."""
    at = clock.now()

    def use_case(session: Session) -> None:
        thread = _thread(session, account, at, failed_count=1, last_inbound_at=last_inbound_at)
        error = {"code": code, "sentence": "It was refused."}
        session.add(_message(thread, at, state=DeliveryState.FAILED, error=error))

    db.write(use_case)


def inbound(account: AccountRef, kind: str, at: datetime) -> None:
    """Write something a customer sent."""

    def use_case(session: Session) -> None:
        thread = _thread(session, account, at, last_inbound_at=at)
        more = {"direction": Direction.INBOUND, "origin": Origin.CUSTOMER, "kind": kind}
        session.add(_message(thread, at, **more))

    db.write(use_case)
