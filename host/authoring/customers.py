"""Made-up customers on a trial desk, for addons that work beside conversations of any channel."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from host.automation.condition_facts import Event, seen
from host.channels import connecting
from host.core import clock, db
from host.core.ports import AdapterDirectory, RuleDirectory
from host.events.kinds.messages import MESSAGE_RECEIVED
from host.inbox.apply.changes import apply_changes
from host.inbox.apply.incoming import Incoming
from host.inbox.panels.customer import customer_of, used_for
from host.models.channels import AccountState, ChannelAccount, ref
from host.models.inbox import ContactIdentity, Conversation, Direction, Message
from host.sdk.cards import Connection
from host.sdk.channel import (
    AccountRef,
    Capabilities,
    ChannelAdapter,
    ChannelMark,
    ProviderProblem,
    Rejected,
    SendRequest,
    SendResult,
)
from host.sdk.messages import InboundChange, MessageKind, MessageReceived
from host.sdk.panels import CustomerContext
from host.sdk.rules import AskedAbout, UsedFor
from host.sdk.webhooks import Envelope
from host.users.reach import ALL_ACCOUNTS

HANDLE = "trial"
_numbers = itertools.count(1)


def _default_channel() -> str:
    """Return the channel that conversations have by default: the tables of every desk take it."""
    default = Conversation.__table__.c.channel.server_default
    assert isinstance(default, sa.DefaultClause)
    return str(default.arg)


class MadeUpChannel(ChannelAdapter):
    """The channel of made-up customers if the addon adds none. It delivers nothing."""

    key = _default_channel()
    label = "Trial"
    mark = ChannelMark(text="TR", tone=6)
    capabilities = Capabilities(sends=frozenset({MessageKind.TEXT}))

    def parse(self, envelope: Envelope) -> Sequence[InboundChange]:
        return ()

    def send(self, request: SendRequest) -> SendResult:
        return Rejected(ProviderProblem("trial", "A trial desk delivers nothing on this channel."))


def write(
    workspace_id: int, adapter: ChannelAdapter, contact: str, text: str, *, name: str, email: str | None
) -> int:
    """Have *contact* write *text* on an account that is made up, and return the id of the conversation."""
    account = _account(workspace_id, adapter.key)
    change = MessageReceived(
        contact=contact,
        external_id=f"trial-{next(_numbers)}-{uuid.uuid4().hex}",
        sent_at=clock.now(),
        text=text,
        contact_name=name or contact.title(),
        contact_email=email,
    )
    incoming = Incoming(account, adapter, change, clock.now(), f"trial:{change.external_id}")
    db.write(apply_changes, [incoming])
    with db.read() as session:
        return _known(session, contact).id


def _account(workspace_id: int, channel: str) -> AccountRef:
    query = sa.select(ChannelAccount).where(
        ChannelAccount.workspace_id == workspace_id,
        ChannelAccount.channel == channel,
        ChannelAccount.state == AccountState.CONNECTED,
    )
    with db.read() as session:
        row = session.scalar(query.order_by(ChannelAccount.id).limit(1))
        if row is not None:
            return ref(row)
    made_up = Connection(HANDLE, "Trial", f"@{HANDLE}", "pasted", lambda _session, _account: None)
    return connecting.save(workspace_id=workspace_id, channel=channel, connection=made_up)


def conversation_of(session: Session, contact: str) -> Conversation | None:
    """Return the newest conversation with *contact*, the provider's id."""
    return session.scalar(
        sa.select(Conversation)
        .join(ContactIdentity, ContactIdentity.id == Conversation.identity_id)
        .where(ContactIdentity.external_id == contact)
        .order_by(Conversation.id.desc())
        .limit(1)
    )


def context(contact: str) -> CustomerContext:
    """Return *contact* as panels get them beside their conversation.

    :raises KeyError: if the contact has not written.
    """
    with db.read() as session:
        row = _known(session, contact)
        return customer_of(
            session,
            row.workspace_id,
            row.contact_id,
            ALL_ACCOUNTS,
            conversation_id=row.id,
            identity_id=row.identity_id,
        )


def about(contact: str, directory: RuleDirectory) -> AskedAbout:
    """Return the newest message of *contact* as conditions and actions get it.

    :raises KeyError: if the contact has not written.
    """
    with db.read() as session:
        row = _known(session, contact)
        newest = session.scalar(
            sa.select(Message.id)
            .where(Message.conversation_id == row.id, Message.direction == Direction.INBOUND)
            .order_by(Message.sent_at.desc(), Message.id.desc())
            .limit(1)
        )
        event = Event(0, row.workspace_id, MESSAGE_RECEIVED, row.id, newest)
        return seen(session, [event], (), directory, clock.now(), {})[0].about()


def tool_subject(contact: str) -> UsedFor:
    """Return *contact* as tools of assistants get them.

    :raises KeyError: if the contact has not written.
    """
    with db.read() as session:
        row = _known(session, contact)
        found = used_for(session, row.workspace_id, row.id, f"trial-{uuid.uuid4().hex}")
    assert found is not None
    return found


def _known(session: Session, contact: str) -> Conversation:
    row = conversation_of(session, contact)
    if row is None:
        raise KeyError(contact)
    return row


def adapter_of(channels: Sequence[str], directory: AdapterDirectory) -> ChannelAdapter:
    """Return the adapter of the channel made-up customers write on: the addon's first, else a made-up one."""
    found = directory.adapter(channels[0]) if channels else None
    return MadeUpChannel() if found is None else found
