"""Events about messages, for the event log and for open browsers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from host.events.facts import Facts
from host.events.kinds.contacts import CONTACT_IDENTITY_ADDED, OfIdentity
from host.events.kinds.conversations import (
    CONVERSATION_CREATED,
    CONVERSATION_REOPENED,
    CONVERSATION_WOKEN,
    ConversationState,
    OfConversation,
)
from host.events.kinds.messages import (
    MESSAGE_DELIVERED,
    MESSAGE_FAILED,
    MESSAGE_REACTED,
    MESSAGE_READ,
    MESSAGE_RECEIVED,
    MESSAGE_SENT,
    MESSAGE_UNCONFIRMED,
    OfMessage,
)
from host.events.models import ActorKind
from host.events.writing import Happened
from host.inbox.apply.values import Annotation, KnownId, NewMessage
from host.models.inbox import ARRIVED, CAMPAIGN_KEY, CLAIMED_BY, DeliveryState, Direction, Origin
from host.sdk.messages import Who

_ACTORS: dict[str, ActorKind] = {
    Origin.CUSTOMER: ActorKind.CUSTOMER,
    Origin.AGENT: ActorKind.USER,
    Origin.API: ActorKind.KEY,
    Origin.PROVIDER: ActorKind.PROVIDER,
}
_OF_ACTIVITIES = {
    "reopened_by_message": CONVERSATION_REOPENED,
    "woken_by_message": CONVERSATION_WOKEN,
}
"""Event kinds of the activity lines that incoming messages add, by their ``what``."""


class Sent(NamedTuple):
    """Fields of a sent message that events contain."""

    id: int
    workspace_id: int
    conversation_id: int
    account_id: int
    origin: str
    author_id: int | None
    sent_at: datetime
    direction: str = Direction.OUTBOUND
    reply_key: str | None = None


def of_state(
    message: Sent, state: str, before: str | None, error: Mapping[str, Any] | None = None
) -> Iterator[Happened]:
    """Yield the events for a sent message whose state is now *state*.

    :param before: its earlier state.
    :param error: the error it now has, as stored.
    """
    # A forward to somebody else is no message to the customer.
    kinds = list(_kinds(state, before)) if message.direction == Direction.OUTBOUND else []
    kinds = kinds or [""]
    for kind in kinds:
        read = kind == MESSAGE_READ
        sent = kind == MESSAGE_SENT
        delivered = kind == MESSAGE_DELIVERED
        yield Happened(
            message.workspace_id,
            kind,
            topic="state" if kind == kinds[-1] else "",
            account_id=message.account_id,
            conversation_id=message.conversation_id,
            message_id=message.id,
            actor_kind=ActorKind.CUSTOMER
            if read
            else ActorKind.PROVIDER
            if delivered
            else _ACTORS.get(message.origin, ActorKind.SYSTEM),
            actor_id=None if read or delivered else message.author_id,
            facts=OfMessage(
                state=state,
                error=str((error or {}).get("code") or ""),
                campaign=(message.reply_key or "").startswith(CAMPAIGN_KEY),
            ),
            occurred_at=message.sent_at if sent else None,
        )


def _kinds(state: str, before: str | None) -> Iterator[str]:
    if state in ARRIVED and before not in ARRIVED:
        yield MESSAGE_SENT
    if state == DeliveryState.DELIVERED and before not in {state, DeliveryState.READ}:
        yield MESSAGE_DELIVERED
    if state == DeliveryState.READ and before != state:
        yield MESSAGE_READ
    if state == DeliveryState.FAILED and before != state:
        yield MESSAGE_FAILED
    if state == DeliveryState.UNKNOWN and before != state:
        yield MESSAGE_UNCONFIRMED


def of_annotation(said: Annotation, workspace_id: int, id_: int, conversation_id: int | None) -> Happened:
    """Return the event for the annotation *said* of the message *id_*."""
    of_customer = said.message.direction == Direction.INBOUND or said.kind == MESSAGE_REACTED
    account_id = said.message.account.id if isinstance(said.message, NewMessage) else said.message.account_id
    return Happened(
        workspace_id,
        said.kind,
        account_id=account_id,
        conversation_id=conversation_id,
        message_id=id_,
        actor_kind=ActorKind.CUSTOMER if of_customer else ActorKind.PROVIDER,
        facts=said.facts,
        occurred_at=said.at,
    )


def of_beginning(message: NewMessage) -> Happened:
    """Return the event that *message* began its conversation, which has no label, team or assignee yet."""
    thread = message.thread
    return Happened(
        message.account.workspace_id,
        CONVERSATION_CREATED,
        account_id=message.account.id,
        conversation_id=thread.id,
        actor_kind=ActorKind.CUSTOMER if message.direction == Direction.INBOUND else ActorKind.PROVIDER,
        facts=OfConversation(state=ConversationState(thread.status, thread.handled_by)),
        occurred_at=message.sent_at,
    )


def of_further_id(known: KnownId, identity_id: int) -> Happened:
    """Return the event that a person has a further id, in the row *identity_id*."""
    person = known.person
    return Happened(
        person.account.workspace_id,
        CONTACT_IDENTITY_ADDED,
        account_id=person.account.id,
        conversation_id=None if person.newest is None else person.newest.id,
        actor_kind=ActorKind.PROVIDER,
        facts=OfIdentity(contact=person.contact_id or 0, identity=identity_id),
        occurred_at=known.at,
    )


def changes_conversation(message: NewMessage) -> bool:
    """Return whether the event for *message* is about its conversation, so it keeps the state of that."""
    return message.imported_at is None and _kind_of_new(message) in _OF_ACTIVITIES.values()


def of_new(message: NewMessage, id_: int, states: Mapping[int, ConversationState]) -> Happened:
    """Return the event for a new message, note or activity line.

    :param states: the states of those conversations, by id, of which :func:`changes_conversation` is true.

    Messages from the provider's history are for browsers only: nothing reacts to past messages.
    """
    kind = ""
    claimed_by = str(message.content.get(CLAIMED_BY, ""))
    if message.imported_at is None:
        kind = _kind_of_new(message)
    quiet = message.imported_at is not None or message.thread.is_spam or bool(claimed_by)
    copied = kind == MESSAGE_SENT and message.content.get("sent_by", {}).get("who") == Who.DESK
    facts: Facts = OfMessage(late=message.late, claimed_by=claimed_by, copied=copied)
    if kind in _OF_ACTIVITIES.values():
        facts = OfConversation(state=states.get(message.thread.id or 0))
    return Happened(
        message.account.workspace_id,
        kind,
        # Nobody is notified of imported messages, which are old, of spam, or of taps that an addon claims.
        topic="changed" if quiet else "message",
        account_id=message.account.id,
        conversation_id=message.thread.id,
        message_id=id_,
        actor_kind=_ACTORS.get(message.origin, ActorKind.SYSTEM),
        facts=facts,
        occurred_at=message.sent_at,
    )


def _kind_of_new(message: NewMessage) -> str:
    if message.direction == Direction.INBOUND:
        return MESSAGE_RECEIVED
    if message.direction == Direction.OUTBOUND:
        return MESSAGE_SENT
    return _OF_ACTIVITIES.get(str(message.content.get("what")), "")
